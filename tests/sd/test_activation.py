"""`sd/activation.py`: real sockets, handed over to real processes."""

import errno
import fcntl
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prosody_admin.descriptors import File, OpenFlags
from prosody_admin.errors import ActivationError
from prosody_admin.sd import activation
from prosody_admin.sd.activation import adopt_descriptors, bind_listener, listening_path

# What the service does with LISTEN_*, as a process: it takes over, and tells what it finds.
ADOPT = """
    import json, os, socket
    from prosody_admin.errors import ActivationError
    from prosody_admin.sd.activation import adopt_descriptors, listening_path

    found = {"error": None, "files": [], "stored": []}
    try:
        handed_over = adopt_descriptors()
    except ActivationError as error:
        found["error"] = str(error)
    else:
        for file in handed_over.stored:
            with file.borrow() as fd:
                found["stored"].append((fd, os.get_inheritable(fd)))
            file.close()
        for file in handed_over.listening:
            with file.borrow() as fd:
                found["files"].append({
                    "fd": fd,
                    "path": listening_path(file),
                    "blocking": os.get_blocking(fd),
                    "inheritable": os.get_inheritable(fd),
                })
            file.close()
    # Not os.listdir of /proc/self/fd, which is one descriptor more.
    found["open"] = [fd for fd in range(3, 32) if os.path.exists(f"/proc/self/fd/{fd}")]
    found["environment"] = sorted(key for key in os.environ if key.startswith("LISTEN_"))
    print(json.dumps(found))
"""

# What systemd does before it executes the service: descriptors from 3 on, and our process id.
HAND_OVER = """
    import os, sys
    given = [int(number) for number in sys.argv[1].split()]
    for position, number in enumerate(given, start=3):
        os.dup2(number, position)
        os.close(number)
    os.environ.setdefault("LISTEN_PID", str(os.getpid()))
"""

HIGHER_THAN_ANY_HANDED_OVER = 100
UNIX_LISTENER = "expected a listening AF_UNIX SOCK_STREAM socket, found "


def hand_over(*descriptors: int, **environment: str) -> dict[str, Any]:
    """Have a new process adopt `descriptors` as 3, 4, ...; return what it found."""
    clones = [
        fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGHER_THAN_ANY_HANDED_OVER) for fd in descriptors
    ]
    script = textwrap.dedent(HAND_OVER) + textwrap.dedent(ADOPT)
    try:
        child = subprocess.run(
            [
                sys.executable,
                "-W",
                "always::ResourceWarning",
                "-c",
                script,
                " ".join(str(fd) for fd in clones),
            ],
            pass_fds=clones,
            env=child_environment() | {"LISTEN_FDS": str(len(descriptors))} | environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        for fd in clones:
            os.close(fd)
    assert child.returncode == 0, child.stderr
    assert child.stderr == "", "a File was left to the garbage collector"
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def child_environment() -> dict[str, str]:
    service = str(Path(activation.__file__).parents[2])
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LISTEN_")}
    return kept | {"PYTHONPATH": service}


@pytest.fixture
def make_socket(tmp_path: Path) -> Iterator[Callable[..., socket.socket]]:
    """Make sockets, by default listening ones on a path, that are closed after the test."""
    made: list[socket.socket] = []

    def make(
        name: str = "admin.sock",
        kind: socket.SocketKind = socket.SOCK_STREAM,
        *,
        listening: bool = True,
    ) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, kind)
        made.append(sock)
        sock.bind(name if name.startswith("\0") else str(tmp_path / name))
        if listening:
            sock.listen()
        return sock

    yield make
    for sock in made:
        sock.close()


MakeSocket = Callable[..., socket.socket]


class TestAdoptDescriptors:
    def test_one_socket_is_adopted_ready_for_the_loop(
        self, make_socket: MakeSocket, tmp_path: Path
    ) -> None:
        found = hand_over(make_socket().fileno(), LISTEN_FDNAMES="admin")
        assert found["error"] is None
        assert found["files"] == [
            {
                "fd": 3,
                "path": str(tmp_path / "admin.sock"),
                "blocking": False,
                "inheritable": False,
            }
        ]

    def test_several_sockets_come_in_their_order(
        self, make_socket: MakeSocket, tmp_path: Path
    ) -> None:
        sockets = make_socket("one"), make_socket("two")
        found = hand_over(*(s.fileno() for s in sockets), LISTEN_FDNAMES="admin:admin")
        assert [file["path"] for file in found["files"]] == [
            str(tmp_path / "one"),
            str(tmp_path / "two"),
        ]

    def test_the_environment_is_cleared_for_children(self, make_socket: MakeSocket) -> None:
        listener = make_socket()
        assert hand_over(listener.fileno(), LISTEN_FDNAMES="admin")["environment"] == []
        assert hand_over(listener.fileno(), LISTEN_FDNAMES="x")["environment"] == []

    @pytest.mark.parametrize(
        ("kind", "listening", "complaint"),
        [
            (socket.SOCK_DGRAM, False, "an AF_UNIX SOCK_DGRAM socket"),
            (socket.SOCK_SEQPACKET, True, "an AF_UNIX SOCK_SEQPACKET socket"),
            (
                socket.SOCK_STREAM,
                False,
                "an AF_UNIX SOCK_STREAM socket that does not listen"
                " (does the unit say Accept=yes?)",
            ),
        ],
    )
    def test_a_socket_that_does_not_fit(
        self,
        make_socket: MakeSocket,
        kind: socket.SocketKind,
        listening: bool,
        complaint: str,
    ) -> None:
        sock = make_socket(kind=kind, listening=listening)
        found = hand_over(sock.fileno(), LISTEN_FDNAMES="admin")
        assert found["error"] == f"descriptor 3 (admin): {UNIX_LISTENER}{complaint}"
        assert found["open"] == []

    def test_a_tcp_socket(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            found = hand_over(listener.fileno(), LISTEN_FDNAMES="admin")
        complaint = "an AF_INET SOCK_STREAM socket"
        assert found["error"] == f"descriptor 3 (admin): {UNIX_LISTENER}{complaint}"

    def test_no_socket_at_all(self) -> None:
        with open(os.devnull, "rb") as null:
            found = hand_over(null.fileno(), LISTEN_FDNAMES="admin")
        assert found["error"] == f"descriptor 3 (admin): {UNIX_LISTENER}a character device"

    def test_another_name_is_told_apart_from_the_right_one(self, make_socket: MakeSocket) -> None:
        sockets = make_socket("one"), make_socket("two"), make_socket("three")
        found = hand_over(*(s.fileno() for s in sockets), LISTEN_FDNAMES="admin:http:metrics")
        advice = "expected the name admin: set FileDescriptorName=admin in the socket unit"
        assert found["error"] == (
            f"descriptor 4 (http): {advice}; descriptor 5 (metrics): {advice}"
        )
        assert found["open"] == [], "one that fitted leaks"

    def test_what_was_stored_is_told_apart_wherever_it_is(self, make_socket: MakeSocket) -> None:
        listener = make_socket()
        with open(os.devnull, "rb") as stored:
            given = stored.fileno(), listener.fileno(), stored.fileno()
            found = hand_over(*given, LISTEN_FDNAMES="kept:admin:kept")
        assert found["error"] is None
        assert [file["fd"] for file in found["files"]] == [4]
        assert found["stored"] == [[3, False], [5, False]]

    def test_only_what_was_stored_is_not_enough(self, make_socket: MakeSocket) -> None:
        found = hand_over(make_socket().fileno(), LISTEN_FDNAMES="kept")
        assert found["error"].startswith(
            "no socket was handed over, only what was stored: start prosody-admin.socket"
        )
        assert found["open"] == []

    def test_no_names(self, make_socket: MakeSocket) -> None:
        found = hand_over(make_socket().fileno())
        assert found["error"] == (
            "descriptor 3 (unknown): expected the name admin, found none: set"
            " FileDescriptorName=admin in the socket unit, or --fdname=admin of"
            " systemd-socket-activate, once for each socket"
        )

    def test_for_another_process(self, make_socket: MakeSocket) -> None:
        found = hand_over(make_socket().fileno(), LISTEN_FDNAMES="admin", LISTEN_PID="1")
        assert found["error"].startswith(
            "the sockets were handed over to another process: LISTEN_PID is 1, this process is "
        )
        assert found["open"] == [3], "it is not ours to close"

    @pytest.mark.parametrize(
        ("environment", "reason"),
        [
            ({"LISTEN_FDS": "two"}, "Invalid argument in LISTEN_PID='PID' LISTEN_FDS='two'"),
            ({"LISTEN_FDS": "2"}, "Bad file descriptor in LISTEN_PID='PID' LISTEN_FDS='2'"),
            ({"LISTEN_PID": ""}, "Invalid argument in LISTEN_PID='' LISTEN_FDS='1'"),
        ],
    )
    def test_an_environment_that_makes_no_sense(
        self, make_socket: MakeSocket, environment: dict[str, str], reason: str
    ) -> None:
        found = hand_over(make_socket().fileno(), **environment)
        expected = "expected two whole numbers, and every descriptor from 3 on that they count open"
        before, _, after = reason.partition("PID='PID'")
        assert found["error"].startswith(
            f"cannot make out which sockets were handed over: {before}"
        )
        assert found["error"].endswith(f"{after}; {expected}")

    def test_nothing_handed_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
            monkeypatch.delenv(key, raising=False)
        with pytest.raises(ActivationError) as raised:
            adopt_descriptors()
        assert str(raised.value) == (
            "no socket was handed over (LISTEN_FDS and LISTEN_PID): start prosody-admin.socket,"
            " use systemd-socket-activate --fdname=admin, or let the service bind a path itself"
            " with --listen PATH"
        )

    @pytest.mark.skipif(
        shutil.which("systemd-socket-activate") is None, reason="no systemd-socket-activate here"
    )
    @pytest.mark.parametrize("names", [["--fdname=admin"], []])
    def test_systemd_socket_activate(self, tmp_path: Path, names: list[str]) -> None:
        path = tmp_path / "admin.sock"
        # It hands on only those variables that it is told to.
        command = ["systemd-socket-activate", f"--listen={path}", "--setenv=PYTHONPATH", *names]
        with subprocess.Popen(
            [*command, sys.executable, "-c", textwrap.dedent(ADOPT)],
            env=child_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as activate:
            assert activate.stderr is not None
            assert "Listening on" in activate.stderr.readline()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                output, errors = activate.communicate(timeout=30)
        assert activate.returncode == 0, errors
        found = json.loads(output)
        if names:
            assert [file["path"] for file in found["files"]] == [str(path)]
        else:
            assert "--fdname=admin" in found["error"]


class TestListeningPath:
    @pytest.mark.parametrize(
        ("address", "shown"),
        [("\0prosody-admin-test", "@prosody-admin-test"), ("\0odd\udcff", "@odd\\xff")],
    )
    def test_abstract(self, make_socket: MakeSocket, address: str, shown: str) -> None:
        with File.adopt(make_socket(address).detach()) as file:
            assert listening_path(file) == shown


class TestBindListener:
    def test_it_listens_privately_and_cleans_up(self, tmp_path: Path) -> None:
        path = tmp_path / "admin.sock"
        with bind_listener(path) as file:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert OpenFlags.NONBLOCK in file.flags()
            assert not os.get_inheritable(file.fileno())
            assert listening_path(file) == str(path)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
        assert file.closed
        assert not path.exists()

    def test_the_mode_is_right_before_anybody_could_look(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "admin.sock"
        modes = []

        class ObservedSocket(socket.socket):
            def bind(self, address: Any) -> None:
                super().bind(address)
                modes.append(stat.S_IMODE(path.stat().st_mode))

        monkeypatch.setattr(socket, "socket", ObservedSocket)
        umask = os.umask(0)
        try:
            with bind_listener(path):
                pass
        finally:
            os.umask(umask)
        assert modes == [0o600]

    def test_the_backlog_holds_as_many_as_it_says(self, tmp_path: Path) -> None:
        with (
            bind_listener(tmp_path / "admin.sock", backlog=0) as file,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as first,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as second,
        ):
            first.connect(listening_path(file))
            assert second.connect_ex(listening_path(file)) == errno.EAGAIN

    @pytest.mark.parametrize("backlog", [0, 16])
    def test_a_path_in_use_is_left_alone(
        self, make_socket: MakeSocket, tmp_path: Path, backlog: int
    ) -> None:
        listener = make_socket()
        listener.listen(backlog)
        path = tmp_path / "admin.sock"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))  # with a backlog of 0, the probe finds it full
            with pytest.raises(ActivationError) as raised, bind_listener(path):
                pass
        assert str(raised.value) == f"{path}: in use by another process"
        assert path.is_socket()

    def test_a_socket_of_another_type_is_in_use(
        self, make_socket: MakeSocket, tmp_path: Path
    ) -> None:
        make_socket(kind=socket.SOCK_DGRAM, listening=False)
        path = tmp_path / "admin.sock"
        with pytest.raises(ActivationError, match="in use by another process"), bind_listener(path):
            pass

    def test_a_dead_socket_is_replaced(self, make_socket: MakeSocket, tmp_path: Path) -> None:
        make_socket().close()
        path = tmp_path / "admin.sock"
        assert path.is_socket()
        with bind_listener(path), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))

    @pytest.mark.parametrize("kind", ["a regular file", "a directory", "a symbolic link", "a pipe"])
    def test_what_is_no_socket_is_left_alone(
        self, make_socket: MakeSocket, tmp_path: Path, kind: str
    ) -> None:
        path = tmp_path / "there"
        match kind:
            case "a regular file":
                path.write_text("precious", encoding="ascii")
            case "a directory":
                path.mkdir()
            case "a symbolic link":  # even one to a dead socket: it says that somebody cares
                make_socket("dead").close()
                path.symlink_to(tmp_path / "dead")
            case "a pipe":
                os.mkfifo(path)
        before = path.lstat()
        with pytest.raises(ActivationError) as raised, bind_listener(path):
            pass
        assert str(raised.value) == (
            f"{path}: expected nothing or an unused socket there, found {kind}, which is left alone"
        )
        assert path.lstat() == before

    def test_the_longest_path(self, tmp_path: Path) -> None:
        longest = tmp_path / ("x" * (activation.SOCKET_PATH_BYTES - len(str(tmp_path)) - 1))
        with bind_listener(longest):
            assert longest.is_socket()
        with (
            pytest.raises(ActivationError) as raised,
            bind_listener(longest.with_name(longest.name + "x")),
        ):
            pass
        assert str(raised.value).endswith(
            ": the path of a socket has 107 bytes at most, this one has 108"
        )

    def test_a_directory_that_is_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "missing" / "admin.sock"
        with pytest.raises(ActivationError) as raised, bind_listener(path):
            pass
        assert str(raised.value) == f"{path}: cannot listen there: No such file or directory"

    @pytest.mark.parametrize("replaced_by", ["nothing", "a file", "a socket"])
    def test_only_its_own_socket_is_removed(
        self, make_socket: MakeSocket, tmp_path: Path, replaced_by: str
    ) -> None:
        path = tmp_path / "admin.sock"
        with bind_listener(path):
            path.unlink()
            match replaced_by:
                case "a file":
                    path.write_text("precious", encoding="ascii")
                case "a socket":
                    make_socket()
        assert path.exists() == (replaced_by != "nothing")

    def test_the_path_goes_when_the_block_fails(self, tmp_path: Path) -> None:
        path = tmp_path / "admin.sock"
        with pytest.raises(RuntimeError), bind_listener(path):
            raise RuntimeError
        assert not path.exists()
