"""Tests for `txtornado.log`."""

import importlib
import io
import logging
import os
import sys
from unittest import mock

from twisted.logger import (
    Logger,
    LogLevel,
    LogPublisher,
    STDLibLogObserver,
    textFileLogObserver,
)
from twisted.trial.unittest import SynchronousTestCase

from txtornado import log
from txtornado.options import OptionParser


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(message, *args, level=logging.ERROR, exc_info=None, **more):
    made = logging.LogRecord("name", level, "/x/place.py", 7, message, args, exc_info, **more)
    made.created = 0
    return made


def some_exc_info(text="oops"):
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


class LoggersTests(SynchronousTestCase):
    def test_names(self):
        """The loggers have the documented names, by which programs configure them."""
        names = [logger.name for logger in (log.access_log, log.app_log, log.gen_log)]
        self.assertEqual(names, ["tornado.access", "tornado.application", "tornado.general"])
        self.assertIs(logging.getLogger("tornado.access"), log.access_log)


class LogFormatterTests(SynchronousTestCase):
    def setUp(self):
        self.formatter = log.LogFormatter(color=False)
        self.formatter.converter = __import__("time").gmtime

    def test_line(self):
        """A line says level, time, module, line number and message."""
        self.assertEqual(
            self.formatter.format(record("hello %s", "you")),
            "[E 700101 00:00:00 place:7] hello you",
        )

    def test_own_formats(self):
        """Line and date formats can be chosen."""
        formatter = log.LogFormatter(fmt="%(asctime)s|%(name)s|%(message)s", datefmt="%Y")
        formatter.converter = self.formatter.converter
        self.assertEqual(formatter.format(record("x")), "1970|name|x")

    def test_several_lines(self):
        """Lines after the first are indented: nobody can forge an entry with a newline."""
        text = self.formatter.format(record("a\n[I 700101 00:00:00 place:7] b"))
        self.assertEqual(text.split("\n")[1], "    [I 700101 00:00:00 place:7] b")

    def test_traceback(self):
        """An exception's traceback follows, indented."""
        lines = self.formatter.format(record("x", exc_info=some_exc_info())).split("\n")
        self.assertEqual(lines[1], "    Traceback (most recent call last):")
        self.assertEqual(lines[-1], "    ValueError: oops")

    def test_stack(self):
        """A stack that was asked for is shown as well."""
        entry = record("x")
        entry.stack_info = "Stack (most recent call last):\n  here"
        self.assertEqual(
            self.formatter.format(entry).split("\n")[1:],
            ["    Stack (most recent call last):", "      here"],
        )

    def test_bytes(self):
        """Bytes are shown as their repr, and never decoded."""
        self.assertTrue(self.formatter.format(record(b"\xe9")).endswith(r"] b'\xe9'"))

    def test_surrogates(self):
        """Text that UTF-8 cannot express is shown escaped, in message and traceback."""
        text = self.formatter.format(record("a\udc80", exc_info=some_exc_info("b\udc81")))
        self.assertIn(r"a\udc80", text)
        self.assertIn(r"b\udc81", text)
        text.encode()

    def test_bad_message(self):
        """A message that does not go with its arguments is logged, not raised."""
        text = self.formatter.format(record("%d items", "five"))
        self.assertIn("Bad message (TypeError(", text)
        self.assertIn("five", text)

    def test_record_is_left_alone(self):
        """Another handler finds the record as it was made."""
        entry = record("a %s", "b")
        before = dict(entry.__dict__)
        self.formatter.format(entry)
        self.assertEqual(entry.__dict__, before)

    def test_no_color_off_terminals(self):
        """Nothing but a terminal gets control sequences."""
        for stream in (io.StringIO(), None, object()):
            self.patch(sys, "stderr", stream)
            self.assertNotIn("\x1b", log.LogFormatter().format(record("x")))

    def colored(self, fake_curses, **kwargs):
        self.patch(sys, "stderr", Terminal())
        self.patch(log, "curses", fake_curses)
        return log.LogFormatter(**kwargs)

    def fake_curses(self, colors=8):
        fake = mock.Mock()
        fake.tigetnum.return_value = colors
        fake.tigetstr.side_effect = {"setaf": b"set", "sgr0": b"<off>"}.get
        fake.tparm.side_effect = lambda sequence, number: b"<%d>" % number
        return fake

    def test_color(self):
        """On a terminal the head of the line has its level's colour."""
        formatter = self.colored(self.fake_curses())
        self.assertRegex(formatter.format(record("x")), r"^<1>\[E .*\]<off> x$")
        self.assertRegex(formatter.format(record("x", level=logging.INFO)), r"^<2>\[I")

    def test_unknown_level_has_no_color(self):
        """A level without a colour has no control sequence at its end either."""
        self.assertNotIn("<", self.colored(self.fake_curses()).format(record("x", level=35)))

    def test_own_colors(self):
        """Colours can be chosen, or turned off."""
        formatter = self.colored(self.fake_curses(), colors={logging.ERROR: 6})
        self.assertRegex(formatter.format(record("x")), r"^<6>\[E")
        self.assertNotIn("<", self.colored(self.fake_curses(), color=False).format(record("x")))

    def test_terminal_without_colors(self):
        """A terminal that has no colours, or that curses does not know, gets none."""
        broken = mock.Mock()
        broken.setupterm.side_effect = Exception("no such terminal")
        for fake in (self.fake_curses(-1), broken, None):
            self.patch(log, "colorama", None)
            self.assertNotIn("\x1b", self.colored(fake).format(record("x")))

    def test_terminal_modules(self):
        """``curses`` and ``colorama`` are there, None if not installed; other names are not."""
        for name in ("curses", "colorama"):
            try:
                expected = importlib.import_module(name)
            except ImportError:
                expected = None
            self.assertIs(getattr(log, name), expected)
        everything = {}
        exec("from txtornado.log import *", everything)
        self.assertLessEqual(set(log.__all__), set(everything))
        self.assertRaises(AttributeError, getattr, log, "termcap")

    def test_colorama(self):
        """Without curses, an initialised colorama provides for colours."""
        colorama = mock.Mock()
        terminal = Terminal()
        colorama.initialise.wrapped_stderr = terminal
        self.patch(log, "colorama", colorama)
        self.patch(log, "curses", None)
        self.patch(sys, "stderr", terminal)
        self.assertTrue(log.LogFormatter().format(record("x")).startswith("\x1b[2;31m[E"))


class EnablePrettyLoggingTests(SynchronousTestCase):
    def setUp(self):
        self.options = OptionParser()
        log.define_logging_options(self.options)
        self.logger = logging.Logger("test")
        self.addCleanup(self.close)
        os.makedirs(self.mktemp())
        self.path = os.path.abspath(self.mktemp())

    def close(self):
        for handler in self.logger.handlers:
            handler.close()

    def enable(self, **options):
        for name, value in options.items():
            self.options[name] = value
        log.enable_pretty_logging(self.options, self.logger)
        return [type(handler) for handler in self.logger.handlers]

    def written(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read()

    def test_default_is_stderr(self):
        """Without options records from INFO on go to standard error."""
        stream = io.StringIO()
        self.patch(sys, "stderr", stream)
        self.assertEqual(self.enable(), [logging.StreamHandler])
        self.logger.info("hello")
        self.logger.debug("hidden")
        self.assertRegex(stream.getvalue(), r"^\[I [^]]*\] hello\n$")

    def test_file(self):
        """A file prefix puts the log into a rotating file, and not on standard error."""
        handlers = self.enable(log_file_prefix=self.path, log_file_max_size=5000)
        self.assertEqual(handlers, [logging.handlers.RotatingFileHandler])
        self.assertEqual(self.logger.handlers[0].maxBytes, 5000)
        self.logger.error("hé")
        self.assertRegex(self.written(), r"^\[E [^]]*\] hé\n$")

    def test_file_rotated_by_time(self):
        """log_rotate_mode chooses the clock."""
        handlers = self.enable(
            log_file_prefix=self.path, log_rotate_mode="time", log_rotate_when="H"
        )
        self.assertEqual(handlers, [logging.handlers.TimedRotatingFileHandler])
        self.assertEqual(self.logger.handlers[0].when, "H")

    def test_file_and_stderr(self):
        """log_to_stderr adds standard error to the file."""
        self.patch(sys, "stderr", io.StringIO())
        handlers = self.enable(log_file_prefix=self.path, log_to_stderr=True)
        self.assertEqual(len(handlers), 2)

    def test_existing_handlers(self):
        """Whoever has configured logging gets no second handler."""
        self.logger.addHandler(logging.NullHandler())
        self.assertEqual(self.enable(), [logging.NullHandler])

    def test_none(self):
        """None and "none" leave logging alone."""
        for value in (None, "none", "NONE"):
            self.assertEqual(self.enable(logging=value), [])
            self.assertEqual(self.logger.level, logging.NOTSET)

    def test_bad_values(self):
        """Unknown levels and rotation modes are named."""
        with self.assertRaises(ValueError) as caught:
            self.enable(logging="loud")
        self.assertIn("loud", str(caught.exception))
        with self.assertRaises(ValueError) as caught:
            self.enable(logging="info", log_file_prefix=self.path, log_rotate_mode="weight")
        self.assertIn("weight", str(caught.exception))

    def test_parsing_applies_the_options(self):
        """A final parse configures logging from the parsed options."""
        seen = []
        self.patch(log, "enable_pretty_logging", seen.append)
        options = OptionParser()
        log.define_logging_options(options)
        options.parse_command_line(["x", "--logging=debug"], final=False)
        self.assertEqual(seen, [])
        options.parse_command_line(["x"])
        self.assertEqual(seen, [options])


class TwistedLogHandlerTests(SynchronousTestCase):
    def setUp(self):
        self.events = []
        self.publisher = LogPublisher(self.events.append)
        self.logger = logging.Logger("some.name")
        self.logger.addHandler(log.TwistedLogHandler(self.publisher))

    def text(self, *events):
        out = io.StringIO()
        observer = textFileLogObserver(out, timeFormat=None)
        for event in events:
            observer(event)
        return out.getvalue()

    def test_event(self):
        """A record becomes an event of the same name, level and text."""
        self.logger.warning("{a} %s", "{b}")
        (event,) = self.events
        self.assertEqual(event["log_namespace"], "some.name")
        self.assertIs(event["log_level"], LogLevel.warn)
        self.assertEqual(event["record"].levelno, logging.WARNING)
        self.assertEqual(self.text(event), "- [some.name#warn] {a} {b}\n")

    def test_levels(self):
        """Every level of logging has its counterpart, those in between the one below."""
        for number in (5, 10, 20, 25, 30, 40, 45, 50, 60):
            self.logger.log(number, "x")
        self.assertEqual(
            [event["log_level"].name for event in self.events],
            ["debug", "debug", "info", "info", "warn", "error", "error", "critical", "critical"],
        )

    def test_failure(self):
        """An exception arrives as a Failure with its traceback."""
        try:
            raise KeyError("oops")
        except KeyError as error:
            self.logger.exception("failed")
            self.assertIs(self.events[0]["log_failure"].value, error)
        self.assertIn("test_log.py", self.text(*self.events))
        self.assertIn("KeyError: 'oops'", self.text(*self.events))

    def test_exc_info_without_exception(self):
        """exc_info=True outside of an except clause is no failure."""
        self.logger.error("x", exc_info=True)
        self.assertNotIn("log_failure", self.events[0])

    def test_own_level(self):
        """The handler can have a level of its own."""
        logger = logging.Logger("x")
        logger.addHandler(log.TwistedLogHandler(self.publisher, logging.ERROR))
        logger.warning("x")
        self.assertEqual(self.events, [])

    def test_no_circle(self):
        """What Twisted's log hands to logging does not come back to it."""
        observer = STDLibLogObserver("tests.circle")
        logger = logging.getLogger("tests.circle")
        handler = log.TwistedLogHandler(self.publisher)
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        logger.propagate = False
        self.publisher.addObserver(observer)
        Logger("twisted.side", observer=self.publisher).info("once")
        logger.error("also once")
        self.assertEqual(len(self.events), 2)

    def test_unformattable(self):
        """A message that does not go with its arguments is logged all the same."""
        self.logger.error("%d", "x")
        self.assertIn("Bad message", self.text(*self.events))

    def test_observer_failure(self):
        """An error in the handler goes where logging sends such errors, not to the caller."""
        stream = io.StringIO()
        self.patch(sys, "stderr", stream)
        publisher = mock.Mock(side_effect=RuntimeError("disk full"))
        logger = logging.Logger("x")
        logger.addHandler(log.TwistedLogHandler(publisher))
        logger.error("x")
        self.assertIn("disk full", stream.getvalue())

    def test_global_publisher(self):
        """Without a publisher the events go to Twisted's own."""
        from twisted.logger import globalLogPublisher

        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        logger = logging.Logger("to.twisted")
        logger.addHandler(log.TwistedLogHandler())
        logger.info("hello")
        self.assertEqual([e["log_namespace"] for e in self.events], ["to.twisted"])
