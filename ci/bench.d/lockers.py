"""The sides of the handoff: whatever runs a command under a lock, tfguard and its rivals."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import etcd
from engine import Engine
from programs import Programs
from runs import Run
from sides import bare_apply, guard
from work import Workplace, in_line

LOCK = "bench"
LEASES = "leases"
# Longer than any side is given.
LOCK_TIMEOUT = "-lock-timeout=1h"
RIVALS = ("etcdctl lock", "dynamodb-lease", f"terraform apply {LOCK_TIMEOUT}")


@dataclass(frozen=True)
class Contest:
    """What all sides do alike."""

    scratch: Path
    child: list[str]
    """The command under the lock. Who runs it stands in BENCH_WORKER."""
    count: int

    def run(self, worker: int, command: list[str], variables: dict[str, str] | None = None) -> Run:
        """Starts a contender; `command` takes the child behind it."""
        known = {"BENCH_WORKER": str(worker), **(variables or {})}
        return Run([*command, *self.child], self.scratch, known)


@dataclass(frozen=True)
class Locker:
    """Starts a contender by its number."""

    start: Callable[[int], Run]
    arrived: Callable[[int], bool] | None = None
    """Whether a contender has its place in the queue; `None`: there is none to be seen."""
    may_fail: bool = False
    """With many at once contenders give up, and how far it came is what there is to tell."""


@dataclass(frozen=True)
class Side:
    """One that competes while its context is open, or why it cannot."""

    name: str
    opened: Callable[[], AbstractContextManager[Locker]]
    absence: str | None = None


def sides(programs: Programs, options: argparse.Namespace, contest: Contest) -> Iterator[Side]:
    """tfguard over each store, then the rivals."""
    for store in options.stores:
        yield Side(f"tfguard, {store}", partial(tfguard, programs, store, contest))
    if not options.no_rival:
        for name, opened in zip(RIVALS, (etcdctl, dynamodb_lease, terraform)):
            yield Side(name, partial(opened, programs, contest), programs.absences.get(name))


@contextmanager
def tfguard(programs: Programs, store: str, contest: Contest) -> Iterator[Locker]:
    """What it logs shows who stands in its queue."""

    def log(worker: int) -> Path:
        return contest.scratch / f"{store}-{worker}.ndjson"

    with guard(programs, store, contest.scratch) as guarded:
        yield Locker(
            lambda worker: contest.run(
                worker, guarded.command("exec", options=("--log-file", str(log(worker))))
            ),
            lambda worker: in_line(log(worker)),
        )


@contextmanager
def etcdctl(programs: Programs, contest: Contest) -> Iterator[Locker]:
    """Its queue is the keys below the lock's name."""
    with etcd.serving(programs.etcd, contest.scratch) as url:
        command = [str(programs.etcd / "etcdctl"), f"--endpoints={url}", "lock", LOCK]
        yield Locker(
            lambda worker: contest.run(worker, command, {"ETCDCTL_API": "3"}),
            lambda worker: etcd.entries(url, LOCK) > worker,
        )


@contextmanager
def dynamodb_lease(programs: Programs, contest: Contest) -> Iterator[Locker]:
    """The same engine as tfguard's. Nobody queues: each tries again every second."""
    with Engine(programs.engine) as engine:
        engine.create_table(LEASES, "key", expiry="lease_expiry")
        command = [str(programs.lease), engine.url, LEASES, LOCK]
        yield Locker(lambda worker: contest.run(worker, command))


@contextmanager
def terraform(programs: Programs, contest: Contest) -> Iterator[Locker]:
    """An apply whose provisioner is the child, since Terraform locks a state and not a command. Its retries
    are the same for every backend, so a local state will do, which the directories share."""
    place = Workplace(programs, contest.scratch / "terraform", contest.count, shlex.join(contest.child))
    command = bare_apply(programs, LOCK_TIMEOUT)
    yield Locker(lambda worker: place.start(worker, command), may_fail=True)
