"""What a start loads and what it leaves for later, for a connection waits for it."""

import faulthandler
import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prosody_admin import main as process
from prosody_admin.arguments import OF_THE_UNIT
from prosody_admin.daemon import Daemon

CHECKOUT = Path(__file__).parent.parent
ENVIRONMENT = {"PYTHONPATH": str(CHECKOUT / "service"), "PATH": os.environ["PATH"]}
SETTINGS = CHECKOUT / "packaging" / "prosody-admin.toml"

NEVER = [
    *("argparse", "difflib", "email", "gettext", "hashlib", "http", "importlib.metadata", "json"),
    *("multiprocessing", "prompt_toolkit", "prosody_admin.checking", "prosody_admin.client"),
    *("prosody_admin.command_line", "prosody_admin.installation", "random", "rich", "secrets"),
    *("shutil", "sqlite3", "ssl", "_ssl", "systemd", "tempfile", "unittest", "urllib.request"),
    *("xml.dom", "xml.sax", "xmlrpc", "zipfile"),
]
"""What costs milliseconds or megabytes, and is for nothing that the service does."""

# Loads what a start loads, and tells what is there.
LOAD = """
import sys
from pathlib import Path
from prosody_admin import start

start.loaded()
from prosody_admin.config import load
load([Path(sys.argv[1])])
found = {"modules": sorted(sys.modules)}
import asyncio, ssl
found["asyncio has ssl"] = asyncio.sslproto.ssl is not None
found["ssl works"] = ssl.create_default_context().check_hostname
import json
print(json.dumps(found))
"""


def python(script: str, *arguments: str | Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    ).stdout


def test_what_a_start_loads() -> None:
    loaded = {*json.loads(python(LOAD, SETTINGS))["modules"]}
    assert "prosody_admin.net.listener" in loaded
    assert {*NEVER} & loaded == set()


def test_ssl_is_kept_from_asyncio_and_from_nobody_else() -> None:
    found = json.loads(python(LOAD, SETTINGS))
    assert not found["asyncio has ssl"]
    assert found["ssl works"]


def test_ssl_that_is_there_before_stays() -> None:
    script = "import ssl, sys; from prosody_admin.start import loaded; loaded()"
    assert python(f"{script}; print(sys.modules['ssl'] is ssl)") == "True\n"


def test_the_unit_gives_the_arguments_that_need_no_reading() -> None:
    unit = (CHECKOUT / "units" / "prosody-admin.service").read_text(encoding="utf-8")
    assert f"\nExecStart={' '.join(['prosody-admind', *OF_THE_UNIT])}\n" in unit
    quickly = process.read_arguments(OF_THE_UNIT)
    at_length = process.read_arguments([*OF_THE_UNIT, *OF_THE_UNIT])
    assert {name: getattr(quickly, name) for name in vars(at_length)} == vars(at_length)


@contextmanager
def collecting_no_garbage() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def test_garbage_is_collected_once_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = []

    def ready(running: Daemon) -> None:
        collected.append(gc.isenabled())
        running._loop.call_soon(serves, running)

    def serves(running: Daemon) -> None:
        collected.append(gc.isenabled())
        running.stop("a test")

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(faulthandler, "enable", lambda: None)  # pytest has one of its own
    monkeypatch.setattr(Daemon, "_start", ready)
    monkeypatch.setattr(process, "settings_files", lambda _: [])
    with collecting_no_garbage():
        process.main(["--log-target=console", "--listen", str(tmp_path / "admin")])
    assert collected == [False, True]
