"""What a handler returned, as the answer that the client gets."""

from collections.abc import Iterable

from prosody_admin.net.session import Session
from prosody_admin.protocol.stanza import ADMIN_NS, Stanza, repl_result
from prosody_admin.shell.lines import Line

UNHANDLED = "No module handled this query. Is mod_admin_shell enabled?"
"""What Prosody answers to a stanza that no module wants."""


def internal_error(session: Session) -> Stanza:
    """Return all that a client gets to know of an exception; the journal has the rest."""
    return repl_result(f"Error: internal error (session {session.id})", error=True)


def answered(result: object, line: Line | None) -> tuple[list[Stanza], str]:
    """Return what the client gets and how it went, in a word."""
    answer = _stanzas(result, line)
    if answer is None:
        return [repl_result(UNHANDLED, error=True)], "error"
    failed = any(stanza.get("type") == "error" for stanza in answer)
    return answer, "error" if failed else "ok"


def _stanzas(result: object, line: Line | None) -> list[Stanza] | None:
    """Return what a handler answered; anything but stanzas is an error of that handler.

    So is an answer to a line that does not end in its only result: the client would wait for ever.
    """
    if result is None:
        return None
    answer = [result] if isinstance(result, Stanza) else result
    if isinstance(answer, Iterable):
        stanzas = list(answer)
        if all(isinstance(stanza, Stanza) for stanza in stanzas):
            results = [number for number, stanza in enumerate(stanzas, 1) if _is_result(stanza)]
            if line is None or results == [len(stanzas)]:
                return stanzas
    raise TypeError(f"a handler returned {type(result).__name__}, not stanzas that end in a result")


def _is_result(stanza: Stanza) -> bool:
    return (stanza.namespace, stanza.name) == (ADMIN_NS, "repl-result")
