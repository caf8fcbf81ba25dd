"""The arguments of ci/bench, and the build that comes before measuring."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asked
import contenders
import handoff
import machine
import memory
import overhead
import resting
import throughput
from programs import Programs
from runs import RunFailed
from sides import STORES

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
LEASE_TARGET = TARGET / "bench-dynamodb-lease"
MEASUREMENTS = {
    "overhead": overhead.measure,
    "handoff": handoff.measure,
    "contenders": contenders.measure,
    "requests": asked.measure,
    "memory": memory.measure,
    "rest": resting.measure,
    "throughput": throughput.measure,
}


def main() -> int:
    # As an exception, so that what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = parse()
    if not options.no_build:
        build()
    try:
        programs = find_programs(options)
        print(machine.facts(programs, ROOT), flush=True)
        for name in MEASUREMENTS if "all" in options.measure else options.measure:
            print(f"\n{MEASUREMENTS[name](programs, options)}", flush=True)
    except RunFailed as failed:
        print(f"ci/bench: {failed}", file=sys.stderr)
        return 1
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ci/bench",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="What the lock costs, against bare Terraform in the same run on the same machine.",
    )
    parser.add_argument("measure", nargs="*", choices=["all", *MEASUREMENTS], default=["all"], help="what")
    parser.add_argument("--over", choices=["all", *STORES], default="all", help="the store of the lock")
    parser.add_argument("--rounds", "-n", type=int, default=20, help="overhead: rounds of one run each")
    parser.add_argument("--contenders", "-c", type=int, default=6, help="contenders: how many at once")
    parser.add_argument(
        "--queue", type=int, nargs="+", default=[6, 20, 100], help="handoff: how many at once"
    )
    parser.add_argument(
        "--work", type=float, default=1.0, help="contenders, handoff: seconds of work of each"
    )
    parser.add_argument("--watch", type=float, default=60, help="requests, rest: seconds of looking on")
    parser.add_argument("--megabytes", type=int, default=200, help="throughput: of each kind of line")
    parser.add_argument("--no-rival", action="store_true", help="contenders, handoff: tfguard only")
    parser.add_argument("--no-build", action="store_true", help="measure what is built already")
    parser.add_argument(
        "--binary", type=Path, default=TARGET / "release/tfguard", help="the tfguard to measure"
    )
    parser.add_argument("--terraform-bin", default="terraform", help="else tofu, from PATH")
    options = parser.parse_args()
    options.stores = STORES if options.over == "all" else (options.over,)
    if min(options.rounds, options.contenders, *options.queue) < 1:
        parser.error("--rounds, --contenders and --queue are at least 1")
    return options


def build() -> None:
    for what in (["--release", "--bin", "tfguard"], ["--example", "dynamo-engine"]):
        subprocess.run(["cargo", "build", "--locked", *what], cwd=ROOT, check=True)


def find_programs(options: argparse.Namespace) -> Programs:
    terraform = shutil.which(options.terraform_bin) or shutil.which("tofu")
    if terraform is None:
        raise RunFailed("there is no terraform on PATH.")
    programs = Programs(
        tfguard=options.binary.resolve(),
        terraform=Path(terraform),
        engine=TARGET / "debug/examples/dynamo-engine",
        lease=LEASE_TARGET / "release/bench-dynamodb-lease",
        hello=ROOT / "examples/hello",
    )
    for needed in (programs.tfguard, programs.engine):
        if not needed.exists():
            raise RunFailed(f"there is no {needed}; run without --no-build.")
    return programs
