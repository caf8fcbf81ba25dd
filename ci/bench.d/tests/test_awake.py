import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from awake import Awake
from resting import processor_seconds

# A thread that works and ends; then it waits.
WORK = """
import sys, threading
thread = threading.Thread(target=lambda: sum(range(5_000_000)))
thread.start()
thread.join()
print(flush=True)
sys.stdin.read()
"""


LINUX = unittest.skipUnless(hasattr(os, "SCHED_IDLE"), "both ask Linux")


@LINUX
class AwakeTest(unittest.TestCase):
    def test_a_loop_on_each_processor_gives_way_to_all_else_and_ends(self):
        # It too runs until its standard input ends.
        with Awake(Path(shutil.which("cat"))) as awake:
            loops = [loop.pid for loop in awake._loops]
            self.assertEqual({os.sched_getscheduler(pid) for pid in loops}, {os.SCHED_IDLE})
            on = [os.sched_getaffinity(pid) for pid in loops]
            self.assertEqual(sorted(on, key=min), [{each} for each in sorted(os.sched_getaffinity(0))])
        self.assertEqual({loop.returncode for loop in awake._loops}, {0})


@LINUX
class ProcessorTimeTest(unittest.TestCase):
    def test_threads_that_have_ended_count_too(self):
        with subprocess.Popen(
            ["python3", "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            child.stdout.readline()
            threads = Path(f"/proc/{child.pid}/task")
            # Whoever joins a thread is told a little before the system sees its end.
            until = time.monotonic() + 30
            while len(list(threads.iterdir())) > 1 and time.monotonic() < until:
                time.sleep(0.002)
            spent = processor_seconds(child.pid)
            alive = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads.iterdir())
            child.stdin.close()
        self.assertGreater(spent, alive / 1e9 * 1.2)
