"""What a command says, as values."""

from dataclasses import dataclass

from prosody_admin.errors import (
    CommandFailedError,
    CommandRefusedError,
    ServiceUnreachableError,
)
from prosody_admin.protocol.stanza import Stanza
from prosody_admin.protocol.structured import FAILURE, REFUSED, UNREACHABLE


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of what a command prints, as it comes; `eol` is whether a newline belongs after."""

    text: str
    error: bool = False
    eol: bool = True

    def __str__(self) -> str:
        return self.text + "\n" * self.eol


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended; `failure` says more of one that did not go well, or is empty.

    `refused` means that it did not run, `unreachable` that Prosody could not be asked or was lost.
    """

    text: str
    ok: bool
    failure: str = ""

    def check(self) -> None:
        """Do nothing for a command that went well.

        Raises CommandRefusedError, ServiceUnreachableError or CommandFailedError for another.
        """
        if self.ok:
            return
        if self.failure == REFUSED:
            raise CommandRefusedError(self.text)
        if self.failure == UNREACHABLE:
            raise ServiceUnreachableError(self.text)
        raise CommandFailedError(self.text)


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a command said."""

    output: tuple[Output, ...]
    result: Result

    @property
    def text(self) -> str:
        """Everything that was printed before the result."""
        return "".join(map(str, self.output))


def result_of(stanza: Stanza) -> Result:
    """Return the result that a `repl-result` is."""
    return Result(stanza.text, not is_error(stanza), stanza.get(FAILURE, ""))


def is_error(stanza: Stanza) -> bool:
    """Return whether output or a result tells of an error."""
    return stanza.get("type") == "error"
