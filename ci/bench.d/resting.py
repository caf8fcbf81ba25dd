"""What tfguard takes while it holds the lock and nothing happens: processor time, memory, size."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import figures
from figures import Findings, Goal
from memory import children, program
from programs import Programs
from runs import Run, RunFailed
from sides import Guard, guard
from work import in_line, wait_until

SETTLING = 2.0


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    """Processor time with all stores at once, since none has anything to do; memory one after the other,
    since pages of the program are shared by all that run it."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfguard-bench-")))
        guards = [stack.enter_context(guard(programs, store, scratch)) for store in options.stores]
        megabytes = []
        for guarded in guards:
            with holding(guarded, scratch) as run:
                megabytes.append(sum(map(proportional_share, processes(run))))
        runs = [stack.enter_context(holding(guarded, scratch)) for guarded in guards]
        pids = [processes(run) for run in runs]
        before, begun = [spent(each) for each in pids], time.monotonic()
        time.sleep(options.watch)
        seconds = time.monotonic() - begun
        percents = [100 * (spent(each) - earlier) / seconds for each, earlier in zip(pids, before)]
        for run in runs:
            if not run.running():
                raise RunFailed(f"the run ended while it was looked at:\n{run.tail()}")
    rows, goals = [], []
    for guarded, each, percent, memory in zip(guards, pids, percents, megabytes):
        rows.append([guarded.name, str(len(each)), f"{percent:.4f}", f"{percent * 36:.2f}", f"{memory:.1f}"])
        goals.append(Goal(f"{guarded.name}: idle CPU", percent, 0.05, "%"))
        goals.append(Goal(f"{guarded.name}: memory of both processes", memory, 20, "MB"))
    size = programs.tfguard.stat().st_size / 1e6
    goals.append(Goal("binary", size, 9, "MB"))
    head = ["", "processes", "CPU %", "CPU s for each hour held", "memory MB (PSS)"]
    title = f"The lock held for {options.watch:g} s; the binary has {size:.1f} MB:"
    return Findings(f"{title}\n\n{figures.table(head, rows)}", goals)


@contextmanager
def holding(guarded: Guard, scratch: Path) -> Iterator[Run]:
    """A run that has its lock, and has come to rest."""
    log = scratch / f"{guarded.store}.ndjson"
    log.unlink(missing_ok=True)
    command = guarded.command("exec", "sleep", "86400", options=("--log-file", str(log)))
    with Run(command, scratch) as run:
        if not wait_until(partial(in_line, log), run):
            raise RunFailed(f"the lock was not got:\n{run.tail()}")
        time.sleep(SETTLING)
        yield run


def processes(run: Run) -> list[int]:
    """The supervisor and its guardian, by their program."""
    supervisor = run.process.pid
    own = program(supervisor)
    return [supervisor, *(pid for pid in children(supervisor) if program(pid) == own)]


def spent(pids: list[int]) -> float:
    """Seconds of processor time of all of them."""
    return sum(map(processor_seconds, pids))


def processor_seconds(pid: int) -> float:
    """What the scheduler counted for all of its threads, those that have ended too, to the nanosecond."""
    try:
        return time.clock_gettime(processor_clock(pid))
    except OSError:
        raise RunFailed(f"process {pid} ended while it was looked at.") from None


def processor_clock(pid: int) -> int:
    """The clock of a process's processor time, as clock_getcpuclockid(3) makes it on Linux."""
    return (~pid << 3) | 2


def proportional_share(pid: int) -> float:
    """In megabytes: shared pages are divided among those that share them, so that shares can be added."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RunFailed("this kernel does not say what share of memory a process has.")
