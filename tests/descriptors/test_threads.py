"""File between threads: what one borrows, another may close."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from descriptors.table import is_open, target
from prosody_admin.descriptors import File
from prosody_admin.errors import BadFdError


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads take turns five hundred times as often as usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 500)
    yield
    sys.setswitchinterval(interval)


def named(slot: int) -> File:
    """Open a file that can be told apart from those of other slots."""
    return File.adopt(os.memfd_create(str(slot)))


def test_a_number_lent_to_a_thread_outlives_close() -> None:
    file = File.adopt(os.memfd_create("lent"))
    os.write(file.fileno(), b"still here")
    lent, closed = threading.Event(), threading.Event()

    def read_after_close() -> bytes:
        with file.borrow() as fd:
            lent.set()
            assert closed.wait(timeout=60)
            return os.pread(fd, 100, 0)

    with ThreadPoolExecutor(max_workers=1) as threads:
        reading = threads.submit(read_after_close)
        assert lent.wait(timeout=60)
        fd = file.fileno()
        file.close()
        open_while_lent = is_open(fd)
        closed.set()
        assert open_while_lent
        assert reading.result(timeout=60) == b"still here"
    assert not is_open(fd)


@pytest.mark.usefixtures("eager_threads")
def test_no_borrower_among_many_threads_ever_sees_a_stranger() -> None:
    """Files are closed and their numbers reused while four threads borrow whatever is there."""
    files = [named(slot) for slot in range(4)]
    stop = threading.Event()

    def borrow_until_stopped() -> int:
        borrowed = 0
        while not stop.is_set():
            for slot in range(4):
                # Any of them may be closed between the look into the list and the borrow.
                with contextlib.suppress(BadFdError), files[slot].borrow() as fd:
                    assert target(fd) == f"/memfd:{slot} (deleted)"
                    borrowed += 1
        return borrowed

    with ThreadPoolExecutor(max_workers=4) as threads:
        borrowing = [threads.submit(borrow_until_stopped) for _ in range(4)]
        try:
            for round_ in range(2000):
                old, files[round_ % 4] = files[round_ % 4], named(round_ % 4)
                old.close()
        finally:
            stop.set()
        assert sum(thread.result(timeout=60) for thread in borrowing) > 0
    for file in files:
        file.close()
