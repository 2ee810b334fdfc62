"""`sd/entries.py`: names that journald takes, and records as they are written."""

import pytest

from fakes.journald import parse
from prosody_admin.records import MessageId
from prosody_admin.sd.entries import decode, encode, encode_numbers, entry


@pytest.mark.parametrize(
    "name", ["lower", "_TRUSTED", "1ST", "", "WITH-DASH", "NEWLINE\n", "\u00c9", "X" * 51]
)
def test_a_name_that_journald_would_drop_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected upper-case ASCII letters.*64 characters"):
        encode({name: "x"})


def test_the_longest_name() -> None:
    assert max(map(len, decode(encode({"X" * 50: "x"})))) == 64


def test_numbers_are_fields_like_others() -> None:
    for numbers in ({"A": 0}, {"A": 1, "B": -2}, {"B": 3, "A": 1 << 70}):
        assert encode_numbers(**numbers) == encode(numbers)
    with pytest.raises(ValueError, match="expected upper-case ASCII letters"):
        encode_numbers(lower=1)


def test_no_field_of_ours_replaces_one_that_every_record_has() -> None:
    fields = decode(entry("opened", 6, MessageId.SESSION_OPENED, MESSAGE="x", PRIORITY=0))
    assert (fields["MESSAGE"], fields["PRIORITY"]) == ("opened", "6")


@pytest.mark.parametrize("value", ["x", "", "a=b", "\n", "x\n\nMESSAGE=y\n", "\0\u00fc\U0001f600"])
def test_what_is_written_is_read(value: str) -> None:
    written = entry(value, 6, None, encode({"A": value}), B=value, C=None, D=7)
    assert decode(written) == parse(written)
    assert decode(written) == {
        "MESSAGE": value,
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "prosody-admin",
        "PROSODY_ADMIN_A": value,
        "PROSODY_ADMIN_B": value,
        "PROSODY_ADMIN_D": "7",
    }
