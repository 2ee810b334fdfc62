"""`sd/entries.py`: names that journald takes."""

import pytest

from prosody_admin.records import MessageId
from prosody_admin.sd.entries import entry


@pytest.mark.parametrize(
    "name", ["lower", "_TRUSTED", "1ST", "", "WITH-DASH", "NEWLINE\n", "\u00c9", "X" * 51]
)
def test_a_name_that_journald_would_drop_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected upper-case ASCII letters.*64 characters"):
        entry(None, "hello", 6, {name: "x"})


def test_the_longest_name() -> None:
    fields = entry(None, "hello", 6, {"X" * 50: "x"})
    assert max(len(name) for name in fields) == 64


def test_no_field_of_ours_replaces_one_that_every_record_has() -> None:
    fields = entry(MessageId.SESSION_OPENED, "opened", 6, {"MESSAGE": "x", "PRIORITY": 0})
    assert (fields["MESSAGE"], fields["PRIORITY"]) == ("opened", "6")
