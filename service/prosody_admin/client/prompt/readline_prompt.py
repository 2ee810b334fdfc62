"""Lines typed with GNU readline, where prompt_toolkit is not installed."""

import readline
from collections.abc import Sequence

from prosody_admin.client.prompt.history import LINES
from prosody_admin.client.prompt.prompting import PlainPrompt, Suggest

# What is completed, and shown when there are several ways, begins behind the last one of these.
# Quotes are none: behind a quote readline would add another.
_DELIMITERS = " \t\n(){},:"


class ReadlinePrompt(PlainPrompt):
    """input(), which uses readline once that is imported."""

    def __init__(self, lines: Sequence[str], suggest: Suggest) -> None:
        self._suggest = suggest
        self._matches: list[str] = []
        readline.set_auto_history(False)
        readline.set_completer_delims(_DELIMITERS)
        readline.set_completer(self._complete)
        readline.parse_and_bind("tab: complete")
        # Then lines that are pasted together come together.
        readline.parse_and_bind("set enable-bracketed-paste on")
        for line in lines:
            self.remember(line)

    def remember(self, line: str) -> None:
        """Offer a line again; see Prompt."""
        if readline.get_current_history_length() >= LINES:
            readline.remove_history_item(0)
        readline.add_history(line)

    def _complete(self, _: str, state: int) -> str | None:
        """Return the match with the number `state`, None behind the last one."""
        if state == 0:
            begin, end = readline.get_begidx(), readline.get_endidx()
            before = readline.get_line_buffer()[:end]
            # A match stands in the place of what is behind the delimiter.
            self._matches = [
                (before[: suggestion.start] + suggestion.text)[begin:]
                for suggestion in self._suggest(before)
            ]
        return self._matches[state] if state < len(self._matches) else None
