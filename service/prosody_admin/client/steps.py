"""The commands of a script: what `run` takes, or words quoted as in a shell, one a line.

Blank lines and those that begin with `#` are passed over.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prosody_admin.client.words import line_typed
from prosody_admin.errors import UsageError


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a script; `where` is the file's name and the number of the line."""

    where: str
    line: str


def steps_of(lines: Iterable[str], name: str) -> Iterator[Step]:
    """Go through the commands of a script. Raises UsageError, which names the line."""
    number = 0
    try:
        for number, text in enumerate(lines, 1):
            line = text.strip()
            if line and not line.startswith("#"):
                yield Step(f"{name}:{number}", line_typed(line))
    except UnicodeDecodeError:
        raise UsageError(f"{name}:{number + 1}: expected UTF-8") from None
    except UsageError as error:
        raise UsageError(f"{name}:{number}: {error}") from None


def steps_of_file(name: str) -> list[Step]:
    """Return the commands of a file. Raises UsageError, which names the line."""
    try:
        with open(name, encoding="utf-8") as file:
            return list(steps_of(file, name))
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error
