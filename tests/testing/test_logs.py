"""Tests for `ExpectLog` and `LogTrapTestCase`."""

import io
import logging
import unittest
import warnings

from txtornado.testing import AsyncTestCase, ExpectLog, LogTrapTestCase

log = logging.getLogger("tests.testing.logs")


class Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class ExpectLogTests(unittest.TestCase):
    def setUp(self) -> None:
        self.recorder = Recorder()
        log.addHandler(self.recorder)
        log.propagate = False
        self.addCleanup(log.removeHandler, self.recorder)
        self.addCleanup(setattr, log, "propagate", True)

    def test_swallows_what_matches(self) -> None:
        """A matching message is counted and kept from the handlers; others pass."""
        with ExpectLog(log, "expected") as expect:
            log.warning("expected, %d", 1)
            log.warning("not expected")
        self.assertEqual(self.recorder.lines, ["not expected"])
        self.assertEqual(expect.matched, 1)
        self.assertFalse(expect.logged_stack)

    def test_by_name(self) -> None:
        """The logger may be given by its name."""
        with ExpectLog(log.name, "expected"):
            log.warning("expected")
        self.assertEqual(self.recorder.lines, [])

    def test_missing(self) -> None:
        """A required message that does not come is an error; one that is not required is not."""
        complaint = "did not get expected log message.*'wanted'"
        with self.assertRaisesRegex(AssertionError, complaint), ExpectLog(log, "wanted"):
            log.warning("something else")
        with ExpectLog(log, "wanted", required=False) as expect:
            pass
        self.assertEqual(expect.matched, 0)

    def test_exception_passes(self) -> None:
        """An exception in the block is not replaced by the complaint of a missing message."""
        with self.assertRaises(ZeroDivisionError), ExpectLog(log, "wanted"):
            1 / 0

    def test_from_the_beginning(self) -> None:
        """The expression must match at the beginning of the message."""
        with self.assertRaises(AssertionError), ExpectLog(log, "end"):
            log.warning("the end")

    def test_level(self) -> None:
        """With a level, only that level matches, and the logger lets it through meanwhile."""
        log.setLevel(logging.ERROR)
        self.addCleanup(log.setLevel, logging.NOTSET)
        with ExpectLog(log, "detail", level=logging.INFO) as expect:
            self.assertTrue(log.isEnabledFor(logging.INFO))
            log.info("detail")
            log.error("detail, an error")
        self.assertEqual(expect.matched, 1)
        self.assertEqual(log.level, logging.ERROR)
        self.assertEqual(self.recorder.lines, ["detail, an error"])

    def test_low_level_unasked(self) -> None:
        """Matching only messages below WARNING without asking for them is deprecated."""
        log.setLevel(logging.INFO)
        self.addCleanup(log.setLevel, logging.NOTSET)
        with self.assertWarns(DeprecationWarning), ExpectLog(log, "detail") as expect:
            log.info("detail")
        self.assertEqual(expect.deprecated_level_matched, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with ExpectLog(log, "detail", level=logging.INFO):
                log.info("detail")

    def test_logged_stack(self) -> None:
        """logged_stack tells whether a traceback was logged."""
        with ExpectLog(log, "failed") as expect:
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception("failed")
        self.assertTrue(expect.logged_stack)

    def test_filter_is_removed(self) -> None:
        """Nothing stays on the logger."""
        with ExpectLog(log, "x", required=False):
            self.assertEqual(len(log.filters), 1)
        self.assertEqual(log.filters, [])


class LogTrapTests(unittest.TestCase):
    def setUp(self) -> None:
        self.stream = io.StringIO()
        root = logging.getLogger()
        saved, root.handlers = root.handlers, [logging.StreamHandler(self.stream)]
        self.addCleanup(setattr, root, "handlers", saved)

    def run_test(self, test, *bases) -> unittest.TestResult:
        result = unittest.TestResult()
        type("Case", (*bases, LogTrapTestCase), {"test": test})("test").run(result)
        return result

    def test_quiet_when_it_passes(self) -> None:
        """What a passing test logs is thrown away."""
        self.run_test(lambda self: log.error("noise"))
        self.assertEqual(self.stream.getvalue(), "")

    def test_shown_when_it_fails(self) -> None:
        """What a failing test, or one with an error, logged is shown."""

        def fail(self):
            log.error("before the failure")
            self.fail()

        def err(self):
            log.error("before the error")
            raise ValueError

        self.assertEqual(len(self.run_test(fail).failures), 1)
        self.assertEqual(len(self.run_test(err).errors), 1)
        self.assertEqual(self.stream.getvalue(), "before the failure\nbefore the error\n")

    def test_subtests(self) -> None:
        """A failing subtest counts as a failure."""

        def test(self):
            log.error("noise")
            with self.subTest("a"):
                self.fail()

        self.run_test(test)
        self.assertEqual(self.stream.getvalue(), "noise\n")

    def test_with_async_test_case(self) -> None:
        """It combines with AsyncTestCase, whichever way the test ends."""

        def test(self):
            self.io_loop.add_callback(lambda: log.error("in the loop"))
            self.io_loop.add_callback(self.stop)
            self.wait()

        self.assertTrue(self.run_test(test, AsyncTestCase).wasSuccessful())
        self.assertEqual(self.stream.getvalue(), "")

    def test_handlers_come_back(self) -> None:
        """The root logger's handlers are what they were."""
        before = logging.getLogger().handlers
        self.run_test(lambda self: None)
        self.assertIs(logging.getLogger().handlers, before)

    def test_no_result(self) -> None:
        """run() without a result makes one and returns it."""
        case = type("Case", (LogTrapTestCase,), {"test": lambda self: self.fail()})("test")
        result = case.run()
        self.assertEqual(len(result.failures), 1)
