"""The package from its installation to its purge, in machines of its own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.conftest import prosody_answers
from system.gate import SERVICE_UNIT, SOCKET, SOCKET_UNIT, THROUGH, THROUGH_UNPRIVILEGED, through
from system.machine import Machine
from system.packages import apt, bring, built
from system.terminal import at_terminal
from system.test_kept_sessions import asked, session_of
from system.test_life_cycle import is_told_of_the_end

pytestmark = pytest.mark.system

SETTINGS = "/etc/prosody-admin/prosody-admin.toml"
# Without what apt, Prosody and everything else that runs write and remove as they please.
FILES = """
find / -path /proc -prune -o -path /sys -prune -o -path /tmp -prune -o -path /srv -prune \
    -o -path /run/systemd -prune -o -path /var/log -prune -o -path /var/cache -prune \
    -o -path /var/lib/apt -prune -o -path /var/lib/prosody -prune -o -print
"""
NEXT_VERSION = "9.0"
MAKE_NEXT_VERSION = f"""
dpkg-deb --raw-extract "$1" /tmp/next
sed -i 's/^Version: .*/Version: {NEXT_VERSION}/' /tmp/next/DEBIAN/control
cd /tmp/next
sed -i 's/^__version__ = .*/__version__ = "{NEXT_VERSION}"/' \
    usr/lib/python3/dist-packages/prosody_admin/__init__.py
echo '# A comment of the next version.' >>.{SETTINGS}
dpkg-deb --build /tmp/next /srv/next.deb
"""
BUILD_SECONDS = 300.0


@pytest.fixture
def fresh(machine: Machine) -> Iterator[Machine]:
    """Another machine of the release, which never saw the package, and Prosody answers."""
    with Machine(machine.release) as booted:
        prosody_answers(booted)
        yield booted


def states(machine: Machine) -> dict[str, str]:
    return {unit: machine.unit(unit, "ActiveState") for unit in (SOCKET_UNIT, SERVICE_UNIT)}


def invocations(machine: Machine) -> list[str]:
    """Return what tells one life of each unit from the next (systemd.exec(5))."""
    return [machine.unit(unit, "InvocationID") for unit in (SOCKET_UNIT, SERVICE_UNIT)]


def next_version(machine: Machine, package: str) -> str:
    """Make a later version of the package in the machine, and return its path."""
    machine.run("sh", "-euc", MAKE_NEXT_VERSION, "sh", package, check=True)
    return "/srv/next.deb"


def settings_are_readable(machine: Machine) -> None:
    """For the service and for operators: both have the group."""
    shown = machine.run("stat", "--format=%a %U %G", SETTINGS, check=True).stdout
    assert shown == "640 root prosody-admin\n"


def test_installed_it_waits_and_started_it_serves(fresh: Machine) -> None:
    apt(fresh, "install", bring(fresh))
    assert states(fresh) == {SOCKET_UNIT: "inactive", SERVICE_UNIT: "inactive"}
    assert fresh.run("test", "-e", SOCKET).returncode == 1
    assert fresh.run("systemctl", "is-enabled", SOCKET_UNIT).stdout == "enabled\n"
    settings_are_readable(fresh)

    fresh.run("sed", "-i", "s/^#idle_timeout = .*/idle_timeout = 1234/", SETTINGS, check=True)
    fresh.run("systemctl", "start", SOCKET_UNIT, check=True)
    assert states(fresh) == {SOCKET_UNIT: "active", SERVICE_UNIT: "inactive"}
    assert through(fresh, "server", "version").stdout.startswith("OK: ")
    assert "Leaves after: 1234 s" in through(fresh, "admin:status()").stdout
    fresh.run("useradd", "--system", "--groups=prosody-admin", "helpdesk", check=True)
    asked = fresh.run(*THROUGH_UNPRIVILEGED, "admin", "whoami", user="helpdesk")
    assert "OK: you are helpdesk" in asked.stdout
    assert "prosody-admin: " in fresh.run("journalctl", "--list-catalog").stdout


def test_prosody_may_come_later_and_the_presets_of_the_site_hold(fresh: Machine) -> None:
    apt(fresh, "purge", "prosody")
    preset = f"disable {SOCKET_UNIT}\ndisable {SERVICE_UNIT}\n"
    fresh.put("/etc/systemd/system-preset/10-site.preset", preset)
    package = bring(fresh)
    apt(fresh, "install", package)
    settings_are_readable(fresh)
    assert fresh.run("systemctl", "is-enabled", SOCKET_UNIT).stdout == "disabled\n"

    apt(fresh, "install", next_version(fresh, package))
    assert fresh.run("systemctl", "is-enabled", SOCKET_UNIT).stdout == "disabled\n"
    assert states(fresh) == {SOCKET_UNIT: "inactive", SERVICE_UNIT: "inactive"}


def test_upgrade_runs_the_new_code_for_the_sessions_too_and_listens_on(fresh: Machine) -> None:
    package = bring(fresh)
    apt(fresh, "install", package)
    fresh.run("chmod", "0600", SETTINGS, check=True)
    fresh.run("chown", "prosody", SETTINGS, check=True)
    fresh.run("systemctl", "start", SOCKET_UNIT, check=True)
    with at_terminal(fresh, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        session = session_of(terminal)
        listening, running = invocations(fresh)
        apt(fresh, "install", next_version(fresh, package))
        assert asked(terminal, "admin:version()", r"prosody-admin (\S+)") == NEXT_VERSION
        assert session_of(terminal) == session
    assert invocations(fresh)[0] == listening
    assert invocations(fresh)[1] != running
    assert fresh.unit(SERVICE_UNIT, "NeedDaemonReload") == "no"
    assert NEXT_VERSION in through(fresh, "admin:version()").stdout
    assert "A comment of the next version" in fresh.run("cat", SETTINGS).stdout
    shown = fresh.run("stat", "--format=%a %U", SETTINGS, check=True).stdout
    assert shown == "600 prosody\n", "what the administrator chose"


def test_removed_it_stops_and_purged_it_leaves_the_group(fresh: Machine) -> None:
    package = bring(fresh)
    before, catalog = fresh.run("sh", "-c", FILES).stdout, fresh.run("journalctl", "--list-catalog")
    apt(fresh, "install", package)
    fresh.run("systemctl", "start", SOCKET_UNIT, check=True)
    fresh.put(f"{SETTINGS}.d/50-site.toml", "[service]\nidle_timeout = 1234\n")
    with at_terminal(fresh, *THROUGH) as terminal:
        terminal.expect("prosody> ")
        apt(fresh, "remove", "prosody-admin")
        is_told_of_the_end(terminal)
    assert states(fresh) == {SOCKET_UNIT: "inactive", SERVICE_UNIT: "inactive"}
    assert fresh.run("test", "-e", SOCKET).returncode == 1
    assert fresh.run("test", "-e", SETTINGS).returncode == 0

    apt(fresh, "purge", "prosody-admin")
    after = fresh.run("sh", "-c", FILES).stdout
    assert set(after.splitlines()) ^ set(before.splitlines()) == set()
    assert fresh.run("journalctl", "--list-catalog").stdout == catalog.stdout
    assert fresh.run("getent", "group", "prosody-admin").returncode == 0


def test_its_sources_give_the_same_packages_elsewhere(machine: Machine, tmp_path: Path) -> None:
    first = built(machine.release).parent
    (sources,) = first.glob("*.tar.xz")
    subprocess.run(["tar", "--extract", f"--file={sources}"], cwd=tmp_path, check=True)
    (checkout,) = tmp_path.iterdir()
    subprocess.run(
        [checkout / "packaging/build-deb", "--release", machine.release, tmp_path / "second"],
        env=os.environ
        | {"DEB_BUILD_OPTIONS": "nocheck", "TZ": "Pacific/Kiritimati", "LC_ALL": "de_DE.UTF-8"},
        umask=0o077,
        timeout=BUILD_SECONDS,
        check=True,
    )
    for name in ("*.deb", "*.dsc", "*.tar.xz"):
        (one,), (other,) = first.glob(name), (tmp_path / "second").glob(name)
        assert one.read_bytes() == other.read_bytes(), one.name
