"""The catalogue of messages explains every kind of record, by fields that it has."""

import re
from pathlib import Path

from prosody_admin.sd.journal import MessageId

CATALOG = (Path(__file__).parents[2] / "units/prosody-admin.catalog").read_text(encoding="utf-8")


def test_every_kind_of_record_is_explained_once() -> None:
    assert re.findall(r"^-- ([0-9a-f]{32})$", CATALOG, re.MULTILINE) == [m.value for m in MessageId]


def test_entries_have_the_headers_of_the_format() -> None:
    for entry in CATALOG.split("\n-- ")[1:]:
        headers = entry.partition("\n\n")[0].splitlines()[1:]
        assert [header.partition(": ")[0] for header in headers] == [
            "Subject",
            "Defined-By",
            "Documentation",
        ]


def test_fields_are_ours() -> None:
    assert all(name.startswith("PROSODY_ADMIN_") for name in re.findall(r"@([A-Z_]+)@", CATALOG))
