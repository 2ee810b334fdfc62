"""The manual pages say what the program says."""

import re
from pathlib import Path

import pytest

from prosody_admin import __version__, command_line
from prosody_admin.config import reference
from system.auditor import AUDITORS_LINES

PAGES = Path(__file__).parents[2] / "packaging" / "man"
ESCAPES = {r"\-": "-", r"\e": "\\", r"\(dq": '"', r"\(aq": "'", r"\~": " "}


def text(page: str) -> str:
    """Return a page of ours as text, in lines as its source has them.

    Escapes and macros for fonts are taken out; other macros stay, in lines of their own.
    """
    source = (PAGES / page).read_text(encoding="utf-8")
    source = re.sub(r'^\.\\".*\n', "", source, flags=re.MULTILINE)
    source = re.sub(r"^\.(?:B|I|BI|BR|IR|RB|IB) ", "", source, flags=re.MULTILINE)
    return re.sub(r"\\(?:\(..|f.|.)", lambda found: ESCAPES.get(found.group(), ""), source)


def one_line(written: str) -> str:
    return " ".join(written.split())


@pytest.mark.parametrize("page", [path.name for path in PAGES.glob("*.[1-8]")])
def test_the_version_is_that_of_the_program(page: str) -> None:
    source = (PAGES / page).read_text(encoding="utf-8")
    assert source.startswith(".so ") or f"prosody\\-admin {__version__}" in source


def test_every_setting_is_described_as_the_program_does() -> None:
    manual = re.sub(r"^\.(?:TP|SS)\b", "", text("prosody-admin.toml.5"), flags=re.MULTILINE)
    described = one_line(manual)
    # The reference has the comments above what they are about, the manual has them below.
    for table in re.findall(r"^# .*\n(\[\w+\])$", reference(), re.MULTILINE):
        assert table in described
    settings = re.findall(r"((?:# .*\n)+)(\w+ = .*)", reference())
    assert len(settings) > 10
    for comment, setting in settings:
        assert f"{setting} {one_line(comment.replace('# ', ''))}" in described


def test_every_option_is_described_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.parse(["--help"])
    options = re.findall(r"^  (?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
    manual = text("prosody-admind.8").partition(".SH OPTIONS")[2].partition(".SH")[0]
    described = re.findall(r'^\.TP\n(?:-h ", " )?(--[a-z-]+)', manual, re.MULTILINE)
    assert described == options


def test_every_exit_status_is_described_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.parse(["--help"])
    epilog = capsys.readouterr().out.partition("Exit status")[2]
    manual = text("prosody-admind.8").partition(".SH EXIT STATUS")[2].partition(".SH")[0]
    assert set(re.findall(r"^(\d+)$", manual, re.MULTILINE)) == set(re.findall(r"\d+", epilog))


def test_the_lines_for_auditors_are_those_that_were_tried() -> None:
    manual = text("prosody-admind.8")
    for question, line in AUDITORS_LINES.items():
        assert f".TP\n{question}\n{line}\n" in manual
