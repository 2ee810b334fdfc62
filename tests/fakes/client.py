"""A client that does as it is told: well-behaved, slow, rude or gone."""

import asyncio
import socket
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fakes.waiting import PATIENCE
from prosody_admin.protocol.parser import UPSTREAM_LIMITS
from prosody_admin.protocol.stanza import Stanza, repl_input
from prosody_admin.protocol.stream import (
    Event,
    Role,
    StanzaReceived,
    Stream,
    StreamFailed,
    StreamOpened,
)


@dataclass(frozen=True)
class Answer:
    """What one line got; output line by line, however many stanzas it took."""

    output: list[str]
    result: str
    failed: bool


class Client:
    """A raw socket and the client's end of a stream. Reads only when asked to."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.stream = Stream(Role.CLIENT, UPSTREAM_LIMITS)
        self._events: deque[Event] = deque()
        self._at_eof = False

    @classmethod
    async def connect(cls, path: Path) -> Self:
        """Connect, and say nothing yet."""
        client = cls(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().sock_connect(client.socket, str(path))
        except BaseException:
            client.vanish()
            raise
        return client

    @classmethod
    async def session(cls, path: Path) -> Self:
        """Connect and open the stream."""
        client = await cls.connect(path)
        await client.open()
        return client

    async def open(self) -> None:
        """Send our header, and expect the server's."""
        self.stream.open()
        await self._flush()
        assert isinstance(await self.event(), StreamOpened)

    async def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def send(self, *stanzas: Stanza) -> None:
        """Send stanzas in one piece, without waiting for answers."""
        for stanza in stanzas:
            self.stream.send(stanza)
        await self._flush()

    async def enter(self, *lines: str) -> None:
        """Send lines in one piece, without waiting for answers."""
        await self.send(*map(repl_input, lines))

    async def ask(self, line: str | Stanza) -> Answer:
        """Send one line and wait for its answer."""
        await self.send(repl_input(line) if isinstance(line, str) else line)
        return await self.answer()

    async def answer(self) -> Answer:
        """Wait for output up to a result."""
        output: list[str] = []
        while True:
            stanza = await self.stanza()
            if stanza.name == "repl-result":
                return Answer(output, stanza.text, stanza.get("type") == "error")
            assert stanza.name == "repl-output", stanza
            output += stanza.text.split("\n")

    async def stanza(self) -> Stanza:
        """Wait for the next stanza; anything else is a failure of the test."""
        event = await self.event()
        assert isinstance(event, StanzaReceived), event
        return event.stanza

    async def event(self) -> Event | None:
        """Wait for the next event; None at the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            while not self._events and not self._at_eof:
                await self._read()
        return self._events.popleft() if self._events else None

    async def last_words(self) -> tuple[list[Stanza], str]:
        """Wait for the end of the connection; return the stanzas before it and the condition.

        The condition is that of a stream error, or "" where there was none.
        """
        stanzas, condition = [], ""
        while (event := await self.event()) is not None:
            if isinstance(event, StanzaReceived):
                stanzas.append(event.stanza)
            if isinstance(event, StreamFailed):
                condition = event.error.condition
        return stanzas, condition

    async def close(self) -> tuple[list[Stanza], str]:
        """Send the closing tag, and wait for the end of the connection."""
        self.stream.close()
        await self._flush()
        said = await self.last_words()
        self.vanish()
        return said

    def half_close(self) -> None:
        """Send no more, without a closing tag."""
        self.socket.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """Close the socket without a word."""
        self.socket.close()

    async def _read(self) -> None:
        try:
            data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
        except ConnectionResetError:
            data = b""
        if data:
            self.stream.receive_data(data)
        else:
            self._at_eof = True
            self.stream.receive_eof()
        self._events += self.stream.events_received()

    async def _flush(self) -> None:
        await self.send_bytes(self.stream.data_to_send())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.vanish()
