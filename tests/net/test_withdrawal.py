"""What runs when a reload takes its permission away: only what would never end is ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.client import Client
from fakes.prosody import Conversation, FakeProsody, Held
from fakes.service import Running, running
from fakes.waiting import PATIENCE
from prosody_admin.access.identity import Identity
from prosody_admin.access.settings import PolicySettings
from prosody_admin.config import Settings
from prosody_admin.protocol.stanza import Stanza, repl_output
from prosody_admin.sd.journal import MessageId

ALICE = Identity(pid=4711, uid=1000, gid=1000, user="alice")
OPERATOR = {"alice": ["operator"]}
WATCH = "watch:log()"
NOBODY = "a role, and none is granted to alice (uid 1000)"


class Policies:
    """The settings of a site, whose policy a test changes."""

    def __init__(self) -> None:
        self.grants: dict[str, list[str]] = OPERATOR
        self.roles: dict[str, dict[str, Any]] = {}

    def read(self) -> Settings:
        policy = PolicySettings().with_roles(self.roles).with_grants(self.grants)
        return replace(Settings(), policy=policy)


@asynccontextmanager
async def serving(
    directory: Path, policies: Policies, held: Held
) -> AsyncIterator[tuple[Running, Client, FakeProsody]]:
    """The service with a client of alice's, in front of a Prosody that starts with `held`."""

    async def starts(conversation: Conversation, stanza: Stanza) -> None:
        await conversation.send(repl_output("it begins"))
        await held(conversation, stanza)

    lines = [WATCH, "user:list()", "watch:other()"]

    def read() -> Settings:
        return replace(policies.read(), prosody=service.settings.prosody)

    async with (
        FakeProsody(directory / "prosody", dict.fromkeys(lines, starts)) as prosody,
        running(directory, read_settings=read) as service,
    ):
        service.daemon._reload()
        with await service.client_of(ALICE) as client:
            yield service, client, prosody


async def begin(client: Client, line: str) -> None:
    await client.enter(line)
    assert await client.stanza() == repl_output("it begins")


@pytest.mark.parametrize(
    ("roles", "grants", "rule", "needed"),
    [
        ({}, {"alice": []}, "default", NOBODY),
        ({}, {"alice": ["viewer"]}, "default", "a role that allows watch:log"),
        (
            {"no-watching": {"deny": ["watch:*"]}},
            {"alice": ["operator", "no-watching"]},
            "role no-watching denies watch:*",
            "no such denial",
        ),
    ],
)
async def test_what_streams_is_ended_and_the_session_goes_on(
    tmp_path: Path,
    roles: dict[str, dict[str, Any]],
    grants: dict[str, list[str]],
    rule: str,
    needed: str,
) -> None:
    policies, held = Policies(), Held()
    async with serving(tmp_path, policies, held) as (service, client, prosody):
        await begin(client, WATCH)
        policies.roles, policies.grants = roles, grants
        service.daemon._reload()
        answer = await client.answer()
        assert answer.failed
        assert answer.result == (
            f"Error: permission withdrawn ({rule}): needs {needed}; the outcome is unknown"
        )
        held.release.set()  # the fake does not look up before
        async with asyncio.timeout(PATIENCE):
            await prosody.conversations[0].gone.wait()
        assert (await client.ask(WATCH)).result == (
            f"Error: permission denied ({rule}): needs {needed}"
        )
        assert not (await client.ask("admin:whoami()")).failed
    (ended,) = (
        record
        for record in service.journal.of(MessageId.COMMAND_FINISHED)
        if record.fields["COMMAND"] == "watch:log"
    )
    assert (ended.fields["RESULT"], ended.fields["RULE"]) == ("cancelled", rule)
    assert f"cancelled, permission withdrawn ({rule})" in ended.message


async def test_what_is_still_allowed_goes_on(tmp_path: Path) -> None:
    policies, held = Policies(), Held()
    async with serving(tmp_path, policies, held) as (service, client, _):
        await begin(client, WATCH)
        policies.roles = {"watcher": {"allow": ["watch:log"]}}
        policies.grants = {"alice": ["watcher"]}
        service.daemon._reload()
        held.release.set()
        assert (await client.answer()).result == f"OK: {WATCH}"
    assert "RULE" not in service.journal.of(MessageId.COMMAND_FINISHED)[0].fields


@pytest.mark.parametrize("line", ["user:list()", "watch:other()"])
async def test_what_ends_by_itself_or_nobody_knows_runs_on(tmp_path: Path, line: str) -> None:
    policies, held = Policies(), Held()
    policies.roles = {"operator": {"allow": ["user:*", "watch:*"]}}
    async with serving(tmp_path, policies, held) as (service, client, _):
        await begin(client, line)
        policies.grants = {"alice": []}
        service.daemon._reload()
        held.release.set()
        assert (await client.answer()).result == f"OK: {line}"
        assert (await client.ask(line)).result.startswith("Error: permission denied (default)")
