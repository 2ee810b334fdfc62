"""Lines and outputs of any length: whole for every client, and not in the service's memory."""

from collections.abc import Iterator

import pytest

from prosody_admin.protocol.stanza import ADMIN_NS, STREAMS_NS
from system.gate import SERVICE_UNIT, SOCKET, THROUGH, directly, through
from system.machine import Machine, wait_until

pytestmark = pytest.mark.system

NUMBERS = 100_000

FITS_0_12 = 900_000
FITS_13 = 9_000
"""Bytes of a line that a Prosody takes as a stanza, with something left for the tags."""

HUGE = 3_000_000

PRINT_NUMBERS = (
    f"> for i = 1, {NUMBERS} do print(i) if i % 1000 == 0 then require'util.async'.sleep(0) end end"
)
"""Prosody 13 gets to send now and then: its own buffer takes ten times as long when it is full."""

PRINTED = 100
"""Megabytes that Prosody prints to a client that does not read."""

PRINT_MUCH = (
    f"> for _ = 1, {PRINTED} do for _ = 1, 10 do print(('x'):rep(100000)) end "
    "require'util.async'.sleep(0.001) end prosody.has_printed = true"
)
READ_NOTHING = f"""
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    client.sendall(b"<stream:stream xmlns:stream='{STREAMS_NS}' xmlns='{ADMIN_NS}'>")
    client.sendall(f"<repl-input>{{sys.argv[2].replace('>', '&gt;')}}</repl-input>".encode())
    input()
"""
"""A client that sends a line and then waits for its standard input to end."""

HELD_KB = 8 * 1024
"""Kilobytes that this may cost the service, eight times what it does: buffers and a stanza."""


def test_a_hundred_thousand_lines(gate: Machine) -> None:
    answer = through(gate, PRINT_NUMBERS)
    expected = "".join(f"{number}\n" for number in range(1, NUMBERS + 1)) + "Result: nil\n"
    assert answer.returncode == 0
    assert answer.stdout == expected


def test_lines_that_grow_on_their_way(gate: Machine) -> None:
    """An ampersand has five bytes in XML."""
    answer = through(gate, "> for _ = 1, 20 do print(('&'):rep(9000)) end return 'done'")
    assert answer.returncode == 0
    assert answer.stdout == ("&" * 9000 + "\n") * 20 + "Result: done\n"


def test_one_line_that_fits_a_stanza_of_0_12(gate: Machine) -> None:
    answer = through(gate, f"> return ('x'):rep({FITS_0_12})")
    assert (answer.returncode, answer.stdout) == (0, f"Result: {'x' * FITS_0_12}\n")


def test_one_line_of_megabytes(gate: Machine) -> None:
    answer = through(gate, f"> return ('x'):rep({HUGE})")
    said = answer.stdout
    if gate.release == "bookworm":  # its client prints each stanza on a line of its own
        assert said.count("\n") == HUGE // 1_000_000 + 1
        said = said.replace("\n", "") + "\n"
    assert (answer.returncode, said) == (0, f"Result: {'x' * HUGE}\n")


def test_long_results_of_a_session(gate: Machine) -> None:
    lines = ["> return ('x'):rep(3000000)", "> return ('&'):rep(9000)", "server:version()", "quit"]
    session = gate.run(*THROUGH, stdin="\n".join(lines) + "\n")
    said = session.stdout.replace("\n| ", "")  # where it was cut
    assert session.returncode == 0
    assert f"Result: {'x' * HUGE}\n" in said
    assert f"Result: {'&' * 9000}\n" in said
    assert "OK: " in said


def test_long_lines_go_through_up_to_prosodys_limit(gate: Machine) -> None:
    longest = FITS_0_12 if gate.release == "bookworm" else FITS_13
    session = gate.run(*THROUGH, stdin=f"> return #'{'x' * longest}'\nquit\n")
    assert f"| Result: {longest}\n" in session.stdout


def test_a_line_beyond_any_limit_is_refused(gate: Machine) -> None:
    session = gate.run(*THROUGH, stdin=f"> return #'{'x' * 1_100_000}'\nquit\n")
    assert "! Error: not taken, the stream ends: policy-violation\n" in session.stdout
    assert through(gate, "server", "version").returncode == 0


@pytest.fixture
def printing(gate: Machine) -> Iterator[Machine]:
    """The machine whose Prosody forgets afterwards what it has printed."""
    yield gate
    directly(gate, "> prosody.has_printed = nil")


def test_a_client_that_does_not_read_costs_no_memory(printing: Machine) -> None:
    through(printing, "server", "version")
    pid = printing.unit(SERVICE_UNIT, "MainPID")
    before = most_memory(printing, pid)
    with printing.spawn("python3", "-c", READ_NOTHING, SOCKET, PRINT_MUCH) as client:
        wait_until(
            lambda: directly(printing, "> return prosody.has_printed").stdout == "Result: true\n",
            "Prosody has printed it all",
            timeout=60.0,  # all of its own work, on a machine that others use as well
        )
        wait_until(lambda: is_idle(printing, pid), "the service reads no more")
        assert through(printing, "server", "version").returncode == 0
        assert most_memory(printing, pid) < before + HELD_KB
        client.communicate("\n")


def most_memory(machine: Machine, pid: str) -> int:
    """Return the most kilobytes that a process ever had in memory (VmHWM, proc(5))."""
    status = machine.run("cat", f"/proc/{pid}/status", check=True).stdout
    return int(status.partition("VmHWM:")[2].split()[0])


def is_idle(machine: Machine, pid: str) -> bool:
    """Return whether a process did nothing between two looks at its processor time (proc(5))."""

    def processor_time() -> list[str]:
        return machine.run("cat", f"/proc/{pid}/stat", check=True).stdout.split()[13:15]

    return processor_time() == processor_time()
