import unittest

from figures import Goal, goals_table, spread, table


class TheTables(unittest.TestCase):
    def test_times_are_median_least_and_most_in_milliseconds(self):
        self.assertEqual(spread([0.003, 0.001, 0.0105]), ["3.0", "1.0", "10.5"])
        self.assertEqual(spread([0.001, 0.002]), ["1.5", "1.0", "2.0"])

    def test_no_times_are_empty_cells(self):
        self.assertEqual(spread([]), ["", "", ""])

    def test_figures_stand_to_the_right(self):
        self.assertEqual(table(["", "ms"], [["a", "1"]]), "|  | ms |\n| --- | ---: |\n| a | 1 |")


class TheGoals(unittest.TestCase):
    def test_what_is_just_reached_is_met(self):
        self.assertTrue(Goal("overhead", 12.0, 12, "ms").met)
        self.assertFalse(Goal("overhead", 12.01, 12, "ms").met)

    def test_some_goals_are_to_be_exceeded(self):
        self.assertTrue(Goal("json", 300, 300, "MB/s", at_least=True).met)
        self.assertFalse(Goal("json", 299.9, 300, "MB/s", at_least=True).met)

    def test_a_missed_goal_meets_the_eye(self):
        shown = goals_table([Goal("binary", 16.59, 9, "MB"), Goal("json", 1234.5, 300, "MB/s", True)])
        self.assertIn("| binary | ≤ 9 MB | 16.6 MB | **not met** |", shown)
        self.assertIn("| json | ≥ 300 MB/s | 1234 MB/s | met |", shown)

    def test_what_is_rounded_for_show_is_judged_as_it_was_measured(self):
        shown = goals_table([Goal("total", 1.1004, 1.1, "× ideal")])
        self.assertIn("| 1.1 × ideal | **not met** |", shown)
