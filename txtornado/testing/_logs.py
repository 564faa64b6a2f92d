"""What a test says in the logs: expected messages, and noise that only failures show."""

import logging
import re
import types
import unittest
import warnings
from typing import Any

__all__ = ["ExpectLog", "LogTrapTestCase"]


class ExpectLog(logging.Filter):
    """A context manager that takes expected messages out of a log, and misses them when absent.

    Messages that do not match pass on untouched, so that the unexpected stays visible.  Not
    safe with several threads at once.  (Tornado 3.0.)

    Attributes:
        matched: how many records matched so far.
        logged_stack: whether any record, matching or not, carried a traceback.
        deprecated_level_matched: how many records below ``WARNING`` matched though no
            ``level`` was given, which Tornado 7 will not do any more.
    """

    def __init__(
        self,
        logger: logging.Logger | str,
        regex: str,
        required: bool = True,
        level: int | None = None,
    ) -> None:
        """Watch a logger while the ``with`` statement lasts.

        Args:
            logger: the logger or its name; the empty string names the root logger.
            regex: what a message must match from its beginning on (`re.match`).
            required: whether leaving the ``with`` statement without a match is an error.
            level: match only records of exactly this level, and let the logger say them
                meanwhile (since 6.1).
        """
        super().__init__()
        self.logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.regex = re.compile(regex)
        self.required = required
        self.level = level
        self.matched = 0
        self.deprecated_level_matched = 0
        self.logged_stack = False
        self.orig_level: int | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether ``record`` goes on to the handlers: not when it is an expected one."""
        if record.exc_info:
            self.logged_stack = True
        if self.level is not None and record.levelno != self.level:
            return True
        if not self.regex.match(record.getMessage()):
            return True
        self.matched += 1
        if self.level is None and record.levelno < logging.WARNING:
            self.deprecated_level_matched += 1
        return False

    def __enter__(self) -> "ExpectLog":
        if self.level is not None and self.level < self.logger.getEffectiveLevel():
            self.orig_level = self.logger.level
            self.logger.setLevel(self.level)
        self.logger.addFilter(self)
        return self

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: types.TracebackType | None,
    ) -> None:
        self.logger.removeFilter(self)
        if self.orig_level is not None:
            self.logger.setLevel(self.orig_level)
            self.orig_level = None
        if typ is not None:
            return
        if self.required and not self.matched:
            raise AssertionError(
                f"did not get expected log message: nothing on logger {self.logger.name!r} "
                f"matched {self.regex.pattern!r}"
            )
        if self.deprecated_level_matched and self.deprecated_level_matched == self.matched:
            warnings.warn(
                f"ExpectLog matched only messages below WARNING on {self.logger.name!r}; "
                "name their level with level=",
                DeprecationWarning,
                stacklevel=2,
            )


class _Holder(logging.Handler):
    """Keeps records until it is known whether anyone wants to see them."""

    def __init__(self, targets: list[logging.Handler]) -> None:
        super().__init__()
        self.targets = targets
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def hand_on(self) -> None:
        for record in self.records:
            for target in self.targets:
                if record.levelno >= target.level:
                    target.handle(record)


class _Verdict:
    """A test result that passes everything on and remembers whether the test failed."""

    def __init__(self, result: unittest.TestResult) -> None:
        self._result = result
        self.failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self.failed = True
        self._result.addError(test, err)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.failed = True
        self._result.addFailure(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        self.failed = self.failed or err is not None
        self._result.addSubTest(test, subtest, err)


class LogTrapTestCase(unittest.TestCase):
    """A test case whose log output is thrown away when it passes, and shown when it fails.

    Combines with `AsyncTestCase` and its family: ``class MyTest(AsyncHTTPTestCase,
    LogTrapTestCase)``.  The handlers of the root logger are held back while a test runs,
    whichever they are.  (Tornado 2.0 to 4.x.)
    """

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        if result is None:
            result = self.defaultTestResult()
        root = logging.getLogger()
        handlers = root.handlers
        holder = _Holder(handlers)
        verdict = _Verdict(result)
        root.handlers = [holder]
        try:
            super().run(verdict)  # type: ignore[arg-type]
        finally:
            root.handlers = handlers
            if verdict.failed:
                holder.hand_on()
        return result
