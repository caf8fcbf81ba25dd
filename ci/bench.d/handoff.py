"""From the end of one child to the beginning of the next, with a queue behind it: tfguard and its rivals."""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import socket
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import figures
from engine import Engine
from programs import Programs
from runs import Run, RunFailed
from sides import Guard, guard
from work import gaps, in_line, read_turns, wait_until

# $EPOCHREALTIME needs no process, so that only the child's own start and end lie in the gap.
CHILD = """#!/bin/bash
until [ -e "$4" ]; do sleep 0.01; done
echo begin "$1" "${EPOCHREALTIME/./}000" >>"$2"
sleep "$3"
echo end "$1" "${EPOCHREALTIME/./}000" >>"$2"
"""
# dynamodb-lease has no queue to look at: its contenders arrive this far apart, in seconds.
ARRIVALS = 0.2
LEASES = "leases"
GOALS = {"tfguard, local": 6, "tfguard, dynamodb": 150}
IDEAL_TIMES = 1.10


@dataclass(frozen=True)
class Locker:
    """Something that runs a command under a lock, and a way to see that a contender has come."""

    name: str
    command: Callable[[int, list[str]], list[str]]
    arrived: Callable[[int], bool] | None = None


def measure(programs: Programs, options: argparse.Namespace) -> str:
    parts = []
    if absent := [] if options.no_rival else missing(programs):
        parts.append(f"Left out of the handoffs, for want of their programs: {', '.join(absent)}.")
    for count in options.queue:
        rows, goals = [], []
        with tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name:
            scratch = Path(name)
            child = scratch / "child"
            child.write_text(CHILD)
            child.chmod(0o755)
            for locker in lockers(programs, options, scratch):
                turns = contend(locker, child, scratch, count, options.work)
                between = gaps(turns)
                if len(turns) != count or any(gap < 0 for gap in between):
                    raise RunFailed(f"{locker.name}: {len(turns)} of {count} ran, or two overlapped.")
                order = [turn.worker for turn in turns]
                total = turns[-1].end - turns[0].begin
                ideal = sum(turn.end - turn.begin for turn in turns)
                shown = figures.spread(between) if between else ["", "", ""]
                kept = "yes" if order == sorted(order) else "no"
                rows.append([locker.name, f"{total:.2f}", f"{total / ideal:.3f}", *shown, kept])
                if between and locker.name in GOALS:
                    goals.append((f"{locker.name}: handoff", float(shown[0]), GOALS[locker.name], "ms"))
                    goals.append((f"{locker.name}: total over ideal", total / ideal, IDEAL_TIMES, "×"))
        head = ["", "total s", "× ideal", "handoff: median ms", "min", "max", "order kept"]
        title = f"### Handoff: {count} contenders, {options.work:g} s of work each"
        parts.append("\n\n".join([title, figures.table(head, rows), figures.goals(goals)]))
    return "\n\n".join(parts)


def contend(locker: Locker, child: Path, scratch: Path, count: int, work: float) -> list:
    """The first holds the lock until all have come, so that every handoff has a queue behind it."""
    journal, gate = scratch / "journal", scratch / "gate"
    gate.unlink(missing_ok=True)
    with ExitStack() as stack:
        runs = []
        for worker in range(count):
            call = [str(child), str(worker), str(journal), str(work), str(gate)]
            variables = {"ETCDCTL_API": "3", "LC_ALL": "C"}
            run = stack.enter_context(Run(locker.command(worker, call), scratch, variables))
            runs.append(run)
            if locker.arrived is None:
                time.sleep(ARRIVALS)
            elif not wait_until(partial(locker.arrived, worker), run):
                raise RunFailed(f"{locker.name}: contender {worker} did not come:\n{run.tail()}")
        gate.touch()
        for run in runs:
            run.finish()
    return read_turns(journal)


def missing(programs: Programs) -> list[str]:
    has_etcd = shutil.which("etcd") and shutil.which("etcdctl")
    absent = {"etcdctl lock": not has_etcd, "dynamodb-lease": not programs.lease.exists()}
    return [name for name, is_absent in absent.items() if is_absent]


def lockers(programs: Programs, options: argparse.Namespace, scratch: Path) -> Iterator[Locker]:
    """One after the other, each with its server for as long as it is looked at."""
    for store in options.stores:
        with guard(programs, store, scratch) as guarded:
            yield tfguard(guarded, scratch)
    if options.no_rival:
        return
    absent = missing(programs)
    if "etcdctl lock" not in absent:
        with etcd(scratch) as url:
            command = ["etcdctl", f"--endpoints={url}", "lock", "bench"]
            yield Locker(
                "etcdctl lock", lambda _, child: [*command, *child], lambda worker: entries(url) > worker
            )
    if "dynamodb-lease" not in absent:
        with Engine(programs.engine) as engine:
            engine.create_table(LEASES, "key", expiry="lease_expiry")
            call = [str(programs.lease), engine.url, LEASES, "bench"]
            yield Locker("dynamodb-lease", lambda _, child: [*call, *child])


def tfguard(guarded: Guard, scratch: Path) -> Locker:
    def log(worker: int) -> Path:
        return scratch / f"{guarded.store}-{worker}.ndjson"

    return Locker(
        guarded.name,
        lambda worker, child: guarded.command("exec", *child, options=("--log-file", str(log(worker)))),
        lambda worker: in_line(log(worker)),
    )


@contextmanager
def etcd(scratch: Path) -> Iterator[str]:
    """One member on loopback, whose log is synced to the disk of the scratch directory."""
    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    command = ["etcd", "--data-dir", str(scratch / "etcd"), "--initial-cluster", f"default={peer}"]
    for option, url in (("client-urls", client), ("peer-urls", peer)):
        advertised = f"--initial-advertise-{option}" if option == "peer-urls" else f"--advertise-{option}"
        command += [f"--listen-{option}", url, advertised, url]
    with Run(command, scratch) as server:
        if not wait_until(lambda: answers(client), server):
            raise RunFailed(f"etcd did not start:\n{server.tail()}")
        yield client


def answers(url: str) -> bool:
    try:
        entries(url)
    except OSError:
        return False
    return True


def entries(url: str) -> int:
    """How many hold the lock or wait for it: each has a key below its name."""
    first, end = (base64.b64encode(key).decode() for key in (b"bench/", b"bench0"))
    body = json.dumps({"key": first, "range_end": end, "count_only": True}).encode()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url}/v3/kv/range", body, timeout=5) as response:
        return int(json.load(response).get("count", 0))


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
