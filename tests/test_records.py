"""`records.py`: the ids of the kinds of records."""

import re

from prosody_admin.records import MessageId


def test_ids_are_random_and_distinct() -> None:
    assert len(MessageId) == 17, "members of one value would silently be one"
    for member in MessageId:
        # Version and variant of a random UUID (RFC 9562, section 5.4).
        assert re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", member.value)
