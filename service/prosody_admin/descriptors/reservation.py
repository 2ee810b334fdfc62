"""A descriptor number held free before there is a file to put there."""

import os
import threading
from types import TracebackType
from typing import Self

from prosody_admin.descriptors.file import File
from prosody_admin.errors import ReservationError


class FileDescriptorReservation:
    """One number of the descriptor table, taken now and given a file later or dropped.

    It makes running out of descriptors known before anything has been accepted: the constructor
    raises OSError with EMFILE or ENFILE, while `install` needs no free number. A placeholder holds
    the number (O_PATH on /dev/null, which opens no device).

    Used once, by the thread that made it: everything here raises ReservationError from another
    thread, or after `install` or `drop`. A forgotten one is a ResourceWarning.
    """

    def __init__(self) -> None:
        placeholder = os.open("/dev/null", os.O_PATH | os.O_CLOEXEC)
        self._placeholder: File | None = File(placeholder)
        self._thread = threading.get_ident()

    @property
    def reserved_fd(self) -> int:
        """The number that `install` will give to a file."""
        return self._reserved().fileno()

    def install(self, file: File) -> File:
        """Move an open file to the reserved number and return its new owner.

        `file` is consumed: closed, and its old number free. Raises BadFdError if it is closed
        already, ReservationError if somebody borrows it, OSError as dup3(2) does; the reservation
        and `file` are then as they were.
        """
        placeholder = self._reserved()
        file.move_to(placeholder.fileno())
        self._placeholder = None
        return placeholder  # it owns the number, whatever is open there

    def drop(self) -> None:
        """Give the number back."""
        placeholder = self._reserved()
        self._placeholder = None
        placeholder.close()

    def _reserved(self) -> File:
        if threading.get_ident() != self._thread:
            raise ReservationError("a reservation belongs to the thread that made it")
        if self._placeholder is None:
            raise ReservationError("the reservation was used already")
        return self._placeholder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._placeholder is not None:
            self.drop()
