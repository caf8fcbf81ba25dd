"""Work that cannot be done twice at once: an apply that takes a known time and writes down when."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from programs import Programs
from runs import Run, run

# uuid() is new in every plan, so each apply replaces the resource, which runs the work again.
CONFIGURATION = """
terraform {{
  backend "local" {{
    path = "{state}"
  }}
}}

resource "terraform_data" "work" {{
  triggers_replace = uuid()

  provisioner "local-exec" {{
    command = "{command}"
  }}
}}
"""
WORK = (
    r"echo begin $BENCH_WORKER $(date +%s%N) >> $BENCH_JOURNAL; "
    r"sleep SECONDS; "
    r"echo end $BENCH_WORKER $(date +%s%N) >> $BENCH_JOURNAL"
)


def sleeping(seconds: float) -> str:
    """The work that writes down when it began and ended."""
    return WORK.replace("SECONDS", str(seconds))


@dataclass(frozen=True)
class Turn:
    """One worker's work, in seconds of the wall clock of this machine."""

    worker: int
    begin: float
    end: float


class Workplace:
    """One state, and for each worker a directory of its own, as CI jobs have."""

    def __init__(self, programs: Programs, scratch: Path, workers: int, command: str):
        self._journal = scratch / "journal"
        self.directories = [scratch / f"worker-{n}" for n in range(workers)]
        first, *others = self.directories
        first.mkdir(parents=True)
        text = CONFIGURATION.format(state=scratch / "shared.tfstate", command=command)
        (first / "main.tf").write_text(text)
        run([str(programs.terraform), "init", "-input=false"], first)
        for directory in others:
            shutil.copytree(first, directory)

    def start(self, worker: int, command: list[str]) -> Run:
        """Begins one worker's run."""
        variables = {"BENCH_WORKER": str(worker), "BENCH_JOURNAL": str(self._journal)}
        return Run(command, self.directories[worker], variables)

    def has_begun(self) -> bool:
        """Whether any work has begun since the last `turns`."""
        return self._journal.exists()

    def turns(self) -> list[Turn]:
        """The work done since the last call, by its beginning."""
        return read_turns(self._journal)


def read_turns(journal: Path) -> list[Turn]:
    """Reads what was done, by its beginning, and removes the journal. What was cut off is left out."""
    begins: dict[int, float] = {}
    turns = []
    for line in journal.read_text().splitlines():
        what, worker, nanoseconds = line.split()
        if what == "begin":
            begins[int(worker)] = int(nanoseconds) / 1e9
        else:
            turns.append(Turn(int(worker), begins.pop(int(worker)), int(nanoseconds) / 1e9))
    journal.unlink()
    return sorted(turns, key=lambda turn: turn.begin)


def gaps(turns: list[Turn]) -> list[float]:
    """From the end of each work to the beginning of the next, in seconds; below zero they overlapped."""
    return [after.begin - before.end for before, after in zip(turns, turns[1:])]


def in_order(turns: list[Turn]) -> bool:
    """Whether they worked in the order in which they came."""
    workers = [turn.worker for turn in turns]
    return workers == sorted(workers)


def wait_until(condition: Callable[[], bool], during: Run, seconds: float = 30) -> bool:
    """Looks every 2 ms; False when the run has ended or the time is up first."""
    until = time.monotonic() + seconds
    while not condition():
        if not during.running() or time.monotonic() > until:
            return condition()
        time.sleep(0.002)
    return True


def in_line(log: Path) -> bool:
    """Whether the run has the lock or a place in the queue."""
    try:
        lines = log.read_text().splitlines()
    except FileNotFoundError:
        return False
    return any(kind(line) in ("lock_waiting", "lock_acquired") for line in lines)


def kind(line: str) -> str | None:
    try:
        return json.loads(line).get("type")
    except ValueError:
        # The last line may be half written.
        return None
