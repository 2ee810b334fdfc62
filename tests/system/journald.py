"""journald's failures in a machine: it is not there, takes nothing, or has no room to write."""

from collections.abc import Iterator
from contextlib import contextmanager

from system.machine import Machine

VOLATILE, PERSISTENT = "/run/log/journal", "/var/log/journal"
"""Where journald writes, by `Storage=` in journald.conf(5)."""

SETTINGS = "/etc/systemd/journald.conf.d/50-test.conf"

SMALL_DISK = """
mkdir --parents "$1"
mount -t tmpfs -o size=24M,mode=2755 tmpfs "$1"
systemctl restart systemd-journald
journalctl --flush
"""

FILL = """
! dd if=/dev/zero of="$1/filler" bs=64k
! dd if=/dev/zero of="$1/last-blocks" bs=4k
"""

LARGE_DISK = """
rm "$2"
umount --lazy "$1"
systemctl restart systemd-journald
journalctl --flush
"""

JOURNALD = ("systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald")

MORE_THAN_JOURNALD_HOLDS = 600
"""Commands, of two records each: the kernel keeps 512 datagrams of them (net.unix.max_dgram_qlen,
as systemd sets it)."""

MORE_THAN_WE_HOLD = 1500
"""Commands whose refusals are more than the service keeps for journald: QUEUE_RECORDS."""


@contextmanager
def stopped_journald(machine: Machine) -> Iterator[None]:
    """Have no journald, nor a socket that anybody listens on."""
    machine.run("systemctl", "stop", *JOURNALD, check=True)
    try:
        yield
    finally:
        machine.run("systemctl", "start", *JOURNALD, check=True)


@contextmanager
def hung_journald(machine: Machine) -> Iterator[None]:
    """Have a journald that takes nothing until it goes on."""
    journald = machine.unit("systemd-journald", "MainPID")
    machine.run("sh", "-c", f"kill -STOP {journald}", check=True)
    try:
        yield
    finally:
        machine.run("sh", "-c", f"kill -CONT {journald}", check=True)


@contextmanager
def small_disk(machine: Machine, directory: str) -> Iterator[None]:
    """Have a journald that writes to a small file system of its own at VOLATILE or PERSISTENT.

    What is written meanwhile is gone afterwards.
    """
    storage = "volatile" if directory == VOLATILE else "persistent"
    machine.put(SETTINGS, f"[Journal]\nStorage={storage}\n")
    machine.run("sh", "-euc", SMALL_DISK, "sh", directory, check=True)
    try:
        yield
    finally:
        machine.run("sh", "-euc", LARGE_DISK, "sh", directory, SETTINGS, check=True)


@contextmanager
def full_disk(machine: Machine, directory: str) -> Iterator[None]:
    """Have no room left beside journald's files in `directory`; in a file it has, there is some."""
    machine.run("sh", "-euc", FILL, "sh", directory, check=True)
    try:
        yield
    finally:
        machine.run("sh", "-c", 'rm "$1/filler" "$1/last-blocks"', "sh", directory, check=True)
