"""Runs inside a machine: clients that connect just as the service, idle, is about to leave.

    python3 racing_client.py ROUNDS SOCKET...

Each SOCKET has a service of its own with `idle_timeout = 1`. Prints one line per socket: how many
times the service left and another process answered, and how many clients went without an answer.
Stops at ROUNDS departures per socket, or when DEADLINE is over.
"""

import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'"
    b" xmlns='xmpp:prosody.im/admin'>"
)
ASK = b"<repl-input>admin:status()</repl-input>"
IDLE_TIMEOUT = 1.0
EARLY = 0.003
WINDOW = 0.100
"""Seconds before and after the moment of leaving between which a client may come.

The service takes two thirds of the window to be gone.
"""

DEADLINE = 120.0


def service_that_answers(path: str) -> str | None:
    """Ask one question as one client; return the process id in the answer, None without one."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        try:
            client.connect(path)
            client.sendall(HEADER + ASK)
            answer = b""
            while b"</repl-result>" not in answer:
                received = client.recv(65536)
                if not received:
                    return None
                answer += received
            client.sendall(b"</stream:stream>")
        except OSError:
            return None
    found = re.search(rb"Process: (\d+)", answer)
    return found[1].decode("ascii") if found else None


def race(path: str, rounds: int, shift: float) -> tuple[int, int]:
    """Connect again and again around the moment of leaving; return departures and losses.

    `shift`, from 0 to 1, is where between its own steps this one of several races is.
    """
    departures, lost, tries = 0, 0, 0
    served_by = service_that_answers(path)
    deadline = time.monotonic() + DEADLINE
    while departures < rounds and time.monotonic() < deadline:
        place = (tries % rounds + shift) / rounds
        tries += 1
        time.sleep(IDLE_TIMEOUT - EARLY + WINDOW * place**2)  # most come close to the moment
        now_by = service_that_answers(path)
        if now_by is None:
            lost += 1
        elif now_by != served_by:
            departures += 1
            served_by = now_by
    return departures, lost


def main() -> None:
    rounds, paths = int(sys.argv[1]), sys.argv[2:]
    count = len(paths)
    shifts = [number / count for number in range(count)]
    with ThreadPoolExecutor(count) as pool:
        for departures, lost in pool.map(race, paths, [rounds] * count, shifts):
            print(departures, lost)


if __name__ == "__main__":
    main()
