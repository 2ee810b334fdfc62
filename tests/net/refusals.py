"""How many refusals a second the service gets through, and how long somebody else waits meanwhile.

As root: PYTHONPATH=service:tests python tests/net/refusals.py [--count N] [--profile]

Whole ones: a client of another account sends lines without waiting for answers, each is parsed,
judged, recorded to a datagram socket that another process reads, and answered. It is one core that
counts, the service's: so the time of the processor is told as well, in which others have no part.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import pwd
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from fakes.client import Client
from prosody_admin.access.settings import PolicySettings
from prosody_admin.config import Settings
from prosody_admin.daemon import Daemon
from prosody_admin.descriptors import File
from prosody_admin.protocol.stanza import repl_input
from prosody_admin.protocol.stream import Role, Stream
from prosody_admin.sd.activation import bind_listener
from prosody_admin.sd.native import NativeJournal

PEER = pwd.getpwnam("daemon")
LINE = repl_input('user:delete("romeo@example.com")').to_bytes()
END = b"</repl-result>"


@contextmanager
def process(function: Callable[..., None], *arguments: object) -> Iterator[BaseProcess]:
    """Run a function in a process of its own, which is killed in the end."""
    started = get_context("fork").Process(target=function, args=arguments)
    started.start()
    try:
        yield started
    finally:
        started.kill()
        started.join()


def take_records(journald: socket.socket) -> None:
    """Take every record, as journald does."""
    while True:
        journald.recv(65536)


def send_lines(path: Path, count: int) -> None:
    """Send so many lines as PEER, and read as many answers; the socket is closed then."""
    os.setgroups([])
    os.setgid(PEER.pw_gid)
    os.setuid(PEER.pw_uid)
    stream = Stream(Role.CLIENT)
    stream.open()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(path))
        data = stream.data_to_send() + LINE * count
        threading.Thread(target=connection.sendall, args=(data,)).start()
        rest, answers = b"", 0
        while answers < count:
            received = rest + connection.recv(65536)
            answers += received.count(END)
            rest = received[received.rfind(END) + 1 :]  # without the beginning of one it has seen


async def measure(directory: Path, listening: File, count: int) -> None:
    """Serve PEER, and ask something as somebody else all the while."""
    policy = PolicySettings().with_grants({PEER.pw_name: ["viewer"]})
    settings = replace(Settings(), policy=policy)
    journal = NativeJournal(directory / "journal")
    daemon = Daemon(settings, [listening], journal, lambda: settings, leaves_when_idle=False)
    running = asyncio.create_task(daemon.run())
    with await Client.session(directory / "admin") as client:
        started, worked = time.monotonic(), time.process_time()
        waits = []
        with process(send_lines, directory / "admin", count) as peer:
            while peer.is_alive():
                asked = time.monotonic()
                await client.ask("admin:version()")
                waits.append(time.monotonic() - asked)
                await asyncio.sleep(0.05)
            took, worked = time.monotonic() - started, time.process_time() - worked
    daemon.stop("done")
    await running
    journal.close()
    print(f"{count} refusals, {count / took:.0f} a second; {worked / count * 1e6:.0f} us of the")
    print(f"processor for each, which is {count / worked:.0f} a second on a core of its own")
    print(f"records lost: {journal.dropped}; somebody else waited for an answer", end=" ")
    print(f"{statistics.median(waits) * 1e3:.1f} ms, at most {max(waits) * 1e3:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.chmod(0o755)
        journald = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        journald.bind(os.fspath(directory / "journal"))
        stack.enter_context(process(take_records, journald))
        listening = stack.enter_context(bind_listener(directory / "admin"))
        (directory / "admin").chmod(0o666)
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        asyncio.run(measure(directory, listening, options.count))
        profile.disable()
        if options.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
