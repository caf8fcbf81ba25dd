"""Tests of ci/bench: `python3 -m unittest discover -s ci/bench.d/tests -t ci/bench.d`."""
