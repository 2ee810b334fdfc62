"""The unit tests on the Python, expat, pytest and hypothesis of the releases that do not run here.

Debian 12 has 3.11 and expat 2.5, Debian 13 has 3.13 and an expat with reparse deferral.
"""

import platform

import pytest

from system.machine import CHECKOUT, Machine

pytestmark = pytest.mark.system

PYTHON = {"bookworm": "Python 3.11.", "trixie": "Python 3.13."}
HERE = platform.freedesktop_os_release().get("VERSION_CODENAME")
SECONDS = 900.0
"""Several times what they take: the machine of another release is tested at the same time."""


@pytest.mark.parametrize(
    "machine", [release for release in PYTHON if release != HERE], indirect=True
)
def test_unit_tests(machine: Machine) -> None:
    assert machine.run("python3", "--version").stdout.startswith(PYTHON[machine.release])
    machine.copy(CHECKOUT, "/srv/checkout")
    tested = machine.run(
        *("env", "--chdir=/srv/checkout", "python3", "-m", "pytest", "-q"),
        *("-p", "no:cacheprovider", "-m", "not system", "--ignore=tests/system", "tests"),
        timeout=SECONDS,
    )
    print(tested.stdout[-10000:], tested.stderr)
    assert tested.returncode == 0
