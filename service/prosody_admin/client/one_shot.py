"""One command: its output and result to standard output, everything else to standard error."""

import argparse
import sys

from prosody_admin.client.answers import Output, Result
from prosody_admin.client.connection import Connection
from prosody_admin.client.exits import code_of_result
from prosody_admin.client.reach import connect
from prosody_admin.client.terminal.asking import agree, ask_password, question_about
from prosody_admin.client.terminal.output import columns
from prosody_admin.client.terminal.text import shown
from prosody_admin.client.words import line_of
from prosody_admin.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` takes."""
    parser.add_argument("line", metavar="LINE", help="""such as 'user:list("example.com")'""")


def run(arguments: argparse.Namespace) -> int:
    """Run the line that is given, or that the words of the command line are.

    A destructive one is asked about first, at a terminal. Raises UsageError for words that are no
    command, and other ClientErrors.
    """
    line = arguments.line if arguments.verb else line_of(arguments.words)
    refuse_json(arguments)
    if not arguments.yes:
        agree(question_about(line))
    with connect(arguments) as connection:
        return code_of_result(show(connection, line, quiet=arguments.quiet))


def refuse_json(arguments: argparse.Namespace) -> None:
    """Raise UsageError for --json where Prosody answers."""
    if arguments.json:
        raise UsageError("--json: what Prosody says is text; only verbs have it")


def show(connection: Connection, line: str, *, quiet: bool = False) -> Result:
    """Run a line and print what it says; `quiet` leaves out the result of one that went well."""
    for said in connection.stream(line, width=columns(sys.stdout), ask=ask_password):
        match said:
            case Output():
                stream = sys.stderr if said.error else sys.stdout
                text = shown(said.text, stream, wrong=said.error)
                print(text, end="\n" if said.eol else "", file=stream, flush=True)
            case Result(ok=True):
                if said.text and not quiet:
                    print(shown(said.text, sys.stdout), flush=True)
                return said
            case Result():
                print(shown(said.text, sys.stderr, wrong=True), file=sys.stderr, flush=True)
                return said
    raise AssertionError("a stream ends in its result")
