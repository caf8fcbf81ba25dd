"""How much memory tfguard itself takes, at its peak."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import figures
from figures import Findings
from programs import Programs
from runs import Run, RunFailed
from sides import guard
from work import Workplace, sleeping

SAMPLED_EVERY = 0.01
OUTPUT_MB = 100


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    """The kernel keeps the peak (VmHWM), so what is read last before the end is the peak of the whole run."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name:
        scratch = Path(name)
        place = Workplace(programs, scratch, 1, sleeping(1))
        for store in options.stores:
            with guard(programs, store, scratch) as guarded:
                applied = guarded.command("apply", "-auto-approve")
                with place.start(0, applied) as run:
                    rows.append(row(f"apply over {store}", run))
        with guard(programs, "local", scratch) as guarded:
            flood = ("sh", "-c", f"yes | head -c {OUTPUT_MB}000000")
            command = guarded.command("exec", *flood, options=("--log-format", "json"))
            with Run(command, scratch, stdout=subprocess.DEVNULL) as run:
                rows.append(row(f"{OUTPUT_MB} MB of output as json", run))
    return Findings(f"Peak resident size:\n\n{figures.table(['', 'supervisor MB', 'guardian MB'], rows)}")


def row(name: str, run: Run) -> list[str]:
    """Samples the supervisor and its guardian, when it has one, until the run's good end."""
    supervisor = run.process.pid
    peaks: dict[int, float] = {}
    while run.running():
        for pid in (supervisor, *children(supervisor)):
            peak, running = high_water_mark(pid), program(pid)
            if running is None:
                # It has ended: what was seen of it stands.
                continue
            if pid != supervisor and running != (program(supervisor) or running):
                # Terraform, which ran our program for the moment between fork and exec.
                peaks.pop(pid, None)
            elif peak is not None:
                peaks[pid] = peak
        time.sleep(SAMPLED_EVERY)
    run.finish()
    if supervisor not in peaks:
        raise RunFailed(f"{name}: the run ended before its memory could be read.")
    peak = peaks.pop(supervisor)
    return [name, f"{peak:.1f}", f"{sum(peaks.values()):.1f}" if peaks else "none"]


def high_water_mark(pid: int) -> float | None:
    """In megabytes; None for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return kilobytes[0] * 1024 / 1e6 if kilobytes else None


def program(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


def children(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            yield from map(int, thread.read_text().split())
        except OSError:
            continue
