import tempfile
import unittest
from pathlib import Path

from command_line import MEASUREMENTS, parse, said_options
from page import NoPlace, begin, check, end, replaced

PAGE = f"# Figures\nwords\n{begin('rest')}\nold | \\1\n{end('rest')}\nmore words\n"


class ThePage(unittest.TestCase):
    def test_words_stay_and_figures_are_replaced(self):
        new = f"# Figures\nwords\n{begin('rest')}\nnew \\1\n{end('rest')}\nmore words\n"
        self.assertEqual(replaced(PAGE, "rest", "\nnew \\1\n\n"), new)
        self.assertEqual(replaced(new, "rest", "new \\1"), new)

    def test_a_page_without_the_place_is_refused(self):
        for page in ("", PAGE + PAGE, begin("rest") + PAGE, f"{end('rest')}{begin('rest')}"):
            with self.assertRaises(NoPlace):
                replaced(page, "rest", "new")

    def test_a_page_is_looked_at_before_anything_is_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            with self.assertRaisesRegex(NoPlace, "page.md: .*No such file"):
                check(page, ["rest"])
            page.write_text(PAGE)
            check(page, ["rest"])
            with self.assertRaisesRegex(NoPlace, "page.md: .*one `<!-- ci/bench goals -->`"):
                check(page, ["rest", "goals"])
            self.assertEqual(page.read_text(), PAGE)

    def test_ours_has_a_place_for_everything(self):
        page = Path(__file__).resolve().parents[3] / "docs/benchmarks.md"
        check(page, ["machine", "goals", *MEASUREMENTS])


class TheCommandLine(unittest.TestCase):
    def test_all_is_every_measurement(self):
        self.assertEqual(parse([]).measure, list(MEASUREMENTS))
        self.assertEqual(parse(["rest", "all"]).measure, list(MEASUREMENTS))
        self.assertEqual(parse(["rest"]).measure, ["rest"])
        self.assertEqual(parse(["rest", "--watch", "5", "memory"]).measure, ["rest", "memory"])

    def test_what_a_page_says_of_its_making_has_no_paths(self):
        given = [
            "handoff",
            "--queue",
            "6",
            "--markdown",
            "docs/x.md",
            "--binary=/home/me/tfguard",
            "--no-build",
        ]
        self.assertEqual(said_options(given), ["--queue", "6"])
        self.assertEqual(said_options(["all", "--over", "all"]), ["--over", "all"])
