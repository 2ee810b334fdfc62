"""`modules/admin.py`: the same answers as data, for clients that ask for that."""

import os
from pathlib import Path

import pytest

from fakes.client import Client
from fakes.prosody import FakeProsody
from fakes.service import running
from prosody_admin import __version__
from prosody_admin.access.identity import Identity
from prosody_admin.access.roles import Role
from prosody_admin.protocol.stanza import Stanza, repl_input
from prosody_admin.protocol.structured import FAILURE, STRUCTURED_NS, query
from prosody_admin.sd.journal import MessageId

ALICE = Identity(pid=4711, uid=1000, gid=100, groups=(100, 27), user="alice")
BOB = Identity(8, 1001, 1001, login_uid=0, login_user="root", unit="bob.service")


async def data(client: Client, line: str) -> tuple[list[Stanza], Stanza]:
    """Ask for data; return the items and the result."""
    await client.send(query(line))
    items = []
    while (stanza := await client.stanza()).name != "repl-result":
        assert stanza.namespace == STRUCTURED_NS
        items.append(stanza)
    return items, stanza


async def test_whoami(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client_of(BOB) as bob:
            (session,) = service.sessions
            (identity,), result = await data(bob, "admin:whoami()")
    assert identity.name == "identity"
    assert identity.attributes == {
        "session": session.id,
        "uid": "1001",
        "gid": "1001",
        "groups": "",
        "pid": "8",
        "login-user": "root",
        "login-uid": "0",
        "unit": "bob.service",
    }
    assert result.text == "OK: you are uid 1001"


async def test_sessions(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client, await service.client_of(ALICE):
            own, other = (await data(client, "admin:sessions()"))[0]
    assert (own.get("pid"), own.get("own"), own.get("commands")) == (str(os.getpid()), "true", "1")
    assert (other.get("user"), other.get("own"), other.get("refused")) == (
        "alice",
        "false",
        "false",
    )


async def test_status_and_version(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            (status,), _ = await data(client, "admin:status()")
            (version,), _ = await data(client, "admin:version()")
    assert status.get("version") == version.get("version") == __version__
    assert (status.get("sessions"), status.get("sessions-max")) == ("1", "64")
    assert status.get("prosody-socket") == f"{tmp_path}/prosody"


async def test_rights_and_commands(tmp_path: Path) -> None:
    role = Role("helpdesk", allow=("user:*",), deny=("user:delete",), hosts=("*.example.com",))
    policy = {"roles": {"helpdesk": role}, "grants": {"alice": ("helpdesk",)}}
    async with running(tmp_path, policy=policy) as service:
        with await service.client_of(ALICE) as alice:
            (rights,), _ = await data(alice, "admin:rights()")
            commands, result = await data(alice, "admin:commands()")
    assert rights.attributes == {
        "name": "helpdesk",
        "allow": "user:*",
        "deny": "user:delete",
        "hosts": "*.example.com",
        "hostless": "false",
        "escalate": "false",
        "lua": "false",
    }
    names = [command.get("name", "") for command in commands]
    assert {"user:create", "user:list", "user:password", "admin:whoami"} <= {*names}
    assert not {"user:delete", "server:version", "admin:sessions"} & {*names}
    assert commands[names.index("user:list")].get("class") == "read"
    assert result.text == f"OK: {len(names)} commands"


async def test_explain(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client_of(BOB) as bob:
            (told,), _ = await data(bob, 'admin:explain("user:list()")')
            (lua,), _ = await data(bob, 'admin:explain(">os.exit()")')
    assert told.attributes == {
        "meaning": "user:list",
        "allowed": "false",
        "rule": "default",
        "needed": "a role, and none is granted to uid 1001",
    }
    assert lua.get("meaning") == "raw Lua"
    assert lua.get("reason")


async def test_close_answers_with_a_result_only(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client, await service.client_of(ALICE) as alice:
            other = list(service.sessions)[1].id
            items, result = await data(client, f'admin:close("{other}")')
            await alice.last_words()
    assert (items, result.text) == ([], f"OK: session {other} closed")


async def test_a_query_is_refused_and_recorded_like_its_line(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client_of(BOB) as bob:
            items, result = await data(bob, "admin:sessions()")
            of_line = await bob.ask("admin:sessions()")
    assert items == []
    assert result.text == of_line.result
    assert result.get(FAILURE) == "refused"
    refusals = service.journal.of(MessageId.COMMAND_REFUSED)
    assert [record.fields["COMMAND"] for record in refusals] == ["admin:sessions"] * 2


@pytest.mark.parametrize("line", ["server:version()", "help", "help admin", "admin.x()", ">1"])
async def test_what_prosody_says_is_no_data(tmp_path: Path, line: str) -> None:
    async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
        with await service.client() as client:
            items, result = await data(client, line)
    assert items == []
    assert result.text == "Error: only commands of the admin section are answered as data"
    assert result.get("type") == "error"
    assert FAILURE not in result.attributes
    assert prosody.lines == []


async def test_a_query_with_elements_is_refused(tmp_path: Path) -> None:
    malformed = Stanza("query", {}, Stanza("x"), "admin:whoami()", namespace=STRUCTURED_NS)
    async with running(tmp_path) as service:
        with await service.client() as client:
            assert (await client.ask(malformed)).result == "Error: a line is text, without elements"


async def test_without_prosody_the_result_says_unreachable(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with await service.client() as client:
            await client.send(repl_input("server:version()"))
            assert (await client.stanza()).get(FAILURE) == "unreachable"
