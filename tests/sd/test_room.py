"""`sd/room.py`, on file systems of the test's making; a real journald's are in tests/system."""

import errno
import logging
import os
from pathlib import Path

import pytest

from prosody_admin.errors import JournalFullError, JournalUnavailableError
from prosody_admin.sd.room import ROOM_SECONDS, Room, journald_room

KIB, MIB, GIB = 1024, 1024**2, 1024**3
RUNTIME, PERSISTENT = Path("/run/log/journal"), Path("/var/log/journal")
BLOCK = 4096


class Disks:
    """File systems by the directory asked for, and the time."""

    def __init__(self) -> None:
        self.found: dict[Path, os.statvfs_result | OSError] = {}
        self.asked = 0
        self.now = 0.0

    def has(self, directory: Path, free: int, size: int = GIB, inodes: int = 1) -> None:
        """Have a directory on a file system of so many bytes; without `inodes`, all are taken."""
        blocks = (size // BLOCK, free // BLOCK + 1000, free // BLOCK)
        self.found[directory] = os.statvfs_result((1 << 20, BLOCK, *blocks, 9, 9, inodes, 0, 255))

    def statvfs(self, directory: Path) -> os.statvfs_result:
        self.asked += 1
        found = self.found.get(directory, FileNotFoundError(errno.ENOENT, "no such file"))
        if isinstance(found, OSError):
            raise found
        return found

    def clock(self) -> float:
        return self.now


@pytest.fixture
def disks() -> Disks:
    return Disks()


@pytest.fixture
def room(disks: Disks) -> Room:
    return Room("machine", RUNTIME, PERSISTENT, disks.statvfs, disks.clock)


def lack(room: Room) -> str:
    """Return why there is no room, "" if there is."""
    try:
        room.check()
    except JournalFullError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("directory", [RUNTIME / "machine", PERSISTENT / "machine"])
@pytest.mark.parametrize(
    ("size", "needed"),
    [
        (100 * GIB, 16 * MIB),
        (128 * MIB, 16 * MIB),
        (24 * MIB, 3 * MIB),
        (8 * MIB, MIB),
        (2 * MIB, MIB),
    ],
)
def test_how_much_is_room(
    disks: Disks, room: Room, directory: Path, size: int, needed: int
) -> None:
    disks.has(directory, free=needed, size=size)
    assert lack(room) == ""
    disks.now += ROOM_SECONDS
    disks.has(directory, free=needed - BLOCK, size=size)
    kib = f"{needed // KIB - 4} KiB free, {needed // KIB} KiB are needed"
    assert lack(room) == f"{directory} has {kib}"


def test_what_only_root_may_use_is_not_counted(disks: Disks, room: Room) -> None:
    disks.has(PERSISTENT / "machine", free=0)  # with 1000 blocks for root
    assert lack(room).startswith("/var/log/journal/machine has 0 KiB free")


def test_a_file_takes_an_inode(disks: Disks, room: Room) -> None:
    disks.has(PERSISTENT / "machine", free=GIB, inodes=0)
    assert lack(room) == "/var/log/journal/machine has no inode free"


def test_where_inodes_are_not_counted_there_are_some(disks: Disks, room: Room) -> None:
    uncounted = (1 << 20, BLOCK, GIB, GIB, GIB, 0, 0, 0, 0, 255)
    disks.found[PERSISTENT / "machine"] = os.statvfs_result(uncounted)
    assert lack(room) == ""


@pytest.mark.parametrize(
    ("runtime", "runtime_files", "persistent_files", "enough"),
    [
        (True, None, True, True),
        (True, None, False, True),  # it goes on in memory
        (False, None, True, True),
        (False, None, False, False),
        (None, None, True, True),
        (None, None, False, False),
        # While it has files in memory, it may write there alone.
        (True, True, None, True),
        (False, False, None, False),
        (True, True, False, True),
        (False, False, True, False),
        # It has no files at all.
        (True, None, None, False),
        (None, None, None, False),
    ],
)
def test_which_file_systems_count(
    disks: Disks,
    room: Room,
    runtime: bool | None,
    runtime_files: bool | None,
    persistent_files: bool | None,
    enough: bool,
) -> None:
    for directory, has_room in (
        (RUNTIME, runtime),
        (RUNTIME / "machine", runtime_files),
        (PERSISTENT / "machine", persistent_files),
    ):
        if has_room is not None:
            disks.has(directory, free=GIB if has_room else 0)
    assert (lack(room) == "") is enough


def test_a_journal_without_files_is_named(room: Room) -> None:
    assert lack(room) == ("there is neither /run/log/journal/machine nor /var/log/journal/machine")


@pytest.mark.parametrize("directory", [RUNTIME / "machine", PERSISTENT / "machine"])
def test_what_may_not_be_looked_at_has_no_room(disks: Disks, room: Room, directory: Path) -> None:
    disks.found[directory] = PermissionError(errno.EACCES, "Permission denied")
    assert lack(room) == f"{directory}: Permission denied"


def test_an_answer_holds_for_a_while(disks: Disks, room: Room) -> None:
    disks.has(PERSISTENT / "machine", free=GIB)
    assert lack(room) == ""
    asked = disks.asked
    disks.has(PERSISTENT / "machine", free=0)
    disks.now += ROOM_SECONDS * 0.99
    assert (lack(room), disks.asked) == ("", asked)
    disks.now += ROOM_SECONDS * 0.01
    assert lack(room) != ""
    disks.has(PERSISTENT / "machine", free=GIB)
    disks.now += ROOM_SECONDS * 0.99
    assert lack(room) != ""
    disks.now += ROOM_SECONDS * 0.01
    assert lack(room) == ""


def test_each_time_that_it_begins_there_is_one_warning(
    disks: Disks, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for free in (GIB, 0, 0, 4 * MIB, GIB, 0, 0):
        disks.has(PERSISTENT / "machine", free=free)
        lack(room)
        lack(room)
        disks.now += ROOM_SECONDS
    warning = (
        "journald has no room to write, commands are refused: /var/log/journal/machine has"
        " 0 KiB free, 16384 KiB are needed"
    )
    assert caplog.messages == [warning, warning]


def test_the_peer_is_told_what_it_is_and_no_path(room: Room) -> None:
    with pytest.raises(JournalFullError) as raised:
        room.check()
    assert raised.value.hint == ": journald has no room to write"
    assert JournalUnavailableError("").hint == ""


def test_the_machines_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prosody_admin.sd.room.MACHINE_ID", tmp_path / "machine-id")
    assert "/run/log/journal/no-machine-id" in lack(journald_room())
    (tmp_path / "machine-id").write_text("0123abcd\n")
    assert "/var/log/journal/0123abcd" in lack(journald_room())
