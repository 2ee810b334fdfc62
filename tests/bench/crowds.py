"""Many sessions: what a command costs among them, and how it is when all come at once."""

from contextlib import ExitStack
from itertools import pairwise

from bench.figures import Figure, by_turns, middle
from bench.loading import Burst, Sample, burst, sessions
from bench.rates import HERE, THERE, Suite, scene
from bench.servers import Server

OPEN = (1, 10, 100, 1000, 4000)
"""Open sessions, all but one of them idle."""

AT_ONCE = 1000


def open_sessions(suite: Suite) -> Figure:
    """What a command costs at 1 to 4,000 open sessions; the dearest against that at 1."""
    with scene(suite) as here:
        ours, theirs = by_turns(
            suite.rounds,
            lambda: _costs(suite, here.service, HERE),
            lambda: _costs(suite, here.prosody, THERE),
        )
    our_costs, their_costs = (
        [middle(level, _cost) for level in zip(*rounds, strict=True)] for rounds in (ours, theirs)
    )
    our_rates = [middle(level, _rate) for level in zip(*ours, strict=True)]
    slower = our_rates[0] / min(our_rates)
    flat = max(our_costs) / our_costs[0]
    listed = [" ".join(f"{cost * 1e6:.0f}" for cost in costs) for costs in (our_costs, their_costs)]
    return Figure(
        f"dearest at 1 to {OPEN[-1]:,} sessions",
        max(our_costs),
        max(their_costs),
        "s",
        flat,
        "<= 1.5 x at 1",
        flat <= 1.5,
        max(our_costs),
        max(their_costs),
        f"us of processor time at {', '.join(map(str, OPEN))} open sessions: {listed[0]}, "
        f"Prosody {listed[1]} ({max(their_costs) / their_costs[0]:.2f} x); "
        f"by the clock the slowest takes {slower:.2f} x",
    )


def _cost(sample: Sample) -> float:
    return sample.processor[0]


def _rate(sample: Sample) -> float:
    return sample.rate


def _costs(suite: Suite, server: Server, line: str) -> list[Sample]:
    """Return a load of one session among more and more open ones."""
    samples = []
    with ExitStack() as stack:
        for before, count in pairwise((1, *OPEN)):
            if count > before:
                opening = sessions(suite.place, server, line, active=0, idle=count - before)
                stack.enter_context(opening)
            with sessions(suite.place, server, line, seconds=suite.seconds / 2) as one:
                samples.append(one.run())
    return samples


def opened_at_once(suite: Suite) -> list[Figure]:
    """1,000 sessions opened in a burst: who is refused, and when the last has its header."""
    with scene(suite) as here:
        ours, theirs = by_turns(
            suite.rounds,
            lambda: burst(suite.place, here.service, HERE, AT_ONCE),
            lambda: burst(suite.place, here.prosody, THERE, AT_ONCE),
        )
    last = [middle(bursts, lambda each: each.max) for bursts in (ours, theirs)]
    median = [middle(bursts, lambda each: each.median) for bursts in (ours, theirs)]
    return [
        Figure(
            f"{AT_ONCE:,} at once: the last header",
            last[0],
            last[1],
            "s",
            last[0] / last[1],
            "<= 2 x",
            last[0] <= 2 * last[1],
            note=f"median header after {median[0] * 1e3:.0f} ms, Prosody {median[1] * 1e3:.0f} ms",
        ),
        Figure(
            f"{AT_ONCE:,} at once: refused",
            _refused(ours),
            _refused(theirs),
            "",
            None,
            "none",
            not _refused(ours),
            note="of all rounds",
        ),
    ]


def _refused(bursts: list[Burst]) -> int:
    return sum(each.refused for each in bursts)
