"""Commands a second: answered here, passed on, and refused."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.figures import Figure, by_turns, middle, spread
from bench.loading import Sample, load
from bench.process import UntakenError
from bench.servers import OUTSIDER, Place, Server, Sink

HERE, THERE = "admin:whoami()", "server:version()"
"""A line that the service answers itself, and one that Prosody does."""

REFUSED = 'user:delete("nobody@localhost")'

MANY = 16
"""Sessions of the measures with several: as many as one user has by default."""


@dataclass(frozen=True)
class Suite:
    """What every measure needs. `seconds` is for one load; each load is repeated `rounds` times."""

    place: Place
    seconds: float
    rounds: int
    real_journal: bool


@dataclass(frozen=True)
class Scene:
    """A Prosody, the service in front of it, and what takes its records."""

    prosody: Server
    service: Server
    sink: Sink | None


@contextmanager
def scene(suite: Suite) -> Iterator[Scene]:
    """Start what is compared, afresh."""
    with ExitStack() as stack:
        prosody = stack.enter_context(suite.place.prosody())
        directory, sink = None, None
        if not suite.real_journal:
            directory, sink = stack.enter_context(suite.place.sink())
        service = stack.enter_context(suite.place.service(prosody, directory))
        yield Scene(prosody, service, sink)


def rate_figure(
    measure: str,
    ours: list[Sample],
    theirs: list[Sample],
    least: float | None,
    *,
    against: str,
    goal: str = "",
    met: bool | None = None,
    note: str = "",
) -> Figure:
    """Compare the rates of two servers; `against` says what the other one is.

    `least` is the goal for their ratio, None without one.
    """
    our_rate, their_rate = (middle(samples, _rate) for samples in (ours, theirs))
    processor = [middle(samples, lambda sample: sample.processor[0]) for samples in (ours, theirs)]
    busy = max(sample.busy for sample in (*ours, *theirs))
    if met is None:
        met = least is None or our_rate >= least * their_rate
    notes = [
        f"against {against}",
        f"rounds within {spread(ours, _rate)} and {spread(theirs, _rate)}",
        f"per processor time {processor[1] / processor[0]:.2f} x",
        f"load generator busy {busy:.0%} at most",
    ]
    return Figure(
        measure,
        our_rate,
        their_rate,
        "/s",
        our_rate / their_rate,
        goal or ("" if least is None else f">= {least:g} x"),
        met,
        processor[0],
        processor[1],
        ", ".join(notes + ([note] if note else [])),
    )


def _rate(sample: Sample) -> float:
    return sample.rate


def _beside_prosody(
    suite: Suite,
    line: str,
    active: int,
    *,
    account: str | None = None,
    refused: bool = False,
    records: int = 2,
) -> tuple[list[Sample], list[Sample]]:
    """Load the service with `line` and Prosody with THERE by turns, `active` sessions each."""
    with scene(suite) as here:
        return by_turns(
            suite.rounds,
            lambda: load(
                suite.place,
                here.service,
                line,
                active=active,
                seconds=suite.seconds,
                account=account,
                behind=[here.prosody],
                refused=refused,
                sink=here.sink,
                records=records,
            ),
            lambda: load(suite.place, here.prosody, THERE, active=active, seconds=suite.seconds),
        )


def _answered_here(suite: Suite, active: int, least: float) -> Figure:
    ours, theirs = _beside_prosody(suite, HERE, active)
    counted = "" if suite.real_journal else "two records of each command counted in the sink"
    return rate_figure(
        f"answered here, {active} at a time",
        ours,
        theirs,
        least,
        against="Prosody's server:version()",
        note=counted,
    )


def answered_here_16(suite: Suite) -> Figure:
    """`admin:whoami()` in 16 sessions, against Prosody's `server:version()`."""
    return _answered_here(suite, MANY, 2.5)


def answered_here_1(suite: Suite) -> Figure:
    """The same in 1 session."""
    return _answered_here(suite, 1, 1.0)


def relay_16(suite: Suite) -> Figure:
    """`server:version()` through the service in 16 sessions, against Prosody directly."""
    ours, theirs = _beside_prosody(suite, THERE, MANY)
    return rate_figure(
        f"relayed, {MANY} at a time", ours, theirs, 0.85, against="Prosody", note=_upstream(ours)
    )


def relay_1(suite: Suite) -> Figure:
    """`server:version()` through the service in 1 session, against a pump of bytes in C."""
    with scene(suite) as here, suite.place.pump(here.prosody) as pump:
        ours, theirs = by_turns(
            suite.rounds,
            lambda: load(
                suite.place,
                here.service,
                THERE,
                seconds=suite.seconds,
                behind=[here.prosody],
                sink=here.sink,
            ),
            lambda: load(suite.place, pump, THERE, seconds=suite.seconds, behind=[here.prosody]),
        )
        direct = load(suite.place, here.prosody, THERE, seconds=suite.seconds)
    note = f"{_upstream(ours)}, Prosody directly {direct.rate:,.0f}/s"
    return rate_figure("relayed, 1 at a time", ours, theirs, 0.8, against="a pump in C", note=note)


def _upstream(samples: list[Sample]) -> str:
    behind = middle(samples, lambda sample: sample.processor[1])
    return f"Prosody behind it takes {behind * 1e6:.0f} us a command"


def refusals(suite: Suite) -> Figure:
    """A line that the policy refuses, in 16 sessions, against what Prosody answers."""
    if suite.place.account is None:
        raise UntakenError("there is nobody to refuse anything to but with other accounts, as root")
    ours, theirs = _beside_prosody(suite, REFUSED, MANY, account=OUTSIDER, refused=True, records=1)
    on_a_free_core = 1 / middle(ours, lambda sample: sample.processor[0])
    ratio = middle(ours, _rate) / middle(theirs, _rate)
    return rate_figure(
        f"refused, {MANY} at a time",
        ours,
        theirs,
        4,
        against="Prosody's answers to server:version()",
        goal=">= 4 x or 50,000/s",
        met=ratio >= 4 or on_a_free_core >= 50_000,
        note=f"{on_a_free_core:,.0f}/s on a free core",
    )


def head_room(suite: Suite) -> Figure:
    """The load generator at its limit: a server in C that only answers, 16 sessions."""
    with suite.place.echo() as echo, suite.place.prosody() as prosody:
        ours, theirs = by_turns(
            suite.rounds,
            lambda: load(suite.place, echo, THERE, active=MANY, seconds=suite.seconds),
            lambda: load(suite.place, prosody, THERE, active=MANY, seconds=suite.seconds),
        )
    return rate_figure(
        "load generator itself", ours, theirs, 4, against="Prosody; ours is an echo server in C"
    )


def recorded_in_c(suite: Suite) -> list[Figure]:
    """A server in C that only leaves two records and answers: what nobody who records can beat."""
    return [_recorded_in_c(suite, active) for active in (MANY, 1)]


def _recorded_in_c(suite: Suite, active: int) -> Figure:
    with (
        suite.place.sink() as (directory, sink),
        suite.place.echo(directory) as echo,
        suite.place.prosody() as prosody,
    ):
        ours, theirs = by_turns(
            suite.rounds,
            lambda: load(suite.place, echo, THERE, active=active, seconds=suite.seconds, sink=sink),
            lambda: load(suite.place, prosody, THERE, active=active, seconds=suite.seconds),
        )
    return rate_figure(
        f"recorded in C, {active} at a time",
        ours,
        theirs,
        None,
        against="Prosody's server:version(); ours is a server in C",
    )
