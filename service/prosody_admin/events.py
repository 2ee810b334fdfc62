"""Handlers by event name and priority, after Prosody's `util/events.lua` and module API.

An event is a name; what it is about is one value that every handler gets. Handlers run in order of
falling priority, those of one priority in the order they were hooked, and the first result that
is not None ends the dispatch and is its result. A handler may be plain or `async`.
"""

import inspect
from bisect import insort
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

# `Any`: the value's type belongs to the event's name, which the type system cannot follow.
Handler = Callable[[Any], object | Awaitable[object]]


class _Hook(NamedTuple):
    handler: Handler
    priority: int
    owner: object

    def order(self) -> int:
        return -self.priority


class Events:
    """The handlers of all events.

    A handler that hooks or unhooks while an event is dispatched changes the next dispatch, not
    the running one.
    """

    def __init__(self) -> None:
        self._hooks: dict[str, list[_Hook]] = {}

    def hook(
        self, event: str, handler: Handler, priority: int = 0, *, owner: object = None
    ) -> None:
        """Have `handler` called with the value of each `event`, higher `priority` first.

        `owner` is whoever `unhook_all` takes hooks away from.
        """
        hooks = list(self._hooks.get(event, ()))
        insort(hooks, _Hook(handler, priority, owner), key=_Hook.order)
        self._hooks[event] = hooks

    def unhook(self, event: str, handler: Handler, *, owner: object = None) -> None:
        """Take away what `hook` with the same event, handler and owner added.

        Without such a hook nothing changes, as in Prosody.
        """
        self._keep(event, lambda hook: (hook.handler, hook.owner) != (handler, owner))

    def unhook_all(self, owner: object) -> None:
        """Take away every hook of `owner`."""
        for event in list(self._hooks):
            self._keep(event, lambda hook: hook.owner is not owner)

    async def dispatch(self, event: str, value: object) -> object | None:
        """Call the handlers of `event` until one returns something, and return that.

        None means that no handler wanted it. What a handler raises passes through, and the
        handlers after it are not called.
        """
        result = self.begin(event, value)
        return await result if inspect.isawaitable(result) else result

    def begin(self, event: str, value: object) -> object | Awaitable[object] | None:
        """Like `dispatch`, for who has no time to wait: the result, or an awaitable of it.

        It is awaitable from the first `async` handler on, and has to be awaited then.
        """
        return _first_result(self._hooks.get(event, ()), value)

    def _keep(self, event: str, wanted: Callable[[_Hook], bool]) -> None:
        hooks = [hook for hook in self._hooks.get(event, ()) if wanted(hook)]
        if hooks:
            self._hooks[event] = hooks
        else:
            self._hooks.pop(event, None)


def _first_result(hooks: Sequence[_Hook], value: object) -> object | Awaitable[object] | None:
    for number, hook in enumerate(hooks, 1):
        result = hook.handler(value)
        if inspect.isawaitable(result):
            # The last one's is as good as what would wait for it, and a future needs no task.
            rest = hooks[number:]
            return _awaited_or_next(result, rest, value) if rest else result
        if result is not None:
            return result
    return None


async def _awaited_or_next(
    awaitable: Awaitable[object], hooks: Sequence[_Hook], value: object
) -> object | None:
    result = await awaitable
    if result is None:
        result = _first_result(hooks, value)
        if inspect.isawaitable(result):
            result = await result
    return result
