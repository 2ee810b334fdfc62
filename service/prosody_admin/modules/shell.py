"""The relay: what a client types goes to Prosody, and Prosody's answers to the client."""

import asyncio
import re
import sys
from collections.abc import Awaitable

from prosody_admin.errors import CommandError, UpstreamError
from prosody_admin.modules.api import Module, Service
from prosody_admin.modules.client_style import style_of
from prosody_admin.net.announcing import SessionEvent
from prosody_admin.net.connection import Deadlines
from prosody_admin.net.dispatch import AdminEvent
from prosody_admin.net.session import Session
from prosody_admin.net.upstream import Upstream
from prosody_admin.protocol.stanza import Stanza, repl_input
from prosody_admin.protocol.structured import UNREACHABLE

WIDTH_MIN, WIDTH_MAX = 20, 1000
"""Columns that Prosody may be asked to format a table for; 9,999,999 made a row of 10 MB."""

_WIDTH = re.compile(r"[0-9]{1,18}", re.ASCII)


def load(module: Module) -> None:
    """Hook what Prosody answers; lower than anything that answers here."""
    relays = Relays(module.service)
    module.hook("admin/repl-input", relays.command, priority=-10)
    # First of all: behind a handler that fails or hangs, the connection would stay for ever.
    module.hook("admin-disconnected", relays.disconnected, priority=sys.maxsize)
    module.at_unload(relays.close)


class Relays:
    """The relay of each session that has sent a command."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._relays: dict[Session, Relay] = {}

    def command(self, event: AdminEvent) -> Awaitable[list[Stanza]]:
        """Have Prosody run the line; see `Relay.run`."""
        relay = self._relays.get(event.session)
        if relay is None:
            relay = self._relays[event.session] = Relay(event.session, self._service)
        return relay.run(event)

    def disconnected(self, event: SessionEvent) -> None:
        """End the upstream connection of a session that is over."""
        if relay := self._relays.pop(event.session, None):
            relay.close()

    def close(self) -> None:
        """End every upstream connection."""
        while self._relays:
            _, relay = self._relays.popitem()
            relay.close()


class Relay:
    """The way of one session to Prosody: a connection, opened at the first command."""

    def __init__(self, session: Session, service: Service) -> None:
        self._session = session
        self._service = service
        self._upstream: Upstream | None = None
        self._style = style_of(Stanza("repl-input"))

    def run(self, event: AdminEvent) -> Awaitable[list[Stanza]]:
        """Have Prosody run the line, and return its result; output goes out as it comes.

        A command is sent once at most. Raises CommandError when there is no result to be had,
        which says whether the command may have run. When what is returned is cancelled, the
        connection ends with it.
        """
        self._style = style_of(event.stanza)
        command = _for_prosody(event)
        if self._upstream is not None and self._upstream.usable:
            return self._begin(self._upstream, command)
        return self._connect_and_run(command)

    async def _connect_and_run(self, command: Stanza) -> list[Stanza]:
        try:
            self._upstream = await self._connected()
            return await self._begin(self._upstream, command)
        except UpstreamError as error:
            raise _not_run(error) from error

    def _begin(self, upstream: Upstream, command: Stanza) -> asyncio.Future[list[Stanza]]:
        """Send a command over a connection that can be used. Raises UpstreamError if not."""
        answer: asyncio.Future[list[Stanza]] = asyncio.get_running_loop().create_future()

        def on_result(result: Stanza | UpstreamError) -> None:
            if answer.done():  # cancelled
                return
            if isinstance(result, UpstreamError):
                answer.set_exception(_not_run(result))
            else:
                self._session.after_command(upstream.pass_on)
                answer.set_result(list(self._style.result(result)))

        upstream.run(command, on_result)
        answer.add_done_callback(lambda done: upstream.give_up() if done.cancelled() else None)
        return answer

    def close(self) -> None:
        """End the connection."""
        if self._upstream is not None:
            self._upstream.close()

    async def _connected(self) -> Upstream:
        settings = self._service.settings
        upstream = await Upstream.connect(
            settings.prosody.socket,
            self._pass_on,
            self._ask,
            closer=self._service.closer,
            deadlines=Deadlines(
                header=settings.prosody.connect_timeout,
                stanza=settings.limits.stanza_timeout,
                write=settings.limits.write_timeout,
                keepalive=settings.limits.keepalive_interval,
            ),
        )
        self._session.connection.feed_from(upstream.connection)
        return upstream

    def _pass_on(self, output: Stanza) -> None:
        for piece in self._style.output(output):
            self._session.send(piece)

    def _ask(self, question: Stanza) -> None:
        """Pass a question on to a client that can answer it; else cancel, or Prosody would wait."""
        upstream = self._upstream
        assert upstream is not None  # it is who asks

        def answered(answer: Stanza | None) -> None:
            if answer is None or answer.get("status") == "cancel":
                upstream.answer(question, None)
            else:
                upstream.answer(question, answer.text)

        if self._style.answers(question):
            anew = {"type": question.get("type", ""), "id": question.get("id", "")}
            self._session.ask(Stanza("repl-request-input", anew), answered)
        else:
            answered(None)


def _not_run(error: UpstreamError) -> CommandError:
    outcome = "the outcome of the command is unknown" if error.sent else "not run"
    return CommandError(f"{outcome}: {error}", failure=UNREACHABLE)


def _for_prosody(event: AdminEvent) -> Stanza:
    """Write a line anew, with what Prosody knows of and nothing else that a client sent."""
    width, repl = event.stanza.get("width", ""), event.stanza.get("repl")
    return repl_input(
        event.text,
        # Off a terminal the 13 client says "nil".
        width=_clamped(int(width)) if _WIDTH.fullmatch(width) else None,
        repl=None if repl is None else repl != "0",
    )


def _clamped(width: int) -> int:
    return min(max(width, WIDTH_MIN), WIDTH_MAX)
