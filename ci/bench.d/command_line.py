"""The arguments of ci/bench, and the build that comes before measuring."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import contenders
import machine
import memory
import overhead
from programs import Programs
from runs import RunFailed
from sides import STORES

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
MEASUREMENTS = {"overhead": overhead.measure, "contenders": contenders.measure, "memory": memory.measure}


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
    parser.add_argument("measure", nargs="*", choices=["all", *MEASUREMENTS], default="all", help="what")
    parser.add_argument("--over", choices=["all", *STORES], default="all", help="the store of the lock")
    parser.add_argument("--rounds", "-n", type=int, default=20, help="overhead: rounds of one run each")
    parser.add_argument("--contenders", "-c", type=int, default=6, help="contenders: how many at once")
    parser.add_argument("--work", type=float, default=1.0, help="contenders: seconds of work of each")
    parser.add_argument(
        "--no-rival", action="store_true", help="contenders: leave out terraform's own -lock-timeout"
    )
    parser.add_argument("--no-build", action="store_true", help="measure what is built already")
    parser.add_argument(
        "--binary", type=Path, default=TARGET / "release/tfguard", help="the tfguard to measure"
    )
    parser.add_argument("--terraform-bin", default="terraform", help="else tofu, from PATH")
    options = parser.parse_args()
    options.stores = STORES if options.over == "all" else (options.over,)
    if min(options.rounds, options.contenders) < 1:
        parser.error("--rounds and --contenders are at least 1")
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
        hello=ROOT / "examples/hello",
    )
    for needed in (programs.tfguard, programs.engine):
        if not needed.exists():
            raise RunFailed(f"there is no {needed}; run without --no-build.")
    return programs
