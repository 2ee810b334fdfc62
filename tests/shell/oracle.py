"""Real Lua 5.4 to ask what a line does: the driver of `oracle.lua`, and how values are encoded."""

import resource
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self, cast

from prosody_admin.shell.catalogue import Catalogue
from prosody_admin.shell.lines import Literal, Table

LUA = shutil.which("lua5.4")
MEMORY = 1 << 28
"""Bytes of address space for Lua: a line that builds an endless string ends in an error."""

V12, V13 = b"2", b"3"


class Oracle:
    """A Lua process while its context is open; `catalogue` says which commands have flags."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._settings = "".join(
            f"{command.section}:{command.name} {command.parameters} "
            + ",".join(f"{flag}={kind}" for flag, kind in command.flags.items())
            + "\n"
            for command in catalogue
            if command.flags
        )

    def __enter__(self) -> Self:
        assert LUA is not None, "lua5.4 is not installed"
        self._lua = subprocess.Popen(
            [LUA, Path(__file__).with_name("oracle.lua")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        resource.prlimit(self._lua.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        self._input, self._output = (
            cast(IO[bytes], self._lua.stdin),
            cast(IO[bytes], self._lua.stdout),
        )
        self._input.write(_counted(self._settings.encode()))
        return self

    def __exit__(self, *_: object) -> None:
        self._lua.__exit__(None, None, None)

    def ask(self, requests: Sequence[tuple[bytes, str]]) -> list[tuple[bytes, bytes]]:
        """Return outcome and borders for each version and line."""
        # Lua reads the whole batch before it writes anything: neither waits for the other.
        lines = [_counted(version + line.encode()) for version, line in requests]
        self._input.write(struct.pack("<I", len(lines)) + b"".join(lines))
        self._input.flush()
        return [(self._string(), self._string()) for _ in requests]

    def _string(self) -> bytes:
        (length,) = struct.unpack("<I", self._output.read(4))
        return self._output.read(length)


def call(section: str, command: str, arguments: Sequence[Literal]) -> bytes:
    """Return the outcome of a call."""
    return b"call " + b"".join(map(encode, (section, command, *arguments)))


def encode(value: Literal) -> bytes:
    """Return the bytes that `oracle.lua` encodes this value as."""
    match value:
        case None:
            return b"n"
        case bool():
            return b"t" if value else b"f"
        case int():
            return b"i" + struct.pack("<q", value)
        case float():
            return b"d" + struct.pack("<d", value)
        case str():
            return b"s" + _counted(value.encode())
        case Table():
            pairs = [*enumerate(value.items, start=1), *value.fields]
            encoded = sorted((encode(key), encode(item)) for key, item in pairs if item is not None)
            return b"T" + struct.pack("<I", len(encoded)) + b"".join(k + v for k, v in encoded)


def _counted(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data
