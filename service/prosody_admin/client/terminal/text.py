"""Text that comes from elsewhere, on its way to a terminal."""

import re
from typing import TextIO

from prosody_admin.client.terminal.output import Colour, coloured, painted

# Control characters but newline and tab: names that strangers choose are in what Prosody prints,
# and a terminal would obey them.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def shown(text: str, stream: TextIO, *, wrong: bool = False) -> str:
    """Return the text as it is, or for a terminal with control characters written as `\\x1b`.

    What is `wrong` is coloured there, if colours are on.
    """
    if not stream.isatty():
        return text
    return painted(visible(text), Colour.WRONG, on=wrong and coloured(stream))


def visible(text: str) -> str:
    """Return the text with control characters written as `\\x1b`, all but newline and tab."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))
