"""Where `prosody-adminctl` starts: the quick way for a plain command, the long one for the rest."""

import io
import os
import sys

from prosody_admin.client import quick


def main() -> int:
    """Run the command line of this process and return the exit code; after exits.py."""
    _open_what_is_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the locale has no character for is escaped, as it is on standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper) and sys.stdin.isatty():
        # Whoever types what the locale does not know is told so, as of other characters.
        sys.stdin.reconfigure(errors="surrogateescape")
    try:
        code = quick.run(sys.argv[1:])
        if code is None:
            from prosody_admin.client.main import run  # here: it takes 30 ms

            code = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.filename is not None:
            raise
        # Of the standard streams: of nothing else that may fail is the error unknown here.
        code = 0 if isinstance(error, BrokenPipeError) and _seen_enough() else 1
        _drop_what_is_buffered()
        if not isinstance(error, BrokenPipeError):
            print(f"prosody-adminctl: {error.strerror}", file=sys.stderr)
    return code


def _open_what_is_closed() -> None:
    """Have /dev/null for each standard stream that is closed, or the socket would get its number.

    Nothing is read from it, and what is written is lost, as whoever closed it wants.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)  # a pager and ssh look for it
    os.close(opened)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _seen_enough() -> bool:
    """Return whether it is standard output that nobody reads any more, and not standard error."""
    import select  # here: it is seldom needed

    poll = select.poll()
    poll.register(1, 0)
    return bool(poll.poll(0))


def _drop_what_is_buffered() -> None:
    """Have nothing tried again that cannot be written."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
