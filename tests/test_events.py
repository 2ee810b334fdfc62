"""Handlers by name and priority; the first result wins."""

import inspect

import pytest

from prosody_admin.events import Events, Handler


def answering(answers: list[str], name: str, result: object = None) -> Handler:
    """Return a handler that notes `name` and the value it got, and returns `result`."""

    def handler(value: object) -> object:
        answers.append(f"{name} {value}")
        return result

    return handler


async def test_no_handler_no_result() -> None:
    assert await Events().dispatch("nothing", None) is None


async def test_higher_priority_first_then_in_order_of_hooking() -> None:
    events, called = Events(), list[str]()
    events.hook("event", answering(called, "low"), -1)
    events.hook("event", answering(called, "first"))
    events.hook("event", answering(called, "second"))
    events.hook("event", answering(called, "high"), 10)
    assert await events.dispatch("event", 1) is None
    assert called == ["high 1", "first 1", "second 1", "low 1"]


@pytest.mark.parametrize("result", ["answer", False, 0, ""])
async def test_first_result_that_is_not_none_wins(result: object) -> None:
    events, called = Events(), list[str]()
    events.hook("event", answering(called, "silent"), 2)
    events.hook("event", answering(called, "answers", result), 1)
    events.hook("event", answering(called, "never asked", "too late"))
    assert await events.dispatch("event", 1) == result
    assert called == ["silent 1", "answers 1"]


async def test_async_handlers_are_awaited_in_their_turn() -> None:
    events, called = Events(), list[str]()

    async def slow(value: object) -> None:
        called.append(f"slow {value}")

    async def answers(value: object) -> object:
        return value

    events.hook("event", slow, 2)
    events.hook("event", answers, 1)
    events.hook("event", answering(called, "never asked"))
    assert await events.dispatch("event", "value") == "value"
    assert called == ["slow value"]


async def test_what_a_handler_raises_passes_through() -> None:
    events, called = Events(), list[str]()

    def fails(_: object) -> object:
        raise LookupError("broken")

    events.hook("event", fails, 1)
    events.hook("event", answering(called, "never asked"))
    with pytest.raises(LookupError, match="broken"):
        await events.dispatch("event", 1)
    assert called == []


async def test_unhook_takes_one_hook_and_only_that() -> None:
    events, called = Events(), list[str]()
    one, other = answering(called, "one"), answering(called, "other")
    events.hook("event", one)
    events.hook("event", other)
    events.hook("another", one)
    events.unhook("event", one)
    events.unhook("event", one)  # as in Prosody, nothing happens
    events.unhook("unknown", one)
    await events.dispatch("event", 1)
    await events.dispatch("another", 2)
    assert called == ["other 1", "one 2"]


async def test_hooks_go_with_their_owner() -> None:
    events, called = Events(), list[str]()
    handler = answering(called, "handler")
    events.hook("event", handler, owner="mine")
    events.hook("other", handler, owner="mine")
    events.hook("event", handler, owner="yours")
    events.unhook("event", handler)  # belongs to somebody
    events.unhook_all("mine")
    await events.dispatch("event", 1)
    await events.dispatch("other", 2)
    assert called == ["handler 1"]


async def test_a_dispatch_under_way_is_not_changed() -> None:
    events, called = Events(), list[str]()
    late = answering(called, "late")

    def hooks_and_unhooks(value: object) -> None:
        events.hook("event", late, -2)
        events.unhook("event", last)
        called.append(f"first {value}")

    last = answering(called, "last")
    events.hook("event", hooks_and_unhooks)
    events.hook("event", last, -1)
    await events.dispatch("event", 1)
    assert called == ["first 1", "last 1"]
    events.unhook("event", hooks_and_unhooks)
    await events.dispatch("event", 2)
    assert called == ["first 1", "last 1", "late 2"]


@pytest.mark.parametrize("last_is_async", [True, False])
async def test_begin_waits_from_the_first_async_handler_on(last_is_async: bool) -> None:
    async def later(value: object) -> object:
        return value if value == "asked" else None

    async def passes(_: object) -> None:
        return None

    events = Events()
    events.hook("event", passes, 2)
    events.hook("event", later if last_is_async else str.upper)
    begun = events.begin("event", "asked")
    assert inspect.isawaitable(begun)
    assert await begun == ("asked" if last_is_async else "ASKED")


async def test_begin_is_done_at_once_where_nobody_waits() -> None:
    events = Events()
    events.hook("event", str.upper)
    assert events.begin("event", "value") == "VALUE"
