"""What has to be there before anything is measured: built, fetched, or named as missing."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import etcd
from programs import Programs
from runs import RunFailed

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
RELEASED = TARGET / "release/tfguard"
ENGINE = TARGET / "debug/examples/dynamo-engine"
LEASE = ROOT / "ci/bench.d/dynamodb-lease"
LEASE_TARGET = TARGET / "bench-dynamodb-lease"
ETCD = TARGET / "tools/etcd"


def programs(options: argparse.Namespace) -> Programs:
    """Builds and fetches what is needed. A rival that cannot be had is left out, with the reason."""
    terraform = shutil.which(options.terraform_bin) or shutil.which("tofu")
    if terraform is None:
        raise RunFailed(
            f"there is no {options.terraform_bin} on PATH: see https://developer.hashicorp.com/terraform/install."
        )
    if not options.no_build:
        if options.binary is None:
            build(ROOT, "--release", "--bin", "tfguard")
        # With the features of the tests, which have built most of it.
        build(ROOT, "--features", "otel", "--example", "dynamo-engine")
    tfguard = (options.binary or RELEASED).resolve()
    for needed in (tfguard, ENGINE):
        if not needed.exists():
            raise RunFailed(f"there is no {needed}; run without --no-build.")

    found: dict[str, Path] = {}
    absences: dict[str, str] = {}
    if "handoff" in options.measure and not options.no_rival:
        try:
            found["etcd"] = etcd.obtain(ETCD)
        except etcd.NoEtcd as why:
            absences["etcdctl lock"] = str(why)
        try:
            found["lease"] = lease(options)
        except RunFailed as why:
            absences["dynamodb-lease"] = str(why)
        for rival, why in absences.items():
            print(f"ci/bench: {rival} is left out: {why}.", file=sys.stderr)
    return Programs(
        tfguard=tfguard,
        terraform=Path(terraform),
        engine=ENGINE,
        hello=ROOT / "examples/hello",
        absences=absences,
        **found,
    )


def lease(options: argparse.Namespace) -> Path:
    """A program with a lock file of its own: the product does not depend on a rival."""
    program = LEASE_TARGET / "release/bench-dynamodb-lease"
    if not options.no_build:
        build(LEASE, "--release", "--target-dir", str(LEASE_TARGET))
    if not program.exists():
        raise RunFailed("it is not built: run without --no-build")
    return program


def build(directory: Path, *what: str) -> None:
    command = ["cargo", "build", "--locked", *what]
    try:
        subprocess.run(command, cwd=directory, stdout=sys.stderr, check=True)
    except FileNotFoundError:
        raise RunFailed("there is no cargo: install Rust from https://rustup.rs") from None
    except subprocess.CalledProcessError as failed:
        raise RunFailed(f"`{' '.join(command)}` in {directory} ended with {failed.returncode}") from failed
