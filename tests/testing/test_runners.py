"""The test cases under unittest, pytest and the package's own runner."""

import importlib.util
import os
import sys

from tests.processes import PACKAGES, environment, once, run_beside
from txtornado.testing import ReactorTestCase

MODULE = """
import asyncio, unittest
from txtornado.testing import AsyncTestCase, AsyncHTTPTestCase, LogTrapTestCase, gen_test
from txtornado.web import Application

class Good(AsyncTestCase):
    @gen_test
    async def test_coroutine(self):
        await asyncio.sleep(0)

    @gen_test
    def test_generator(self):
        yield asyncio.sleep(0)

class Http(AsyncHTTPTestCase, LogTrapTestCase):
    def get_app(self):
        return Application()

    def test_not_found(self):
        self.assertEqual(self.fetch("/").code, 404)
"""

BAD = """
class Bad(AsyncTestCase):
    def test_timeout(self):
        self.wait(timeout=0.01)

    @gen_test
    async def test_failure(self):
        await asyncio.sleep(0)
        self.assertEqual(1, 2)

    async def test_undecorated(self):
        pass
"""

SUITE = """
import unittest
import sample

def all():
    return unittest.defaultTestLoader.loadTestsFromModule(sample)

if __name__ == "__main__":
    from txtornado.testing import main
    main(verbosity=2)
"""


@once("the runners run in processes of their own")
class RunnerTests(ReactorTestCase):
    def setUp(self) -> None:
        self.where = self.mktemp()
        os.makedirs(self.where)

    def write(self, name: str, *parts: str) -> None:
        with open(os.path.join(self.where, name), "w") as f:
            f.write("".join(parts))

    async def run_it(self, *arguments: str) -> tuple[str, int]:
        path = os.pathsep.join([str(PACKAGES), os.path.abspath(self.where)])
        command = [sys.executable, *arguments]
        done = await run_beside(command, env=environment(PYTHONPATH=path), cwd=self.where)
        return (done.stdout + done.stderr).decode(), done.returncode

    async def test_unittest(self) -> None:
        """unittest runs them, and tells failures from errors."""
        self.write("sample.py", MODULE, BAD)
        output, code = await self.run_it("-m", "unittest", "sample")
        self.assertEqual(code, 1)
        self.assertIn("Ran 6 tests", output)
        self.assertIn("FAILED (failures=2, errors=1)", output)

    async def test_pytest(self) -> None:
        """So does pytest."""
        if importlib.util.find_spec("pytest") is None:
            self.skipTest("pytest is not installed")
        self.write("sample.py", MODULE, BAD)
        output, code = await self.run_it(
            "-m", "pytest", "-q", "-p", "no:cacheprovider", "sample.py"
        )
        self.assertEqual(code, 1)
        self.assertIn("3 failed, 3 passed", output)

    async def test_own_runner(self) -> None:
        """``python -m txtornado.testing`` runs the modules named, and takes options."""
        self.write("sample.py", MODULE)
        output, code = await self.run_it("-m", "txtornado.testing", "--verbose", "sample")
        self.assertEqual(code, 0, output)
        self.assertIn("Ran 3 tests", output)
        self.assertIn("test_generator", output)
        self.assertIn("OK", output)
        output, code = await self.run_it("-m", "txtornado.testing", "-q", "sample.Good")
        self.assertEqual(code, 0, output)
        self.assertIn("Ran 2 tests", output)

    async def test_suite(self) -> None:
        """A script with a function all() runs that, or what is named."""
        self.write("sample.py", MODULE)
        self.write("suite.py", SUITE)
        output, code = await self.run_it("suite.py")
        self.assertEqual(code, 0, output)
        self.assertIn("Ran 3 tests", output)
        output, code = await self.run_it("suite.py", "sample.Http")
        self.assertIn("Ran 1 test", output)

    async def test_failing(self) -> None:
        """A failure is the exit code's."""
        self.write("sample.py", MODULE, BAD)
        output, code = await self.run_it("-m", "txtornado.testing", "--failfast", "sample.Bad")
        self.assertEqual(code, 1)
        self.assertIn("Ran 1 test", output)
