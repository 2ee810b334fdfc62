"""`modules/registry.py` and `modules/api.py`: modules come and go, ours and those of others."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.client import Client
from fakes.prosody import FakeProsody
from fakes.service import Running, changed, running
from prosody_admin.config import Settings, load, settings_files
from prosody_admin.errors import ModuleError
from prosody_admin.modules.registry import Modules
from prosody_admin.net.answers import UNHANDLED
from prosody_admin.protocol.stanza import Stanza
from prosody_admin.sd.journal import MessageId

EXAMPLE = Path(__file__).parent.parent / "example_module"
QUERY = Stanza("query", namespace="urn:example:greeting")


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the example, until the test ends."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield
    for name in [name for name in sys.modules if name.startswith(("prosody_admin_gr", "broken_"))]:
        del sys.modules[name]


def install(directory: Path, name: str, value: str, source: str = "") -> None:
    """Put one more package with a module on the path that `monkeypatch` has put `directory` on."""
    info = directory / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[prosody_admin.modules]\n{value}\n")
    if source:
        (directory / f"{name}.py").write_text(source)


def modules(service: Running) -> Modules:
    return service.daemon._modules


async def greets(client: Client) -> bool:
    return (await client.ask("greeting:hello('you')")).output == ["Hello, you."]


async def test_the_example_is_loaded_by_its_name_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "toml").write_text('[modules]\nenabled = ["greeting"]\n')
    enabled = load(settings_files(tmp_path / "toml")).modules.enabled
    async with (
        FakeProsody(tmp_path / "prosody"),
        running(tmp_path, modules={"enabled": enabled}) as service,
    ):
        assert list(modules(service)) == ["admin", "shell", "greeting"]
        with await service.client() as client:
            (session,) = service.sessions
            answer = await client.ask("greeting:hello('you')")
            assert (answer.output, answer.result) == (["Hello, you."], "OK: said")
            answer = await client.ask("greeting:goodbye()")
            assert answer.result == "Error: expected greeting:hello(name)"
            assert (await client.ask("other()")).result == "OK: other()"
            await client.send(QUERY)
            assert await client.stanza() == Stanza(
                "newest", {}, str(session.identity), namespace="urn:example:greeting"
            )


async def test_unloading_and_reloading_take_the_hooks_away(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        with await service.client() as client:
            assert not await greets(client)
            modules(service).load("greeting")
            assert await greets(client)
            modules(service).reload("greeting")
            assert await greets(client)
            hooks = service.daemon._events._hooks["admin/repl-input"]
            assert len(hooks) == 3, "admin, greeting and the relay, each once"
            modules(service).unload("greeting")
            assert not await greets(client)
            assert (await client.ask(QUERY)).result == UNHANDLED
            modules(service).unload("shell")
            assert (await client.ask("a()")).result == UNHANDLED


async def test_reloading_settings_loads_and_unloads(tmp_path: Path) -> None:
    settings = Settings()
    async with (
        FakeProsody(tmp_path / "prosody"),
        running(tmp_path, read_settings=lambda: settings) as service,
    ):
        with await service.client() as client:
            settings = changed(service.settings, modules={"enabled": ("greeting",)})
            service.daemon._reload()
            assert await greets(client)
            settings = service.settings
            service.daemon._reload()
            assert not await greets(client)
            assert (await client.ask("a()")).result == "OK: a()"


async def test_names_that_are_loaded_or_are_not(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        with pytest.raises(ModuleError, match="'admin' is loaded already"):
            modules(service).load("admin")
        with pytest.raises(ModuleError, match="'greeting' is not loaded"):
            modules(service).unload("greeting")
        with pytest.raises(ModuleError, match="'absent' not found: expected an installed"):
            modules(service).load("absent")


BROKEN = [
    ("broken_import", "absent_package:load", "", "cannot be imported from absent_package:load"),
    ("broken_name", "broken_name:load", "x = 1", "cannot be imported from broken_name:load"),
    ("broken_source", "broken_source:load", "1 / 0", "cannot be imported from broken_source:load"),
    ("broken_value", "broken_value:load", "load = 7", "broken_value:load is not a function"),
    (
        "broken_load",
        "broken_load:load",
        "def load(module):\n"
        "    module.hook('admin/repl-input', lambda event: 1 / 0, 99)\n"
        "    module.at_unload(lambda: 1 / 0)\n"
        "    module.at_unload(lambda: module.log.info('cleaned up'))\n"
        "    raise LookupError\n",
        "failed to load",
    ),
]


@pytest.mark.parametrize(("name", "value", "source", "message"), BROKEN, ids=lambda _: "")
async def test_a_module_that_is_broken_locks_nobody_out(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    source: str,
    message: str,
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, name, f"{name} = {value}", source)
    async with running(tmp_path, modules={"enabled": (name, "greeting")}) as service:
        with await service.client() as client:
            assert await greets(client)
            assert not (await client.ask("admin:version()")).failed
            assert list(modules(service)) == ["admin", "shell", "greeting"]
            (failed,) = service.journal.of(MessageId.MODULE_FAILED)
            assert failed.message.startswith(f"module {name!r}")
            assert message in failed.message
            logged = [r.message for r in service.journal.records if r.event is None]
            assert any("Traceback" in text for text in logged) == (name != "broken_value")
            with pytest.raises(ModuleError, match=message):
                modules(service).load(name)


async def test_a_package_of_somebody_else_that_is_damaged_locks_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "damaged", "no value")
    async with running(tmp_path, modules={"enabled": ("greeting",)}) as service:
        with await service.client() as client:
            assert not (await client.ask("admin:version()")).failed
        (failed,) = service.journal.of(MessageId.MODULE_FAILED)
        assert failed.message == "module 'greeting' cannot be looked for"


async def test_a_module_that_two_packages_offer_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "greeting_too", "greeting = greeting_too:load")
    async with running(tmp_path) as service:
        with pytest.raises(ModuleError, match="more than once: greeting_too:load, prosody_"):
            modules(service).load("greeting")


async def test_modules_are_loaded_in_the_order_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    names = [f"broken_{letter}" for letter in "qwertzuiop"]  # not broken at all
    for name in names:
        install(tmp_path, name, f"{name} = {name}:load", "def load(module): pass")
    async with running(tmp_path, modules={"enabled": tuple(names)}) as service:
        assert list(modules(service)) == ["admin", "shell", *names]


async def test_a_module_takes_one_hook_back(tmp_path: Path) -> None:
    async with FakeProsody(tmp_path / "prosody"), running(tmp_path) as service:
        with await service.client() as client:
            modules(service).load("greeting")
            module = modules(service)._loaded["greeting"]
            (hook,) = service.daemon._events._hooks["admin/urn:example:greeting:query"]
            module.unhook("admin/urn:example:greeting:query", hook.handler)
            assert (await client.ask(QUERY)).result == UNHANDLED
            assert await greets(client)
