"""What `prosody-adminctl` does: the module for it is imported when it is known."""

import importlib
import sys
from collections.abc import Sequence

from prosody_admin.client.exits import code_of_error
from prosody_admin.client.options import parse_arguments
from prosody_admin.client.terminal.text import shown
from prosody_admin.errors import ClientError


def run(argv: Sequence[str]) -> int:
    """Run the client with the words of a command line, and return the exit code."""
    try:
        arguments = parse_arguments(argv)
        elsewhere = arguments.host is not None or arguments.machine is not None
        module = "elsewhere.remote" if elsewhere else arguments.module
        return int(importlib.import_module(f"prosody_admin.client.{module}").run(arguments))
    except ClientError as error:
        # It may quote what the service says.
        print(shown(f"prosody-adminctl: {error}", sys.stderr), file=sys.stderr)
        return code_of_error(error)
