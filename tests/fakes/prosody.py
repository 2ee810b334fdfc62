"""Prosody's admin socket: answers what it is told to, and misbehaves on request."""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from fakes.waiting import PATIENCE, one_turn
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result
from prosody_admin.protocol.stream import Role, StanzaReceived, Stream


class Conversation:
    """One connection to the fake."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.stream = Stream(Role.SERVER)
        self._stanzas: deque[Stanza] = deque()
        self.gone = asyncio.Event()
        """The service closed the connection, in order or not."""

    async def send(self, *stanzas: Stanza) -> None:
        """Send stanzas in one piece."""
        for stanza in stanzas:
            self.stream.send(stanza)
        await self.send_bytes(self.stream.data_to_send())

    async def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def close(self) -> None:
        """Send the closing tag."""
        self.stream.close()
        await self.send_bytes(self.stream.data_to_send())

    def vanish(self) -> None:
        """End the connection without a word."""
        self.socket.shutdown(socket.SHUT_RDWR)

    async def receive(self) -> Stanza | None:
        """Wait for the next stanza; None when there is none to come."""
        while True:
            for event in self.stream.events_received():
                if isinstance(event, StanzaReceived):
                    self._stanzas.append(event.stanza)
            if self._stanzas:
                return self._stanzas.popleft()
            data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
            if not data:
                return None
            self.stream.receive_data(data)
            await self.send_bytes(self.stream.data_to_send())


Behaviour = Callable[[Conversation, Stanza], Awaitable[None]]


class FakeProsody:
    """Listens on `path`; a line that `answers` does not name gets `OK: <the line>`."""

    def __init__(self, path: Path, answers: Mapping[str, Behaviour] | None = None) -> None:
        self.path = path
        self.answers = answers or {}
        self.greets: Behaviour | None = None
        """What a connection gets in place of a header and answers, if anything."""
        self.received: list[Stanza] = []
        self.conversations: list[Conversation] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @property
    def lines(self) -> list[str]:
        """The text of all that was received, in order."""
        return [stanza.text for stanza in self.received]

    async def wait_for_line(self, count: int = 1) -> Conversation:
        """Wait until so many lines came in; return the latest conversation."""
        async with asyncio.timeout(PATIENCE):
            while len(self.received) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.conversations[-1]

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                sock, _ = await loop.sock_accept(listening)
                conversation = Conversation(sock)
                self.conversations.append(conversation)
                self._spawn(self._converse(conversation))

    async def _converse(self, conversation: Conversation) -> None:
        try:
            with conversation.socket:
                if self.greets is not None:
                    await self.greets(conversation, Stanza("none"))
                    await reads_on(conversation)
                while (line := await conversation.receive()) is not None:
                    self.received.append(line)
                    self._changed.set()
                    await self.answers.get(line.text, says_ok)(conversation, line)
        except ConnectionError:
            pass  # what a real one has to live with as well
        finally:
            conversation.gone.set()

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        self._tasks.add(asyncio.create_task(coroutine))

    async def __aenter__(self) -> Self:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.path.unlink(missing_ok=True)
        listening.bind(str(self.path))
        listening.listen()
        self._spawn(self._accept(listening))
        await one_turn()  # so that the task owns the socket before anything else
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):  # an assertion of a behaviour, say
                raise result


# Behaviours.


async def says_ok(conversation: Conversation, line: Stanza) -> None:
    await conversation.send(repl_result(f"OK: {line.text}"))


async def fails(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(
        repl_output("half of it", error=True, eol=False), repl_result("Error: no", error=True)
    )


async def never_answers(conversation: Conversation, _: Stanza) -> None:
    await reads_on(conversation)


async def reads_on(conversation: Conversation) -> None:
    """Take what comes until the other side is gone."""
    while await asyncio.get_running_loop().sock_recv(conversation.socket, 65536):
        pass


async def closes_with_tag(conversation: Conversation, _: Stanza) -> None:
    await conversation.close()


async def vanishes(conversation: Conversation, _: Stanza) -> None:
    conversation.vanish()


async def talks_rubbish(conversation: Conversation, _: Stanza) -> None:
    await conversation.send_bytes(b"\xff\x00<<>> HTTP/1.1 400\r\n\r\n")


async def says_something_else(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(Stanza("message"))


async def sends_half_a_stanza(conversation: Conversation, _: Stanza) -> None:
    await conversation.send_bytes(b"<repl-result>OK: ha")


async def answers_twice(conversation: Conversation, line: Stanza) -> None:
    await conversation.send(repl_result(f"OK: {line.text}"), repl_result("OK: again"))


async def goes_on_after_the_result(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(repl_result("OK: watching"), repl_output("after the result"))


async def asks_for_a_password(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(Stanza("repl-request-input", {"type": "password", "id": "a'1"}))
    answer = await conversation.receive()
    assert answer is not None
    said = f"{answer.name} {answer.get('id')} {answer.get('status')} {answer.text!r}"
    await conversation.send(repl_result(said))


async def asks_and_vanishes(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(Stanza("repl-request-input", {"type": "password", "id": "a'1"}))
    conversation.vanish()


def outputs(count: int, text: str = "x" * 1000) -> Behaviour:
    """Return a behaviour that sends `count` pieces of output and then its result."""

    async def behave(conversation: Conversation, _: Stanza) -> None:
        for number in range(count):
            await conversation.send(repl_output(f"{number} {text}"))
        await conversation.send(repl_result(f"OK: {count} pieces"))

    return behave


class Held:
    """A behaviour that says OK when the test releases it."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def __call__(self, conversation: Conversation, line: Stanza) -> None:
        await self.release.wait()
        await says_ok(conversation, line)


class Endless:
    """A behaviour like `watch:log()`: output without end; counts what it got rid of."""

    def __init__(self) -> None:
        self.sent_bytes = 0

    async def __call__(self, conversation: Conversation, _: Stanza) -> None:
        piece = repl_output("y" * 1000).to_bytes()
        while True:
            await conversation.send_bytes(piece)
            self.sent_bytes += len(piece)
