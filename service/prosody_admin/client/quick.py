"""One command in words, at once: `prosody-adminctl user list example.com`.

Importing what a command line may need takes longer than most commands, so the plainest are run here
with a bare socket and expat, and nothing that takes long to import. Whatever is out of the ordinary
is left to the rest of this package before anything is sent. What is printed and returned is what
one_shot.py does.
"""

import os
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket  # `socket` itself imports 4 ms more
from collections.abc import Iterator
from xml.parsers.expat import ExpatError, ParserCreate

from prosody_admin.client.destructive import DESTRUCTIVE
from prosody_admin.client.verbs import COMPLETE, DEFAULT_SOCKET, SOCKET_VARIABLE, VERBS

_HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'"
    " xmlns='xmpp:prosody.im/admin' xml:lang='en' id=''>"
)
_FAILURE = "urn:prosody-admin:structured:1}failure"
_STREAM_ERROR = "http://etherx.jabber.org/streams}error"
_CODES = {"refused": 3, "unreachable": 4}
"""Exit codes by kind of failure; without a kind it is 1."""

_WITH_FLAGS = {"invite"}
"""Sections that have commands with flags, for which the arguments are counted."""

_KEYWORDS = {
    *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if"),
    *("in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
}
"""Those of Lua, which are no names; a copy, for the original takes long to import."""

_CONNECT_SECONDS = 30.0
"""How long connecting and the first bytes may take, each; those of connection.py."""

_READ_BYTES = 65536

Stanza = tuple[str, dict[str, str], str]
"""Name, attributes and text; of a stream error its name in full, and its condition for a text."""


def run(words: list[str]) -> int | None:
    """Run the command that `words` are, and return the exit code.

    None means that it is not one for here, and that nothing was sent.
    """
    line = _line(words)
    sock = _connected() if line else None
    if line is None or sock is None:
        return None
    lost = "the service ended the connection"
    try:
        for name, attributes, text in _exchange(sock, line):
            if name == "repl-result":
                return _result(attributes, text)
            if name == "repl-output":
                ends_line = attributes.get("eol") != "0"
                _print(text, failed=attributes.get("type") == "error", ends_line=ends_line)
            elif name == "repl-request-input":
                _answer(sock, attributes)
            elif name == _STREAM_ERROR:
                lost = f"the service ended the stream: {text}"
                break
    finally:
        sock.close()
    print(f"prosody-adminctl: {lost}; the outcome of the command is unknown", file=sys.stderr)
    return _CODES["unreachable"]


def _line(words: list[str]) -> str | None:
    """Return the line of plain words for a plain command, None for anything else."""
    section, command, *arguments = words if len(words) > 1 else ("", "")
    plain = (
        all(word.isascii() and word.isidentifier() for word in (section, command))
        and all(word.isprintable() and word[:1] != "-" for word in arguments)
        and section not in {*VERBS, COMPLETE, "help", *_WITH_FLAGS}
        and not {section, command} & _KEYWORDS
        and (section, command) not in DESTRUCTIVE
    )
    return f"{section}:{command}({', '.join(map(_quoted, arguments))})" if plain else None


def _quoted(word: str) -> str:
    """Write a string as shell/canonical.py does."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _connected() -> socket | None:
    sock = socket(AF_UNIX, SOCK_STREAM)
    sock.settimeout(_CONNECT_SECONDS)
    try:
        sock.connect(os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET)
    except OSError:
        sock.close()
        return None
    return sock


def _exchange(sock: socket, line: str) -> Iterator[Stanza]:
    """Send a line and go through what comes back; ends with the stream."""
    width = ""
    if os.environ.get("COLUMNS") or sys.stdout.isatty():
        from prosody_admin.client.terminal.output import columns

        if cells := columns(sys.stdout):
            width = f" width='{cells}'"
    _send(sock, f"{_HEADER}<repl-input{width} repl='0'>{_escaped(line)}</repl-input>")
    reader = _Reader()
    try:
        while data := sock.recv(_READ_BYTES):
            sock.settimeout(None)  # it is there; a command may take as long as it likes
            yield from reader.feed(data)
    except (OSError, ExpatError):
        return


def _send(sock: socket, text: str) -> None:
    try:
        sock.sendall(text.encode())
    except OSError:
        return  # of a service that is gone, reading tells more; for start.py it would be a reader


class _Reader:
    """Makes stanzas of bytes."""

    def __init__(self) -> None:
        self._parser = ParserCreate("UTF-8", "}")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._started
        self._parser.EndElementHandler = self._ended
        self._parser.CharacterDataHandler = self._append
        if hasattr(self._parser, "SetReparseDeferralEnabled"):
            # Else expat 2.6 keeps a whole stanza back when it came in pieces.
            self._parser.SetReparseDeferralEnabled(False)
        self._depth = 0
        self._attributes: dict[str, str] = {}
        self._text: list[str] = []
        self._inside = ""
        self._stanzas: list[Stanza] = []

    def feed(self, data: bytes) -> list[Stanza]:
        """Return the stanzas that end in `data`. Raises ExpatError."""
        try:
            self._parser.Parse(data, False)
        except ExpatError:
            if not self._stanzas:
                raise
            # What was whole before counts; a parser that failed does so again.
        stanzas, self._stanzas = self._stanzas, []
        return stanzas

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 2:  # inside the stream
            self._attributes, self._text, self._inside = attributes, [], ""
        elif self._depth == 3 and not self._inside:
            _, _, self._inside = name.rpartition("}")

    def _ended(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 1:
            _, _, local = name.rpartition("}")
            text = "".join(self._text)
            if name == _STREAM_ERROR:
                local, text = name, self._inside
            self._stanzas.append((local, self._attributes, text))

    def _append(self, text: str) -> None:
        if self._depth == 2:
            self._text.append(text)


def _answer(sock: socket, question: dict[str, str]) -> None:
    from prosody_admin.client.terminal.asking import ask_password

    kind = question.get("type", "")
    answer = ask_password(kind)
    status = "cancel" if answer is None else "submit"
    attributes = {"type": kind, "id": question.get("id", ""), "status": status}
    written = "".join(f" {name}='{_escaped(value)}'" for name, value in attributes.items())
    text = _escaped(answer or "")
    _send(sock, f"<repl-requested-input{written}>{text}</repl-requested-input>")


def _result(attributes: dict[str, str], text: str) -> int:
    if failed := attributes.get("type") == "error":
        _print(text, failed=True, ends_line=True)
    elif text:
        _print(text, failed=False, ends_line=True)
    return _CODES.get(attributes.get(_FAILURE, ""), 1) if failed else 0


def _print(text: str, *, failed: bool, ends_line: bool) -> None:
    stream = sys.stderr if failed else sys.stdout
    if stream.isatty():
        from prosody_admin.client.terminal.text import shown

        text = shown(text, stream, wrong=failed)
    print(text, end="\n" if ends_line else "", file=stream, flush=True)


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("'", "&apos;").replace("\r", "&#13;")
