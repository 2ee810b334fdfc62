"""`protocol/structured.py`: the stanzas of our own."""

import pytest

from prosody_admin.protocol.stanza import Stanza, repl_result
from prosody_admin.protocol.structured import (
    FAILURE,
    REFUSED,
    STRUCTURED_NS,
    Fact,
    facts_of,
    failed_result,
    is_query,
    item,
    query,
)


def test_a_query_is_one_in_its_namespace_only() -> None:
    assert is_query(query("admin:status()"))
    assert query("admin:status()").text == "admin:status()"
    assert not is_query(Stanza("query", {}, "admin:status()"))
    assert not is_query(Stanza("status", namespace=STRUCTURED_NS))


def test_an_item_has_its_facts_as_attributes() -> None:
    facts = item("session", {"id": "a\x01b", "pid": 7, "own": True, "refused": False, "unit": None})
    assert facts.attributes == {"id": "a\ufffdb", "pid": "7", "own": "true", "refused": "false"}
    assert facts.to_bytes().startswith(f"<session xmlns='{STRUCTURED_NS}' id='".encode())


def test_facts_are_read_as_what_they_were() -> None:
    facts: dict[str, Fact] = {
        "id": "7",
        "pid": 7,
        "own": True,
        "lua": False,
        "allow": ("@read", "user:*"),
        "hosts": (),
    }
    assert facts_of(item("x", facts)) == facts


def test_a_number_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        facts_of(Stanza("x", {"pid": "seven"}, namespace=STRUCTURED_NS))


def test_a_failed_result_says_what_kind_of_failure_it_is() -> None:
    refused = failed_result("no", REFUSED)
    assert (refused.get("type"), refused.get(FAILURE), refused.text) == ("error", "refused", "no")
    assert failed_result("no", "") == repl_result("no", error=True)
