"""The README's first command, in a machine with everything installed, by root and by anybody."""

import pytest

from system.machine import CHECKOUT, Machine

pytestmark = pytest.mark.system

DIRECTORY = "/srv/checkout"


@pytest.mark.parametrize("user", [None, "helpdesk"])
def test_quickstart_shows_a_session_and_leaves_nothing(
    installed: Machine, user: str | None
) -> None:
    installed.copy(CHECKOUT / "service", f"{DIRECTORY}/service")
    installed.copy(CHECKOUT / "packaging", f"{DIRECTORY}/packaging")
    installed.run("chmod", "+x", f"{DIRECTORY}/packaging/quickstart", check=True)
    shown = installed.run(f"{DIRECTORY}/packaging/quickstart", user=user)
    assert (shown.returncode, shown.stderr) == (0, "")
    version = installed.run("prosodyctl", "shell", "server", "version").stdout
    assert f"server version\n{version}" in shown.stdout
    assert "juliet@localhost\nOK: Showing all 1 users" in shown.stdout
    assert 'runs user:create("juliet@localhost", (hidden))' in shown.stdout
    assert "PROSODY_ADMIN_RULE=service-user" in shown.stdout
    assert "a-password" not in shown.stdout.partition("What was recorded")[2]
    assert what_is_left(installed) == ""


def what_is_left(machine: Machine) -> str:
    """Return the processes and files of a quickstart that there still are."""
    # Brackets, so that the search does not find itself.
    started = "grep -ls 'tmp/prosody-admin[.]' /proc/[0-9]*/cmdline /proc/[0-9]*/environ"
    files = "find /tmp /usr/sbin -maxdepth 1 -name 'prosody-admin.*' -o -name policy-rc.d"
    return machine.run("sh", "-c", f"{started}; {files} 2>/dev/null").stdout
