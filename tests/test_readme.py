"""The README tells the truth about what can be checked here."""

import asyncio
import os
import re
import sys
from pathlib import Path

from fakes.prosody import Conversation, FakeProsody
from fakes.service import running
from prosody_admin.config import reference
from prosody_admin.protocol.stanza import Stanza, repl_output, repl_result
from system.auditor import AUDITORS_LINES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_are_those_of_the_service() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert [block.rstrip() for block in blocks] == [reference().rstrip()]


def test_the_commands_can_be_run() -> None:
    commands = re.findall(r"^    (\./\S+)$", README, re.MULTILINE)
    assert commands == ["./packaging/quickstart", "./tests/run", "./packaging/build-deb"]
    assert all(os.access(ROOT / command, os.X_OK) for command in commands)


def test_the_rooms_are_those_there_are() -> None:
    table = README.partition("| room | subject |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `([a-z_.]+)/?` \|", table, re.MULTILINE))
    package = ROOT / "service" / "prosody_admin"
    found = {
        entry.name
        for entry in package.iterdir()
        if not entry.name.startswith("__")
        and (entry.suffix == ".py" or (entry / "__init__.py").exists())
    }
    assert named == found


def test_the_lines_for_auditors_are_those_that_were_tried() -> None:
    for line in AUDITORS_LINES.values():
        assert f"| `{line}` |" in README


async def test_the_python_example_runs(tmp_path: Path) -> None:
    (example,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        if "prosody_admin.client" in block
    )
    lists = {'user:list("example.com")': lists_two}
    async with FakeProsody(tmp_path / "prosody", lists), running(tmp_path) as service:
        program = example.replace("connect()", f"connect({str(service.path)!r})")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT / "service")},
        )
        stdout, _ = await process.communicate()
    first, second, session = stdout.decode().splitlines()
    assert (process.returncode, first, second) == (0, "juliet@example.com", "romeo@example.com")
    assert len(session.split()) == 2
    assert len(example.splitlines()) <= 10


async def lists_two(conversation: Conversation, _: Stanza) -> None:
    await conversation.send(
        repl_output("juliet@example.com"),
        repl_output("romeo@example.com"),
        repl_result("OK: Showing all 2 users"),
    )
