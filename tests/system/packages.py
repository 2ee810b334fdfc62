"""The package of the project, built for a release and installed as its users install it."""

import subprocess
from pathlib import Path

from system.machine import Machine

HERE = Path(__file__).parent
PLACE = "/srv/package"
"""Where a machine gets the package from."""

APT_SECONDS = 120.0
"""Deadline of installing or removing, ten times what it takes."""


def built(release: str) -> Path:
    """Return the binary package of this checkout for `release`, built if need be.

    Raises subprocess.CalledProcessError; what went wrong is on standard error.
    """
    printed = subprocess.run(
        [HERE / "package", release], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return Path(printed.strip())


def bring(machine: Machine) -> str:
    """Copy the package of the machine's release to it, and return its path there."""
    package = built(machine.release)
    machine.copy(package.parent, PLACE)
    return f"{PLACE}/{package.name}"


def apt(machine: Machine, *arguments: str) -> str:
    """Run apt-get in the machine, which has no network, and return what it wrote.

    Raises AssertionError unless it exits with 0.
    """
    command = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", *arguments)
    return machine.run(*command, timeout=APT_SECONDS, check=True).stdout
