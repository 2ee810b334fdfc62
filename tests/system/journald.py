"""journald's failures in a machine: it is not there, takes nothing, or has no room to write."""

from collections.abc import Iterator
from contextlib import contextmanager

from system.machine import Machine

VOLATILE, PERSISTENT = "/run/log/journal", "/var/log/journal"
"""Where journald writes, see `Storage=` in journald.conf(5)."""

SETTINGS = "/etc/systemd/journald.conf.d/50-test.conf"

SETTINGS_OF_A_SMALL_DISK = """
[Journal]
Storage={storage}
SystemMaxUse=16M
RuntimeMaxUse=16M
"""
"""By default files take a tenth of their file system: too few records to count them afterwards."""

SMALL_DISK = """
for directory; do
	mkdir --parents "$directory"
	mount -t tmpfs -o size=24M,mode=2755 tmpfs "$directory"
done
systemctl restart systemd-journald
journalctl --flush
"""

FILL = """
for directory; do
	! dd if=/dev/zero of="$directory/filler" bs=64k
	! dd if=/dev/zero of="$directory/last-blocks" bs=4k
done
"""

FILL_SLOWLY = """
free=$(df --block-size=1 --output=avail "$1" | tail --lines=1)
fallocate --length=$((free - 5 * 1024 * 1024)) "$1/quick-filler"
while dd if=/dev/zero bs=16k count=1 status=none; do sleep 0.01; done >>"$1/slow-filler"
"""
"""The last 5 MiB at 1 MiB a second: many looks of the service on the way, and on a busy machine
journald may lag by half a second, with what it was sent while there was room."""

EMPTY = """
for directory; do rm --force "$directory"/*filler "$directory/last-blocks"; done
"""

LARGE_DISK = """
settings=$1
shift
rm "$settings"
for directory; do umount --lazy "$directory"; done
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
def small_disk(machine: Machine, storage: str, *directories: str) -> Iterator[None]:
    """Have a journald with this `Storage=`, and small file systems of their own there.

    What is written meanwhile is gone afterwards.
    """
    machine.put(SETTINGS, SETTINGS_OF_A_SMALL_DISK.format(storage=storage))
    machine.run("sh", "-euc", SMALL_DISK, "sh", *directories, check=True)
    try:
        yield
    finally:
        machine.run("sh", "-euc", LARGE_DISK, "sh", SETTINGS, *directories, check=True)


@contextmanager
def full_disk(machine: Machine, *directories: str) -> Iterator[None]:
    """Have no room left beside journald's files; in a file it has, there is some."""
    machine.run("sh", "-euc", FILL, "sh", *directories, check=True)
    try:
        yield
    finally:
        machine.run("sh", "-euc", EMPTY, "sh", *directories, check=True)


@contextmanager
def filling_disk(machine: Machine, *directories: str) -> Iterator[None]:
    """Have disks that fill up, one after the other, and are empty again afterwards."""
    script = "".join(FILL_SLOWLY.replace("$1", directory) for directory in directories)
    with machine.spawn("sh", "-c", script):
        yield
    machine.run("sh", "-euc", EMPTY, "sh", *directories, check=True)
