"""A number held free: there at a full table, used once, by its own thread."""

import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from descriptors.table import full_table, is_open, target
from prosody_admin.descriptors import File, FileDescriptorReservation, OpenFlags
from prosody_admin.errors import BadFdError, ReservationError


def memory() -> File:
    return File.adopt(os.memfd_create("installed"))


def test_the_placeholder_is_a_path_and_close_on_exec() -> None:
    with FileDescriptorReservation() as reservation:
        with File.fget(reservation.reserved_fd) as placeholder:
            assert OpenFlags.PATH in placeholder.flags()
        assert target(reservation.reserved_fd) == "/dev/null"
        assert not os.get_inheritable(reservation.reserved_fd)


def test_install_moves_the_file_to_the_reserved_number() -> None:
    with FileDescriptorReservation() as reservation:
        reserved, file = reservation.reserved_fd, memory()
        old = file.fileno()
        with reservation.install(file) as installed:
            assert installed.fileno() == reserved
            assert target(reserved) == "/memfd:installed (deleted)"
            assert not os.get_inheritable(reserved)
            assert file.closed
            assert not is_open(old)


def test_the_end_of_the_block_leaves_an_installed_file_alone() -> None:
    with FileDescriptorReservation() as reservation:
        installed = reservation.install(memory())
    with installed:
        assert target(installed.fileno()) == "/memfd:installed (deleted)"


@pytest.mark.parametrize("explicitly", [True, False])
def test_dropping_frees_the_number(explicitly: bool) -> None:
    with FileDescriptorReservation() as reservation:
        reserved = reservation.reserved_fd
        if explicitly:
            reservation.drop()
    with File.adopt(os.memfd_create("next")) as following:
        assert following.fileno() == reserved


def test_a_closed_or_lent_file_is_refused_and_the_slot_kept() -> None:
    with FileDescriptorReservation() as reservation, memory() as lent:
        closed = memory()
        closed.close()
        with pytest.raises(BadFdError):
            reservation.install(closed)
        with lent.borrow(), pytest.raises(ReservationError):
            reservation.install(lent)
        assert target(reservation.reserved_fd) == "/dev/null"
        assert target(lent.fileno()) == "/memfd:installed (deleted)"
        with reservation.install(lent) as installed:
            assert target(installed.fileno()) == "/memfd:installed (deleted)"


USES: list[Callable[[FileDescriptorReservation, File], object]] = [
    lambda reservation, file: reservation.install(file),
    lambda reservation, _: reservation.drop(),
    lambda reservation, _: reservation.reserved_fd,
]


@pytest.mark.parametrize("use", USES, ids=["install", "drop", "reserved_fd"])
def test_a_reservation_is_used_once(
    use: Callable[[FileDescriptorReservation, File], object],
) -> None:
    dropped, filled = FileDescriptorReservation(), FileDescriptorReservation()
    dropped.drop()
    with filled.install(memory()), memory() as another:
        for used in (dropped, filled):
            with pytest.raises(ReservationError, match="used"):
                use(used, another)
        assert not another.closed


@pytest.mark.parametrize("use", USES, ids=["install", "drop", "reserved_fd"])
def test_a_reservation_belongs_to_its_thread(
    use: Callable[[FileDescriptorReservation, File], object],
) -> None:
    with FileDescriptorReservation() as reservation, memory() as file:
        with ThreadPoolExecutor(max_workers=1) as threads:
            elsewhere = threads.submit(use, reservation, file)
            with pytest.raises(ReservationError, match="thread"):
                elsewhere.result(timeout=60)
        assert not file.closed
        assert target(reservation.reserved_fd) == "/dev/null"


def test_a_forgotten_reservation_warns_and_frees_its_number() -> None:
    reservations = [FileDescriptorReservation()]
    reserved = reservations[0].reserved_fd
    with pytest.warns(ResourceWarning, match="unclosed"):
        reservations.clear()
    assert not is_open(reserved)


def test_at_a_full_table_there_is_no_reservation() -> None:
    with full_table(), pytest.raises(OSError, match="Too many open files"):
        FileDescriptorReservation()


def test_a_full_table_does_not_hinder_install() -> None:
    with FileDescriptorReservation() as reservation:
        reserved, file = reservation.reserved_fd, memory()
        with full_table(), reservation.install(file) as installed:
            assert installed.fileno() == reserved
            assert target(reserved) == "/memfd:installed (deleted)"


def test_a_client_at_a_full_table_is_accepted_into_the_dropped_slot(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        client.connect(str(tmp_path / "socket"))
        with FileDescriptorReservation() as reservation:
            reserved = reservation.reserved_fd
            with full_table():
                with pytest.raises(OSError, match="Too many open files"):
                    listener.accept()
                reservation.drop()
                accepted = listener.accept()[0]
                with accepted:
                    assert accepted.fileno() == reserved
