"""File: one owner, one close, and a number that stays put while it is lent."""

import copy
import errno
import fcntl
import gc
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from descriptors.table import full_table, is_open, target
from prosody_admin.descriptors import File
from prosody_admin.errors import BadFdError, ReservationError


def null() -> File:
    return File.adopt(os.open("/dev/null", os.O_RDWR))


class TestTakingOwnership:
    def test_adopt_keeps_the_number_and_makes_it_close_on_exec(self) -> None:
        fd = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(fd, True)
        with File.adopt(fd) as file:
            assert file.fileno() == fd
            assert not os.get_inheritable(fd)
        assert not is_open(fd)

    def test_adopt_works_on_a_descriptor_that_is_only_a_path(self) -> None:
        with File.adopt(os.open("/", os.O_PATH)) as file:
            assert fcntl.fcntl(file.fileno(), fcntl.F_GETFD) == fcntl.FD_CLOEXEC

    def test_fget_leaves_the_number_to_its_owner(self) -> None:
        with null() as owner:
            with File.fget(owner.fileno()) as reference:
                assert reference.fileno() != owner.fileno()
                assert not os.get_inheritable(reference.fileno())
            assert is_open(owner.fileno())

    def test_a_clone_is_the_same_open_file_and_outlives_the_first(self) -> None:
        with File.adopt(os.memfd_create("shared")) as first:
            os.write(first.fileno(), b"twelve bytes")
            second = first.clone()
        with second:
            assert os.lseek(second.fileno(), 0, os.SEEK_CUR) == 12
            assert not os.get_inheritable(second.fileno())

    @pytest.mark.parametrize("take", [File.adopt, File.fget])
    @pytest.mark.parametrize("fd", [-1, 1_000_000, 2**31, 2**70])
    def test_a_number_that_is_not_open_is_refused(
        self, take: Callable[[int], File], fd: int
    ) -> None:
        with pytest.raises(BadFdError) as caught:
            take(fd)
        assert caught.value.errno == errno.EBADF
        assert caught.value.fd == fd

    def test_at_a_full_table_fget_and_clone_say_so(self) -> None:
        with null() as file, full_table():
            for take in (file.clone, lambda: File.fget(file.fileno())):
                with pytest.raises(OSError, match="Too many open files"):
                    take()


class TestClosing:
    def test_closing_twice_never_closes_a_stranger(self) -> None:
        file = null()
        fd = file.fileno()
        file.close()
        stranger = os.open("/dev/null", os.O_RDONLY)
        assert stranger == fd, "the kernel gives the lowest free number"
        file.close()
        assert is_open(stranger)
        os.close(stranger)

    def test_a_closed_file_refuses_everything_but_close(self) -> None:
        file = null()
        file.close()
        assert file.closed
        uses: list[Callable[[], object]] = [
            file.fileno,
            file.clone,
            file.flags,
            file.cred,
            file.borrow().__enter__,
            file.borrow_socket().__enter__,
            lambda: file.move_to(0),
        ]
        for use in uses:
            with pytest.raises(BadFdError):
                use()
        file.close()

    def test_an_unclosed_file_warns_and_is_closed(self) -> None:
        files = [null()]
        fd = files[0].fileno()
        with pytest.warns(ResourceWarning, match=f"^unclosed <File {fd} open>$"):
            files.clear()
        assert not is_open(fd)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_an_unclosed_file_is_closed_even_if_the_warning_is_an_error(self) -> None:
        file = null()  # the settings of pytest make every warning an error
        fd = file.fileno()
        del file
        gc.collect()
        assert not is_open(fd)

    def test_at_the_end_of_the_interpreter_a_warning_is_all_that_is_said(self) -> None:
        program = (
            "import os; from prosody_admin.descriptors import File;"
            "left = File.adopt(os.open('/dev/null', os.O_RDONLY))"
        )
        end = subprocess.run(
            [sys.executable, "-X", "dev", "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "ResourceWarning: unclosed <File" in end.stderr
        assert "Traceback" not in end.stderr

    def test_the_representation_tells_number_and_state_only(self) -> None:
        file = null()
        fd = file.fileno()
        assert repr(file) == f"<File {fd} open>"
        file.close()
        assert repr(file) == f"<File {fd} closed>"

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_a_copy_would_be_a_second_owner(self, duplicate: Callable[[File], object]) -> None:
        with null() as file, pytest.raises(TypeError, match="cloned"):
            duplicate(file)


class TestBorrowing:
    def test_a_lent_number_is_closed_by_the_last_borrower(self) -> None:
        file = null()
        with file.borrow() as fd:
            with file.borrow() as same:
                assert same == fd
                file.close()
                assert file.closed
                assert is_open(fd)
            assert is_open(fd), "the inner borrower was not the last"
        assert not is_open(fd)

    def test_a_borrower_that_fails_gives_back_as_well(self) -> None:
        file = null()

        def fail() -> None:
            with file.borrow():
                file.close()
                raise ZeroDivisionError

        fd = file.fileno()
        with pytest.raises(ZeroDivisionError):
            fail()
        assert not is_open(fd)

    def test_nobody_may_borrow_what_is_about_to_close(self) -> None:
        file = null()
        with file.borrow():
            file.close()
            with pytest.raises(BadFdError), file.borrow():
                pass

    def test_who_asks_is_told_when_the_number_is_free(self) -> None:
        file = null()
        told = []
        with file.borrow() as fd:
            file.close(when_free=lambda: told.append(is_open(fd)))
            file.close(when_free=lambda: told.append(is_open(fd)))
            assert told == []
        assert told == [False, False]
        file.close(when_free=lambda: told.append(True))
        assert told == [False, False], "that number may be a stranger's by now"

    def test_an_error_of_close_reaches_the_closer_and_frees_the_number(self) -> None:
        file = null()
        told = []
        os.close(file.fileno())  # what nobody may do: the kernel then answers EBADF
        with pytest.raises(OSError, match="Bad file descriptor"):
            file.close(when_free=lambda: told.append("free"))
        assert told == ["free"]
        assert file.closed


class TestBorrowingASocket:
    def test_the_socket_works_and_leaves_the_number_open(self) -> None:
        near, far = socket.socketpair()
        with far, File.adopt(near.detach()) as file:
            with file.borrow_socket() as sock:
                sock.sendall(b"through the borrowed one")
                assert sock.fileno() == file.fileno()
            assert sock.fileno() == -1
            assert far.recv(100) == b"through the borrowed one"
            assert is_open(file.fileno())

    def test_the_socket_keeps_the_number_while_it_is_lent(self) -> None:
        near, far = socket.socketpair()
        with far:
            file = File.adopt(near.detach())
            with file.borrow_socket() as sock:
                fd = sock.fileno()
                file.close()
                sock.shutdown(socket.SHUT_RDWR)
            assert not is_open(fd)

    def test_what_is_no_socket_is_refused_and_stays_open(self) -> None:
        with null() as file:
            with pytest.raises(OSError, match="non-socket"), file.borrow_socket():
                pass
            assert is_open(file.fileno())


class TestMoving:
    def test_the_open_file_is_under_the_new_number_only(self) -> None:
        file = File.adopt(os.memfd_create("moved"))
        old = file.fileno()
        with null() as place:
            file.move_to(place.fileno())
            assert file.closed
            assert not is_open(old)
            assert target(place.fileno()) == "/memfd:moved (deleted)"
            assert not os.get_inheritable(place.fileno())

    def test_a_lent_number_does_not_move(self) -> None:
        with null() as file, null() as place:
            with file.borrow(), pytest.raises(ReservationError, match="borrowed"):
                file.move_to(place.fileno())
            assert not file.closed

    def test_a_failed_move_changes_nothing(self) -> None:
        with null() as file:
            with pytest.raises(OSError, match="Bad file descriptor"):
                file.move_to(1_000_000)
            assert not file.closed
            assert is_open(file.fileno())
