"""What a running command asks its client: for a password, say."""

import asyncio
import functools
import logging
from collections.abc import Callable

from prosody_admin.protocol.stanza import ADMIN_NS, Stanza

log = logging.getLogger(__name__)

ANSWER = (ADMIN_NS, "repl-requested-input")
"""Namespace and name of a client's answer to a question."""

Answered = Callable[[Stanza | None], None]
"""Takes the answer to a question, or None when there is none to come."""


class Questions:
    """The questions of one command that wait for their answers, each called back once."""

    def __init__(self) -> None:
        self._waiting: dict[str, Answered] = {}

    def __len__(self) -> int:
        """Return how many questions wait."""
        return len(self._waiting)

    def expect(self, question: Stanza, answered: Answered) -> None:
        """Have `answered` called with the answer that has the question's `id`.

        A question before it with the same `id` is given up, soon.
        """
        name = question.get("id", "")
        if (earlier := self._waiting.get(name)) is not None:
            asyncio.get_running_loop().call_soon(earlier, None)
        self._waiting[name] = functools.partial(_tell, answered)

    def take(self, stanza: Stanza) -> Answered | None:
        """Return who waits for `stanza`, and does no more; None if it answers no question."""
        if (stanza.namespace, stanza.name) != ANSWER:
            return None
        return self._waiting.pop(stanza.get("id", ""), None)

    def give_up(self) -> None:
        """Tell everybody who waits that no answer comes."""
        while self._waiting:
            _, answered = self._waiting.popitem()
            answered(None)


def _tell(answered: Answered, answer: Stanza | None) -> None:
    """Call back who asked: a module, which may raise anything; it ends here."""
    try:
        answered(answer)
    except Exception as error:  # noqa: BLE001 - not in full: the answer may be a password
        log.error("who asked a client failed to take its answer: %s", type(error).__name__)  # noqa: TRY400
