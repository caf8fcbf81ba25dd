import unittest
from collections import Counter

from counting import (
    LISTED,
    READS,
    WRITES,
    Prices,
    item_size,
    read_sizes,
    read_units,
    requests,
    subject,
    total,
    write_units,
)


class WhatItIsAbout(unittest.TestCase):
    def test_the_lock_and_its_history_are_told_apart_by_the_key(self):
        self.assertEqual(subject({"Key": {"LockID": {"S": "tfguard:bench"}}}), "the lock")
        self.assertEqual(subject({"Item": {"LockID": {"S": "tfguard:bench#7"}}}), "the history")
        keys = [{"LockID": {"S": f"tfguard:bench#{run}"}} for run in (1, 2)]
        self.assertEqual(subject({"RequestItems": {"locks": {"Keys": keys}}}), "the history")
        self.assertEqual(subject({"TableName": "locks"}), "the table")

    def test_requests_are_added_by_their_operation(self):
        counts = Counter(
            {
                "GetItem of the lock": 3,
                "BatchGetItem of the history": 1,
                "PutItem of the lock": 2,
                "PutItem (refused) of the lock": 1,
                "write units": 9,
            }
        )
        self.assertEqual(total(counts, READS), 4)
        self.assertEqual(total(counts, WRITES), 3)
        self.assertNotIn("units", requests(counts))
        self.assertIn("1 PutItem (refused) of the lock", requests(counts))


class WhatItCosts(unittest.TestCase):
    def test_units_are_begun_kilobytes(self):
        self.assertEqual([write_units(size) for size in (0, 1024, 1025)], [1, 1, 2])
        self.assertEqual([read_units(size, True) for size in (0, 4096, 4097)], [1, 1, 2])
        self.assertEqual(read_units(4096, False), 0.5)

    def test_an_item_weighs_its_names_and_values(self):
        item = {"LockID": {"S": "abc"}, "holders": {"L": [{"M": {"pid": {"N": "12"}}}]}}
        self.assertEqual(item_size(item), (6 + 3) + (7 + 3 + 3 + (3 + 2)))

    def test_what_is_not_there_costs_a_read(self):
        request = {"RequestItems": {"locks": {"Keys": [{}, {}, {}], "ConsistentRead": True}}}
        answer = {"Responses": {"locks": [{"LockID": {"S": "x" * 5000}}]}}
        self.assertEqual(sorted(read_sizes("BatchGetItem", request, answer)), [1, 1, 2])
        self.assertEqual(list(read_sizes("GetItem", {"ConsistentRead": True}, {})), [1])

    def test_prices_are_for_a_million(self):
        counts = Counter({"read units": 2, "write units": 3})
        self.assertAlmostEqual(Prices(writes=1.0, reads=0.5).of(counts) * 1e6, 4.0)
        self.assertAlmostEqual(LISTED.of(counts) * 1e6, 3 * 0.625 + 2 * 0.125)
