"""Starting processes for measurement: a clean environment, no terminal, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path

REGION = "us-east-1"


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

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()

    def running(self) -> bool:
        return self.process.poll() is None

    def finish(self) -> float:
        """Waits for a good end and returns the seconds since the start."""
        code = self.process.wait()
        seconds = time.perf_counter() - self.started
        if code != 0:
            raise RunFailed(f"`{' '.join(self.command)}` ended with {code}:\n{self.tail()}")
        return seconds

    def tail(self) -> str:
        self._output.seek(0)
        return "\n".join(self._output.read().decode(errors="replace").splitlines()[-30:])


def run(command: list[str], directory: Path, variables: dict[str, str] | None = None) -> float:
    """Runs it to its good end and returns the seconds that took."""
    with Run(command, directory, variables) as started:
        return started.finish()
