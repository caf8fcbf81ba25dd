"""How fast output passes as `json`, against a plain copy of the same file."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median

import figures
from figures import Findings, Goal
from programs import Programs
from runs import Run
from sides import guard

ROUNDS = 3
PLAIN = "terraform_data.work: Still creating... [id=0c1d2e3f, 00m10s elapsed]\n"
TERRAFORM = (
    json.dumps(
        {
            "@level": "info",
            "@message": PLAIN.strip(),
            "@module": "terraform.ui",
            "@timestamp": "2026-01-01T00:00:00.000000Z",
            "hook": {"resource": {"addr": "terraform_data.work"}, "action": "create", "elapsed_seconds": 10},
            "type": "apply_progress",
        },
        separators=(",", ":"),
    )
    + "\n"
)


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    """Megabytes of input a second; the time of a run that prints nothing is taken off."""
    rows, goals = [], []
    with (
        tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name,
        guard(programs, "local", Path(name)) as guarded,
    ):
        scratch = Path(name)
        json_run = ("--log-format", "json")
        nothing = median(
            passed(guarded.command("exec", "true", options=json_run), scratch) for _ in range(ROUNDS)
        )
        for what, line in (("plain lines", PLAIN), ("lines of terraform -json", TERRAFORM)):
            file = scratch / "lines"
            repeats = options.megabytes * 1_000_000 // len(line) + 1
            file.write_text(line * repeats)
            size = file.stat().st_size / 1e6
            command = guarded.command("exec", "cat", str(file), options=json_run)
            copies, times = [], []
            for _ in range(ROUNDS):
                copies.append(passed(["sh", "-c", 'cat "$1" | cat', "sh", str(file)], scratch))
                times.append(passed(command, scratch) - nothing)
            ours = size / max(median(times), 1e-3)
            rows.append([what, f"{size / median(copies):.0f}", f"{ours:.0f}"])
            goals.append(Goal(f"{what} as json", ours, 300, "MB/s", at_least=True))
    title = f"{options.megabytes} MB of each kind of line, median of {ROUNDS}:"
    head = ["MB/s", "cat FILE \\| cat", "tfguard exec --log-format json"]
    return Findings(f"{title}\n\n{figures.table(head, rows)}", goals)


def passed(command: list[str], scratch: Path) -> float:
    """Seconds until all of its output has been read through a pipe, as CI reads it."""
    with Run(command, scratch, stdout=subprocess.PIPE) as run:
        while run.process.stdout.read1(1 << 20):
            pass
        return run.finish()
