"""The README tells the truth about what can be checked here."""

import os
import re
from pathlib import Path

from prosody_admin.config import reference
from system.test_audit import AUDITORS_LINES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_settings_are_those_of_the_service() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert [block.rstrip() for block in blocks] == [reference().rstrip()]


def test_the_two_commands_can_be_run() -> None:
    commands = re.findall(r"^    (\./\S+)$", README, re.MULTILINE)
    assert commands == ["./packaging/quickstart", "./tests/run"]
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
