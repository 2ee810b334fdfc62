"""`prosody-adminctl` as a process of its own, beside the service in the test's loop."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from fakes.waiting import PATIENCE

SERVICE = Path(__file__).parents[2] / "service"


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it wrote."""

    code: int | None
    stdout: str
    stderr: str


async def adminctl(*words: str, socket: Path | None = None, stdin: str = "") -> Ended:
    """Run the client to its end; `socket` is named in its environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(SERVICE),
        "PROSODY_ADMIN_SOCKET": str(socket or "/nowhere"),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "prosody_admin.client", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    async with asyncio.timeout(PATIENCE):
        stdout, stderr = await process.communicate(stdin.encode())
    return Ended(process.returncode, stdout.decode(), stderr.decode())
