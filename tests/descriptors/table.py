"""This process's descriptor table: looked into, and filled up."""

import contextlib
import os
import resource
from collections.abc import Iterator


def is_open(fd: int) -> bool:
    """Whether a number is taken."""
    return os.path.lexists(f"/proc/self/fd/{fd}")


def target(fd: int) -> str:
    """Return what an open descriptor stands for, such as "/memfd:NAME (deleted)"."""
    return os.readlink(f"/proc/self/fd/{fd}")


def descriptor_table() -> dict[int, str]:
    """Return what every number stands for."""
    numbers = [int(number) for number in os.listdir("/proc/self/fd")]
    return {fd: target(fd) for fd in numbers if is_open(fd)}  # listdir's own is gone again


@contextlib.contextmanager
def full_table() -> Iterator[None]:
    """Leave no free number: lower the limit to what is open, and fill the holes below it."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptor_table()) + 1, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                fillers.append(os.dup(fillers[0]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for number in fillers:
            os.close(number)
