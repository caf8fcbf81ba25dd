import os
import signal
import tempfile
import unittest
from pathlib import Path

from runs import Run, RunFailed, Together, environment
from work import wait_until

# Ignores SIGINT as a rival might, with a child that would outlive it.
STUBBORN = "trap '' INT; sleep 600 & echo $! >child; wait"


class ARun(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def start(self, script: str) -> Run:
        return Run(["sh", "-c", script], self.folder)

    def test_a_bad_end_shows_what_was_run_and_said(self):
        with self.start("echo hear me; exit 3") as run, self.assertRaises(RunFailed) as failed:
            run.finish()
        self.assertRegex(str(failed.exception), "(?s)sh -c .*ended with 3:\nhear me")

    def test_one_that_does_not_end_is_not_waited_for_for_ever(self):
        with self.start("exec sleep 600") as run:
            with self.assertRaisesRegex(RunFailed, "has not ended"):
                run.finish(0.05)
            pid = run.process.pid
        self.assertFalse(alive(pid))

    def test_what_a_run_leaves_behind_goes_with_it(self):
        with self.start("sleep 600 & echo $! >child") as run:
            run.finish()
        child = int((self.folder / "child").read_text())
        self.assertTrue(wait_until_gone(child))

    def test_an_early_end_stops_all_of_them(self):
        children = []
        with self.assertRaises(ZeroDivisionError), Together() as together:
            for _ in range(3):
                run = together.start(self.start("exec sleep 600"))
                children.append(run.process.pid)
            raise ZeroDivisionError
        self.assertFalse(any(map(alive, children)))

    def test_all_are_asked_to_stop_before_one_is_waited_for(self):
        ready = "touch ready; while :; do sleep 0.01; done"
        scripts = (
            f"trap 'touch first; exit 0' INT; {ready}",
            f"trap 'until [ -e first ]; do sleep 0.01; done; exit 0' INT; {ready}",
        )
        with Together() as together:
            for script in scripts:
                run = together.start(self.start(script))
                self.assertTrue(wait_until((self.folder / "ready").exists, run))
                (self.folder / "ready").unlink()
        self.assertEqual([run.process.returncode for run in together.runs], [0, 0])

    def test_who_ignores_the_interrupt_is_killed_with_its_children(self):
        import runs

        before, runs.STOPPING = runs.STOPPING, 0.1
        self.addCleanup(setattr, runs, "STOPPING", before)
        with self.start(STUBBORN) as run:
            file = self.folder / "child"
            self.assertTrue(wait_until(lambda: file.exists() and file.read_text().strip() != "", run))
            child = int(file.read_text())
        self.assertEqual(run.process.returncode, -signal.SIGKILL)
        self.assertTrue(wait_until_gone(child))

    def test_nothing_real_is_in_the_environment(self):
        os.environ["AWS_PROFILE"] = os.environ["TF_CLI_ARGS"] = "real"
        self.addCleanup(os.environ.pop, "AWS_PROFILE")
        self.addCleanup(os.environ.pop, "TF_CLI_ARGS")
        self.assertFalse({"AWS_PROFILE", "TF_CLI_ARGS"} & set(environment()))


def alive(pid: int) -> bool:
    """A zombie that nobody reaps, as in a container without init, is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int) -> bool:
    with Run(["sleep", "10"], Path("/")) as bound:
        return wait_until(lambda: not alive(pid), bound, seconds=10)
