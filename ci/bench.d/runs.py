"""Starting processes for measurement: a clean environment, no terminal, never left behind."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

REGION = "us-east-1"
# How long a process that was interrupted may take to end, in seconds.
STOPPING = 15

# The background jobs of a shell ignore the interrupt, and so would all that we start. What is caught is not
# inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, lambda *_: None)


class RunFailed(Exception):
    """A run that should have succeeded did not: there is nothing to measure."""


def environment() -> dict[str, str]:
    """Ours without what is set up for real infrastructure, and with credentials for the engine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == "AWS_CA_BUNDLE" or not name.startswith(("AWS_", "TF_", "TFGUARD"))
    }
    proxy_exceptions = {name: "127.0.0.1,localhost" for name in ("NO_PROXY", "no_proxy")}
    return {
        **kept,
        **proxy_exceptions,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }


class Run(AbstractContextManager):
    """One process in a session of its own. Its output is kept for the error message, should there be one."""

    def __init__(
        self,
        command: list[str],
        directory: Path,
        variables: dict[str, str] | None = None,
        stdout: int | None = None,
    ):
        self.command = command
        # A process that is still running when the context ends is stopped there, not by the collector.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env={**environment(), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output if stdout is None else stdout,
            stderr=self._output,
            start_new_session=True,
        )
        # Tells of the end without reaping, and without looking again and again.
        self._handle = os.pidfd_open(self.process.pid)

    def __exit__(self, *_: object) -> None:
        self.interrupt()
        if self.process.stdout is not None:
            # Nobody reads on: it must not wait for that.
            self.process.stdout.close()
        if not self.ended(STOPPING):
            self.process.kill()
        self._reap()
        os.close(self._handle)
        self._output.close()

    def running(self) -> bool:
        return not self.ended(0)

    def ended(self, seconds: float | None) -> bool:
        """Waits for the end; `None`: for however long it takes."""
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0, seconds) * 1000))

    def interrupt(self) -> None:
        """As Ctrl-C would, without waiting for what comes of it."""
        if self.running():
            self.process.send_signal(signal.SIGINT)

    def finish(self, seconds: float | None = None) -> float:
        """Waits for a good end, up to `seconds`, and returns the seconds since the start."""
        if not self.ended(seconds):
            raise RunFailed(f"{self} has not ended after {seconds:.0f} s:\n{self.tail()}")
        took = time.perf_counter() - self.started
        if (code := self._reap()) != 0:
            raise RunFailed(f"{self} ended with {code}:\n{self.tail()}")
        return took

    def output(self) -> str:
        """All that it wrote."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def tail(self) -> str:
        """The last lines of that."""
        return "\n".join(self.output().splitlines()[-30:])

    def __str__(self) -> str:
        return f"`{shlex.join(self.command)}` (pid {self.process.pid})"

    def _reap(self) -> int:
        """What it left behind in its group goes with it, as long as the group is surely its own."""
        if self.process.returncode is None:
            self.ended(None)
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()


class Together(AbstractContextManager):
    """Many runs: when the context ends early all are asked to stop before the first is waited for."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def __exit__(self, *_: object) -> None:
        for run in self.runs:
            run.interrupt()
        with ExitStack() as stack:
            for run in self.runs:
                stack.push(run)

    def start(self, run: Run) -> Run:
        """Takes it in."""
        self.runs.append(run)
        return run


def progress(what: str) -> None:
    """For whoever sits before it: all of it takes minutes."""
    print(f"ci/bench: {what}", file=sys.stderr, flush=True)


def wall() -> float:
    """The time of day in milliseconds, as the events of tfguard have it."""
    return time.time_ns() / 1e6


def run(command: list[str], directory: Path, variables: dict[str, str] | None = None) -> float:
    """Runs it to its good end and returns the seconds that took."""
    with Run(command, directory, variables) as started:
        return started.finish()
