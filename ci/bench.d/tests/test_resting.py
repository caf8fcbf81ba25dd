import subprocess
import sys
import time
import unittest
from pathlib import Path

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


@unittest.skipUnless(sys.platform == "linux", "it is Linux that is asked")
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
