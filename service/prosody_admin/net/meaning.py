"""What a stanza asks for, and what may be recorded of it."""

from dataclasses import dataclass

from prosody_admin.access.record import HIDDEN, Account, account_of
from prosody_admin.access.roles import Request
from prosody_admin.protocol.stanza import ADMIN_NS, Stanza
from prosody_admin.protocol.structured import is_query
from prosody_admin.sd.journal import encode
from prosody_admin.shell.canonical import canonical
from prosody_admin.shell.catalogue import Catalogue
from prosody_admin.shell.lines import RawLua, parse

LINE = (ADMIN_NS, "repl-input")
"""Namespace and name of the stanza that is a line of the shell."""

REMEMBERED = 64
"""Texts of which the meaning is kept at most: more than people and programs repeat."""

REMEMBERED_CHARACTERS = 200
"""The longest text of which the meaning is kept."""


@dataclass(slots=True)
class Meaning:
    """The request of a stanza, and the account of it.

    In a record that is `spoken` in its message, and `record` in its fields.

    `repeatable` says that it is short and has nothing in it that the record must not show, so that
    it may be kept. `text` is what `Meanings.text_of` returns, once it was asked for.
    """

    request: Request
    account: Account
    spoken: str
    record: bytes
    repeatable: bool
    text: str | None = None


class Meanings:
    """Finds out what stanzas mean by `catalogue`; of plain lines that are said again, only once.

    A line with anything in it that the record must not show is not kept.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lines: dict[str, Meaning] = {}

    def of(self, stanza: Stanza) -> Meaning:
        """Return the meaning of a stanza."""
        if (stanza.namespace, stanza.name) != LINE:
            return self._found(stanza)
        text = stanza.text
        meaning = self._lines.get(text)
        if meaning is None:
            meaning = self._found(stanza)
            if meaning.repeatable:
                if len(self._lines) == REMEMBERED:
                    self._lines.clear()
                self._lines[text] = meaning
        return meaning

    def text_of(self, meaning: Meaning, stanza: Stanza) -> str:
        """Return the text that a handler gets with `stanza`, which `meaning` is of.

        That is the line written anew, or as it came where it is raw Lua, which somebody has to be
        expressly allowed; of any other stanza it is the text.
        """
        if meaning.text is None:
            line = meaning.request.line
            if line is None or isinstance(line, RawLua):
                meaning.text = stanza.text
            else:
                meaning.text = canonical(line, self._catalogue)
        return meaning.text

    def _found(self, stanza: Stanza) -> Meaning:
        text = stanza.text
        line = parse(text, self._catalogue) if has_line(stanza) else None
        request = Request(event_name(stanza), line)
        account = account_of(request, self._catalogue)
        repeatable = len(text) <= REMEMBERED_CHARACTERS and not _has_secrets(account)
        return Meaning(request, account, _spoken(account), _encoded(account), repeatable)


def has_line(stanza: Stanza) -> bool:
    """Return whether the text of a stanza is a line of the shell."""
    return (stanza.namespace, stanza.name) == LINE or is_query(stanza)


def event_name(stanza: Stanza) -> str:
    """Return the name of the event that `stanza` is dispatched as."""
    if stanza.namespace == ADMIN_NS:
        return f"admin/{stanza.name}"
    return f"admin/{stanza.namespace}:{stanza.name}"


def _spoken(account: Account) -> str:
    arguments = account.arguments
    return account.command if arguments is None else f"{account.command}({arguments})"


def _encoded(account: Account) -> bytes:
    return encode(
        {"COMMAND": account.command, "ARGUMENTS": account.arguments, "HOST": account.host}
    )


def _has_secrets(account: Account) -> bool:
    return account.discreet or HIDDEN in (account.arguments or "")
