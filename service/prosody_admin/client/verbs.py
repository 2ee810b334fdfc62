"""What every way of running the client has to know. Imports nothing, for quick.py."""

DEFAULT_SOCKET = "/run/prosody-admin.sock"
"""That of the units."""

SOCKET_VARIABLE = "PROSODY_ADMIN_SOCKET"
"""The variable of the environment that names another socket where no option does."""

VERBS = {
    "shell": ("prompt.interactive", "the interactive shell, as without any command"),
    "run": ("one_shot", "run one line as it stands"),
    "status": ("about", "how the service is doing"),
    "sessions": ("about", "who is connected to the service"),
    "close": ("about", "end a session"),
    "whoami": ("about", "who you are to the service"),
    "rights": ("about", "what you may do"),
    "explain": ("about", "whether you may run a line, and by which rule"),
    "log": ("journal.audit_log", "who did what: the record in the journal"),
}
"""Each verb's module in this package, and what it does in a few words.

The module has `add_arguments(parser)`, where the default of `verb` is the word, and
`run(arguments)`, which returns the exit code and may raise ClientError.
"""

COMPLETE = "__complete"
"""The verb that the shells' completions use; in no help."""
