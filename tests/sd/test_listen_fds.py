"""`sd/listen_fds.py` against libsystemd, each in a process that gets the same handed over."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prosody_admin.sd import listen_fds

pytest.importorskip("systemd.daemon")

SERVICE = Path(listen_fds.__file__).parents[2]

ASK = """
import errno, os, sys
own = sys.argv[1] == "ours"
# As systemd leaves them: inheritable.
for fd in (3, 4):
    os.set_inheritable(fd, True)
for variable, value in (argument.split("=", 1) for argument in sys.argv[2:]):
    os.environ[variable] = value.replace("SELF", str(os.getpid()))
if own:
    from prosody_admin.sd.listen_fds import is_unix_listener, listen_fds_with_names
else:
    import socket
    from systemd import daemon
    listen_fds_with_names = daemon.listen_fds_with_names
    def is_unix_listener(fd):
        return daemon.is_socket_unix(fd, type=socket.SOCK_STREAM, listening=1)
try:
    print(listen_fds_with_names())
except OSError as error:
    # A number that is out of range makes no sense either.
    print("EINVAL" if error.errno == errno.ERANGE else errno.errorcode[error.errno])
print([os.get_inheritable(fd) for fd in (3, 4)], [is_unix_listener(fd) for fd in (3, 4)])
"""


def answer(who: str, given: tuple[int, int], variables: tuple[str, ...]) -> str:
    # `sh` puts them where systemd does: 3 and 4.
    numbers = 'exec 3<&"$1" 4<&"$2"; shift 2; exec "$@"'
    script = [sys.executable, "-c", ASK, who, *variables]
    return subprocess.run(
        ["bash", "-c", numbers, "bash", *map(str, given), *script],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=given,
        env={"PYTHONPATH": str(SERVICE), "PATH": os.environ["PATH"]},
    ).stdout


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("")
        sock.listen()
        yield sock.fileno()


FDS = "LISTEN_FDS=2"
PID = "LISTEN_PID=SELF"


@pytest.mark.parametrize(
    "variables",
    [
        (),
        (FDS, PID, "LISTEN_FDNAMES=admin:other"),
        (FDS, PID, "LISTEN_FDNAMES=admin:"),
        (FDS, PID),
        (FDS,),
        (PID,),
        (FDS, PID, "LISTEN_FDNAMES=admin"),
        (FDS, PID, "LISTEN_FDNAMES=a:b:c"),
        ("LISTEN_FDS=1", PID, "LISTEN_FDNAMES=admin"),
        ("LISTEN_FDS=60", PID),
        ("LISTEN_FDS=0", PID),
        ("LISTEN_FDS=-1", PID),
        ("LISTEN_FDS=two", PID),
        ("LISTEN_FDS=", PID),
        ("LISTEN_FDS=99999999999999999999", PID),
        (FDS, "LISTEN_PID=1"),
        (FDS, "LISTEN_PID=0"),
        (FDS, "LISTEN_PID=x"),
        (FDS, "LISTEN_PID="),
        ("LISTEN_FDS=x", "LISTEN_PID=1"),
    ],
    ids=" ".join,
)
def test_it_says_what_libsystemd_says(listener: int, variables: tuple[str, ...]) -> None:
    with open(os.devnull, "rb") as null:
        given = listener, null.fileno()
        assert answer("ours", given, variables) == answer("theirs", given, variables)


def test_which_sockets_are_listeners(listener: int) -> None:
    with (
        socket.socket(socket.AF_UNIX) as idle,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as packets,
        socket.socket(socket.AF_INET) as internet,
    ):
        packets.bind("")
        packets.listen()
        for pair in ((listener, idle), (packets, internet)):
            given = tuple(one if isinstance(one, int) else one.fileno() for one in pair)
            assert len(given) == 2
            assert answer("ours", given, ()) == answer("theirs", given, ())
