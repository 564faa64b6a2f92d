"""Tests for `txtornado.options`."""

import datetime
import io
import os
import subprocess
import sys
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txtornado import options as options_module
from txtornado.options import Error, OptionParser


class OptionsTestCase(SynchronousTestCase):
    def setUp(self):
        self.options = OptionParser()
        self.stderr = io.StringIO()
        self.patch(sys, "stderr", self.stderr)

    def parse(self, *args, **kwargs):
        return self.options.parse_command_line(["prog", *args], **kwargs)

    def parse_file(self, text, **kwargs):
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.options.parse_config_file(path, **kwargs)
        return os.path.abspath(path)


class DocumentedExamplesTests(OptionsTestCase):
    """The examples of chapter 5.4 of Tornado 2.3's documentation."""

    def setUp(self):
        super().setUp()
        for name in ("_options", "_parse_callbacks"):
            saved = options_module.options.__dict__[name]
            options_module.options.__dict__[name] = saved.copy()
            self.addCleanup(options_module.options.__dict__.__setitem__, name, saved)
        self.addCleanup(setattr, options_module.options, "logging", options_module.options.logging)
        options_module.options.logging = None

    def test_define_and_use(self):
        """Options are defined at module level and read as attributes."""
        from txtornado.options import define, options

        define("mysql_host", default="127.0.0.1:3306", help="Main user DB")
        define(
            "memcache_hosts",
            default="127.0.0.1:11011",
            multiple=True,
            help="Main user memcache servers",
        )
        self.assertEqual(options.mysql_host, "127.0.0.1:3306")
        self.assertEqual(options["memcache_hosts"], "127.0.0.1:11011")

    def test_file_then_command_line(self):
        """A program parses its configuration file, then its command line."""
        import txtornado.options

        txtornado.options.define("myoption")
        txtornado.options.define("myotheroption")
        path = self.mktemp()
        with open(path, "w") as f:
            f.write('myoption = "myvalue"\nmyotheroption = "myothervalue"\n')
        txtornado.options.parse_config_file(path)
        rest = txtornado.options.parse_command_line(["server", "--myoption=cli", "a", "b"])
        self.assertEqual(rest, ["a", "b"])
        self.assertEqual(txtornado.options.options.myoption, "cli")
        self.assertEqual(txtornado.options.options.myotheroption, "myothervalue")

    def test_sys_argv(self):
        """Without arguments parse_command_line takes sys.argv."""
        options_module.define("x", type=int)
        self.patch(sys, "argv", ["prog", "--x=5", "rest"])
        self.assertEqual(options_module.parse_command_line(), ["rest"])
        self.assertEqual(options_module.options.x, 5)

    def test_print_help(self):
        """The help line is --name=METAVAR and the help string."""
        options_module.define("depth", type=int, metavar="N", help="how deep")
        out = io.StringIO()
        options_module.print_help(out)
        self.assertRegex(out.getvalue(), r"--depth=N +how deep\n")

    def test_parse_callback(self):
        """Callbacks run after a parse of the global options."""
        called = []
        options_module.add_parse_callback(lambda: called.append(1))
        options_module.parse_command_line(["prog"])
        self.assertEqual(called, [1])

    def test_enable_pretty_logging(self):
        """The function of Tornado 2 is still found here."""
        from txtornado.log import enable_pretty_logging

        self.assertIs(options_module.enable_pretty_logging, enable_pretty_logging)

    def test_logging_is_set_up(self):
        """Parsing sets up logging in a fresh process, unless it is told not to."""
        program = (
            "import logging; from txtornado.options import *; parse_command_line();"
            "logging.info('hello')"
        )
        for arg, expected in (("--logging=info", True), ("--logging=none", False)):
            run = subprocess.run(
                [sys.executable, "-c", program, arg],
                capture_output=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                timeout=60,
                check=True,
            )
            self.assertEqual(b"hello" in run.stderr, expected, run.stderr)


class DefineTests(OptionsTestCase):
    def test_type_of_the_default(self):
        """Without a type the default's counts, or str."""
        self.options.define("a", 1)
        self.options.define("b", datetime.timedelta(0))
        self.options.define("c")
        self.parse("--a=2", "--b=1m", "--c=2")
        self.assertEqual(
            self.options.as_dict(),
            {"a": 2, "b": datetime.timedelta(minutes=1), "c": "2", "help": None},
        )

    def test_twice(self):
        """A name, however it is written, is defined once; the error names the first file."""
        self.options.define("a-b")
        for name in ("a-b", "a_b"):
            with self.assertRaises(Error) as caught:
                self.options.define(name)
            self.assertIn("already defined", str(caught.exception))
            self.assertIn("test_options.py", str(caught.exception))
        self.assertRaises(Error, self.options.define, "help")

    def test_multiple_without_default(self):
        """A list option is an empty list until it is set."""
        self.options.define("a", multiple=True)
        self.assertEqual(self.options.a, [])

    def test_groups(self):
        """Options belong to the named group, or to the file that defines them."""
        self.options.define("a", group="app")
        self.options.define("b", 2)
        here = self.test_groups.__code__.co_filename
        self.assertEqual(self.options.groups(), {"", "app", here})
        self.assertEqual(self.options.group_dict("app"), {"a": None})
        self.assertEqual(self.options.group_dict(here), {"b": 2})
        self.assertEqual(self.options.group_dict("nope"), {})
        self.assertEqual(set(self.options.group_dict("")), {"a", "b", "help"})

    def test_group_of_the_global_function(self):
        """The module's define() is not mistaken for the place of the definition."""
        self.patch(options_module, "options", self.options)
        options_module.define("a")
        self.assertIn(self.test_groups.__code__.co_filename, self.options.groups())

    def test_registry(self):
        """_options, which programs walk, maps names with dashes to options with .value()."""
        self.options.define("a_b", 1, help="x")
        option = self.options._options["a-b"]
        self.assertEqual((option.name, option.default, option.help), ("a_b", 1, "x"))
        self.assertEqual((option.value(), option.type, option.multiple), (1, int, False))


class AccessTests(OptionsTestCase):
    def setUp(self):
        super().setUp()
        self.options.define("port", 80)
        self.options.define("data-dir", multiple=True)

    def test_reading(self):
        """By attribute and by index, with dashes or underscores."""
        self.assertEqual(self.options.port, 80)
        self.assertEqual(self.options.data_dir, [])
        self.assertEqual(self.options["data-dir"], [])
        self.assertEqual(self.options["data_dir"], [])
        self.assertIn("data_dir", self.options)
        self.assertNotIn("nope", self.options)

    def test_iteration(self):
        """Names come as they were defined."""
        self.assertEqual(list(self.options), ["help", "port", "data-dir"])
        self.assertEqual(dict(self.options.items()), self.options.as_dict())

    def test_setting(self):
        """Options can be set to values of their type, and to None."""
        self.options.port = 81
        self.options["data_dir"] = ["a", None]
        self.assertEqual((self.options.port, self.options.data_dir), (81, ["a", None]))
        self.options.port = None
        self.assertIsNone(self.options.port)

    def test_setting_the_wrong_type(self):
        """Values are not converted: text for a number is an error that names both."""
        with self.assertRaises(Error) as caught:
            self.options.port = "81"
        self.assertIn("'port'", str(caught.exception))
        self.assertIn("int", str(caught.exception))
        self.assertRaises(Error, self.options.__setitem__, "data-dir", "a")
        self.assertRaises(Error, self.options.__setitem__, "data-dir", [1])
        self.assertEqual((self.options.port, self.options.data_dir), (80, []))

    def test_unknown(self):
        """An option that is not there is an AttributeError, to read and to set."""
        self.assertRaises(AttributeError, getattr, self.options, "nope")
        self.assertRaises(AttributeError, setattr, self.options, "nope", 1)
        self.assertRaises(AttributeError, self.options.__getitem__, "nope")

    def test_mockable(self):
        """mock.patch restores the former value, also when patches are nested."""
        with mock.patch.object(self.options.mockable(), "port", 1):
            with mock.patch.object(self.options.mockable(), "port", 2):
                self.assertEqual(self.options.port, 2)
            self.assertEqual(self.options.port, 1)
        self.assertEqual(self.options.port, 80)

    def test_mockable_once(self):
        """A mockable face serves one patch at a time."""
        face = self.options.mockable()
        face.port = 1
        self.assertRaises(AssertionError, setattr, face, "port", 2)


class CommandLineTests(OptionsTestCase):
    def test_forms(self):
        """One dash or two, dashes or underscores, and = within the value."""
        self.options.define("my_name")
        for argument in ("--my-name=a=b", "--my_name=a=b", "-my-name=a=b"):
            self.options.my_name = None
            self.assertEqual(self.parse(argument), [])
            self.assertEqual(self.options.my_name, "a=b")

    def test_rest(self):
        """Parsing ends at the first argument that is no option."""
        self.options.define("a")
        self.assertEqual(self.parse("--a=1", "sub", "--b=2"), ["sub", "--b=2"])
        self.assertEqual(self.parse("--a=1", "--", "--a=2"), ["--a=2"])
        self.assertEqual(self.parse("-", "--a=2"), ["-", "--a=2"])
        self.assertEqual(self.options.a, "1")

    def test_empty_argv(self):
        """An empty argument list has no options."""
        self.assertEqual(self.options.parse_command_line([]), [])

    def test_flag(self):
        """A bool needs no value; every other option does."""
        self.options.define("debug", False)
        self.options.define("port", 80)
        self.parse("--debug")
        self.assertIs(self.options.debug, True)
        self.parse("--debug=false")
        self.assertIs(self.options.debug, False)
        with self.assertRaises(Error) as caught:
            self.parse("--port")
        self.assertIn("'port' requires a value", str(caught.exception))

    def test_unknown(self):
        """An unknown option shows the usage and is an error."""
        with self.assertRaises(Error) as caught:
            self.parse("--nope=1")
        self.assertIn("'nope'", str(caught.exception))
        self.assertIn("Usage:", self.stderr.getvalue())

    def test_help(self):
        """--help shows the usage and ends the program successfully."""
        self.options.define("port", 80, help="where to listen", group="net")
        with self.assertRaises(SystemExit) as caught:
            self.parse("--help")
        self.assertEqual(caught.exception.code, 0)
        self.assertRegex(self.stderr.getvalue(), r"(?s)net options:.*--port +where to listen \(default 80\)")  # fmt: skip

    def test_help_layout(self):
        """Long help is folded, a long name gets a line of its own, dashes are shown."""
        self.options.define("a_name_that_is_really_too_long", metavar="X", help="word " * 30)
        out = io.StringIO()
        self.options.print_help(out)
        lines = out.getvalue().split("\n")
        at = lines.index("  --a-name-that-is-really-too-long=X")
        self.assertEqual(lines[at + 1], " " * 35 + ("word " * 9).strip()[:44])
        self.assertTrue(all(len(line) < 80 for line in lines[at:]))

    def test_callback(self):
        """An option's callback sees each value as it is parsed."""
        seen = []
        self.options.define("a", type=int, callback=seen.append)
        self.parse("--a=1", "--a=2")
        self.options.a = 3
        self.assertEqual(seen, [1, 2, 3])

    def test_config_option(self):
        """A --config option may parse a file in the middle of the command line."""
        path = self.mktemp()
        with open(path, "w") as f:
            f.write("a = 'file'\nb = 'file'\n")
        self.options.define("a")
        self.options.define("b")
        self.options.define(
            "config", callback=lambda p: self.options.parse_config_file(p, final=False)
        )
        self.parse("--a=before", f"--config={path}", "--b=after")
        self.assertEqual((self.options.a, self.options.b), ("file", "after"))

    def test_parse_callbacks(self):
        """Parse callbacks run after each final parse, and only then."""
        called = []
        self.options.add_parse_callback(lambda: called.append(1))
        self.parse(final=False)
        self.assertEqual(called, [])
        self.parse()
        self.parse()
        self.options.run_parse_callbacks()
        self.assertEqual(called, [1, 1, 1])


class TypesTests(OptionsTestCase):
    def value(self, type, text, multiple=False):
        options = OptionParser()
        options.define("x", type=type, multiple=multiple)
        options.parse_command_line(["prog", f"--x={text}"])
        return options.x

    def refused(self, type, text, multiple=False):
        with self.assertRaises(Error) as caught:
            self.value(type, text, multiple)
        self.assertIn(repr(text), str(caught.exception))
        self.assertIsInstance(caught.exception, ValueError)

    def test_numbers(self):
        """Integers and floats; anything else is an error that shows the text."""
        self.assertEqual(self.value(int, "-5"), -5)
        self.assertEqual(self.value(float, "1e3"), 1000.0)
        for type, text in ((int, "1.5"), (int, ""), (int, "x"), (float, "1,5")):
            self.refused(type, text)

    def test_bool(self):
        """false, f and 0 are False, everything else is True."""
        for text in ("false", "F", "0"):
            self.assertIs(self.value(bool, text), False)
        for text in ("true", "1", "t"):
            self.assertIs(self.value(bool, text), True)

    def test_datetime(self):
        """ISO 8601, ctime's form and times alone."""
        day = datetime.datetime(2013, 4, 28)
        minute = day.replace(hour=5, minute=16)
        second = minute.replace(second=7)
        for text, expected in {
            "2013-04-28": day,
            "20130428": day,
            "2013-04-28 05:16": minute,
            "2013-04-28T05:16": minute,
            "20130428 05:16": minute,
            "2013-04-28 05:16:07": second,
            "20130428 05:16:07": second,
            "Sun Apr 28 05:16:07 2013": second,
            "05:16": datetime.datetime(1900, 1, 1, 5, 16),
            "05:16:07": datetime.datetime(1900, 1, 1, 5, 16, 7),
            "2013-04-28T05:16:07Z": second.replace(tzinfo=datetime.UTC),
        }.items():
            self.assertEqual(self.value(datetime.datetime, text), expected, text)
        self.refused(datetime.datetime, "yesterday")
        self.refused(datetime.datetime, "2013-13-28")

    def test_timedelta(self):
        """Numbers with units, added up; seconds where there is no unit."""
        for text, seconds in {
            "45": 45,
            "45s": 45,
            "1.5h": 5400,
            "1h 30m": 5400,
            "1h30m": 5400,
            "2 days": 172800,
            "1w": 604800,
            "10ms": 0.01,
            "10us": 0.00001,
            "-1h": -3600,
            "1h -5min": 3300,
            "1e3s": 1000,
            ".5 sec": 0.5,
            "": 0,
        }.items():
            self.assertEqual(self.value(datetime.timedelta, text).total_seconds(), seconds, text)
        for text in ("45x", "h", "1:30", "1h and a bit"):
            self.refused(datetime.timedelta, text)

    def test_multiple(self):
        """Values are separated by commas; a later setting replaces an earlier one."""
        self.assertEqual(self.value(str, "a,b", multiple=True), ["a", "b"])
        self.assertEqual(self.value(float, "1,2.5", multiple=True), [1.0, 2.5])
        self.options.define("x", type=int, multiple=True)
        self.parse("--x=1", "--x=2")
        self.assertEqual(self.options.x, [2])

    def test_ranges(self):
        """x:y among integers is a range that includes both."""
        self.assertEqual(self.value(int, "1,3:5,-1:0", multiple=True), [1, 3, 4, 5, -1, 0])
        self.assertEqual(self.value(int, "5:4", multiple=True), [])
        self.assertEqual(self.value(str, "a:b", multiple=True), ["a:b"])
        for text in ("1:", ":1", "1:2:3", "1,"):
            self.refused(int, text, multiple=True)

    def test_own_type(self):
        """Any class made from text will do; its ValueError becomes an Error."""

        class Even(int):
            def __new__(cls, text):
                if int(text) % 2:
                    raise ValueError
                return super().__new__(cls, text)

        self.assertEqual(self.value(Even, "4"), 4)
        self.refused(Even, "5")


class ConfigFileTests(OptionsTestCase):
    def test_values(self):
        """Global names become options, text being parsed for every type but str."""
        self.options.define("port", 80)
        self.options.define("name", "x")
        self.options.define("when", type=datetime.datetime)
        self.options.define("ids", type=int, multiple=True)
        self.options.define("names", multiple=True)
        self.parse_file(
            "import datetime\n"
            "port = '443'\nname = '李康'\nwhen = datetime.datetime(2020, 1, 1)\n"
            "ids = '1,2:3'\nnames = ['a,b', 'c']\nunknown = object()\n"
        )
        self.assertEqual(
            self.options.as_dict(),
            {
                "help": None,
                "port": 443,
                "name": "李康",
                "when": datetime.datetime(2020, 1, 1),
                "ids": [1, 2, 3],
                "names": ["a,b", "c"],
            },
        )

    def test_names(self):
        """An option with dashes is set with underscores."""
        self.options.define("my-name")
        self.parse_file("my_name = 'a'")
        self.assertEqual(self.options.my_name, "a")

    def test_file_name(self):
        """__file__ is the file's absolute path."""
        self.options.define("here")
        path = self.parse_file("here = __file__")
        self.assertEqual(self.options.here, path)

    def test_wrong_values(self):
        """Values of the wrong type are errors."""
        self.options.define("port", 80)
        self.options.define("ids", type=int, multiple=True)
        for text in ("port = 1.5", "port = 'x'", "ids = 5", "ids = ['a']", "ids = (1, 2)"):
            self.assertRaises(Error, self.parse_file, text)

    def test_broken_file(self):
        """A file that is no Python, or not there, raises what Python raises, naming it."""
        with self.assertRaises(SyntaxError) as caught:
            self.parse_file("port = = 1")
        self.assertTrue(os.path.isabs(caught.exception.filename))
        self.assertRaises(OSError, self.options.parse_config_file, "/no/such/file")

    def test_final(self):
        """A final parse runs the callbacks."""
        called = []
        self.options.add_parse_callback(lambda: called.append(1))
        self.parse_file("", final=False)
        self.assertEqual(called, [])
        self.parse_file("")
        self.assertEqual(called, [1])
