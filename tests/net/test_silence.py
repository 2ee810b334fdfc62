"""An hour of silence, with the clock turned: nobody hangs up, and nothing has a deadline."""

import asyncio
import socket
from collections.abc import Coroutine
from pathlib import Path

import pytest

from fakes.prosody import Conversation, FakeProsody, Held
from fakes.service import running
from fakes.waiting import one_turn
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_output

HOUR, STEP = 3600, 60
"""Seconds of silence, and those that the clock is turned by at once."""

CLIENT_PATIENCE = 840
"""Seconds after which `prosodyctl` and Prosody's own connections call a stream dead."""


class TurnableLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be put forward; timers in between come due."""

    def __init__(self) -> None:
        super().__init__()
        self._turned = 0.0

    def time(self) -> float:
        return super().time() + self._turned

    def turn(self, seconds: float) -> None:
        self._turned += seconds


class Watch:
    """A behaviour that prints a line, and another one when the test releases it; no result."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def __call__(self, conversation: Conversation, _: Stanza) -> None:
        await conversation.send(repl_output("first"))
        await self.release.wait()
        await conversation.send(repl_output("after an hour"))


def with_a_clock_to_turn(test: Coroutine[None, None, None]) -> None:
    """Run the test; it must not be waiting with a deadline of its own when it turns the clock."""
    with asyncio.Runner(loop_factory=TurnableLoop) as runner:
        runner.run(test)


async def an_hour_passes(*sockets: socket.socket) -> list[float]:
    """Turn the clock; return the longest silence in seconds that each socket saw.

    Raises AssertionError if any of them got anything but spaces.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, TurnableLoop)
    silent, longest = [0] * len(sockets), [0.0] * len(sockets)
    for _ in range(HOUR // STEP):
        loop.turn(STEP)
        for _ in range(3):  # what is due, what that wakes up, and what that writes
            await one_turn()
        for number, sock in enumerate(sockets):
            got = received(sock)
            assert not got.strip(b" "), got
            silent[number] = 0 if got else silent[number] + STEP
            longest[number] = max(longest[number], silent[number])
    return longest


def received(sock: socket.socket) -> bytes:
    try:
        data = sock.recv(65536)
    except BlockingIOError:
        return b""
    assert data, "the connection has ended"
    return data


def assert_well_before(silences: list[float]) -> None:
    assert max(silences) <= CLIENT_PATIENCE / 2


@pytest.mark.parametrize(
    "repl", [None, True, False], ids=["0.12", "prompt of 13", "one-shot of 13"]
)
def test_a_silent_command(tmp_path: Path, repl: bool | None) -> None:
    async def test() -> None:
        held = Held()
        async with (
            FakeProsody(tmp_path / "prosody", {"f()": held}) as prosody,
            running(tmp_path) as service,
        ):
            with await service.client() as client:
                await client.send(repl_input("f()", repl=repl))
                conversation = await prosody.wait_for_line()
                assert_well_before(await an_hour_passes(client.socket, conversation.socket))
                held.release.set()
                assert (await client.answer()).result == "OK: f()"
                assert (await client.ask("g()")).result == "OK: g()"
            assert len(prosody.conversations) == 1

    with_a_clock_to_turn(test())


def test_a_watch_that_sees_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        watch = Watch()
        async with (
            FakeProsody(tmp_path / "prosody", {"watch()": watch}) as prosody,
            running(tmp_path) as service,
        ):
            with await service.client() as client:
                await client.send(repl_input("watch()", repl=True))
                conversation = await prosody.wait_for_line()
                assert (await client.stanza()).text == "first"
                assert_well_before(await an_hour_passes(client.socket, conversation.socket))
                watch.release.set()
                assert (await client.stanza()).text == "after an hour"

    with_a_clock_to_turn(test())


def test_a_session_at_its_prompt(tmp_path: Path) -> None:
    async def test() -> None:
        async with FakeProsody(tmp_path / "prosody") as prosody, running(tmp_path) as service:
            with await service.client() as client:
                assert (await client.ask("f()")).result == "OK: f()"
                assert_well_before(await an_hour_passes(client.socket))
                assert (await client.ask("g()")).result == "OK: g()"
            assert len(prosody.conversations) == 1

    with_a_clock_to_turn(test())


def test_a_session_that_never_asks(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path) as service:
            with await service.client() as client:
                assert_well_before(await an_hour_passes(client.socket))
                assert (await client.ask("admin:version()")).result.startswith("OK: ")

    with_a_clock_to_turn(test())
