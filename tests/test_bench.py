"""The benchmark suite still works: its programs compile, and count what they should."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.figures import Figure, by_turns, table
from bench.loading import burst, load, sessions
from bench.process import Command, UntakenError, process
from bench.rates import HERE, THERE
from bench.servers import Place, Server, answering, compile_program, wait_for


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    return Place(tmp_path_factory.mktemp("bench"), account=None)


@pytest.fixture
def echo(place: Place) -> Iterator[Server]:
    with place.echo() as server:
        yield server


def test_a_load_runs_until_its_count(place: Place, echo: Server) -> None:
    sample = load(place, echo, THERE, active=3, count=500)
    assert (sample.commands, sample.errors) == (500, 0)
    assert sample.received == 500 * len(b"<repl-result>OK: 1</repl-result>")
    assert 0 < sample.processor[0] < sample.seconds
    assert 0 < sample.busy <= 1


def test_a_load_runs_for_its_time(place: Place, echo: Server) -> None:
    sample = load(place, echo, THERE, active=3, seconds=0.05)
    assert sample.seconds == pytest.approx(0.05, abs=0.5)
    assert sample.seconds >= 0.05
    assert sample.rate == sample.commands / sample.seconds > 100


def test_idle_sessions_stay_open_beside_a_load(place: Place, echo: Server) -> None:
    def descriptors() -> int:
        return len(list(Path(f"/proc/{echo.process.pid}/fd").iterdir()))

    own = 5  # three standard ones, the listening socket, epoll
    wait_for(echo.process, lambda: descriptors() == own)  # whoever asked if it listens is gone
    with sessions(place, echo, THERE, active=1, idle=20, count=10) as opened:
        assert opened.run().commands == 10
        assert descriptors() == own + 21


def test_a_pump_passes_everything_on(place: Place, echo: Server) -> None:
    with place.pump(echo) as pump:
        sample = load(place, pump, THERE, active=3, count=500, behind=[echo])
    assert sample.commands == 500
    assert len(sample.processor) == 2


def test_a_burst_times_every_header(place: Place, echo: Server) -> None:
    came = burst(place, echo, THERE, 50)
    assert (came.sessions, came.refused) == (50, 0)
    assert 0 < came.median <= came.max


def test_the_service_answers_and_refuses(place: Place, echo: Server, tmp_path: Path) -> None:
    socket, settings = tmp_path / "admin", tmp_path / "toml"
    settings.write_text(f'[prosody]\nsocket = "{echo.socket}"\n[limits]\nsessions = 20\n')
    command: Command = [sys.executable, "-m", "prosody_admin", "--log-target=console"]
    command += ["--config", settings, "--listen", socket]
    with process(command, tmp_path / "log", {"PYTHONPATH": f"{place.code}"}) as running:
        service = answering(Server(socket, running))
        assert load(place, service, HERE, count=5).errors == 0
        assert load(place, service, THERE, count=5).errors == 0
        assert load(place, service, "admin:close()", count=5, refused=True).errors == 5
        with pytest.raises(UntakenError, match=r"5 of 5 answers were errors, not 0"):
            load(place, service, "admin:close()", count=5)
        # 16 are admitted, 64 refused in words, 10 closed unheard.
        assert burst(place, service, HERE, 90).refused == 74


def test_a_program_that_does_not_compile_is_said(tmp_path: Path, place: Place) -> None:
    assert place.directory.exists()
    (tmp_path / "wrong.c").write_text("int main(void) { return nothing; }")
    with pytest.raises(UntakenError, match=r"(?s)wrong\.c does not compile: .*nothing"):
        compile_program(tmp_path / "wrong.c", tmp_path / "wrong")


def test_a_server_that_ends_is_said(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with process(["sh", "-c", "echo no luck >&2; exit 3"], log) as running:
        running.popen.wait()
        with pytest.raises(UntakenError, match="server ended with 3: no luck"):
            answering(Server(tmp_path / "socket", running))


def test_measuring_goes_by_turns() -> None:
    turns: list[str] = []
    assert by_turns(2, lambda: turns.append("a"), lambda: turns.append("b")) == ([None] * 2,) * 2
    assert turns == ["a", "b", "a", "b"]


def test_the_table_marks_what_misses_its_goal() -> None:
    figures = [
        Figure("one", 2e4, 1e4, "/s", 2.0, ">= 2.5 x", met=False, processor_ours=5e-5),
        Figure("two", 0.0123, 1.0, "s", 0.01, "<= 1.2 x", met=True, note="with a note"),
    ]
    head, _, one, two, *notes = table(figures).splitlines()
    said = [" ".join(row.split()) for row in (head, one, two)]
    assert said == [
        "measure ours theirs ratio goal CPU ours CPU theirs",
        "one 20,000/s 10,000/s 2.00 >= 2.5 x ! 50.0 us",
        "two 12.3 ms 1.00 s 0.01 <= 1.2 x",
    ]
    assert notes == ["", "two: with a note"]
