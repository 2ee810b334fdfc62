"""How an event of the audit trail reads: in a line, in full, and as JSON."""

from collections.abc import Callable
from datetime import datetime

from prosody_admin.client.journal.trail import Entry, Value
from prosody_admin.client.terminal.cells import fitted, visible, width
from prosody_admin.client.terminal.output import Colour, painted
from prosody_admin.records import PREFIX, MessageId

_TIME, _SESSION, _USER, _EVENT = 19, 11, 16, 9
"""Cells of the columns; longer texts push what is behind them, nothing is cut."""


def heading() -> str:
    """Return what stands above the lines."""
    return _in_columns("TIME", "SESSION", "USER", "EVENT") + "\n"


def line(entry: Entry, *, colours: bool) -> str:
    """Return an event in one line.

    When it was, the session and the command's number in it, who (and the login, where that is
    somebody else), what happened and what there is to say about it. What is not printable is made
    visible: nothing in a record can forge a line or drive the terminal.
    """
    word, said, colour = KINDS[_kind(entry)]
    if not word:
        word = _field(entry, "RESULT")
        colour = None if word == "ok" else Colour.WARNING
    session, number = _field(entry, "SESSION"), _field(entry, "SEQUENCE")
    before = _in_columns(
        when(entry).strftime("%Y-%m-%d %H:%M:%S"),
        visible(session + (f"/{number}" if number else "")) or "-",
        visible(_who(entry)) or "-",
        "",
    )
    saying = painted(
        f"{fitted(visible(word) or '-', _EVENT)} {visible(said(entry))}".rstrip(),
        colour,
        on=colours,
    )
    return f"{before}{saying}\n"


def detailed(entry: Entry, *, colours: bool) -> str:
    """Return an event in one line and, below it, every field, ours first."""
    names = sorted(
        entry, key=lambda name: (not name.startswith(PREFIX), name.startswith("_"), name)
    )
    fields = [
        f"    {visible(name)}={visible(_text(value))}\n"
        for name in names
        for value in _values(entry[name])
    ]
    return line(entry, colours=colours) + "".join(fields)


def hole(count: int, *, colours: bool) -> str:
    """Return the line that stands where `count` records are missing."""
    text = "1 record is missing here" if count == 1 else f"{count} records are missing here"
    return painted(f"-- {text} --", Colour.WRONG, on=colours) + "\n"


def exported_hole(count: int) -> dict[str, object]:
    """Return what the JSON has where `count` records are missing: no record has this field."""
    return {PREFIX + "RECORDS_MISSING": str(count)}


def exported(entry: Entry) -> dict[str, object]:
    """Return an event as the JSON of `journalctl -o json` has it.

    Every value is a string, but an array of numbers where its bytes are no UTF-8; a field that is
    there several times is an array of them.
    """
    return {
        name: [*map(_json, value)] if isinstance(value, list) else _json(value)
        for name, value in entry.items()
    }


def when(entry: Entry) -> datetime:
    """Return when journald took the record, in local time; a sender has no say in that."""
    microseconds = entry["__REALTIME_TIMESTAMP"]
    assert isinstance(microseconds, int)
    return datetime.fromtimestamp(microseconds / 1_000_000).astimezone()


def _in_columns(time: str, session: str, user: str, event: str) -> str:
    cells = zip((time, session, user), (_TIME, _SESSION, _USER), strict=True)
    texts = [fitted(text, max(room, width(text))) for text, room in cells]
    return " ".join([*texts, event])


def _who(entry: Entry) -> str:
    user = _field(entry, "PEER_USER") or _field(entry, "PEER_UID")
    login = _field(entry, "PEER_LOGIN_USER") or _field(entry, "PEER_LOGIN_UID")
    return f"{user} ({login})" if login and login != user else user


def _kind(entry: Entry) -> MessageId:
    return MessageId(_text(_values(entry["MESSAGE_ID"])[0]))


def _message(entry: Entry) -> str:
    """Return the first line of the record's own message; what follows is a traceback."""
    return _text(_values(entry.get("MESSAGE", ""))[0]).partition("\n")[0]


def _opened(entry: Entry) -> str:
    unit = _field(entry, "PEER_UNIT")
    return f"by process {_field(entry, 'PEER_PID')}" + (f" in {unit}" if unit else "")


def _closed(entry: Entry) -> str:
    return f"after {_duration(entry)}, {_commands(entry)}"


def _counted(entry: Entry) -> str:
    return f"after {_commands(entry)}"


def _commands(entry: Entry) -> str:
    count = _field(entry, "COMMANDS")
    return f"{count} command{'s' * (count != '1')}"


def _lost(entry: Entry) -> str:
    return _field(entry, "ERROR")


def _turned_away(entry: Entry) -> str:
    return f"the session: {_field(entry, 'ERROR')}"


def _started(entry: Entry) -> str:
    return f"{_command(entry)}, allowed by {_field(entry, 'RULE')}"


def _refused(entry: Entry) -> str:
    return f"{_command(entry)}, by {_field(entry, 'RULE')}"


def _finished(entry: Entry) -> str:
    error = _field(entry, "ERROR")
    text = f"{_field(entry, 'COMMAND')} after {_duration(entry)}"
    return f"{text}: {error}" if error else text


def _broken(entry: Entry) -> str:
    return f"{_field(entry, 'CONDITION')}: {_field(entry, 'ERROR')}"


def _command(entry: Entry) -> str:
    """Return a command as the record's own message writes it."""
    command, arguments = _field(entry, "COMMAND"), _field(entry, "ARGUMENTS")
    return f"{command}({arguments})" if arguments else command


def _duration(entry: Entry) -> str:
    seconds = int(_field(entry, "DURATION_USEC") or 0) / 1_000_000
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s"


def _field(entry: Entry, name: str) -> str:
    """Return a field of our own, "" without it."""
    return " ".join(map(_text, _values(entry.get(PREFIX + name, ""))))


def _values(value: Value | list[Value]) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _text(value: Value) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _json(value: Value) -> str | list[int]:
    return list(value) if isinstance(value, bytes) else str(value)


KINDS: dict[MessageId, tuple[str, Callable[[Entry], str], Colour | None]] = {
    MessageId.SERVICE_STARTED: ("service", _message, Colour.ASIDE),
    MessageId.SERVICE_STOPPING: ("service", _message, Colour.ASIDE),
    MessageId.SESSION_OPENED: ("opened", _opened, Colour.ASIDE),
    MessageId.SESSION_CLOSED: ("closed", _closed, Colour.ASIDE),
    MessageId.SESSION_KEPT: ("kept", _counted, Colour.ASIDE),
    MessageId.SESSION_RESUMED: ("resumed", _counted, Colour.ASIDE),
    MessageId.RESUME_FAILED: ("lost", _lost, Colour.WRONG),
    MessageId.SESSION_REFUSED: ("refused", _turned_away, Colour.WRONG),
    MessageId.COMMAND_STARTED: ("runs", _started, None),
    MessageId.COMMAND_FINISHED: ("", _finished, None),
    MessageId.COMMAND_REFUSED: ("refused", _refused, Colour.WRONG),
    MessageId.STREAM_ERROR: ("broken", _broken, Colour.WARNING),
    MessageId.SETTINGS_LOADED: ("settings", _message, None),
    MessageId.SETTINGS_REJECTED: ("settings", _message, Colour.WARNING),
    MessageId.MODULE_FAILED: ("module", _message, Colour.WARNING),
    MessageId.AUDIT_NOT_REQUIRED: ("warning", _message, Colour.WARNING),
    MessageId.AUDIT_GAP: ("gap", _message, Colour.WRONG),
}
"""Of each kind of record the word, what is said behind it, and the colour.

"" stands for the result of a command, which has its own colour.
"""
