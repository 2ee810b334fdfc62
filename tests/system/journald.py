"""journald's failures in a machine: it is not there, or takes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from system.machine import Machine

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
