import argparse
import tempfile
import unittest
from pathlib import Path

import handoff
from handoff import child, contend
from lockers import Contest, Locker
from runs import Run, RunFailed
from work import gaps

OPTIONS = argparse.Namespace(work=0.02, cap=30)


class AContest(unittest.TestCase):
    """With flock(1) for a lock: it has no queue to be seen, so contenders come one after the other."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.contest = Contest(Path(folder.name), child(Path(folder.name), OPTIONS.work), 3)
        before, handoff.ARRIVALS = handoff.ARRIVALS, 0.05
        self.addCleanup(setattr, handoff, "ARRIVALS", before)
        self.runs: list[Run] = []

    def locker(self, odd_one: list[str] | None = None) -> Locker:
        """The first one is slow, and the one in the middle may run something else."""
        flock = ["flock", str(self.contest.scratch / "lock")]
        commands = [["sh", "-c", 'sleep 0.3; exec "$@"', "sh", *flock], odd_one or flock, flock]

        def start(worker: int) -> Run:
            self.runs.append(self.contest.run(worker, commands[worker]))
            return self.runs[-1]

        return Locker(start)

    def test_everyone_works_once_and_alone(self):
        turns = contend("flock", self.locker(), self.contest, OPTIONS)
        self.assertEqual(sorted(turn.worker for turn in turns), [0, 1, 2])
        self.assertTrue(all(gap >= 0 for gap in gaps(turns)))
        self.assertEqual(turns[0].worker, 0, "the first holds it until all have come")
        self.assertTrue(all(turn.end - turn.begin >= OPTIONS.work for turn in turns))

    def test_one_that_fails_fails_the_contest_with_its_words(self):
        late = ["sh", "-c", "sleep 0.3; echo lost it; exit 7", "sh"]
        with self.assertRaisesRegex(RunFailed, "(?s)flock: contender 1 (failed|did not come): .*lost it"):
            contend("flock", self.locker(late), self.contest, OPTIONS)
        self.assertFalse(any(run.process.poll() is None for run in self.runs))

    def test_one_that_fails_at_once_fails_it_as_well(self):
        with self.assertRaisesRegex(RunFailed, "(?s)flock: contender 1 (did not come|failed): .*no luck"):
            contend("flock", self.locker(["sh", "-c", "echo no luck; exit 7"]), self.contest, OPTIONS)
        self.assertFalse(any(run.process.poll() is None for run in self.runs))

    def test_a_side_that_does_not_end_is_stopped(self):
        hurried = argparse.Namespace(work=OPTIONS.work, cap=1)
        turns = contend("flock", self.locker(["sh", "-c", "exec sleep 600"]), self.contest, hurried)
        self.assertNotIn(1, [turn.worker for turn in turns])
        self.assertFalse(any(run.process.poll() is None for run in self.runs))
