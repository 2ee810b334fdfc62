# Completion of prosody-adminctl(1) for fish 3.1 and later.
#
# What does not change is below. Names of the server are asked for only where they are wanted, for
# each question goes on the service's record.

set -g __prosody_adminctl_verbs close explain log rights run sessions shell status whoami

# The words before the one that is typed, without options and their values.
function __prosody_adminctl_words
    set -l wanted
    set -l words
    for word in (commandline -opc)[2..-1]
        if test -n "$wanted"
            set wanted
        else if string match -q -- '-*' $word; and not __prosody_adminctl_is_command $words
            switch "$words[1]$word"
                case -f --file '*-H' '*--host' '*-M' '*--machine' '*--json' '*--socket'
                    set wanted yes
                case log--user log--session log--command log--since log--until log--directory
                    set wanted yes
                case log-S log-U log-D
                    set wanted yes
            end
        else
            set -a words $word
        end
    end
    string join -- \n $words
end

function __prosody_adminctl_is_command
    set -q argv[1]; and not contains -- $argv[1] $__prosody_adminctl_verbs
end

# Whether the word comes first, is one of a verb (of the one that is named), or of a command.
function __prosody_adminctl_first
    test (count (__prosody_adminctl_words)) -eq 0
end

function __prosody_adminctl_of_verb
    set -l words (__prosody_adminctl_words)
    set -q words[1]; and contains -- $words[1] $__prosody_adminctl_verbs
    and begin
        not set -q argv[1]; or test $words[1] = $argv[1]
    end
end

function __prosody_adminctl_of_command
    __prosody_adminctl_is_command (__prosody_adminctl_words)
end

function __prosody_adminctl_sections
    printf '%s\n' admin announce c2s config cron debug debug_reset dns flags host hosts http \
        invite migrate module muc output port pubsub role roster s2s server stats timer user watch xmpp
end

function __prosody_adminctl_command
    set -l words (__prosody_adminctl_words)
    if test (count $words) -gt 1
        __prosody_adminctl_live
        return
    end
    switch $words[1]
        case help
            __prosody_adminctl_sections
        case admin
            string split ' ' 'close commands explain rights sessions status version whoami'
        case announce
            string split ' ' 'all online role'
        case c2s
            string split ' ' 'close closeall count show show_tls'
        case config
            string split ' ' 'get load reload set'
        case cron
            string split ' ' 'tasks'
        case debug
            string split ' ' 'async cert_index events logevents timers'
        case debug_reset
            string split ' ' 'reset'
        case dns
            string split ' ' 'addnameserver cache lookup purge setnameserver'
        case flags
            string split ' ' 'add find list remove'
        case host
            string split ' ' 'activate deactivate list'
        case hosts
            string split ' ' 'activate deactivate list'
        case http
            string split ' ' 'list'
        case invite
            string split ' ' 'create_account create_contact create_reset delete list show'
        case migrate
            string split ' ' 'account_activity_lastlog2'
        case module
            string split ' ' 'info list load reload unload'
        case muc
            string split ' ' 'affiliations create list occupants room'
        case output
            string split ' ' 'configure'
        case port
            string split ' ' 'close list'
        case pubsub
            string split ' ' 'create_node delete_all_items delete_item delete_node get_item' \
                'get_node_config list_items list_nodes set_node_config_option'
        case role
            string split ' ' 'list show'
        case roster
            string split ' ' 'show subscribe subscribe_both unsubscribe unsubscribe_both'
        case s2s
            string split ' ' 'close closeall show show_tls showcert'
        case server
            string split ' ' 'insane_reload memory shutdown uptime version'
        case stats
            string split ' ' 'show'
        case timer
            string split ' ' 'info'
        case user
            string split ' ' 'activity addrole create delete delrole disable enable list' \
                'list_inactive password restore role roles set_role setroles showroles'
        case watch
            string split ' ' 'log stanzas'
        case xmpp
            string split ' ' 'ping'
        case '*'
            __prosody_adminctl_live
    end
end

# Asks the service, one second at most.
function __prosody_adminctl_live
    prosody-adminctl __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end

function __prosody_adminctl_ids
    string match -q -- '-*' (commandline -ct); or __prosody_adminctl_live
end

function __prosody_adminctl_machines
    machinectl --no-legend --no-pager list 2>/dev/null | string replace -r ' .*' ''
end

complete -c prosody-adminctl -f

set -l first -c prosody-adminctl -n __prosody_adminctl_first
complete $first -a close -d 'end a session'
complete $first -a explain -d 'whether you may run a line'
complete $first -a help -d 'what Prosody has to offer'
complete $first -a log -d 'who did what'
complete $first -a rights -d 'what you may do'
complete $first -a run -d 'run one line as it stands'
complete $first -a sessions -d 'who is connected'
complete $first -a shell -d 'the interactive shell'
complete $first -a status -d 'how the service is doing'
complete $first -a whoami -d 'who you are to the service'
complete $first -a '(__prosody_adminctl_sections)' -d section
complete -c prosody-adminctl -n __prosody_adminctl_of_command -a '(__prosody_adminctl_command)'
complete -c prosody-adminctl -n '__prosody_adminctl_of_verb close' -a '(__prosody_adminctl_ids)'

# Options of the client, and of each verb as well; those of a command are Prosody's.
set -l of_client -c prosody-adminctl -n 'not __prosody_adminctl_of_command'
complete $of_client -s H -l host -x -a '(__fish_complete_user_at_hosts)' -d 'on other hosts, over ssh'
complete $of_client -s M -l machine -x -a '(__prosody_adminctl_machines)' -d 'in a local container'
complete $of_client -l json -x -a 'short pretty' -d 'what verbs say as JSON'
complete $of_client -l no-legend -d 'tables without headings and totals'
complete $of_client -l no-pager -d 'do not pipe long output into a pager'
complete $of_client -s q -l quiet -d 'without the result that says OK'
complete $of_client -l socket -rF -d 'instead of that of the units'
complete $of_client -s h -l help -d 'show the options'

complete $first -s f -l file -rF -d 'run commands from a file'
complete $first -l keep-going -d 'go on with a script after an error'
complete $first -s y -l yes -d 'do not ask before something is destroyed'
complete $first -l version -d 'show the version'

set -l of_log -c prosody-adminctl -n '__prosody_adminctl_of_verb log'
complete $of_log -l user -x -a '(__fish_complete_users)' -d 'of this user, or of this login'
complete $of_log -l session -x -a '(__prosody_adminctl_live)' -d 'of this session'
complete $of_log -l command -x -a '(__prosody_adminctl_live)' -d 'of this command'
complete $of_log -l refused -d 'only what was refused'
complete $of_log -s S -l since -x -a 'now today yesterday' -d 'not before'
complete $of_log -s U -l until -x -a 'now today yesterday' -d 'not after'
complete $of_log -s n -l lines -d 'the last events'
complete $of_log -s f -l follow -d 'wait for more'
complete $of_log -s r -l reverse -d 'the newest first'
complete $of_log -s v -l verbose -d 'every field of each event'
complete $of_log -s D -l directory -x -a '(__fish_complete_directories)' -d 'other journal files'
