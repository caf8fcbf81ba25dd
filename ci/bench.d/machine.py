"""Where and with what the figures were measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

from programs import Programs
from runs import environment


def facts(programs: Programs, commit: str) -> str:
    """A markdown list; figures without it mean nothing."""
    version = said(programs.terraform, "version", "-json")
    terraform = json.loads(version)["terraform_version"] if version else "of unknown version"
    size = programs.tfguard.stat().st_size / 1e6
    rivals = [f"{programs.terraform.name} {terraform}"]
    if programs.etcd:
        rivals.append((said(programs.etcd / "etcd", "--version") or "etcd").splitlines()[0])
    if programs.lease:
        rivals.append("the crate dynamodb-lease 0.22.1")
    return "\n".join(
        [
            f"- {processor()}, {os.cpu_count()} cores, {memory_gib():.0f} GiB, "
            f"{platform.system()} {platform.release()}",
            f"- {said(programs.tfguard, '--version') or 'tfguard'} ({commit}), {size:.1f} MB",
            f"- {', '.join(rivals)}",
        ]
    )


def commit(root: Path) -> str:
    """What was measured, or the nearest that is known."""
    return said("git", "-C", root, "describe", "--always", "--dirty") or "outside a repository"


def said(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=environment(), check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
