"""What every test gets: coroutine tests are run, and a test that leaks anything fails."""

import asyncio
import contextlib
import gc
import inspect
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from prosody_admin.net.loop import new_event_loop


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function in an event loop of its own, in debug mode.

    Eight lines instead of pytest-asyncio, whose releases in Debian 12 and 13 disagree about
    loop scopes and whose loop outlives the check for leaked tasks.
    """
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run_and_count_tasks() -> None:
        await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"the test leaks tasks: {left}"

    with asyncio.Runner(debug=True, loop_factory=new_event_loop) as runner:
        runner.run(run_and_count_tasks())
    return True


def pytest_configure() -> None:
    """Take Ctrl-C again: what a script starts in the background ignores it, and passes that on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped anything: there, every test can be run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and os.environ.get("CI") == "true":
        reporter.write_line("skipped with CI=true: that is a failure", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_finish() -> None:
    """Take all that is there before the first test out of what each test is searched for."""
    gc.collect()
    gc.freeze()


def open_descriptors() -> dict[str, str]:
    """Return what each open descriptor of this process points to, by its number."""
    links = {}
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the descriptor that listdir used
            links[entry] = os.readlink(f"/proc/self/fd/{entry}")
    return links


def children() -> list[str]:
    """Return the process ids of this process's children, zombies included."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Fail a test that leaves a descriptor or a child behind; tasks are counted where they run."""
    descriptors_before, children_before = open_descriptors(), children()
    yield
    gc.collect()
    leaked = {
        number: target
        for number, target in open_descriptors().items()
        if descriptors_before.get(number) != target
    }
    assert not leaked, f"the test leaks descriptors: {leaked}"
    assert children() == children_before, "the test leaks a child process"
