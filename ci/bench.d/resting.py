"""What tfguard takes while it holds the lock and nothing happens: processor time, memory, size."""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import figures
from memory import children, program
from programs import Programs
from runs import Run, RunFailed
from sides import guard
from work import in_line, wait_until

SETTLING = 2.0


def measure(programs: Programs, options: argparse.Namespace) -> str:
    rows, goals = [], []
    with tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name:
        scratch = Path(name)
        for store in options.stores:
            log = scratch / f"{store}.ndjson"
            with guard(programs, store, scratch) as guarded:
                command = guarded.command("exec", "sleep", "86400", options=("--log-file", str(log)))
                with Run(command, scratch) as run:
                    if not wait_until(partial(in_line, log), run):
                        raise RunFailed(f"the lock was not got:\n{run.tail()}")
                    time.sleep(SETTLING)
                    supervisor = run.process.pid
                    own = program(supervisor)
                    pids = [supervisor, *(pid for pid in children(supervisor) if program(pid) == own)]
                    before, begun = sum(map(processor_seconds, pids)), time.monotonic()
                    time.sleep(options.watch)
                    used = sum(map(processor_seconds, pids)) - before
                    percent = 100 * used / (time.monotonic() - begun)
                    megabytes = sum(map(proportional_share, pids))
                    if not run.running():
                        raise RunFailed(f"the run ended while it was looked at:\n{run.tail()}")
            rows.append([store, str(len(pids)), f"{percent:.4f}", f"{percent * 36:.2f}", f"{megabytes:.1f}"])
            goals.append((f"{store}: idle CPU", percent, 0.05, "%"))
            goals.append((f"{store}: memory of all processes (PSS)", megabytes, 20, "MB"))
    goals.append(("binary", programs.tfguard.stat().st_size / 1e6, 9, "MB"))
    head = ["lock held over", "processes", "CPU %", "CPU s an hour", "memory MB (PSS)"]
    return "\n\n".join(
        [
            f"### At rest: the lock held for {options.watch:g} s",
            figures.table(head, rows),
            figures.goals(goals),
        ]
    )


def processor_seconds(pid: int) -> float:
    """What the scheduler counted for its threads, in nanoseconds where utime and stime have ticks."""
    spent = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        # A thread may end between the listing and the reading.
        with suppress(OSError):
            spent += int(thread.read_text().split()[0])
    return spent / 1e9


def proportional_share(pid: int) -> float:
    """In megabytes: shared pages are divided among those that share them, so that shares can be added."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RunFailed("this kernel does not say what share of memory a process has.")
