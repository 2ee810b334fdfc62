"""The tests of the Debian package, run as autopkgtest would: of what is installed, in a machine."""

import re
from collections.abc import Iterator

import pytest

from system.conftest import prosody_answers
from system.machine import CHECKOUT, Machine, unavailable
from system.packages import apt, bring

pytestmark = pytest.mark.system

TESTS = CHECKOUT / "packaging/debian/tests"
CONTROL = dict(re.findall(r"^(\S+): (.*)$", (TESTS / "control").read_text(), re.MULTILINE))
NAMES = CONTROL["Tests"].split(", ")
SECONDS = 120.0


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def testbed(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine of its own, for they leave another version of the package behind."""
    if (reason := unavailable()) is not None:
        pytest.skip(reason)
    with Machine(request.param) as machine:
        prosody_answers(machine)
        apt(machine, "install", bring(machine))
        machine.copy(TESTS, "/srv/source/debian/tests")
        yield machine


def test_control_names_every_test() -> None:
    assert {*NAMES} == {path.name for path in TESTS.iterdir() if path.stat().st_mode & 0o111}
    # As the test below does it: in a machine with services, as root, nothing said on stderr.
    assert CONTROL["Restrictions"] == "isolation-container, needs-root"


@pytest.mark.parametrize("name", NAMES)
def test_of_the_package(testbed: Machine, name: str) -> None:
    temporary = testbed.run("mktemp", "--directory", check=True).stdout.strip()
    ran = testbed.run(
        *("env", "--chdir=/srv/source", f"AUTOPKGTEST_TMP={temporary}", f"debian/tests/{name}"),
        timeout=SECONDS,
    )
    print(ran.stdout)
    assert (ran.returncode, ran.stderr) == (0, "")
