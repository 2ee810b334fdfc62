"""`net/kept.py`: a state is what it was, and any other line is one kind of error."""

import json
import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosody_admin.access.identity import Identity
from prosody_admin.errors import KeptSessionError
from prosody_admin.net.kept import SessionState, decode, encode

ALICE = Identity(
    pid=4711,
    uid=1000,
    gid=1000,
    groups=(4, 1000),
    user="alice",
    login_uid=0,
    login_user="root",
    unit="on-call.service",
)
STATE = SessionState(
    inode=2**40,
    id="3c6c19e4",
    identity=ALICE,
    pinned=True,
    header=b"<stream:stream xmlns:x='urn:\xc3\xa9'>\n",
    commands=7,
    started=12.5,
    sent_bytes=100,
    sent_lines=2,
)

texts = st.text(
    st.characters(
        min_codepoint=32, blacklist_categories=["Cs"], blacklist_characters="\ufffe\uffff"
    )
    | st.sampled_from("\t\n\r")
)
numbers = st.integers(0, 2**32 - 1)
counts = st.integers(0, 2**64 - 1)
identities = st.builds(
    Identity,
    pid=numbers,
    uid=numbers,
    gid=numbers,
    groups=st.lists(numbers).map(tuple),
    user=st.none() | texts,
    login_uid=st.none() | numbers,
    login_user=st.none() | texts,
    unit=st.none() | texts,
)
states = st.builds(
    SessionState,
    inode=counts,
    id=st.binary(min_size=4, max_size=4).map(bytes.hex),
    identity=identities,
    pinned=st.booleans(),
    header=texts.map(str.encode),
    commands=counts,
    started=st.floats(0, allow_infinity=False, allow_nan=False),
    sent_bytes=counts,
    sent_lines=counts,
)
# All that JSON has, and what Python's reading of it has besides.
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(states)
def test_a_state_is_one_line_and_comes_back(state: SessionState) -> None:
    line = encode(state)
    assert b"\n" not in line
    assert b"\r" not in line
    assert decode(line) == state


@given(st.binary() | values.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_state_or_the_one_error(line: bytes) -> None:
    with suppress(KeptSessionError):
        decode(line)


@given(st.integers(0, len(encode(STATE)) - 1), st.binary(max_size=2))
def test_a_line_that_is_damaged_has_no_other_error(position: int, instead: bytes) -> None:
    line = encode(STATE)
    with suppress(KeptSessionError):
        decode(line[:position] + instead + line[position + 1 :])


@given(st.sampled_from([*json.loads(encode(STATE))]), values)
def test_a_value_of_another_kind_has_no_other_error(name: str, value: object) -> None:
    with suppress(KeptSessionError):
        decode(json.dumps(json.loads(encode(STATE)) | {name: value}).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "3C6C19E4"),
        ("id", "3c6c19e4\n"),
        ("id", "3c6c19e45"),
        ("inode", -1),
        ("inode", 2**64),
        ("commands", 1.0),
        ("commands", True),
        ("started", 5),
        ("started", -1.0),
        ("started", "1.0"),
        ("pinned", 1),
        ("header", "\x00"),
        ("header", "\ud800"),
        ("identity", None),
        ("identity", []),
    ],
)
def test_what_is_wrong_is_named_and_not_quoted(name: str, value: object) -> None:
    values = json.loads(encode(STATE)) | {name: value}
    with pytest.raises(KeptSessionError) as raised:
        decode(json.dumps(values).encode())
    assert str(raised.value) == ("no object" if name == "identity" else f"{name} is wrong")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uid", 2**32),
        ("uid", None),
        ("groups", None),
        ("groups", [1, "2"]),
        ("groups", [-1]),
        ("user", 0),
        ("user", "a\x00"),
        ("login_uid", "0"),
    ],
)
def test_there_is_no_identity_but_a_whole_one(name: str, value: object) -> None:
    values = json.loads(encode(STATE))
    values["identity"][name] = value
    with pytest.raises(KeptSessionError, match=f"^{name} is wrong$"):
        decode(json.dumps(values).encode())
    del values["identity"][name]
    with pytest.raises(KeptSessionError, match=f"^{name} is missing$"):
        decode(json.dumps(values).encode())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999"])
def test_no_moment_is_outside_time(number: str) -> None:
    line = encode(STATE).replace(b"12.5", number.encode())
    with pytest.raises(KeptSessionError):
        decode(line)


@pytest.mark.parametrize(
    "line",
    [b"", b"[" * 100_000, b"{}", b"0", b"9" * 10_000, encode(STATE)[:-1], encode(STATE) * 2],
)
def test_what_is_no_state_at_all(line: bytes) -> None:
    with pytest.raises(KeptSessionError):
        decode(line)


def test_another_version_is_not_guessed_at() -> None:
    line = encode(STATE).replace(b'"version":1', b'"version":2')
    with pytest.raises(KeptSessionError, match="of another version"):
        decode(line)


def test_names_of_files_that_are_no_text_are_kept_out() -> None:
    line = json.dumps(json.loads(encode(STATE)) | {"header": os.fsdecode(b"\xff")}).encode()
    with pytest.raises(KeptSessionError, match="header is wrong"):
        decode(line)
