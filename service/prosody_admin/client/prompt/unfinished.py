"""Where a line that was typed or pasted ends: Lua goes on behind a line break, people press Return.

Strings and comments are those of Lua's manual, section 3.1.
"""

import re

from prosody_admin.shell.lines import MAX_LINE

# What has its end: strings, comments. A comment that has none, but for the end of its line.
_WHOLE = re.compile(
    r"--\[(=*)\[.*?\]\1\]"
    r"|\[(=*)\[.*?\]\2\]"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'(?:[^'\\]|\\.)*'"
    r"|--(?!\[=*\[)[^\n]*",
    re.DOTALL,
)
_LONG_OPENING = re.compile(r"(?:--)?\[=*\[")
_PLAIN = re.compile(r"[^-\[\](){}\"']+")


def commands(text: str) -> tuple[list[str], str]:
    """Return the commands in `text`, one a line, and the rest that is not finished, or "".

    What comes next belongs right behind the rest. Blank lines are left out. A line is finished
    when each parenthesis, bracket, brace and string has its end, or when it is longer than any
    line may be.
    """
    complete = []
    pending = ""
    for line in text.split("\n"):
        pending += line
        joint = _joint(pending)
        if joint is None or len(pending) > MAX_LINE:
            complete.append(pending.strip())
            pending = ""
        else:
            pending += joint
    return [line for line in complete if line], pending


def _joint(text: str) -> str | None:
    """Return what stands between `text` and the next line, None if nothing comes next.

    Nothing stands there within a string in quotes: it cannot have the end of a line in it, so
    this one was broken by a terminal or a mail.
    """
    depth = at = 0
    while at < len(text):
        if found := _WHOLE.match(text, at) or _PLAIN.match(text, at):
            at = found.end()
            continue
        if _LONG_OPENING.match(text, at):
            return "\n"
        character = text[at]
        if character in "\"'":
            # Behind a backslash the end of a line is one, and a quote would be none.
            return "\n" if (len(text) - len(text.rstrip("\\"))) % 2 else ""
        depth += (character in "([{") - (character in ")]}")
        at += 1
    return "\n" if depth > 0 else None
