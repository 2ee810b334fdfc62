"""A worked example of a module: a section of its own, a query of its own, and a memory.

To be found it needs nothing but its entry point in the group `prosody_admin.modules`, and to be
loaded its name in the settings: `[modules] enabled = ["greeting"]`.
"""

import asyncio

from prosody_admin.errors import CommandError
from prosody_admin.modules.api import Module
from prosody_admin.net.announcing import SessionEvent
from prosody_admin.net.dispatch import AdminEvent
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result
from prosody_admin.shell.lines import Call

QUERY_NS = "urn:example:greeting"


def load(module: Module) -> None:
    """Hook everything; called once, when the service loads the module."""
    greeting = Greeting()
    # Above the relay to Prosody, which takes every line that is left over.
    module.hook("admin/repl-input", greeting.line, priority=5)
    module.hook(f"admin/{QUERY_NS}:query", greeting.query)
    module.hook("admin-connected", greeting.connected)
    # The hooks go by themselves; this is for anything else that a module opened.
    module.at_unload(lambda: module.log.info("said hello %d times", greeting.said))


class Greeting:
    """Answers `greeting:hello(name)`, and a query of its own namespace."""

    def __init__(self) -> None:
        self.said = 0
        self._newest = "nobody"

    def connected(self, event: SessionEvent) -> None:
        """Remember who came last. No other handler is asked if this returns anything."""
        self._newest = str(event.session.identity)

    async def line(self, event: AdminEvent) -> list[Stanza] | None:
        """Answer a line of our section; None leaves any other to whoever comes next."""
        match event.line:
            case Call(section="greeting", command="hello", arguments=(str(name),)):
                await asyncio.sleep(0)  # an async handler may wait for whatever it needs
                self.said += 1
                return [repl_output(f"Hello, {name}."), repl_result("OK: said")]
            case Call(section="greeting"):
                raise CommandError("expected greeting:hello(name)")
            case _:
                return None

    def query(self, _: AdminEvent) -> Stanza:
        """Answer a stanza that only our own client knows of."""
        return Stanza("newest", {}, self._newest, namespace=QUERY_NS)
