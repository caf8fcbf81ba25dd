import unittest

from runs import RunFailed
from startup import STEPS, closed_spans, events, steps

SAID = """\
tfguard: trace     0.777 ms arguments: close time.busy=726µs time.idle=3.31µs
tfguard: trace     0.881 ms configuration: close time.busy=76.2µs time.idle=508ns
tfguard: trace     1.119 ms signals, reporter, runtime: close time.busy=233µs time.idle=584ns
tfguard: trace     1.449 ms stores: store open: close time.busy=62.9µs time.idle=3.31µs
tfguard: trace     1.463 ms stores: close time.busy=90.8µs time.idle=1.60µs
tfguard: trace     7.311 ms store swap{lock="a: b"}: close time.busy=55.0µs time.idle=5.39ms
tfguard: trace     8.131 ms lock{name="a: b"}: close time.busy=684µs time.idle=5.74ms
tfguard: lock bench acquired (folder /tmp/locks, generation 1795271279)
tfguard: trace    12.264 ms spawn: close time.busy=4.01ms time.idle=1.26µs
tfguard: trace    15.292 ms store swap{lock="a: b"}: close time.busy=60.1µs time.idle=1.76ms
tfguard: trace    15.510 ms release: close time.busy=60.2µs time.idle=2.02ms
tfguard: trace    19.297 ms store record run{lock="a: b"}: close time.busy=17.9µs time.idle=3.75ms
"""
TIMES = {"child_started": 1014.264, "child_exited": 1015.0}


class TheTrace(unittest.TestCase):
    def test_spans_lose_their_fields_and_what_is_around_them(self):
        names = [span.name for span in closed_spans(SAID)]
        self.assertIn("store open", names)
        self.assertEqual(names.count("store swap"), 2)
        self.assertEqual(len(names), 11)

    def test_events_have_their_time_of_day(self):
        times = events('{"@timestamp":"1970-01-01T00:00:01.250000Z","type":"child_started"}\n')
        self.assertEqual(times, {"child_started": 1250.0})


class TheSteps(unittest.TestCase):
    def split(self, said: str = SAID) -> dict:
        return dict(zip(STEPS, steps(1000.0, 1025.0, closed_spans(said), TIMES)))

    def test_each_goes_from_mark_to_mark_and_all_are_the_whole(self):
        split = self.split()
        self.assertAlmostEqual(split["process starts"], 2.0)
        self.assertAlmostEqual(split["arguments and configuration"], 0.881)
        self.assertAlmostEqual(split["lock asked and written"], 7.311 - 1.463)
        self.assertAlmostEqual(split["guardian posted"], 8.131 - 7.311)
        self.assertAlmostEqual(split["terraform started"], 12.264 - 8.131)
        self.assertAlmostEqual(split["terraform runs"], 1015.0 - 1014.264)
        self.assertAlmostEqual(split["exit"], 1025.0 - 1021.297)
        self.assertAlmostEqual(sum(split.values()), 25.0)

    def test_what_has_no_mark_counts_to_the_next_step(self):
        without = "\n".join(line for line in SAID.splitlines() if "record run" not in line)
        split = self.split(without)
        self.assertAlmostEqual(sum(split.values()), 25.0)
        self.assertAlmostEqual(split["history written"], 1025.0 - 1017.51)
        self.assertEqual(split["exit"], 0)

    def test_what_ends_out_of_order_takes_no_time_of_its_own(self):
        early = SAID.replace("trace    19.297", "trace    15.400")
        split = self.split(early)
        self.assertEqual(split["history written"], 0)
        self.assertAlmostEqual(sum(split.values()), 25.0)

    def test_a_trace_that_is_not_understood_is_said(self):
        with self.assertRaisesRegex(RunFailed, "TFGUARD_TRACE"):
            steps(0, 1, [], TIMES)
