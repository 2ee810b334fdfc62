"""The manual page of the client has its verbs, options and exit statuses, and no others."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from prosody_admin.client.completing.word_suggestions import divided
from prosody_admin.client.exits import ExitCode
from prosody_admin.client.verbs import VERBS

PAGE = Path(__file__).parents[2] / "packaging" / "man" / "prosody-adminctl.1"
PLAIN = PAGE.read_text(encoding="utf-8").replace(r"\-", "-")
FONTS = re.compile(r"\\f[RP]|[\"\[\],]")


def section(title: str) -> str:
    """Return a section of the page, without its title."""
    return PLAIN.partition(f"\n.SH {title}\n")[2].partition("\n.SH ")[0]


def described(title: str) -> list[list[str]]:
    """Return the words of each term that a section describes, without fonts."""
    terms = re.findall(r"^\.TP\n(?:\.[A-Z]+ )?(.*)$", section(title), re.MULTILINE)
    return [FONTS.sub(" ", term).replace(r"\~", " ").split() for term in terms]


def spelled(title: str) -> set[str]:
    """Return the options that a section describes."""
    words = (word.partition("=")[0] for term in described(title) for word in term)
    return {word for word in words if word.startswith("-")}


def test_every_verb_is_described_and_no_other() -> None:
    assert [term[0] for term in described("VERBS")] == [*VERBS]


def test_every_option_is_described_and_no_other() -> None:
    assert spelled("OPTIONS") == {*divided([]).options}
    assert spelled("THE RECORD") == {*divided(["log"]).options} - {*divided(["status"]).options}


def test_every_exit_status_is_described_and_no_other() -> None:
    assert [int(term[0]) for term in described("EXIT STATUS")] == [*ExitCode]


def test_every_option_of_an_example_is_one() -> None:
    lines = re.findall(r"^\.B prosody-adminctl (.*)$", section("EXAMPLES"), re.MULTILINE)
    assert lines
    for words in map(str.split, lines):
        known = {*divided([]).options, *divided([word for word in words if word in VERBS]).options}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_page_is_without_warnings() -> None:
    argv = ["groff", "-ww", "-z", "-man", "-Tutf8", str(PAGE)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
