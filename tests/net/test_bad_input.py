"""What bad input gets: the right condition, one line in the journal, nothing else disturbed."""

from pathlib import Path

import pytest

from fakes.client import Client
from fakes.service import running
from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS, Stanza, repl_input, repl_result
from prosody_admin.sd.journal import MessageId


@pytest.fixture(autouse=True)
def brief_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close a client that is still connected soon; what it sends meanwhile is dropped."""
    monkeypatch.setattr("prosody_admin.net.transport.LINGER_SECONDS", 0.1)


HEADER = f"<stream:stream xmlns:stream='{STREAMS_NS}' xmlns='{ADMIN_NS}'>"

INSTEAD_OF_A_HEADER = {
    "rubbish": (b"\x16\x03\x01secret", "not-well-formed"),
    "http": (b"GET /secret HTTP/1.1\r\n\r\n<", "not-well-formed"),
    "not UTF-8": (b"<secret\xff>", "not-well-formed"),
    "UTF-16": ("<?xml version='1.0'?>" + HEADER).encode("utf-16"),
    "another encoding": b"<?xml version='1.0' encoding='latin-1'?>" + HEADER.encode(),
    "comment": b"<!-- secret -->" + HEADER.encode(),
    "processing instruction": b"<?secret ?>" + HEADER.encode(),
    "DTD": b"<!DOCTYPE stream:stream [<!ENTITY e 'secret'>]>" + HEADER.encode(),
    "wrong root": (b"<secret>", "invalid-namespace"),
    "root of a stream elsewhere": (b"<stream xmlns='secret'>", "invalid-namespace"),
    "endless header": (b"<stream:stream a='secret" + b"x" * 5000, "policy-violation"),
}

INSTEAD_OF_A_STANZA = {
    "malformed": b"<repl-input>secret</repl-output>",
    "rubbish": (b"secret", "bad-format"),
    "comment": b"<!-- secret -->",
    "comment inside": b"<repl-input>a()<!-- secret --></repl-input>",
    "DTD": b"<!DOCTYPE secret>",
    "entity": b"<repl-input>&secret;</repl-input>",
    "control character": b"<repl-input>secret\x00</repl-input>",
    "oversized": (b"<repl-input>" + b"secret" * 1000 + b"</repl-input>", "policy-violation"),
    "oversized, without an end": (b"<repl-input>" + b"secret" * 1000, "policy-violation"),
    "oversized tag": (b"<repl-input a='" + b"secret" * 1000, "policy-violation"),
    "too deep": (b"<repl-input>" + b"<a>" * 20, "policy-violation"),
    "too many elements": (b"<repl-input>" + b"<a/>" * 300, "policy-violation"),
    "too many attributes": (
        b"<repl-input %b/>" % b" ".join(b"a%d=''" % number for number in range(20)),
        "policy-violation",
    ),
}

BadInput = bytes | tuple[bytes, str]


def expected(bad: BadInput) -> tuple[bytes, str]:
    return bad if isinstance(bad, tuple) else (bad, "not-well-formed")


def last_words(condition: str) -> Stanza:
    """What comes before a stream error, so that `prosodyctl` does not exit with 0."""
    return repl_result(f"Error: not taken, the stream ends: {condition}", error=True)


@pytest.mark.parametrize("bad", INSTEAD_OF_A_HEADER.values(), ids=INSTEAD_OF_A_HEADER)
async def test_instead_of_a_header(tmp_path: Path, bad: BadInput) -> None:
    data, condition = expected(bad)
    async with running(tmp_path) as service:
        with await service.client() as bystander, await Client.connect(service.path) as client:
            client.stream.open()  # for its own understanding only
            await client.send_bytes(data)
            assert await client.last_words() == ([], condition)
            record = await service.journal.wait_for(MessageId.STREAM_ERROR)
            assert (await bystander.ask("admin:version()")).result.startswith("OK: ")
        await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert record.fields["CONDITION"] == condition
    assert service.journal.events() == [
        "SESSION_OPENED",
        "STREAM_ERROR",
        "COMMAND_STARTED",
        "COMMAND_FINISHED",
        "SESSION_CLOSED",
    ]
    assert "secret" not in repr(service.journal.records)


@pytest.mark.parametrize("bad", INSTEAD_OF_A_STANZA.values(), ids=INSTEAD_OF_A_STANZA)
async def test_instead_of_a_stanza(tmp_path: Path, bad: BadInput) -> None:
    data, condition = expected(bad)
    async with running(tmp_path, limits={"stanza_bytes": 4096}) as service:
        with await service.client() as bystander, await service.client() as client:
            before = len(service.journal.records)
            await client.send_bytes(data)
            assert await client.last_words() == ([last_words(condition)], condition)
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
            records = service.journal.records[before:]
            assert (await bystander.ask("admin:version()")).result.startswith("OK: ")
    assert [record.event for record in records] == [
        MessageId.STREAM_ERROR,
        MessageId.SESSION_CLOSED,
    ]
    assert records[0].fields["CONDITION"] == condition
    assert "secret" not in repr(service.journal.records)


async def test_what_is_said_not_to_be_taken_does_not_run(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            await client.send_bytes(b"<repl-input>admin:version()</repl-input>" * 2 + b"rubbish")
            assert await client.last_words() == ([last_words("bad-format")], "bad-format")
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert service.journal.events() == ["SESSION_OPENED", "STREAM_ERROR", "SESSION_CLOSED"]


async def test_a_client_that_never_speaks(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"header_timeout": 0.05}) as service:
        with await Client.connect(service.path) as client:
            client.stream.open()  # for its own understanding only
            assert await client.last_words() == ([], "connection-timeout")
            record = await service.journal.wait_for(MessageId.STREAM_ERROR)
    assert record.fields["ERROR"] == "no stream header within 0.05 s"
    assert service.journal.events() == ["STREAM_ERROR"]


async def test_a_client_that_never_finishes(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"stanza_timeout": 0.05}) as service:
        with await service.client() as client:
            await client.send_bytes(b"<repl-input>secret")
            said = [last_words("connection-timeout")]
            assert await client.last_words() == (said, "connection-timeout")
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert service.journal.events() == ["SESSION_OPENED", "STREAM_ERROR", "SESSION_CLOSED"]
    assert "secret" not in repr(service.journal.records)


async def test_what_stands_before_it_is_not_answered_twice(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            await client.ask("admin:version()")
            await client.send_bytes(b"</x>" + repl_input("admin:version()").to_bytes())
            said = [last_words("not-well-formed")]
            assert await client.last_words() == (said, "not-well-formed")
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert len(service.journal.of(MessageId.COMMAND_STARTED)) == 1


async def test_who_connects_and_leaves_again_is_no_event(tmp_path: Path) -> None:
    async with running(tmp_path, leaves_when_idle=True, service={"idle_timeout": 0.05}) as service:
        client = await Client.connect(service.path)
        client.vanish()
        await service.ended()
    assert service.journal.events() == []


async def test_a_stream_error_of_the_client_is_recorded(tmp_path: Path) -> None:
    error = b"<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    async with running(tmp_path) as service:
        with await service.client() as client:
            await client.send_bytes(error)
            assert await client.last_words() == ([], "")
            record = await service.journal.wait_for(MessageId.STREAM_ERROR)
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
    assert record.fields["CONDITION"] == "reset"


async def test_who_is_in_the_middle_of_talking_reads_why_it_is_not_heard(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"stanza_bytes": 4096}) as service:
        with await service.client() as client:
            # More than a socket holds: it fails if nobody takes it.
            await client.send_bytes(b"<repl-input>" + b"x" * 3_000_000)
            said = [last_words("policy-violation")]
            assert await client.last_words() == (said, "policy-violation")


async def test_who_goes_on_talking_is_closed_after_a_while(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            await client.send_bytes(b"<a></b>")
            await service.journal.wait_for(MessageId.SESSION_CLOSED)
            with pytest.raises(ConnectionError):
                await client.send_bytes(b"x")
