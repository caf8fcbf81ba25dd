"""How often the store is asked, by a run and by those who wait, and what that costs."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import figures
from counting import LISTED, READS, WRITES, CountingProxy, Prices, requests, total
from engine import TABLE, Engine
from figures import Findings
from programs import Programs
from runs import Run, RunFailed, Together, run
from sides import Guard, dynamodb_guard
from work import in_line, wait_until

QUEUES = (0, 1, 5, 20)
ENDING = 30
LIST_PRICE = (
    ", the list price on demand in us-east-1 at the time of writing: **check your region's**, and give it "
    "with `--write-price` and `--read-price`"
)


def measure(programs: Programs, options: argparse.Namespace) -> Findings:
    """A queue of none is the holder alone: what the other rows have more is the waiters'."""
    prices = Prices(writes=options.write_price, reads=options.read_price)
    with tempfile.TemporaryDirectory(prefix="tfguard-bench-") as name, ExitStack() as stack:
        scratch = Path(name)
        engine = stack.enter_context(Engine(programs.engine))
        proxy = stack.enter_context(CountingProxy(engine.url))
        guard = dynamodb_guard(programs, proxy.url)
        # The first run of a lock finds no record, which no later one sees.
        run(guard.command("exec", "true"), scratch)
        proxy.taken()
        run(guard.command("exec", "true"), scratch)
        alone = proxy.taken()
        waited = behind_another(guard, proxy, scratch) - alone
        rows = watched(programs, engine, scratch, options, prices)
    lines = [
        f"A run with nobody in the way: {requests(alone)}; {million(prices, alone)}.",
        f"A run that waits for one that ends soon: {requests(waited)}; {million(prices, waited)}.",
        f"A lock that is held, from {options.settle:g} s after the last has come, for {options.watch:g} s:",
        figures.table(
            [
                "waiting",
                f"reads in the first {options.settle:g} s",
                "then: reads an hour",
                "for each waiter",
                "writes an hour",
                "$ an hour, all together",
            ],
            rows,
        ),
        f"Priced at ${prices.writes:g} for a million write units and ${prices.reads:g} for a million read "
        f"units{LIST_PRICE if prices == LISTED else ''}.",
    ]
    return Findings("\n\n".join(lines))


def behind_another(guard: Guard, proxy: CountingProxy, scratch: Path) -> Counter[str]:
    """All that two runs ask, of which the second waits for the first."""
    gate = scratch / "gate"
    with Together() as together:
        for worker in range(2):
            log = scratch / f"two-{worker}.ndjson"
            child = ("sh", "-c", f"until [ -e '{gate}' ]; do sleep 0.01; done")
            one = together.start(
                Run(guard.command("exec", *child, options=("--log-file", str(log))), scratch)
            )
            see_in_line(log, one)
        gate.touch()
        for one in together.runs:
            one.finish(ENDING)
    return proxy.taken()


def watched(
    programs: Programs, engine: Engine, scratch: Path, options: argparse.Namespace, prices: Prices
) -> list[list[str]]:
    """A row for each length of the queue. All are looked at together, each on a table of its own through a
    proxy: requests are counted, not timed. Who has just come looks more often: hours are counted later."""
    with ExitStack() as stack:
        together = stack.enter_context(Together())
        proxies = [stack.enter_context(CountingProxy(engine.url)) for _ in QUEUES]
        for queue, proxy in zip(QUEUES, proxies):
            table = f"{TABLE}-{queue}"
            engine.create_table(table, "LockID")
            guard = dynamodb_guard(programs, proxy.url, table)
            for worker in range(queue + 1):
                log = scratch / f"{queue}-{worker}.ndjson"
                command = guard.command("exec", "sleep", "86400", options=("--log-file", str(log)))
                see_in_line(log, together.start(Run(command, scratch)))
            proxy.taken()
        time.sleep(options.settle)
        first = [proxy.taken() for proxy in proxies]
        begun = time.monotonic()
        time.sleep(options.watch)
        counts, hours = [proxy.taken() for proxy in proxies], (time.monotonic() - begun) / 3600
        if not all(one.running() for one in together.runs):
            raise RunFailed("a run ended while its requests were counted.")
    return [
        [
            str(queue),
            f"{total(young, READS)}",
            f"{total(later, READS) / hours:.0f}",
            f"{total(later, READS) / hours / queue:.0f}" if queue else "",
            f"{total(later, WRITES) / hours:.0f}",
            f"{prices.of(later) / hours:.4f}",
        ]
        for queue, young, later in zip(QUEUES, first, counts)
    ]


def see_in_line(log: Path, run: Run) -> None:
    if not wait_until(partial(in_line, log), run):
        raise RunFailed(f"a run got no place in the queue: {run}\n{run.tail()}")


def million(prices: Prices, counts: Counter[str]) -> str:
    return f"${prices.of(counts) * 1e6:.2f} for a million of them"
