"""The exit codes of `prosody-adminctl`, and which error ends in which."""

import enum

from prosody_admin.client.answers import Result
from prosody_admin.errors import (
    ClientError,
    CommandFailedError,
    CommandRefusedError,
    ServiceUnreachableError,
    UsageError,
)


class ExitCode(enum.IntEnum):
    """How it went; of several hosts or lines the highest counts."""

    OK = 0
    FAILED = 1
    """A command ran and failed."""
    USAGE = 2
    """The command line, a file or an answer at the terminal cannot be used; nothing ran."""
    REFUSED = 3
    """The service, or the journal, does not let this account do it."""
    UNREACHABLE = 4
    """The service, or Prosody behind it, cannot be reached or was lost."""
    INTERRUPTED = 130
    """Ctrl-C, as shells count it (128 and the number of SIGINT)."""


def code_of_error(error: ClientError) -> ExitCode:
    """Return the exit code of an error that ends everything."""
    match error:
        case CommandRefusedError():
            return ExitCode.REFUSED
        case ServiceUnreachableError():
            return ExitCode.UNREACHABLE
        case UsageError():
            return ExitCode.USAGE
        case _:
            return ExitCode.FAILED


def code_of_result(result: Result) -> ExitCode:
    """Return the exit code of a command's result."""
    try:
        result.check()
    except (CommandFailedError, CommandRefusedError, ServiceUnreachableError) as error:
        return code_of_error(error)
    return ExitCode.OK
