# Completion of prosody-adminctl(1) for bash 4.2 and later.
#
# What does not change is below. Names of the server are asked for only where they are wanted, for
# each question goes on the service's record.
# shellcheck shell=bash

_prosody_adminctl() {
	local options='-H --host -M --machine --json --no-legend --no-pager -q --quiet --socket -h --help'
	local of_program='-f --file --keep-going -y --yes --version'
	local of_log='--user --session --command --refused -S --since -U --until -n --lines -f --follow
		-r --reverse -v --verbose -D --directory'
	local -A verbs=(
		[close]='' [explain]='' [log]=$of_log [rights]='' [run]='' [sessions]='' [shell]=''
		[status]='' [whoami]=''
	)
	local -A commands=(
		[admin]='close commands explain rights sessions status version whoami'
		[announce]='all online role'
		[c2s]='close closeall count show show_tls'
		[config]='get load reload set'
		[cron]='tasks'
		[debug]='async cert_index events logevents timers'
		[debug_reset]='reset'
		[dns]='addnameserver cache lookup purge setnameserver'
		[flags]='add find list remove'
		[host]='activate deactivate list'
		[hosts]='activate deactivate list'
		[http]='list'
		[invite]='create_account create_contact create_reset delete list show'
		[migrate]='account_activity_lastlog2'
		[module]='info list load reload unload'
		[muc]='affiliations create list occupants room'
		[output]='configure'
		[port]='close list'
		[pubsub]='create_node delete_all_items delete_item delete_node get_item get_node_config
			list_items list_nodes set_node_config_option'
		[role]='list show'
		[roster]='show subscribe subscribe_both unsubscribe unsubscribe_both'
		[s2s]='close closeall show show_tls showcert'
		[server]='insane_reload memory shutdown uptime version'
		[stats]='show'
		[timer]='info'
		[user]='activity addrole create delete delrole disable enable list list_inactive password
			restore role roles set_role setroles showroles'
		[watch]='log stanzas'
		[xmpp]='ping'
	)
	local option='' verb='' section='' count=0 typed word
	local -a words=() found=()

	# Parted at spaces only: bash itself also parts words at @ and =.
	read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
	[[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=('')
	typed=${words[-1]}

	for word in "${words[@]:1:${#words[@]}-2}"; do
		if [[ $option ]]; then
			option=''
		elif [[ $word == -* && ! $section ]]; then
			case $verb$word in
			-f | --file | *-H | *--host | *-M | *--machine | *--json | *--socket) option=$word ;;
			log--user | log--session | log--command | log--since | log--until) option=$word ;;
			log--directory | log-[SUD]) option=$word ;;
			esac
		elif [[ ! $verb$section && ${verbs[$word]+known} ]]; then
			verb=$word
		else
			[[ $verb ]] || section=${section:-$word}
			count=$((count + 1))
		fi
	done
	if [[ ! $option$section && $typed == --*=* ]]; then
		option=${typed%%=*} typed=${typed#*=}
	fi

	# Nothing here goes through `compgen -W`, which would run what names say.
	case $option,$verb,$section in
	-f,* | --file,* | --socket,* | -D,* | --directory,*)
		COMPREPLY=()
		compopt -o default
		return
		;;
	-H,* | --host,*) mapfile -t found < <(compgen -A hostname) ;;
	-M,* | --machine,*) mapfile -t found < <(machinectl --no-legend --no-pager list 2>/dev/null |
		cut -d ' ' -f 1) ;;
	--json,*) found=(short pretty) ;;
	--user,*) mapfile -t found < <(compgen -u) ;;
	-S,* | --since,* | -U,* | --until,*) found=(now today yesterday) ;;
	--*) _prosody_adminctl_live ;;
	,,)
		if [[ $typed == -* ]]; then
			read -rd '' -a found <<<"$options $of_program"
		else
			found=(help "${!verbs[@]}" "${!commands[@]}")
		fi
		;;
	,?*,)
		if [[ $typed == -* ]]; then
			read -rd '' -a found <<<"$options ${verbs[$verb]}"
		elif [[ $verb == close ]]; then
			_prosody_adminctl_live
		fi
		;;
	,,help) found=("${!commands[@]}") ;;
	*)
		if ((count == 1)) && [[ ${commands[$section]+known} ]]; then
			read -rd '' -a found <<<"${commands[$section]}"
		else
			_prosody_adminctl_live
		fi
		;;
	esac

	# Only the end of the word is put in its place: what follows the last of these, but `@` and all.
	local breaks=${COMP_WORDBREAKS//[[:space:]]/}
	local before=${typed%"${typed##*["$breaks"]}"}
	before=${before%@}
	COMPREPLY=()
	for word in "${found[@]}"; do
		if [[ $word == "$typed"* ]]; then
			printf -v word %q "${word#"$before"}"
			COMPREPLY+=("$word")
		fi
	done
}

# Sets the variables of its caller: asks the service, one second at most.
_prosody_adminctl_live() {
	mapfile -t found < <(prosody-adminctl __complete "${words[@]:1}" 2>/dev/null | cut -f 1)
	if [[ $option && ${words[-1]} == --*=* ]]; then
		found=("${found[@]#"$option="}")
	fi
}

complete -F _prosody_adminctl prosody-adminctl
