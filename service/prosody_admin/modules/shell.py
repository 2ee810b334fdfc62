"""The relay: what a client types goes to Prosody, and Prosody's answers to the client."""

import re

from prosody_admin.errors import CommandError, UpstreamError
from prosody_admin.modules.api import Module, Service
from prosody_admin.net.connection import Deadlines
from prosody_admin.net.dispatch import AdminEvent, SessionEvent
from prosody_admin.net.session import Session
from prosody_admin.net.upstream import Upstream
from prosody_admin.protocol.stanza import Stanza, repl_input, repl_output, repl_result

WIDTH_MIN, WIDTH_MAX = 20, 1000
"""Columns that Prosody may be asked to format a table for; 9,999,999 made a row of 10 MB."""

_WIDTH = re.compile(r"[0-9]{1,18}", re.ASCII)


def load(module: Module) -> None:
    """Hook what Prosody answers; lower than anything that answers here."""
    relay = Relay(module.service)
    module.hook("admin/repl-input", relay.command, priority=-10)
    module.hook("admin-disconnected", relay.disconnected)
    module.at_unload(relay.close)


class Relay:
    """One upstream connection per session, opened at the first command that needs it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._upstreams: dict[Session, Upstream] = {}

    async def command(self, event: AdminEvent) -> Stanza:
        """Have Prosody run the line, and return its result; output goes out as it comes.

        A command is sent once at most. Raises CommandError when there is no result to be had,
        which says whether the command may have run.
        """
        try:
            upstream = await self._upstream(event.session)
        except UpstreamError as error:
            raise CommandError(f"not run: {error}") from error
        try:
            result = await upstream.run(_for_prosody(event.stanza))
        except UpstreamError as error:
            unknown = "the outcome of the command is unknown" if error.sent else "not run"
            raise CommandError(f"{unknown}: {error}") from error
        return repl_result(result.text, error=result.get("type") == "error")

    def disconnected(self, event: SessionEvent) -> None:
        """End the upstream connection of a session that is over."""
        upstream = self._upstreams.pop(event.session, None)
        if upstream is not None:
            upstream.close()

    def close(self) -> None:
        """End every upstream connection."""
        while self._upstreams:
            _, upstream = self._upstreams.popitem()
            upstream.close()

    async def _upstream(self, session: Session) -> Upstream:
        upstream = self._upstreams.get(session)
        if upstream is None or not upstream.usable:
            upstream = await self._connect(session)
            self._upstreams[session] = upstream
            session.connection.feed_from(upstream.connection)
        return upstream

    async def _connect(self, session: Session) -> Upstream:
        settings = self._service.settings

        def pass_on(output: Stanza) -> None:
            failed, eol = output.get("type") == "error", output.get("eol") != "0"
            session.send(repl_output(output.text, error=failed, eol=eol))

        return await Upstream.connect(
            settings.prosody.socket,
            pass_on,
            closer=self._service.closer,
            deadlines=Deadlines(
                header=settings.prosody.connect_timeout,
                stanza=settings.limits.stanza_timeout,
                write=settings.limits.write_timeout,
                keepalive=settings.limits.keepalive_interval,
            ),
        )


def _for_prosody(stanza: Stanza) -> Stanza:
    """Write a line anew, with what Prosody knows of and nothing else that a client sent."""
    width, repl = stanza.get("width", ""), stanza.get("repl")
    return repl_input(
        stanza.text,
        # Off a terminal the 13 client says "nil".
        width=_clamped(int(width)) if _WIDTH.fullmatch(width) else None,
        repl=None if repl is None else repl != "0",
    )


def _clamped(width: int) -> int:
    return min(max(width, WIDTH_MIN), WIDTH_MAX)
