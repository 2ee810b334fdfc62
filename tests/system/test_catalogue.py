"""The catalogue has every command that the real Prosody of each release has."""

import pytest

from prosody_admin.shell.catalogue import shipped
from shell.prosody_commands import problems, transcript
from system.gate import through
from system.machine import Machine

pytestmark = pytest.mark.system


def test_no_command_of_this_prosody_is_missing(gate: Machine) -> None:
    def ask(line: str) -> str:
        answer = through(gate, line)
        assert answer.returncode == 0, answer
        return answer.stdout

    answers = transcript(ask)
    assert len(answers) > 10, "as many sections as that have help"
    assert problems(answers, shipped()) == []
