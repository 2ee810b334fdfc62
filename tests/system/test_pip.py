"""Installing by pip, on a machine without network: what the README says to do, and it answers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.conftest import prosody_answers
from system.gate import SERVICE_UNIT, SOCKET_UNIT, through
from system.machine import CHECKOUT, Machine, unavailable

pytestmark = pytest.mark.system

VENV = "/opt/prosody-admin"
SOURCES = ("service", "units", "packaging", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a wheel of this checkout, which is left as it was."""
    checkout, wheels = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheels")
    for name in SOURCES:
        source = CHECKOUT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, checkout / name)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"),
            *("--no-deps", "--no-build-isolation", f"--wheel-dir={wheels}", checkout),
        ],
        check=True,
        timeout=120,
    )
    return wheels


@pytest.fixture(params=["bookworm", "trixie"])
def fresh(request: pytest.FixtureRequest, wheel: Path) -> Iterator[Machine]:
    """A machine of its own, with the wheel and nothing else of the project."""
    if (reason := unavailable()) is not None:
        pytest.skip(reason)
    with Machine(request.param) as machine:
        machine.copy(wheel, "/srv/wheels")
        prosody_answers(machine)
        yield machine


@pytest.fixture
def venv(fresh: Machine) -> Machine:
    """The same machine, with a virtual environment and therefore a pip."""
    fresh.run("python3", "-m", "venv", "--system-site-packages", VENV, check=True)
    return fresh


def test_into_a_venv(venv: Machine) -> None:
    program = f"{VENV}/bin/prosody-admind"
    venv.run("sh", "-euc", f"{VENV}/bin/pip install --no-index /srv/wheels/*.whl", check=True)
    refused = venv.run(program, "--install-units", user="daemon")
    assert (refused.returncode, refused.stdout) == (os.EX_CANTCREAT, "")
    assert "Permission denied" in refused.stderr
    put_in_place_it_answers(venv, program)
    assert f"path={program} ;" in venv.unit(SERVICE_UNIT, "ExecStart")


def test_into_usr_local(venv: Machine) -> None:
    pip = f"{VENV}/bin/pip --python /usr/bin/python3"
    install = f"{pip} install --no-index --break-system-packages /srv/wheels/*.whl"
    venv.run("sh", "-euc", install, check=True)
    put_in_place_it_answers(venv, "/usr/local/bin/prosody-admind")
    unit = venv.run("systemctl", "cat", SERVICE_UNIT, check=True).stdout
    assert "\nExecStart=prosody-admind " in unit


def put_in_place_it_answers(machine: Machine, program: str) -> None:
    """Do as the README says after pip, and ask Prosody through the service."""
    put = machine.run(program, "--install-units", check=True)
    assert f"wrote /usr/local/lib/systemd/system/{SOCKET_UNIT}\n" in put.stdout
    machine.run("systemd-sysusers", check=True)
    machine.run("journalctl", "--update-catalog", check=True)
    machine.run("systemctl", "daemon-reload", check=True)
    verified = machine.run("systemd-analyze", "verify", "--man=no", SOCKET_UNIT, SERVICE_UNIT)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    machine.run("systemctl", "start", SOCKET_UNIT, check=True)
    answer = through(machine, "server", "version")
    assert (answer.returncode, answer.stderr) == (0, "")
    said = machine.run("journalctl", "--catalog", "--no-pager", f"--unit={SERVICE_UNIT}").stdout
    assert "The kernel says who it" in said  # the catalogue is in force
