"""What many runs for one lock take together, against the same work with nobody in the way."""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import figures
from figures import Findings
from lockers import LOCK_TIMEOUT
from programs import Programs
from runs import RunFailed, Together
from sides import Guard, bare_apply, guard
from work import Workplace, gaps, in_line, in_order, sleeping, wait_until

BARE_RUNS = 5
# Terraform does not say that it waits. Its start takes about 50 ms, so these arrive one by one.
RIVAL_ARRIVALS = 0.15
# How long all of them may take: the work, and this many seconds for each.
PATIENCE = 60


@dataclass(frozen=True)
class Outcome:
    """What came of one side."""

    name: str
    seconds: float
    gaps: list[float]
    in_order: bool


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    """The ideal is measured, not assumed: the median of bare runs, times the number of contenders."""
    count, work = options.contenders, options.apply_work
    with tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name:
        scratch = Path(name)
        place = Workplace(programs, scratch, count, sleeping(work))
        alone, alone_gap = bare_runs(programs, place)
        patience = count * (work + PATIENCE)
        outcomes = []
        for store in options.stores:
            with guard(programs, store, scratch) as guarded:
                outcomes.append(guarded_side(guarded, place, count, scratch, patience))
        if not options.no_rival:
            outcomes.append(rival_side(programs, place, count, patience))

    ideal = count * alone
    rows = [
        [
            outcome.name,
            f"{outcome.seconds:.2f}",
            f"{outcome.seconds / ideal:.2f}",
            *figures.spread([gap - alone_gap for gap in outcome.gaps]),
            "yes" if outcome.in_order else "no",
        ]
        for outcome in outcomes
    ]
    head = ["", "total s", "× ideal", "handoff: median ms", "min", "max", "order kept"]
    title = f"{count} applies of one state, started one after the other, {work:g} s of work each:"
    note = (
        f"Ideal: {ideal:.2f} s, {count} times the median bare run of {alone:.3f} s. Handoff: from the end of "
        f"one's work to the beginning of the next one's, less the {alone_gap * 1000:.0f} ms between bare "
        "runs that follow each other."
    )
    return Findings("\n\n".join([title, figures.table(head, rows), note]))


def bare_runs(programs: Programs, place: Workplace) -> tuple[float, float]:
    """One after another with nobody in the way: the median run, and the median gap between works."""
    times = []
    for _ in range(BARE_RUNS):
        with place.start(0, bare_apply(programs)) as run:
            times.append(run.finish())
    return median(times), median(gaps(place.turns()))


def guarded_side(guarded: Guard, place: Workplace, count: int, scratch: Path, patience: float) -> Outcome:
    """Each starts when the one before it holds the lock or stands in the queue, so the order is known."""
    with Together() as together:
        for worker in range(count):
            log = scratch / f"{guarded.store}-{worker}.ndjson"
            command = guarded.command("apply", "-auto-approve", options=("--log-file", str(log)))
            run = together.start(place.start(worker, command))
            if not wait_until(partial(in_line, log), run):
                raise RunFailed(f"contender {worker} got no place in the queue:\n{run.tail()}")
        return finished(guarded.name, place, together, patience)


def rival_side(programs: Programs, place: Workplace, count: int, patience: float) -> Outcome:
    """Terraform's own waiting. Its retries are the same for every backend, so a local state will do."""
    command = bare_apply(programs, LOCK_TIMEOUT)
    with Together() as together:
        for worker in range(count):
            run = together.start(place.start(worker, command))
            if worker == 0:
                wait_until(place.has_begun, run)
            else:
                time.sleep(RIVAL_ARRIVALS)
        return finished(f"terraform apply {LOCK_TIMEOUT}", place, together, patience)


def finished(name: str, place: Workplace, together: Together, patience: float) -> Outcome:
    """Waits for all of them. Whoever fails ends the measurement."""
    until = time.monotonic() + patience
    for run in together.runs:
        run.finish(until - time.monotonic())
    seconds = time.perf_counter() - together.runs[0].started
    turns = place.turns()
    between = gaps(turns)
    if any(gap < 0 for gap in between):
        raise RunFailed(f"{name}: two works overlapped.")
    return Outcome(name, seconds, between, in_order(turns))
