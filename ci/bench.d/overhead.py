"""What a guarded command takes longer than the same command bare, when it has nothing to do."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import figures
from figures import Findings, Goal
from programs import Programs
from runs import run
from sides import Guard, bare_apply, guard

GOALS = {"tfguard, local": 12}


@dataclass(frozen=True)
class Work:
    """A command that changes nothing, and how tfguard is asked to run it."""

    title: str
    name: str
    bare: list[str]
    guarded: tuple[str, ...]


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    """Terraform as CI runs it, and a command that takes no time, beside which ours is all that is seen."""
    apply = Work(
        "`apply` of examples/hello with no changes", "apply", bare_apply(programs), ("apply", "-auto-approve")
    )
    nothing = Work("`true`", "true", ["true"], ("exec", "true"))
    parts, goals = [], []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfguard-bench-")))
        guards = [stack.enter_context(guard(programs, store, scratch)) for store in options.stores]
        names = ["alone", *(guarded.name for guarded in guards)]
        directories = [prepared(programs, scratch / name) for name in names]
        for work in (apply, nothing):
            times = in_turn(work, guards, directories, options.rounds)
            more = [[ours - theirs for ours, theirs in zip(each, times[0])] for each in times[1:]]
            rows = [[f"{work.name} alone", *figures.spread(times[0]), "", "", ""]]
            for guarded, each, over in zip(guards, times[1:], more):
                rows.append([guarded.name, *figures.spread(each), *figures.spread(over)])
                if guarded.name in GOALS:
                    what = f"{guarded.name}: median overhead of {work.name}"
                    goals.append(Goal(what, 1000 * median(over), GOALS[guarded.name], "ms"))
            head = ["", "median ms", "min", "max", "more than alone: median ms", "min", "max"]
            parts += [f"{work.title}, {options.rounds} rounds in turn:", figures.table(head, rows)]
    return Findings("\n\n".join(parts), goals)


def in_turn(work: Work, guards: list[Guard], directories: list[Path], rounds: int) -> list[list[float]]:
    """The seconds of each side, the bare one first. One run of each in turn, round after round: drift of the
    machine meets all of them alike. The first round is not counted."""
    commands = [work.bare, *(guarded.command(*work.guarded) for guarded in guards)]
    times: list[list[float]] = [[] for _ in commands]
    for number in range(rounds + 1):
        for command, directory, seconds in zip(commands, directories, times):
            took = run(command, directory)
            if number:
                seconds.append(took)
    return times


def prepared(programs: Programs, directory: Path) -> Path:
    """A copy of the example as a clone has it, applied for the first time."""
    directory.mkdir()
    shutil.copy(programs.hello / "main.tf", directory)
    run([str(programs.terraform), "init", "-input=false"], directory)
    run(bare_apply(programs), directory)
    return directory
