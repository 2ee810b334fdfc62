"""Text that comes from elsewhere, on its way to a terminal."""

import re
from typing import TextIO

from prosody_admin.client.terminal.output import Colour, coloured, painted

# Control characters but newline and tab: names that strangers choose are in what Prosody prints,
# and a terminal would obey them. So would one that turns the direction of writing, and show the
# rest of the line backwards (Unicode Standard Annex 9, explicit directional formatting).
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown(text: str, stream: TextIO, *, wrong: bool = False) -> str:
    """Return the text as it is, or for a terminal with control characters written as `\\x1b`.

    What is `wrong` is coloured there, if colours are on.
    """
    if not stream.isatty():
        return text
    return painted(visible(text), Colour.WRONG, on=wrong and coloured(stream))


def visible(text: str) -> str:
    """Return the text with control characters written as `\\x1b`, all but newline and tab."""
    return _CONTROL.sub(_named, text.replace("\r\n", "\n"))


def _named(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
