"""Where `prosody-adminctl` starts: the quick way for a plain command, the long one for the rest."""

import io
import os
import sys

from prosody_admin.client import quick


def main() -> int:
    """Run the command line of this process and return the exit code; after exits.py."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the locale has no character for is escaped, as it is on standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = quick.run(sys.argv[1:])
        if code is None:
            from prosody_admin.client.main import run  # here: it takes 30 ms

            code = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read this has seen enough. What is still buffered must not be tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
