"""A module that tries what the service's sandbox is there to prevent, and logs what came of it."""

import errno
import json
import mmap
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from prosody_admin.modules.api import Module


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def splice() -> None:
    ends = *os.pipe(), *os.pipe()
    try:
        os.splice(ends[0], ends[3], 1, flags=os.SPLICE_F_NONBLOCK)
    finally:
        for end in ends:
            os.close(end)


READ_WRITE_EXECUTE = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC

ATTEMPTS: dict[str, Callable[[], object]] = {
    # Files.
    "a temporary file": tempfile.TemporaryFile,
    "a file in memory": lambda: os.memfd_create("intruder"),
    "a file beside Prosody's": Path("/var/lib/prosody/intruder").touch,
    "a file in /run/prosody": Path("/run/prosody/intruder").touch,
    "a file in /dev/shm": Path("/dev/shm/intruder").touch,
    "Prosody's settings": lambda: os.listdir("/etc/prosody"),
    "somebody's home": lambda: os.listdir("/root"),
    "the bus": lambda: connect("/run/dbus/system_bus_socket"),
    "the kernel's tunables": lambda: os.listdir("/proc/sys/kernel"),
    # Sockets.
    "an IPv4 socket": lambda: socket.socket(socket.AF_INET),
    "an IPv6 socket": lambda: socket.socket(socket.AF_INET6),
    "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    # System calls.
    "memory to write to and run": lambda: mmap.mmap(-1, 4096, prot=READ_WRITE_EXECUTE),
    "pages moved between pipes": splice,
    "another account": lambda: os.setuid(os.getuid()),
    "another priority": lambda: os.sched_setaffinity(0, {0}),
    "a user namespace": lambda: subprocess.run(["unshare", "--user", "true"], check=True),
}


def load(module: Module) -> None:
    """Try everything; a line of the log has the outcomes, by what was tried."""
    outcomes = {what: outcome(attempt) for what, attempt in ATTEMPTS.items()}
    module.log.info("%s", json.dumps({"outcomes": outcomes, "writable": writable()}))


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except subprocess.CalledProcessError as error:
        return f"exit status {error.returncode}"
    return "it worked"


def writable() -> list[str]:
    """Return every file and directory that could be written to, but for the processes' in /proc.

    Sockets and devices are none: nothing is kept there.
    """
    found = []
    for directory, directories, files in os.walk("/"):
        if directory == "/":
            directories.remove("proc")
        paths = [directory, *(os.path.join(directory, name) for name in files)]
        found += [path for path in paths if is_regular(path) and os.access(path, os.W_OK)]
    return found


def is_regular(path: str) -> bool:
    return os.path.isdir(path) or (os.path.isfile(path) and not os.path.islink(path))
