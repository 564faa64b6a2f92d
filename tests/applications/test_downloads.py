"""What is fetched for these tests."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.applications import downloads


class DownloadTests(SynchronousTestCase):
    """A cache of its own, and no package index."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        environment = {"XDG_CACHE_HOME": str(self.folder), "PIP_NO_INDEX": "1"}
        patched = mock.patch.dict(os.environ, environment)
        patched.start()
        self.addCleanup(patched.stop)
        self.patch(downloads, "_failures", [])
        for name in ("_archive", "packages"):
            self.patch(downloads, name, getattr(downloads, name).__wrapped__)

    def test_no_index(self) -> None:
        """Without an index tests are skipped, and the reason given; pip is asked only once."""
        for _ in range(2):
            with self.assertRaisesRegex(downloads.NotAvailable, "tornado==6.1"):
                downloads.source("tornado", self.folder)
        with (
            mock.patch("subprocess.run", side_effect=AssertionError("asked again")),
            self.assertRaises(downloads.NotAvailable),
        ):
            downloads.packages()
        left = os.listdir(self.folder / "txtornado-tests")
        self.assertEqual([name for name in left if not name.endswith(".lock")], [])

    def test_tampered(self) -> None:
        """An archive that is another than it should be is refused."""
        (downloads.cache() / "tornado-6.1.tar.gz").write_bytes(b"something else")
        with self.assertRaisesRegex(AssertionError, "not what it should be"):
            downloads.source("tornado", self.folder)

    def test_no_cache(self) -> None:
        """Without a place for the cache tests are skipped."""
        self.folder.write_bytes(b"a file")
        with self.assertRaisesRegex(downloads.NotAvailable, "XDG_CACHE_HOME"):
            downloads.source("tornado", self.folder)
