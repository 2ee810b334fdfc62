"""How far a long run has come, on a terminal."""

import shutil
import time
from typing import Self, TextIO

FIRST_SECONDS = 1.0
"""A run that takes less shows nothing."""

REDRAW_SECONDS = 0.1

_CLEAR = "\r\x1b[K"


class Progress:
    """A line at the bottom of a terminal: a bar where the total is known, else a count.

    Whoever prints calls `hide` before; the next `step` may show it again. It is gone when the
    context is left. Nothing is written to what is no terminal.
    """

    def __init__(self, stream: TextIO, total: int | None) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._next = time.monotonic() + FIRST_SECONDS
        self._on = stream.isatty()
        self._shown = False

    def step(self) -> None:
        """Count one thing as done."""
        self._done += 1
        now = time.monotonic()
        if self._on and now >= self._next:
            self._next = now + REDRAW_SECONDS
            self._stream.write(
                _CLEAR + drawn(self._done, self._total, shutil.get_terminal_size().columns)
            )
            self._stream.flush()
            self._shown = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def hide(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write(_CLEAR)
            self._stream.flush()
            self._shown = False


def drawn(done: int, total: int | None, columns: int) -> str:
    """Return the line, narrower than `columns`."""
    if not total:
        return f"{done} done"
    count = f" {done}/{total} {100 * done // total:3}%"
    room = columns - len(count) - 3
    filled = room * done // total
    return f"[{'#' * filled}{' ' * (room - filled)}]{count}" if room > 0 else count[: columns - 1]
