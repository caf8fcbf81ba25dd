"""Keeps the processors from sleeping while something is measured.

A virtual processor that sleeps has left its machine, and takes up to milliseconds to come back, differently
from one hour to the next. Whatever waits for another process pays that, tfguard and its rivals alike, several
times in each run.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path


class Awake(AbstractContextManager):
    """A loop on each processor, of a priority that gives way to everything else at once."""

    def __init__(self, program: Path):
        self._loops: list[subprocess.Popen] = []
        try:
            for processor in sorted(os.sched_getaffinity(0)):
                self._loops.append(subprocess.Popen([str(program)], stdin=subprocess.PIPE))
                pid = self._loops[-1].pid
                os.sched_setaffinity(pid, {processor})
                os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for loop in self._loops:
            loop.stdin.close()
        for loop in self._loops:
            try:
                loop.wait(5)
            except subprocess.TimeoutExpired:
                loop.kill()
                loop.wait()
