"""Where the milliseconds of a guarded apply go: from process start to exit, by the program's own marks."""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import figures
from figures import Findings
from overhead import prepared
from programs import Programs
from runs import Run, RunFailed, run, wall
from sides import bare_apply, guard

# What TFGUARD_TRACE says at the end of a span: milliseconds since the start, the spans around it, its name.
CLOSED = re.compile(
    r"^tfguard: trace +(?P<at>[0-9.]+) ms (?P<path>.*): close time\.busy=\S+ time\.idle=\S+$", re.MULTILINE
)
FIELDS = re.compile(r"\{[^{}]*\}")

TERRAFORM = "terraform runs"
STEPS = (
    "process starts",
    "arguments and configuration",
    "signals, reporter, runtime",
    "directory, command, store",
    "lock asked and written",
    "guardian posted",
    "terraform started",
    TERRAFORM,
    "left-overs looked for, lock released",
    "history written",
    "exit",
)


@dataclass(frozen=True)
class Closed:
    """A span that was closed, in milliseconds since the program's own start."""

    name: str
    at: float


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    """Runs of their own, since the trace costs something too; the bare ones between them say how much."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfguard-bench-")))
        bare = bare_apply(programs)
        guards = [stack.enter_context(guard(programs, store, scratch)) for store in options.stores]
        alone_in = prepared(programs, scratch / "alone")
        directories = [prepared(programs, scratch / guarded.store) for guarded in guards]
        alone: list[float] = []
        splits: list[list[list[float]]] = [[] for _ in guards]
        for _ in range(options.rounds):
            alone.append(run(bare, alone_in) * 1000)
            for guarded, directory, split in zip(guards, directories, splits):
                log = directory / "log.ndjson"
                log.unlink(missing_ok=True)
                command = guarded.command("apply", "-auto-approve", options=("--log-file", str(log)))
                split.append(one(command, directory, log))

    columns = [[median(step) for step in zip(*split)] for split in splits]
    rows = [[step, *(f"{column[n]:.1f}" for column in columns)] for n, step in enumerate(STEPS)]
    totals = [median(map(sum, split)) for split in splits]
    rows.append(["all of it", *(f"{total:.1f}" for total in totals)])
    rows.append(["more than terraform alone", *(f"{total - median(alone):.1f}" for total in totals)])
    head = ["median ms", *(guarded.name for guarded in guards)]
    note = f"Traced, {options.rounds} rounds in turn with terraform alone, which took {median(alone):.1f} ms."
    return Findings(f"{figures.table(head, rows)}\n\n{note}")


def one(command: list[str], directory: Path, log: Path) -> list[float]:
    """The milliseconds of each step of one run."""
    begun = wall()
    with Run(command, directory, {"TFGUARD_TRACE": "1"}) as traced:
        traced.finish()
        ended = wall()
        said = traced.output()
    return steps(begun, ended, closed_spans(said), events(log.read_text()))


def closed_spans(said: str) -> list[Closed]:
    """The spans in the order in which they ended, without their fields and what is around them."""
    found = []
    for line in CLOSED.finditer(said):
        path = FIELDS.sub("", line["path"])
        found.append(Closed(path.split(": ")[-1], float(line["at"])))
    return found


def events(log: str) -> dict[str, float]:
    """When each kind of event was last reported, in wall-clock milliseconds."""
    times = {}
    for line in log.splitlines():
        event = json.loads(line)
        time = datetime.fromisoformat(event["@timestamp"].replace("Z", "+00:00"))
        times[event["type"]] = time.timestamp() * 1000
    return times


def steps(begun: float, ended: float, spans: list[Closed], times: dict[str, float]) -> list[float]:
    """Milliseconds of each of STEPS. The trace counts from a start that it does not name; but at the end of
    `spawn` the child is reported, with the time of day. What has no mark counts to the next step."""
    try:
        spawned = next(span.at for span in spans if span.name == "spawn")
        started, exited = times["child_started"], times["child_exited"]
    except (StopIteration, KeyError) as missing:
        raise RunFailed(
            f"the trace of a run has no {missing or 'spawn'}: has TFGUARD_TRACE changed?"
        ) from None
    start = started - spawned

    def last(*names: str, before: float = float("inf")) -> float | None:
        found = [span.at for span in spans if span.name in names and span.at <= before]
        return start + max(found) if found else None

    marks = [
        begun,
        start,
        last("configuration"),
        last("signals, reporter, runtime"),
        last("stores"),
        last("store swap", before=spawned),
        last("lock"),
        started,
        exited,
        last("release"),
        last("store record run"),
        ended,
    ]
    # Marks can be missing, and two things that go on side by side can end in either order.
    for place in reversed(range(len(marks) - 1)):
        if marks[place] is None:
            marks[place] = marks[place + 1]
    for place in range(1, len(marks)):
        marks[place] = max(marks[place], marks[place - 1])
    return [after - before for before, after in zip(marks, marks[1:])]
