"""`client/journal/audit_lines.py`: how events read."""

import json
from datetime import datetime

import pytest

from prosody_admin.client.journal.audit_lines import KINDS, detailed, exported, heading, hole, line
from prosody_admin.client.journal.trail import Entry, Value
from prosody_admin.client.terminal.tables import as_json
from prosody_admin.records import PREFIX, MessageId

MOMENT = datetime(2026, 11, 24, 10, 0, 7, 250000).astimezone()
PEER: dict[str, Value] = {"SESSION": "3c6c19e4", "PEER_USER": "alice", "PEER_UID": 1000}
LIST: dict[str, Value] = {**PEER, "SEQUENCE": 2, "COMMAND": "user:list"}
BEFORE = "2026-11-24 10:00:07 3c6c19e4    alice            "
BEFORE_COMMAND = "2026-11-24 10:00:07 3c6c19e4/2  alice            "
FINISHED = {**LIST, "RESULT": "ok", "DURATION_USEC": 12400}


def entry(kind: MessageId, message: str = "", /, **fields: Value) -> Entry:
    return {
        "MESSAGE_ID": kind.value,
        "MESSAGE": message,
        "__REALTIME_TIMESTAMP": round(MOMENT.timestamp() * 1_000_000),
        "_PID": "77",
        **{PREFIX + name: value for name, value in fields.items()},
    }


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            entry(MessageId.SESSION_OPENED, **PEER, PEER_PID=12, PEER_UNIT="on-call.service"),
            f"{BEFORE}opened    by process 12 in on-call.service",
        ),
        (
            entry(MessageId.SESSION_OPENED, **PEER, PEER_PID=12),
            f"{BEFORE}opened    by process 12",
        ),
        (
            entry(MessageId.SESSION_CLOSED, **PEER, COMMANDS="1", DURATION_USEC="2345678"),
            f"{BEFORE}closed    after 2.3 s, 1 command",
        ),
        (
            entry(MessageId.SESSION_CLOSED, **PEER, COMMANDS="3", DURATION_USEC="125400000"),
            f"{BEFORE}closed    after 2 min 5 s, 3 commands",
        ),
        (
            entry(MessageId.SESSION_KEPT, **PEER, COMMANDS="1"),
            f"{BEFORE}kept      after 1 command",
        ),
        (
            entry(MessageId.SESSION_RESUMED, **PEER, COMMANDS="0"),
            f"{BEFORE}resumed   after 0 commands",
        ),
        (
            entry(MessageId.RESUME_FAILED, **PEER, ERROR="uid is wrong"),
            f"{BEFORE}lost      uid is wrong",
        ),
        (
            entry(MessageId.SESSION_REFUSED, **PEER, ERROR="too many"),
            f"{BEFORE}refused   the session: too many",
        ),
        (
            entry(MessageId.COMMAND_STARTED, **LIST, ARGUMENTS='"a b"', RULE="role viewer"),
            f'{BEFORE_COMMAND}runs      user:list("a b"), allowed by role viewer',
        ),
        (
            entry(MessageId.COMMAND_STARTED, **LIST, RULE="role viewer"),
            f"{BEFORE_COMMAND}runs      user:list, allowed by role viewer",
        ),
        (
            entry(MessageId.COMMAND_REFUSED, **LIST, ARGUMENTS="1", RULE="default"),
            f"{BEFORE_COMMAND}refused   user:list(1), by default",
        ),
        (
            entry(MessageId.COMMAND_FINISHED, **FINISHED),
            f"{BEFORE_COMMAND}ok        user:list after 12 ms",
        ),
        (
            entry(MessageId.COMMAND_FINISHED, **{**FINISHED, "RESULT": "error"}, ERROR="no host"),
            f"{BEFORE_COMMAND}error     user:list after 12 ms: no host",
        ),
        (
            entry(MessageId.STREAM_ERROR, **PEER, CONDITION="policy-violation", ERROR="too long"),
            f"{BEFORE}broken    policy-violation: too long",
        ),
        (
            entry(MessageId.MODULE_FAILED, "A handler failed\nTraceback", **PEER),
            f"{BEFORE}module    A handler failed",
        ),
        (
            entry(MessageId.AUDIT_GAP, "3 records were lost here"),
            "2026-11-24 10:00:07 -           -                gap       3 records were lost here",
        ),
    ],
)
def test_an_event_is_one_line(event: Entry, shown: str) -> None:
    assert line(event, colours=False) == shown + "\n"


def test_the_heading_stands_above() -> None:
    assert heading() == "TIME                SESSION     USER             EVENT\n"
    assert heading().index("EVENT") == len(BEFORE)


def test_a_hole_is_a_line_that_is_no_event() -> None:
    assert hole(1, colours=False) == "-- 1 record is missing here --\n"
    assert hole(20, colours=True) == "\x1b[0;1;31m-- 20 records are missing here --\x1b[0m\n"


@pytest.mark.parametrize("kind", MessageId)
def test_every_kind_has_a_line(kind: MessageId) -> None:
    assert kind in KINDS
    assert line(entry(kind), colours=False).startswith("2026-11-24 10:00:07 ")


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"PEER_USER": "prosody", "PEER_LOGIN_USER": "alice"}, "prosody (alice)"),
        ({"PEER_USER": "alice", "PEER_LOGIN_USER": "alice"}, "alice"),
        ({"PEER_UID": "4000", "PEER_LOGIN_UID": "4001"}, "4000 (4001)"),
        ({"PEER_USER": "a-user-with-a-long-name"}, "a-user-with-a-long-name"),
    ],
)
def test_who_it_was(fields: dict[str, Value], who: str) -> None:
    assert f" {who} " in line(entry(MessageId.COMMAND_STARTED, **fields), colours=False)


@pytest.mark.parametrize(
    ("event", "colour"),
    [
        (entry(MessageId.COMMAND_REFUSED, **LIST), "\x1b[0;1;31m"),
        (entry(MessageId.SESSION_REFUSED, **PEER), "\x1b[0;1;31m"),
        (entry(MessageId.AUDIT_GAP), "\x1b[0;1;31m"),
        (entry(MessageId.COMMAND_FINISHED, **{**FINISHED, "RESULT": "failed"}), "\x1b[0;1;33m"),
        (entry(MessageId.COMMAND_FINISHED, **FINISHED), None),
        (entry(MessageId.COMMAND_STARTED, **LIST), None),
    ],
)
def test_what_went_wrong_is_coloured(event: Entry, colour: str | None) -> None:
    shown = line(event, colours=True)
    assert shown.endswith("\x1b[0m\n") is (colour is not None)
    assert ("\x1b" in shown) is (colour is not None)
    assert colour is None or colour in shown


HOSTILE = "\x1b[2J\n2026-11-24 10:00:08 forged\r\u202e\x9b"


def test_nothing_can_forge_a_line_or_drive_the_terminal() -> None:
    fields = dict.fromkeys(
        ("SESSION", "SEQUENCE", "PEER_USER", "PEER_LOGIN_USER", "PEER_PID", "PEER_UNIT", "COMMAND",
         "ARGUMENTS", "RULE", "RESULT", "ERROR", "CONDITION", "COMMANDS"), HOSTILE
    )  # fmt: skip
    for kind in MessageId:
        event = entry(kind, HOSTILE, **fields)
        shown = line(event, colours=False)
        assert shown.endswith("\n")
        assert shown.removesuffix("\n").isprintable()
        full = detailed({**event, "_CMDLINE": HOSTILE}, colours=False).splitlines()
        assert len(full) == 1 + len(event) + 1
        assert all(text.isprintable() for text in full)
        assert all(text.startswith("    ") for text in full[1:])


def test_in_full_every_field_is_there_ours_first() -> None:
    event = entry(MessageId.COMMAND_STARTED, "m", **LIST, ARGUMENTS='"ж"', RULE=b"\xff")
    event["SYSLOG_IDENTIFIER"] = ["one", "two"]
    assert detailed(event, colours=False).splitlines()[1:] == [
        '    PROSODY_ADMIN_ARGUMENTS="ж"',
        "    PROSODY_ADMIN_COMMAND=user:list",
        "    PROSODY_ADMIN_PEER_UID=1000",
        "    PROSODY_ADMIN_PEER_USER=alice",
        "    PROSODY_ADMIN_RULE=\\xff",
        "    PROSODY_ADMIN_SEQUENCE=2",
        "    PROSODY_ADMIN_SESSION=3c6c19e4",
        "    MESSAGE=m",
        f"    MESSAGE_ID={MessageId.COMMAND_STARTED.value}",
        "    SYSLOG_IDENTIFIER=one",
        "    SYSLOG_IDENTIFIER=two",
        "    _PID=77",
        f"    __REALTIME_TIMESTAMP={event['__REALTIME_TIMESTAMP']!s}",
    ]


def test_json_is_that_of_journalctl() -> None:
    event: Entry = {"A": "ж\x1b", "B": b"\xff\x00", "C": ["1", b"\xfe"], "__REALTIME_TIMESTAMP": 5}
    assert exported(event) == {
        "A": "ж\x1b",
        "B": [255, 0],
        "C": ["1", [254]],
        "__REALTIME_TIMESTAMP": "5",
    }
    assert json.loads(as_json(exported(event), "short")) == exported(event)
