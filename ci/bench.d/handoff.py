"""From the end of one child to the beginning of the next, with a queue behind it: tfguard and its rivals."""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import figures
from figures import Findings, Goal
from lockers import Contest, Locker, sides
from programs import Programs
from runs import Run, RunFailed, Together, progress
from work import Turn, gaps, in_order, read_turns, wait_until

# $EPOCHREALTIME needs no process, so that only the child's own start and end lie in the gap. When the folder
# has gone, nobody is there any more to open the gate.
CHILD = """#!/bin/bash
export LC_ALL=C
: >"$3.reached"
until [ -e "$3" ]; do [ -d "${3%/*}" ] || exit 1; sleep 0.01; done
echo begin "$BENCH_WORKER" "${EPOCHREALTIME/./}000" >>"$1"
sleep "$2"
echo end "$BENCH_WORKER" "${EPOCHREALTIME/./}000" >>"$1"
"""
# Who has no queue to look at arrives this far apart, in seconds.
ARRIVALS = 0.1
# How long a contender may take to end when its work is done, in seconds.
ENDING = 30
HANDOFF_GOALS = {"tfguard, local": 6, "tfguard, dynamodb": 150}
IDEAL_TIMES = 1.10


@dataclass(frozen=True)
class Outcome:
    """What came of one side."""

    name: str
    turns: list[Turn]
    count: int

    @property
    def complete(self) -> bool:
        return len(self.turns) == self.count

    @property
    def gaps(self) -> list[float]:
        return gaps(self.turns)

    @property
    def total(self) -> float:
        """From the beginning of the first work to the end of the last one, in seconds."""
        return self.turns[-1].end - self.turns[0].begin

    @property
    def ideal(self) -> float:
        """The works alone, in seconds."""
        return sum(turn.end - turn.begin for turn in self.turns)

    @property
    def over_ideal(self) -> float:
        """The total over the ideal; who did not come to the end has none."""
        return self.total / self.ideal if self.complete else math.inf

    def row(self) -> list[str]:
        done = f"{len(self.turns)} of {self.count}"
        if not self.turns:
            return [self.name, done, *[""] * 6]
        kept = "yes" if in_order(self.turns) else "no"
        times = [f"{self.total:.2f}", f"{self.total / self.ideal:.3f}"]
        return [self.name, done, *times, *figures.spread(self.gaps), kept]


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    parts, goals = [], []
    absences: dict[str, str] = {}
    for count in options.queue:
        outcomes, failures = [], []
        with tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name:
            scratch = Path(name)
            contest = Contest(scratch, child(scratch, options.work), count)
            for side in sides(programs, options, contest):
                if side.absence:
                    absences[side.name] = side.absence
                    continue
                progress(f"handoff among {count}: {side.name}")
                with side.opened() as locker:
                    try:
                        turns = contend(side.name, locker, contest, options)
                    except RunFailed as failed:
                        if not locker.may_fail:
                            raise
                        progress(str(failed))
                        failures.append(side.name)
                        turns = so_far(contest)
                outcomes.append(judged(side.name, turns, count))
        head = ["", "done", "total s", "× ideal", "handoff: median ms", "min", "max", "order kept"]
        title = f"{count} contenders, {options.work:g} s of work each:"
        parts += [title, figures.table(head, [outcome.row() for outcome in outcomes])]
        goals += handoff_goals(outcomes)
        if count == max(options.queue):
            goals += ideal_goals(outcomes)
        if failures:
            parts.append(f"Ended when a contender failed to get the lock: {', '.join(failures)}.")
        unfinished = [outcome.name for outcome in outcomes if not outcome.complete]
        if stopped := [name for name in unfinished if name not in failures]:
            parts.append(
                f"Stopped {options.cap:g} s after the works could have been done: {', '.join(stopped)}."
            )
    parts += [f"Left out: {name}, since {why}." for name, why in absences.items()]
    return Findings("\n\n".join(parts), goals)


def child(scratch: Path, work: float) -> list[str]:
    """Writes the program that is run under the lock, and says how to call it."""
    program = scratch / "child"
    program.write_text(CHILD)
    program.chmod(0o755)
    return [str(program), str(scratch / "journal"), str(work), str(scratch / "gate")]


def contend(name: str, locker: Locker, contest: Contest, options: argparse.Namespace) -> list[Turn]:
    """The first holds the lock until all have come, so that every handoff has a queue behind it."""
    journal, gate = journal_of(contest), contest.scratch / "gate"
    reached = gate.with_name("gate.reached")
    for file in (journal, gate, reached):
        file.unlink(missing_ok=True)
    with Together() as together:
        for worker in range(contest.count):
            run = together.start(locker.start(worker))
            if not has_come(locker, worker, run, reached):
                raise RunFailed(f"{name}: contender {worker} did not come: {run}\n{run.tail()}")
        gate.touch()
        until = time.monotonic() + contest.count * options.work + options.cap
        while not journal.exists() or journal.read_text().count("end") < contest.count:
            fail_with_the_first_that_failed(name, together.runs)
            if time.monotonic() > until:
                return so_far(contest)
            time.sleep(0.1)
        for run in together.runs:
            run.finish(ENDING)
    return read_turns(journal)


def journal_of(contest: Contest) -> Path:
    return contest.scratch / "journal"


def so_far(contest: Contest) -> list[Turn]:
    """The works that were done when it ended early."""
    journal = journal_of(contest)
    return read_turns(journal) if journal.exists() else []


def has_come(locker: Locker, worker: int, run: Run, reached: Path) -> bool:
    """Waits until it stands in the queue; who cannot be seen there is given time."""
    if locker.arrived is not None:
        return wait_until(partial(locker.arrived, worker), run)
    if worker == 0:
        return wait_until(reached.exists, run)
    return not run.ended(ARRIVALS)


def fail_with_the_first_that_failed(name: str, runs: list[Run]) -> None:
    """Not only when its turn to be waited for has come."""
    for worker, run in enumerate(runs):
        if not run.running():
            try:
                run.finish()
            except RunFailed as failed:
                raise RunFailed(f"{name}: contender {worker} failed: {failed}") from failed


def judged(name: str, turns: list[Turn], count: int) -> Outcome:
    if any(gap < 0 for gap in gaps(turns)):
        raise RunFailed(f"{name}: two works overlapped.")
    return Outcome(name, turns, count)


def handoff_goals(outcomes: list[Outcome]) -> list[Goal]:
    return [
        Goal(
            f"{outcome.name}: median handoff among {outcome.count}",
            1000 * figures.median(outcome.gaps),
            HANDOFF_GOALS[outcome.name],
            "ms",
        )
        for outcome in outcomes
        if outcome.name in HANDOFF_GOALS and outcome.gaps
    ]


def ideal_goals(outcomes: list[Outcome]) -> list[Goal]:
    return [
        Goal(f"{outcome.name}: total of {outcome.count}", outcome.over_ideal, IDEAL_TIMES, "× ideal")
        for outcome in outcomes
        if outcome.name in HANDOFF_GOALS and outcome.turns
    ]
