"""OpenFlags: what F_GETFL says about files opened in known ways."""

import os
from pathlib import Path

import pytest

from prosody_admin.descriptors import File, OpenFlags


@pytest.mark.parametrize(
    ("opened", "mode"),
    [
        (os.O_RDONLY, OpenFlags.RDONLY),
        (os.O_WRONLY | os.O_APPEND, OpenFlags.WRONLY),
        (os.O_RDWR | os.O_NONBLOCK, OpenFlags.RDWR),
        (os.O_RDWR | os.O_WRONLY, OpenFlags.ACCMODE),
    ],
)
def test_the_access_mode_is_told_apart_from_the_other_flags(opened: int, mode: OpenFlags) -> None:
    with File.adopt(os.open("/dev/null", opened)) as file:
        assert file.flags().access_mode == mode


@pytest.mark.parametrize(
    "flag",
    ["APPEND", "DIRECT", "DIRECTORY", "DSYNC", "NOFOLLOW", "NONBLOCK", "PATH", "SYNC", "TMPFILE"],
)
def test_a_file_reports_what_it_was_opened_with(flag: str, tmp_path: Path) -> None:
    path: str | Path = tmp_path
    mode = os.O_RDONLY
    if flag == "TMPFILE":
        mode = os.O_RDWR
    elif flag not in {"DIRECTORY", "PATH", "NOFOLLOW"}:
        path = tmp_path / "file"
        mode = os.O_RDWR | os.O_CREAT
    with File.adopt(os.open(path, getattr(os, f"O_{flag}") | mode)) as file:
        flags = file.flags()
    assert OpenFlags[flag] in flags
    if flag != "NONBLOCK":
        assert OpenFlags.NONBLOCK not in flags


def test_what_speaks_about_opening_or_about_the_number_is_not_reported(tmp_path: Path) -> None:
    opened = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOCTTY | os.O_CLOEXEC
    with File.adopt(os.open(tmp_path / "file", opened)) as file:
        reported = file.flags()
    assert reported.access_mode == OpenFlags.RDWR
    assert not reported & (os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOCTTY | os.O_CLOEXEC)


def test_a_bit_without_a_name_is_kept() -> None:
    nameless = 1 << 30
    assert OpenFlags(nameless | os.O_RDWR) == nameless | os.O_RDWR
    assert OpenFlags(nameless | os.O_RDWR).access_mode is OpenFlags.RDWR
