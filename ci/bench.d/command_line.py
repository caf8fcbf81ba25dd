"""The arguments of ci/bench, and what it does with them."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import asked
import contenders
import handoff
import machine
import memory
import overhead
import page
import prepare
import resting
import startup
import throughput
from counting import LISTED
from figures import Findings, Goal, goals_table
from programs import Programs
from runs import RunFailed, progress
from sides import STORES


@dataclass(frozen=True)
class Measurement:
    """One of them: its heading, and what does it."""

    title: str
    measure: Callable[[Programs, argparse.Namespace], Findings]


MEASUREMENTS = {
    "overhead": Measurement("Overhead", overhead.measure),
    "startup": Measurement("Start-up split", startup.measure),
    "handoff": Measurement("Handoff", handoff.measure),
    "contenders": Measurement("Contenders with real applies", contenders.measure),
    "requests": Measurement("Requests to DynamoDB", asked.measure),
    "memory": Measurement("Memory at its peak", memory.measure),
    "rest": Measurement("At rest", resting.measure),
    "throughput": Measurement("Log throughput", throughput.measure),
}
EPILOG = """All of it with the defaults takes 12 to 13 minutes, of which `handoff` takes 7. A page that
--markdown writes has its places marked `<!-- ci/bench NAME -->` and `<!-- end of ci/bench NAME -->`, with
NAME a measurement, `machine` or `goals`; the goals are written when everything was measured."""
# Of the options on the command line those that say how and not what is measured, and whether a word follows.
UNSAID = {"--markdown": True, "--binary": True, "--no-build": False}


def main() -> int:
    options = parse(sys.argv[1:])
    stop_on_signals()
    try:
        if options.markdown:
            page.check(options.markdown, ["machine", "goals", *options.measure])
        programs = prepare.programs(options)
    except (RunFailed, page.NoPlace) as failed:
        print(f"ci/bench: {failed}", file=sys.stderr)
        return 1
    # Before the page is written, which is a change in the repository.
    commit = machine.commit(prepare.ROOT)
    show("machine", None, machine.facts(programs, commit), options.markdown)
    goals: list[Goal] = []
    failures = 0
    for name in options.measure:
        measurement = MEASUREMENTS[name]
        progress(name)
        begun, load = time.monotonic(), os.getloadavg()[0]
        try:
            findings = measurement.measure(programs, options)
        except RunFailed as failed:
            # What else there is to measure is worth having.
            print(f"ci/bench {name}: {failed}", file=sys.stderr, flush=True)
            failures += 1
            continue
        came_from = provenance(name, commit, load, time.monotonic() - begun)
        parts = [findings.text, *([goals_table(findings.goals)] if findings.goals else []), came_from]
        show(name, measurement.title, "\n\n".join(parts), options.markdown)
        goals += findings.goals
    if goals:
        whole = set(options.measure) == set(MEASUREMENTS) and not failures
        text = f"{goals_table(goals)}\n\n*{today()}, {commit}.*"
        show("goals", "Goals", text, options.markdown if whole else None)
    if failures:
        print(
            f"ci/bench: {failures} of {len(options.measure)} measurements failed, see above.", file=sys.stderr
        )
    return 1 if failures else 0


def show(name: str, title: str | None, text: str, markdown: Path | None) -> None:
    """On standard output at once, and in its place on the page, so that an interruption loses nothing."""
    print(f"## {title}\n{text}\n" if title else f"{text}\n", flush=True)
    if markdown:
        page.write(markdown, name, text)


def provenance(name: str, commit: str, load: float, seconds: float) -> str:
    """Under what is found; the options are those that were given."""
    given = shlex.join(["ci/bench", name, *said_options(sys.argv[1:])])
    return f"*`{given}`, {today()}, {commit}, load {load:.2f} before it, took {seconds:.0f} s.*"


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def said_options(argv: Iterable[str]) -> list[str]:
    """What is to be said again by whoever wants to measure the same."""
    said = []
    words = iter(argv)
    for word in words:
        option, _, value = word.partition("=")
        if option in UNSAID:
            if UNSAID[option] and not value:
                next(words, None)
        elif word not in (*MEASUREMENTS, "all") or said[-1:] == ["--over"]:
            said.append(word)
    return said


def stop_on_signals() -> None:
    """The first ends us by an exception, so that what was started is stopped; no other may hinder that."""

    def stop(number: int, _: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        print("ci/bench: stopping what was started", file=sys.stderr, flush=True)
        sys.exit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, stop)


class Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Says defaults that are values."""

    def _get_help_string(self, action: argparse.Action) -> str:
        without = action.default is None or isinstance(action.default, bool)
        return action.help if without else super()._get_help_string(action)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ci/bench",
        formatter_class=Formatter,
        description="What the lock costs, beside bare Terraform and rivals in one run on one machine.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("measure", nargs="*", choices=["all", *MEASUREMENTS], default="all", help="what to measure")
    add("--markdown", type=Path, metavar="PAGE", help="write what is found into this page too")
    add("--over", choices=["all", *STORES], default="all", help="the store of the lock")
    add("--rounds", "-n", type=int, default=40, help="overhead, startup: rounds of one run each")
    add("--queue", type=int, nargs="+", default=[6, 20, 100], metavar="N", help="handoff: how many at once")
    add("--work", type=float, default=0.5, metavar="S", help="handoff: seconds of work of each")
    add(
        "--cap",
        type=float,
        default=20,
        metavar="S",
        help="handoff: seconds beyond the works that a side is given",
    )
    add("--contenders", "-c", type=int, default=6, metavar="N", help="contenders: how many at once")
    add("--apply-work", type=float, default=1.0, metavar="S", help="contenders: seconds of work of each")
    add("--watch", type=float, default=60, metavar="S", help="requests, rest: seconds of looking on")
    add("--settle", type=float, default=60, metavar="S", help="requests: seconds of waiting before that")
    add(
        "--write-price",
        type=float,
        default=LISTED.writes,
        metavar="$",
        help="requests: for a million write units",
    )
    add(
        "--read-price",
        type=float,
        default=LISTED.reads,
        metavar="$",
        help="requests: for a million read units",
    )
    add("--megabytes", type=int, default=200, metavar="MB", help="throughput: of each kind of line")
    add("--no-rival", action="store_true", help="contenders, handoff: tfguard only")
    add("--no-build", action="store_true", help="measure what is built already")
    add("--binary", type=Path, help="the tfguard to measure, else the one that is built")
    add("--terraform-bin", default="terraform", metavar="NAME", help="else tofu, from PATH")
    options = parser.parse_intermixed_args(argv)
    options.stores = STORES if options.over == "all" else (options.over,)
    if "all" in options.measure:
        options.measure = list(MEASUREMENTS)
    if min(options.rounds, options.contenders, options.megabytes, *options.queue) < 1:
        parser.error("--rounds, --contenders, --megabytes and --queue are at least 1")
    if min(options.work, options.apply_work, options.watch, options.settle) <= 0:
        parser.error("--work, --apply-work, --watch and --settle are more than 0")
    return options
