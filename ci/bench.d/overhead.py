"""What a guarded apply with nothing to change takes longer than a bare one."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import figures
from figures import Findings, Goal
from programs import Programs
from runs import run
from sides import bare_apply, guard

GOALS = {"tfguard, local": 12}


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    """One run of each side in turn, round after round: drift of the machine meets all of them alike."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfguard-bench-")))
        sides = {"terraform alone": bare_apply(programs)}
        for store in options.stores:
            guarded = stack.enter_context(guard(programs, store, scratch))
            sides[guarded.name] = guarded.command("apply", "-auto-approve")

        directories = {name: prepared(programs, scratch / str(n)) for n, name in enumerate(sides)}
        for name, command in sides.items():
            run(command, directories[name])
        times = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, command in sides.items():
                times[name].append(run(command, directories[name]))

    bare, *guards = times
    goals = []
    rows = [[bare, *figures.spread(times[bare]), "", "", ""]]
    for name in guards:
        more = [ours - theirs for ours, theirs in zip(times[name], times[bare])]
        if name in GOALS:
            goals.append(Goal(f"{name}: median overhead", 1000 * median(more), GOALS[name], "ms"))
        rows.append([name, *figures.spread(times[name]), *figures.spread(more)])
    head = ["", "median ms", "min", "max", "more than alone: median ms", "min", "max"]
    title = f"`apply` of examples/hello with no changes, {options.rounds} rounds in turn:"
    return Findings(f"{title}\n\n{figures.table(head, rows)}", goals)


def prepared(programs: Programs, directory: Path) -> Path:
    """A copy of the example as a clone has it, applied for the first time."""
    directory.mkdir()
    shutil.copy(programs.hello / "main.tf", directory)
    run([str(programs.terraform), "init", "-input=false"], directory)
    run(bare_apply(programs), directory)
    return directory
