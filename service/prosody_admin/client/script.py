"""Commands from a file or from standard input, one a line; what they mean is in steps.py."""

import argparse
import sys
from collections.abc import Iterable

from prosody_admin.client.exits import ExitCode, code_of_result
from prosody_admin.client.one_shot import refuse_json, show
from prosody_admin.client.reach import connect
from prosody_admin.client.steps import Step, steps_of, steps_of_file
from prosody_admin.client.terminal.asking import agree, question_about
from prosody_admin.client.terminal.progress import Progress


def run(arguments: argparse.Namespace) -> int:
    """Run the commands of a script up to the first that fails, or all with `keep_going`.

    The exit code is the highest. A file that has a line that cannot be used does not run at all.
    Raises ClientError.
    """
    refuse_json(arguments)
    if arguments.file in {None, "-"}:
        return _run_all(arguments, steps_of(sys.stdin, "-"), None)
    steps = steps_of_file(arguments.file)
    if not arguments.yes:
        agree(_question(steps))
    return _run_all(arguments, steps, len(steps))


def _question(steps: list[Step]) -> str:
    questions = [(step.where, asked) for step in steps if (asked := question_about(step.line))]
    if not questions:
        return ""
    (where, first), count = questions[0], len(questions)
    more = f" and {count - 1} more such lines" if count > 1 else ""
    return f"{where}: {first.removesuffix('?')}{more}?"


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
