"""Other hosts and containers that are all this machine: an `ssh` and a `systemd-run` for a PATH."""

import os
import shlex
import stat
import sys
from pathlib import Path

from fakes.adminctl import SERVICE

_SSH = """\
#!/bin/sh
# ssh OPTION... -- HOST COMMAND: run COMMAND with this machine's shell; some hosts are special.
echo "$@" >>{calls}
while [ "$1" != -- ]; do shift; done
case $2 in
down)
	echo "ssh: connect to host down port 22: Connection refused" >&2
	exit 255 ;;
bare)
	echo "sh: 1: prosody-adminctl: not found" >&2
	exit 127 ;;
silent)
	echo $$ >>{silent}
	exec sleep 60 ;;
lingers)
	sleep 60 >/dev/null </dev/null & # as ssh does with ControlPersist
	echo $! >>{silent}
	printf 'last words' >&2
	exit 255 ;;
columns)
	echo "${{COLUMNS-none}}"
	exit ;;
says)
	echo "$3"
	exit 3 ;;
long)
	head -c 200000 /dev/zero | tr '\\0' x
	printf '\\033end'
	exit ;;
esac
exec sh -c "$3"
"""
_SYSTEMD_RUN = """\
#!/bin/sh
echo "$@" >>{calls}
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
_ADMINCTL = """\
#!/bin/sh
PYTHONPATH={service} PROSODY_ADMIN_SOCKET={socket} exec {python} -m prosody_admin.client "$@"
"""


class Elsewhere:
    """The programs, in a directory of their own, for a service on `socket`.

    Hosts with a behaviour of their own: `down` cannot be reached, `bare` is without our program,
    `silent` never says a word, `lingers` leaves a process behind that has standard error open,
    `says` prints the command and fails with 3, `columns` prints how wide the terminal is said to
    be, `long` prints a very long line.
    """

    def __init__(self, directory: Path, socket: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self._calls = directory / "calls"
        self._silent = directory / "silent"
        for name, script in (
            ("ssh", _SSH),
            ("systemd-run", _SYSTEMD_RUN),
            ("prosody-adminctl", _ADMINCTL),
        ):
            path = directory / name
            values = {
                "calls": self._calls,
                "silent": self._silent,
                "service": SERVICE,
                "socket": socket,
                "python": sys.executable,
            }
            path.write_text(
                script.format(**{key: shlex.quote(str(value)) for key, value in values.items()}),
                encoding="utf-8",
            )
            path.chmod(stat.S_IRWXU)

    @property
    def path(self) -> str:
        """What PATH has to be."""
        return f"{self.directory}:{os.environ['PATH']}"

    @property
    def calls(self) -> list[str]:
        """The arguments of each call so far, joined by spaces."""
        return self._calls.read_text(encoding="utf-8").splitlines() if self._calls.exists() else []

    @property
    def silent(self) -> list[int]:
        """The process ids of those that say nothing."""
        if not self._silent.exists():
            return []
        return [int(line) for line in self._silent.read_text(encoding="ascii").splitlines()]
