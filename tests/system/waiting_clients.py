"""Runs inside a machine: clients that open a stream each and ask when they are told to.

    python3 waiting_clients.py COUNT SOCKET

Prints a line when all streams are open. For each line on standard input every client asks who it
is, and the ids of all sessions are printed in one line, in the clients' order.
"""

import re
import socket
import sys

HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'"
    b" xmlns='xmpp:prosody.im/admin'>"
)
ASK = b"<repl-input>admin:whoami()</repl-input>"
SECONDS = 60.0


def received(client: socket.socket, end: bytes) -> bytes:
    """Read up to `end`; less at the end of the connection."""
    data = b""
    while end not in data and (more := client.recv(65536)):
        data += more
    return data


def session_of(client: socket.socket) -> str:
    found = re.search(rb"Session: ([0-9a-f]+)", received(client, b"</repl-result>"))
    return "none" if found is None else found[1].decode()


def main() -> None:
    count, path = int(sys.argv[1]), sys.argv[2]
    clients = [socket.socket(socket.AF_UNIX) for _ in range(count)]
    for client in clients:
        client.settimeout(SECONDS)
        client.connect(path)
        client.sendall(HEADER)
        received(client, b"id=''>")
    print("open", flush=True)
    for _ in sys.stdin:
        for client in clients:
            client.sendall(ASK)
        print(*map(session_of, clients), flush=True)


main()
