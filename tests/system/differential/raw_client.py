"""Runs in the machine: a client without prosodyctl's limits, which sends all lines at once.

The lines come as JSON on standard input, the answers go as JSON to standard output: for each, in
the order of the results, the text of its output and result, and whether the result was an error.
"""

import json
import socket
import sys

from prosody_admin.protocol.parser import UPSTREAM_LIMITS
from prosody_admin.protocol.stanza import repl_input
from prosody_admin.protocol.stream import Role, StanzaReceived, Stream, StreamOpened

SECONDS = 20.0


def answers(path: str, lines: list[str]) -> list[tuple[str, bool]]:
    """Send the lines as soon as the stream is open, and return what came for each."""
    stream = Stream(Role.CLIENT, UPSTREAM_LIMITS)
    found: list[tuple[str, bool]] = []
    text = ""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        stream.open()
        connection.sendall(stream.data_to_send())
        while len(found) < len(lines) and (data := connection.recv(65536)):
            stream.receive_data(data)
            for event in stream.events_received():
                match event:
                    case StreamOpened():
                        for line in lines:
                            stream.send(repl_input(line, repl=False))
                        connection.sendall(stream.data_to_send())
                    case StanzaReceived(stanza=stanza):
                        text += stanza.text + ("" if stanza.get("eol") == "0" else "\n")
                        if stanza.name == "repl-result":
                            found.append((text, stanza.get("type") == "error"))
                            text = ""
    return found


json.dump(answers(sys.argv[1], json.load(sys.stdin)), sys.stdout)
