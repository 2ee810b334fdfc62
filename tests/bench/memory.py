"""Resident memory: of the idle service, of idle sessions, and while much output passes."""

import time

from bench.figures import Figure, by_turns, middle, spread
from bench.loading import Sample, load, sessions
from bench.process import Process, UntakenError
from bench.rates import HERE, THERE, Suite, scene
from bench.servers import Server

MEGABYTE = 1024 * 1024
KIBIBYTE = 1024

IDLE_SESSIONS = 2000

STEADY_SECONDS = 12.0
"""Memory has settled once it kept still for this long: tidying up may take a while to begin."""

STEADY_BYTES = 128 * KIBIBYTE
"""What it may move by while it keeps still."""

SETTLE_SECONDS = 60.0
"""Deadline of settling."""

OUTPUT = '> for i = 1, 20480 do print(("x"):rep(1000)) end'
"""Raw Lua: 20 MB of output in lines of 1 kB."""
OUTPUT_BYTES = 20480 * 1000


def settled(process: Process) -> int:
    """Wait until the resident memory of a process keeps still, and return it."""
    started = since = time.monotonic()
    value = process.resident()
    while time.monotonic() - since < STEADY_SECONDS:
        if time.monotonic() - started > SETTLE_SECONDS:
            raise UntakenError(f"memory does not settle within {SETTLE_SECONDS:g} s")
        time.sleep(0.2)
        if abs((now := process.resident()) - value) > STEADY_BYTES:
            value, since = now, time.monotonic()
    return process.resident()


def idle_service(suite: Suite) -> Figure:
    """Resident memory of the service after its first session is over."""
    with scene(suite) as here:
        load(suite.place, here.service, THERE, count=1, sink=here.sink)
        load(suite.place, here.prosody, THERE, count=1)
        ours = settled(here.service.process) / MEGABYTE
        theirs = here.prosody.process.resident() / MEGABYTE
    return Figure(
        "idle service", ours, theirs, "MB", None, "<= 20 MB", ours <= 20, note="MB are 1024 kB"
    )


def idle_sessions(suite: Suite) -> Figure:
    """Resident memory of an idle session, of 2,000 that each ran a command."""
    with scene(suite) as here:
        ours = _of_a_session(suite, here.service, HERE)
        theirs = _of_a_session(suite, here.prosody, THERE)
    return Figure(
        f"idle session, of {IDLE_SESSIONS:,}",
        ours,
        theirs,
        "KiB",
        None,
        "<= 8 KiB",
        ours <= 8,
    )


def _of_a_session(suite: Suite, server: Server, line: str) -> float:
    load(suite.place, server, line, count=1)  # what the first session takes is not counted
    before = server.process.resident()
    with sessions(suite.place, server, line, active=0, idle=IDLE_SESSIONS):
        return (settled(server.process) - before) / IDLE_SESSIONS / KIBIBYTE


def big_output(suite: Suite) -> list[Figure]:
    """20 MB of output through the service, against Prosody directly; the service's growth."""
    with scene(suite) as here:
        load(suite.place, here.service, THERE, count=1, sink=here.sink)
        before = here.service.process.resident()
        here.service.process.forget_peak()
        # Each load runs the line twice, once before it is timed.
        ours, theirs = by_turns(
            suite.rounds,
            lambda: _whole(load(suite.place, here.service, OUTPUT, count=1, behind=[here.prosody])),
            lambda: _whole(load(suite.place, here.prosody, OUTPUT, count=1)),
        )
        growth = (here.service.process.resident("VmHWM") - before) / MEGABYTE
    our_time, their_time = (middle(samples, _seconds) for samples in (ours, theirs))
    behind = middle(ours, lambda sample: sample.processor[1])
    speed = Figure(
        "20 MB of output",
        our_time,
        their_time,
        "s",
        their_time / our_time,
        ">= 0.8 x",
        their_time >= 0.8 * our_time,
        middle(ours, lambda sample: sample.processor[0]),
        middle(theirs, lambda sample: sample.processor[0]),
        f"rounds within {spread(ours, _seconds)} and {spread(theirs, _seconds)}, "
        f"Prosody behind it takes {behind:.2f} s",
    )
    return [
        speed,
        Figure(
            "20 MB of output: memory",
            growth,
            None,
            "MB",
            None,
            "< 2 MB",
            growth < 2,
            note=f"the most that was resident, over {before / MEGABYTE:.1f} MB before",
        ),
    ]


def _seconds(sample: Sample) -> float:
    return sample.seconds


def _whole(sample: Sample) -> Sample:
    if sample.received < OUTPUT_BYTES:
        raise UntakenError(f"only {sample.received} of {OUTPUT_BYTES} bytes came")
    return sample
