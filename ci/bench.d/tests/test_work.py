import tempfile
import unittest
from pathlib import Path

from handoff import Outcome, ideal_goals, judged
from runs import RunFailed
from work import Turn, gaps, in_order, kind, read_turns

JOURNAL = """\
begin 0 1000000000
end 0 1500000000
begin 2 1510000000
end 2 2010000000
begin 1 2040000000
"""


def turn(worker: int, begin: float, end: float) -> Turn:
    return Turn(worker, begin, end)


class TheJournal(unittest.TestCase):
    def read(self, text: str) -> list:
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "journal"
            journal.write_text(text)
            turns = read_turns(journal)
            self.assertFalse(journal.exists(), "it would be read twice")
        return turns

    def test_a_work_has_its_beginning_and_end(self):
        self.assertEqual(self.read(JOURNAL), [turn(0, 1.0, 1.5), turn(2, 1.51, 2.01)])

    def test_works_that_overlap_are_seen(self):
        both = "begin 0 1000000000\nbegin 1 1100000000\nend 0 1500000000\nend 1 1600000000\n"
        turns = self.read(both)
        self.assertAlmostEqual(gaps(turns)[0], -0.4)
        with self.assertRaisesRegex(RunFailed, "somebody: two works overlapped"):
            judged("somebody", turns, 2)


class TheOrder(unittest.TestCase):
    def test_it_is_kept_when_they_work_as_they_came(self):
        self.assertTrue(in_order([turn(0, 0, 1), turn(1, 1, 2), turn(2, 2, 3)]))
        self.assertTrue(in_order([]))

    def test_it_is_not_kept_when_one_overtakes(self):
        self.assertFalse(in_order([turn(0, 0, 1), turn(2, 1, 2), turn(1, 2, 3)]))


class TheOutcome(unittest.TestCase):
    turns = (turn(0, 0.0, 1.0), turn(1, 1.05, 2.05), turn(2, 2.25, 3.25))

    def test_the_ideal_is_the_works_alone(self):
        outcome = Outcome("tfguard, local", list(self.turns), 3)
        self.assertAlmostEqual(outcome.total, 3.25)
        self.assertAlmostEqual(outcome.ideal, 3.0)
        self.assertEqual(
            outcome.row(), ["tfguard, local", "3 of 3", "3.25", "1.083", "125.0", "50.0", "200.0", "yes"]
        )
        self.assertAlmostEqual(ideal_goals([outcome])[0].measured, 3.25 / 3)

    def test_one_that_was_stopped_says_how_far_it_came(self):
        outcome = Outcome("rival", list(self.turns), 100)
        self.assertFalse(outcome.complete)
        self.assertFalse(ideal_goals([Outcome("tfguard, local", list(self.turns), 100)])[0].met)
        self.assertEqual(outcome.row()[1], "3 of 100")

    def test_one_that_did_nothing_has_no_figures(self):
        self.assertEqual(Outcome("rival", [], 6).row(), ["rival", "0 of 6", "", "", "", "", "", ""])

    def test_rivals_have_no_goals(self):
        self.assertEqual(ideal_goals([Outcome("rival", list(self.turns), 3)]), [])


class TheLog(unittest.TestCase):
    def test_a_line_that_is_half_written_is_no_event(self):
        self.assertEqual(kind('{"type":"lock_waiting","position":1}'), "lock_waiting")
        self.assertIsNone(kind('{"type":"lock_wai'))
