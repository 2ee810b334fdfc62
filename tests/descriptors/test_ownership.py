"""Any sequence of what the package can do, against a model and the kernel's own table."""

import asyncio
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from descriptors.table import descriptor_table
from prosody_admin.descriptors import DeferredFdCloser, File, FileDescriptorReservation
from prosody_admin.errors import BadFd, BadFdError, ReservationError


@dataclass(eq=False)
class Owned:
    """A File and what the model believes about it."""

    file: File | None
    fd: int
    target: str
    closed: bool = False
    queued: bool = False
    """Whether the loop still has to come round for it."""
    borrowers: list[AbstractContextManager[int]] = field(default_factory=list)

    @property
    def holds_its_number(self) -> bool:
        return not self.closed or self.queued or bool(self.borrowers)


@dataclass(eq=False)
class Slot:
    """A reservation and what the model believes about it."""

    reservation: FileDescriptorReservation
    fd: int
    used: bool = False


class Ownership(RuleBasedStateMachine):
    """The model: each number is held by exactly the File or reservation that it belongs to."""

    files: Bundle[Owned] = Bundle("files")
    slots: Bundle[Slot] = Bundle("slots")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.closer = DeferredFdCloser()
        self.owned: list[Owned] = []
        self.reserved: list[Slot] = []
        self.opened = 0
        self.strangers = descriptor_table()

    def own(self, file: File, target: str) -> Owned:
        owned = Owned(file, file.fileno(), target)
        self.owned.append(owned)
        return owned

    @invariant()
    def the_kernel_agrees(self) -> None:
        expected = dict(self.strangers)
        expected |= {owned.fd: owned.target for owned in self.owned if owned.holds_its_number}
        expected |= {slot.fd: "/dev/null" for slot in self.reserved if not slot.used}
        assert descriptor_table() == expected
        ours = expected.keys() - self.strangers.keys()
        assert not [fd for fd in ours if os.get_inheritable(fd)]
        assert all(owned.file.closed == owned.closed for owned in self.owned if owned.file)

    @rule(target=files)
    def adopt(self) -> Owned:
        self.opened += 1
        fd = os.memfd_create(str(self.opened))
        os.set_inheritable(fd, True)
        return self.own(File.adopt(fd), f"/memfd:{self.opened} (deleted)")

    @rule(target=files, source=files, by_number=st.booleans())
    def duplicate(self, source: Owned, by_number: bool) -> Owned:
        if source.file is None or source.closed:
            if source.file is not None:
                with pytest.raises(BadFdError):
                    source.file.clone()
            return source
        copy = File.fget(source.file.fileno()) if by_number else source.file.clone()
        return self.own(copy, source.target)

    @rule(owned=files)
    def borrow(self, owned: Owned) -> None:
        if owned.file is None:
            return
        borrower = owned.file.borrow()
        if owned.closed:
            with pytest.raises(BadFdError):
                borrower.__enter__()
        else:
            assert borrower.__enter__() == owned.fd
            owned.borrowers.append(borrower)

    @rule(owned=files, data=st.data())
    def give_back(self, owned: Owned, data: st.DataObject) -> None:
        if owned.borrowers:
            which = data.draw(st.integers(0, len(owned.borrowers) - 1))
            owned.borrowers.pop(which).__exit__(None, None, None)

    @rule(owned=files)
    def close(self, owned: Owned) -> None:
        if owned.file is not None:
            owned.file.close()
            owned.closed = True

    @rule(owned=files)
    def close_later(self, owned: Owned) -> None:
        if owned.file is None:
            return
        asyncio._set_running_loop(self.loop)  # running, and standing still
        try:
            if owned.closed:
                with pytest.raises(BadFd):
                    self.closer.close_fd(owned.file)
            else:
                self.closer.close_fd(owned.file)
                owned.closed = owned.queued = True
        finally:
            asyncio._set_running_loop(None)

    @precondition(lambda self: any(owned.queued for owned in self.owned))
    @rule()
    def the_loop_comes_round(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        for owned in self.owned:
            owned.queued = False

    @rule(owned=files)
    def forget(self, owned: Owned) -> None:
        if owned.file is not None and not owned.closed and not owned.borrowers:
            with pytest.warns(ResourceWarning):
                owned.file = None
            owned.closed = True

    @rule(target=slots)
    def reserve(self) -> Slot:
        reservation = FileDescriptorReservation()
        slot = Slot(reservation, reservation.reserved_fd)
        self.reserved.append(slot)
        return slot

    @rule(target=files, slot=slots, owned=files)
    def install(self, slot: Slot, owned: Owned) -> Owned:
        if owned.file is None:
            return owned
        refusal: type[Exception] | None = None
        if slot.used or (owned.borrowers and not owned.closed):
            refusal = ReservationError
        elif owned.closed:
            refusal = BadFdError
        if refusal is not None:
            with pytest.raises(refusal):
                slot.reservation.install(owned.file)
            return owned
        installed = slot.reservation.install(owned.file)
        owned.closed = slot.used = True
        assert installed.fileno() == slot.fd
        return self.own(installed, owned.target)

    @rule(slot=slots)
    def drop(self, slot: Slot) -> None:
        if slot.used:
            with pytest.raises(ReservationError):
                slot.reservation.drop()
        else:
            slot.reservation.drop()
            slot.used = True

    def teardown(self) -> None:
        for owned in self.owned:
            self.close(owned)
            while owned.borrowers:
                owned.borrowers.pop().__exit__(None, None, None)
        for slot in self.reserved:
            if not slot.used:
                slot.reservation.drop()
        self.loop.run_until_complete(self.closer.wait_closed())
        assert descriptor_table() == self.strangers
        self.loop.close()


Ownership.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestOwnership = Ownership.TestCase
