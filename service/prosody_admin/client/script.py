"""Commands from a file or from standard input, one a line.

A line is what `run` takes, or the words of a command, quoted as in a shell. Blank lines and those
that begin with `#` are passed over.
"""

import argparse
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prosody_admin.client.asking import confirmed, question_about
from prosody_admin.client.exits import ExitCode, code_of_result
from prosody_admin.client.one_shot import show
from prosody_admin.client.progress import Progress
from prosody_admin.client.reach import connect
from prosody_admin.client.words import line_of
from prosody_admin.errors import UsageError
from prosody_admin.shell.lines import parse

# A section and a command with white space between: no line of the shell begins so, but for Lua,
# which `>` can be put before.
_WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*[ \t]+[A-Za-z_]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a script; `where` is the file's name and the number of the line."""

    where: str
    line: str


def run(arguments: argparse.Namespace) -> int:
    """Run the commands of a script up to the first that fails, or all with `keep_going`.

    The exit code is the highest. A file that has a line that cannot be used does not run at all.
    Raises ClientError.
    """
    if arguments.json:
        raise UsageError("--json: what Prosody says is text; only verbs have it")
    if arguments.file in {None, "-"}:
        return _run_all(arguments, steps_of(sys.stdin, "-"), None)
    steps = _steps_of_file(arguments.file)
    question = _question(steps)
    if question and not arguments.yes and not confirmed(question):
        raise UsageError("not run")
    return _run_all(arguments, steps, len(steps))


def steps_of(lines: Iterable[str], name: str) -> Iterator[Step]:
    """Go through the commands of a script. Raises UsageError, which names the line."""
    number = 0
    try:
        for number, text in enumerate(lines, 1):
            line = text.strip()
            if line and not line.startswith("#"):
                words = shlex.split(line) if _WORDS.match(line) else [line]
                yield Step(f"{name}:{number}", line_of(words))
    except UnicodeDecodeError:
        raise UsageError(f"{name}:{number + 1}: expected UTF-8") from None
    except (UsageError, ValueError) as error:  # of shlex: a quotation that does not end
        raise UsageError(f"{name}:{number}: {error}") from None


def _steps_of_file(name: str) -> list[Step]:
    try:
        with open(name, encoding="utf-8") as file:
            return list(steps_of(file, name))
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error


def _question(steps: list[Step]) -> str:
    destructive = [step for step in steps if question_about(parse(step.line))]
    if not destructive:
        return ""
    first, count = destructive[0], len(destructive)
    more = f" and {count - 1} more such lines" if count > 1 else ""
    return f"{first.where}: {question_about(parse(first.line)).removesuffix('?')}{more}?"


def _run_all(arguments: argparse.Namespace, steps: Iterable[Step], total: int | None) -> int:
    code = ExitCode.OK
    progress = Progress(sys.stderr, total)
    with connect(arguments) as connection, progress:
        for step in steps:
            if sys.stdout.isatty():
                progress.hide()
            result = show(connection, step.line, quiet=arguments.quiet)
            progress.step()
            code = max(code, code_of_result(result))
            if not result.ok:
                progress.hide()
                print(f"prosody-adminctl: {step.where}: failed", file=sys.stderr)
                if not arguments.keep_going:
                    break
    return code
