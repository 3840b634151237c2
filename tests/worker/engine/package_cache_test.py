"""Which compiled packages stay when there is no room for all, in a folder of the test's own. Run by ctest."""

import contextlib
import io
import os
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "worker/engine"))
sys.dont_write_bytecode = True
import package_cache

KEY = "0123456789abcdef01234567"


class PackageCacheTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = pathlib.Path(folder.name)
        self.now = time.time()

    def make(self, name, size, hours_ago):
        folder = self.cache / name
        folder.mkdir()
        (folder / "model.pt2").write_bytes(b"p" * size)
        os.utime(folder, (self.now - 3600 * hours_ago,) * 2)
        return folder

    def prune(self, keep_bytes):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            removed = package_cache.prune(self.cache, keep_bytes, self.now)
        return removed, said.getvalue()

    def test_the_one_asked_for_longest_ago_goes_first(self):
        for name, hours_ago in ("a", 3), ("b", 9), ("c", 5):
            self.make(f"{name}-{KEY}", 1000, hours_ago)
        self.assertEqual(self.prune(3000), ([], ""))
        removed, said = self.prune(2999)
        self.assertEqual(removed, [f"b-{KEY}"])
        self.assertEqual(said, f"removed the package b-{KEY} (1000 bytes): asked for 9 h ago\n")
        self.assertEqual(self.prune(0)[0], [f"c-{KEY}", f"a-{KEY}"])
        self.assertEqual(list(self.cache.iterdir()), [])

    def test_what_was_asked_for_within_the_hour_stays(self):
        old = self.make(f"old-{KEY}", 1000, 9)
        self.make(f"new-{KEY}", 1000, 0.5)
        self.assertTrue(package_cache.ask_for(old))
        self.now = time.time()
        removed, said = self.prune(0)
        self.assertEqual(removed, [])
        self.assertEqual(said, "the packages asked for within the hour have 2000 bytes; 0 are to be kept\n")
        self.now += 3700
        self.assertEqual(len(self.prune(0)[0]), 2, "the control: an hour later they go")
        self.assertFalse(package_cache.ask_for(old))

    def test_what_is_no_package_stays_and_what_a_killed_run_left_goes_after_a_day(self):
        self.make("notes", 1000, 1000)
        self.make("making-1", 1000, 23)
        self.make("making-2", 1000, 25)
        self.prune(0)
        self.assertEqual(sorted(folder.name for folder in self.cache.iterdir()), ["making-1", "notes"])

    def test_the_faster_of_two_runs_keeps_its_package(self):
        first = self.make("making-1", 1, 0)
        second = self.make("making-2", 2, 0)
        kept = self.cache / f"a-{KEY}"
        package_cache.keep(first, kept)
        package_cache.keep(second, kept)
        self.assertEqual(package_cache.bytes_in(kept), 1)
        with self.assertRaises(OSError):
            package_cache.keep(self.cache / "absent", self.cache / f"b-{KEY}")


if __name__ == "__main__":
    unittest.main()
