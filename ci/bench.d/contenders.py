"""What many runs for one lock take together, against the same work with nobody in the way."""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import figures
from programs import Programs
from runs import Run, RunFailed
from sides import Guard, bare_apply, guard
from work import Workplace, gaps, in_line, wait_until

BARE_RUNS = 5
# Terraform does not say that it waits. Its start takes about 50 ms, so these arrive one by one.
RIVAL_ARRIVALS = 0.15


@dataclass(frozen=True)
class Outcome:
    """What came of one side."""

    name: str
    seconds: float
    gaps: list[float]
    in_order: bool
    gave_up: int = 0


def measure(programs: Programs, options: argparse.Namespace) -> str:
    """The ideal is measured, not assumed: the median of bare runs, times the number of contenders."""
    count = options.contenders
    with tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name:
        scratch = Path(name)
        place = Workplace(programs, scratch, count, options.work)
        alone, alone_gap = bare_runs(programs, place)
        outcomes = []
        for store in options.stores:
            with guard(programs, store, scratch) as guarded:
                outcomes.append(guarded_side(guarded, place, count, scratch))
        if not options.no_rival:
            outcomes.append(rival_side(programs, place, count))

    ideal = count * alone
    rows = [
        [
            outcome.name,
            f"{outcome.seconds:.2f}",
            f"{outcome.seconds / ideal:.2f}",
            f"{outcome.seconds / (count * options.work):.2f}" if options.work else "",
            *(figures.spread([gap - alone_gap for gap in outcome.gaps]) if outcome.gaps else ["", "", ""]),
            "yes" if outcome.in_order else "no",
            str(outcome.gave_up),
        ]
        for outcome in outcomes
    ]
    head = ["", "total s", "× ideal", "× work", "handoff: median ms", "min", "max", "order kept", "gave up"]
    return "\n".join(
        [
            f"### Contenders: {count} applies of one state, {options.work:g} s of work each",
            "",
            figures.table(head, rows),
            "",
            f"Ideal: {ideal:.2f} s, {count} times the median bare run of {alone:.3f} s. "
            "Handoff: from the end of one's work to the beginning of the next one's, less the "
            f"{alone_gap * 1000:.0f} ms between bare runs that follow each other.",
        ]
    )


def bare_runs(programs: Programs, place: Workplace) -> tuple[float, float]:
    """One after another with nobody in the way: the median run, and the median gap between works."""
    times = []
    for _ in range(BARE_RUNS):
        with place.start(0, bare_apply(programs)) as run:
            times.append(run.finish())
    return median(times), median(gaps(place.turns()))


def guarded_side(guarded: Guard, place: Workplace, count: int, scratch: Path) -> Outcome:
    """Each starts when the one before it holds the lock or stands in the queue, so the order is known."""
    with ExitStack() as stack:
        runs = []
        for worker in range(count):
            log = scratch / f"{guarded.store}-{worker}.ndjson"
            command = guarded.command("apply", "-auto-approve", options=("--log-file", str(log)))
            run = stack.enter_context(place.start(worker, command))
            runs.append(run)
            if not wait_until(partial(in_line, log), run):
                raise RunFailed(f"contender {worker} got no place in the queue:\n{run.tail()}")
        for run in runs:
            run.finish()
        seconds = time.perf_counter() - runs[0].started
    return judged(guarded.name, place, seconds, gave_up=0)


def rival_side(programs: Programs, place: Workplace, count: int) -> Outcome:
    """Terraform's own waiting. Its retries are the same for every backend, so a local state will do."""
    command = bare_apply(programs, "-lock-timeout=5m")
    with ExitStack() as stack:
        runs: list[Run] = []
        for worker in range(count):
            runs.append(stack.enter_context(place.start(worker, command)))
            if worker == 0:
                wait_until(place.has_begun, runs[0])
            else:
                time.sleep(RIVAL_ARRIVALS)
        gave_up = sum(run.process.wait() != 0 for run in runs)
        seconds = time.perf_counter() - runs[0].started
    return judged("terraform -lock-timeout=5m", place, seconds, gave_up)


def judged(name: str, place: Workplace, seconds: float, gave_up: int) -> Outcome:
    turns = place.turns()
    between = gaps(turns)
    if any(gap < 0 for gap in between):
        raise RunFailed(f"{name}: two works overlapped.")
    order = [turn.worker for turn in turns]
    return Outcome(name, seconds, between, order == sorted(order), gave_up)
