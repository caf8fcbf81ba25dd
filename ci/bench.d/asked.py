"""How often the store is asked, by a run and by those who wait, and what that costs."""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import figures
from counting import CountingProxy, dollars
from engine import Engine
from programs import Programs
from runs import Run, RunFailed, run
from sides import dynamodb_guard
from work import in_line, wait_until

QUEUES = (0, 1, 5, 20)


def measure(programs: Programs, options: argparse.Namespace) -> str:
    """A queue of none is the holder alone: what the other rows have more is the waiters'."""
    with tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name, ExitStack() as stack:
        scratch = Path(name)
        engine = stack.enter_context(Engine(programs.engine))
        proxy = stack.enter_context(CountingProxy(engine.url))
        guard = dynamodb_guard(programs, proxy.url)
        run(guard.command("exec", "true"), scratch)
        proxy.taken()
        run(guard.command("exec", "true"), scratch)
        one = proxy.taken()
        said = ", ".join(
            f"{count} {operation}" for operation, count in one.items() if "units" not in operation
        )
        per_run = f"A run with nobody in the way: {said}; ${dollars(one) * 1e6:.2f} for a million runs."

        rows = []
        for queue in QUEUES:
            with ExitStack() as runs:
                for worker in range(queue + 1):
                    log = scratch / f"{queue}-{worker}.ndjson"
                    command = guard.command("exec", "sleep", "600", options=("--log-file", str(log)))
                    waiter = runs.enter_context(Run(command, scratch))
                    if not wait_until(partial(in_line, log), waiter):
                        raise RunFailed(f"run {worker} got no place in the queue:\n{waiter.tail()}")
                proxy.taken()
                begun = time.monotonic()
                time.sleep(options.watch)
                counts, hours = proxy.taken(), (time.monotonic() - begun) / 3600
            reads, writes = counts["GetItem"], counts["PutItem"] + counts["UpdateItem"]
            rows.append(
                [
                    str(queue),
                    f"{reads / hours:.0f}",
                    f"{reads / hours / queue:.0f}" if queue else "",
                    f"{writes / hours:.0f}",
                    f"{dollars(counts) / hours:.5f}",
                ]
            )
    head = ["waiting", "reads an hour", "over the waiters", "writes an hour", "$ an hour, all together"]
    title = f"### Requests to DynamoDB, counted before the engine for {options.watch:g} s"
    return f"{title}\n\n{per_run}\n\n{figures.table(head, rows)}"
