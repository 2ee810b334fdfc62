"""The one spelling in which a line goes to Prosody, made of its value and nothing else."""

from prosody_admin.shell.catalogue import Catalogue
from prosody_admin.shell.flags import write_flag
from prosody_admin.shell.lines import MAX_LINE, Call, Help, Literal, parse

MAX_CANONICAL = 8 * MAX_LINE
"""Bytes of a text written here: what grows most is `1e15,`, to four times its length."""

_MIN_INTEGER = -(2**63)


def canonical(line: Call | Help, catalogue: Catalogue | None = None) -> str:
    """Return the text of which `parse`, with the same catalogue, makes exactly `line` again.

    It is the call form, which both versions of Prosody read; 13's array form for a command with
    flags, which has no other, and for an unknown command that came in it.
    Strings are in double quotes with `\\"` and `\\\\` for the only escapes, beyond ASCII as they
    are; XML carries every character of them. The text can be several times as long as what the
    value was read from. Raises ValueError for a value that cannot be written, which `parse` never
    returns.
    """
    text = _help(line) if isinstance(line, Help) else _call(line)
    # Nothing is trusted here, not even the lines above: what goes out is read again.
    if parse(text, catalogue, max_bytes=MAX_CANONICAL) != line:
        raise ValueError("a value that no line has")
    return text


def _help(line: Help) -> str:
    return f"help:{line.topic}()" if line.called else f"help {line.topic}".rstrip()


def _call(line: Call) -> str:
    if not (line.flags or line.unknown_words):
        return f"{line.section}:{line.command}({_list(line.arguments)})"
    flags = map(write_flag, line.flags)
    return "{" + _list((line.section, line.command, *line.arguments, *flags)) + "}"


def _list(values: tuple[Literal, ...]) -> str:
    return ", ".join(map(written, values))


def written(value: Literal) -> str:
    """Return one argument as `canonical` writes it."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case float():
            # A numeral so large becomes infinity in Lua, which has no word for it.
            return repr(value).replace("inf", "1e999")
        case int():
            # Its decimal digits without the minus do not fit into 64 bits.
            return "0x8000000000000000" if value == _MIN_INTEGER else str(value)
    fields = (f"[{written(key)}] = {written(item)}" for key, item in value.fields)
    return "{" + ", ".join([*map(written, value.items), *fields]) + "}"
