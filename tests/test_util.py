"""Tests for `txtornado.util`."""

import asyncio
import contextlib
import datetime
import errno
import functools
import gzip
import os
import re
import sys
import tracemalloc
import types
import unittest
import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import txtornado.escape
from txtornado import util


class DocstringTests(SynchronousTestCase):
    def test_examples_hold(self):
        """Every example in the module's docstrings does what it says."""
        suite = util.doctests()
        result = unittest.TestResult()
        suite.run(result)
        self.assertTrue(result.testsRun)
        self.assertEqual((result.failures, result.errors), ([], []))


class ObjectDictTests(SynchronousTestCase):
    def test_keys_are_attributes(self):
        """Attributes and string keys are the same thing."""
        d = util.ObjectDict(a=1)
        d.b = 2
        d["c"] = 3
        self.assertEqual(d, {"a": 1, "b": 2, "c": 3})
        self.assertEqual((d.a, d["b"], d.c), (1, 2, 3))

    def test_missing_attribute(self):
        """A missing attribute raises AttributeError, so that getattr's default works."""
        d = util.ObjectDict()
        self.assertRaises(AttributeError, getattr, d, "a")
        self.assertEqual(getattr(d, "a", 5), 5)
        self.assertRaises(KeyError, lambda: d["a"])


class Shape(util.Configurable):
    @classmethod
    def configurable_base(cls):
        return Shape

    @classmethod
    def configurable_default(cls):
        return Square


class Square(Shape):
    def initialize(self, size=1, colour=None):
        self.size = size
        self.colour = colour


class Circle(Shape):
    def initialize(self, size=2, radius=None):
        self.size = size
        self.radius = radius


class Solid(Shape):
    """Configurable itself, below Shape."""

    @classmethod
    def configurable_base(cls):
        return Solid

    @classmethod
    def configurable_default(cls):
        return Cube


class Cube(Solid):
    def initialize(self, size=3):
        self.size = size


class Ball(Solid):
    def initialize(self, size=4, weight=None):
        self.size = size
        self.weight = weight


class Single(util.Configurable):
    """A base that is its own implementation."""

    @classmethod
    def configurable_base(cls):
        return Single

    @classmethod
    def configurable_default(cls):
        return Single

    def initialize(self, size=5):
        self.size = size


class ConfigurableTests(SynchronousTestCase):
    def setUp(self):
        for base in (Shape, Solid, Single):
            self.addCleanup(base._restore_configuration, base._save_configuration())

    def test_default(self):
        """The root builds the default, and hands its arguments on."""
        self.assertIs(Shape.configured_class(), Square)
        self.assertIs(type(Shape()), Square)
        self.assertEqual(Shape(7, colour="red").__dict__, {"size": 7, "colour": "red"})

    def test_configure_class(self):
        """The root builds the configured class from then on."""
        Shape.configure(Circle)
        self.assertIs(type(Shape(radius=1)), Circle)
        self.assertIs(type(Square()), Square)

    def test_configure_name(self):
        """A dotted name is imported."""
        Shape.configure(__name__ + ".Circle")
        self.assertIs(Shape.configured_class(), Circle)

    def test_tornado_name(self):
        """A name below "tornado." means the same name in txtornado, never Tornado's class."""
        module = types.ModuleType("txtornado.shapes")
        module.Circle = Circle
        sys.modules["txtornado.shapes"] = module
        self.addCleanup(sys.modules.pop, "txtornado.shapes")
        Shape.configure("tornado.shapes.Circle")
        self.assertIs(Shape.configured_class(), Circle)
        self.assertNotIn("tornado.shapes", sys.modules)

    def test_tornado_name_unknown(self):
        """A name that exists in neither is refused, and the setting stays as it was."""
        Shape.configure(Circle)
        names = ["tornado", *(name for name in sys.modules if name.startswith("tornado."))]
        theirs = {name: sys.modules.pop(name) for name in names if name in sys.modules}
        self.addCleanup(sys.modules.update, theirs)  # other tests may have loaded it
        self.assertRaises(ImportError, Shape.configure, "tornado.no_such_module.Circle")
        self.assertIs(Shape.configured_class(), Circle)
        self.assertNotIn("tornado", sys.modules)

    def test_tornado_name_imported_by_the_program(self):
        """A module below "tornado." that the program itself has loaded is used as a last resort."""
        module = types.ModuleType("tornado.shapes")
        module.Circle = Circle
        sys.modules["tornado.shapes"] = module
        self.addCleanup(sys.modules.pop, "tornado.shapes")
        Shape.configure("tornado.shapes.Circle")
        self.assertIs(Shape.configured_class(), Circle)

    def test_configured_arguments(self):
        """Configured arguments are defaults for the root's calls, and for these alone."""
        Shape.configure(None, colour="blue")
        self.assertEqual(Shape(8).__dict__, {"size": 8, "colour": "blue"})
        self.assertEqual(Shape(colour="red").colour, "red")
        self.assertIsNone(Square().colour)

    def test_configured_arguments_are_not_shared(self):
        """A call does not change the configured arguments."""
        Shape.configure(Square, colour="blue")
        Shape(colour="red")
        self.assertEqual(Shape().colour, "blue")

    def test_configure_none_restores_the_default(self):
        """configure(None) takes an earlier choice back."""
        Shape.configure(Circle, radius=3)
        Shape.configure(None)
        self.assertEqual(Shape().__dict__, {"size": 1, "colour": None})

    def test_not_a_subclass(self):
        """Classes that do not implement the interface are refused."""
        for wrong in (dict, "collections.OrderedDict", "os.path.join", util.Configurable):
            with self.assertRaises(ValueError) as caught:
                Shape.configure(wrong)
            self.assertIn("Shape", str(caught.exception))

    def test_two_levels(self):
        """An implementation can be configurable in its turn."""
        Shape.configure(Solid, size=9)
        self.assertIs(type(Shape()), Cube)
        self.assertEqual(Shape().size, 9)
        Solid.configure(Ball, weight=2)
        self.assertEqual(Shape().__dict__, {"size": 9, "weight": 2})
        self.assertEqual(Solid().__dict__, {"size": 4, "weight": 2})

    def test_levels_are_apart(self):
        """Configuring one level leaves the other alone."""
        Solid.configure(Ball)
        self.assertIs(type(Shape()), Square)
        Shape.configure(Circle)
        self.assertIs(type(Solid()), Ball)

    def test_base_as_implementation(self):
        """A base may be its own default."""
        self.assertEqual(Single().size, 5)
        Single.configure(None, size=6)
        self.assertEqual(Single().size, 6)

    def test_abstract(self):
        """A class that forgets the two class methods is told so."""
        with self.assertRaises(NotImplementedError) as caught:
            util.Configurable()
        self.assertIn("configurable_base", str(caught.exception))


class ArgReplacerTests(SynchronousTestCase):
    def check(self, func, args, kwargs):
        return util.ArgReplacer(func, "callback").replace("new", args, kwargs)

    def test_positional(self):
        """An argument given by position is exchanged in place."""

        def func(x, callback=None, y=None): ...

        self.assertEqual(self.check(func, (1, "old", 2), {}), ("old", [1, "new", 2], {}))

    def test_keyword(self):
        """An argument given by keyword is exchanged in the keywords."""

        def func(x, callback=None): ...

        self.assertEqual(
            self.check(func, (1,), {"callback": "old"}), ("old", (1,), {"callback": "new"})
        )

    def test_left_out(self):
        """An argument that was left out is added by keyword."""

        def func(x, callback=None): ...

        self.assertEqual(self.check(func, (1,), {}), (None, (1,), {"callback": "new"}))

    def test_keyword_only(self):
        """A keyword-only argument is never looked for among the positional ones."""

        def func(x, *rest, callback=None): ...

        self.assertEqual(
            self.check(func, (1, 2, 3), {"callback": 4}), (4, (1, 2, 3), {"callback": "new"})
        )

    def test_unknown_name(self):
        """A function with **kwargs may take the argument without naming it."""

        def func(**kwargs): ...

        self.assertEqual(self.check(func, (), {}), (None, (), {"callback": "new"}))

    def test_old_value(self):
        """The present value can be read without a change; the default stands for none."""

        def func(x, callback=None): ...

        replacer = util.ArgReplacer(func, "callback")
        self.assertEqual(replacer.get_old_value((1, 2), {}), 2)
        self.assertEqual(replacer.get_old_value((1,), {"callback": 3}), 3)
        self.assertEqual(replacer.get_old_value((1,), {}, 4), 4)

    def test_wrapped_function(self):
        """Of a decorated function the wrapper's own signature counts."""

        def func(callback): ...

        @functools.wraps(func)
        def wrapper(extra, callback): ...

        self.assertEqual(util.ArgReplacer(wrapper, "callback").arg_pos, 1)

    def test_no_signature(self):
        """What has no signature at all is refused with an error of its own kind."""
        with self.assertRaises((TypeError, ValueError)):
            util.ArgReplacer(5, "callback")


def decompress(data, read_size=1000, max_length=1000):
    """Everything in ``data``, by the documented loop."""
    decompressor = util.GzipDecompressor()
    result = bytearray()
    for start in range(0, len(data), read_size):
        chunk = data[start : start + read_size]
        while chunk:
            output = decompressor.decompress(chunk, max_length)
            assert len(output) <= max_length
            result += output
            chunk = decompressor.unconsumed_tail
    assert decompressor.flush() == b""
    return bytes(result)


class GzipDecompressorTests(SynchronousTestCase):
    @given(
        st.lists(st.binary(max_size=300), max_size=5),
        st.integers(1, 50),
        st.integers(1, 200),
        st.integers(1, 400),
    )
    def test_members(self, parts, repeat, read_size, max_length):
        """Any number of members comes out whole, whatever the sizes of the chunks."""
        parts = [part * repeat for part in parts]
        data = b"".join(map(gzip.compress, parts))
        self.assertEqual(decompress(data, read_size, max_length), b"".join(parts))

    @given(st.binary(max_size=200), st.integers(1, 60))
    def test_rubbish(self, data, read_size):
        """Arbitrary bytes raise zlib.error or come out as what the gzip module makes of them."""
        try:
            result = decompress(data, read_size)
        except zlib.error:
            return
        self.assertEqual(result, gzip.decompress(data))

    def test_damage(self):
        """A wrong checksum is noticed."""
        data = bytearray(gzip.compress(b"hello"))
        data[-6] ^= 1
        self.assertRaises(zlib.error, decompress, bytes(data))

    def test_trailing_rubbish(self):
        """Bytes after the last member are an error."""
        for rubbish in (b"\0", b"\0\0\0", b"more", b"\x1f", b"\x1f\x8b"):
            self.assertRaises(zlib.error, decompress, gzip.compress(b"x") + rubbish)
            self.assertRaises(zlib.error, decompress, gzip.compress(b"x") + rubbish, 1)

    def test_truncated(self):
        """A stream that ends early is noticed by flush(), at every place."""
        data = gzip.compress(b"hello" * 100)
        for end in range(1, len(data)):
            self.assertRaises(zlib.error, decompress, data[:end])

    def test_nothing(self):
        """No input at all is no error: the answer to a HEAD request has no body."""
        self.assertEqual(util.GzipDecompressor().flush(), b"")

    def test_bomb(self):
        """Output is limited to max_length, and what is left over must be given back."""
        bomb = gzip.compress(b"\0" * 10_000_000)
        decompressor = util.GzipDecompressor()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertEqual(decompressor.decompress(bomb, 100), b"\0" * 100)
        self.assertLess(tracemalloc.get_traced_memory()[1], 500_000)
        self.assertRaises(ValueError, decompressor.flush)

    def test_many_tiny_members(self):
        """Tens of thousands of empty members cost copies in proportion to their size."""
        copied = 0
        real = zlib.decompressobj

        class Counting:
            def __init__(self, wbits):
                self.real = real(wbits)

            def __getattr__(self, name):
                return getattr(self.real, name)

            def decompress(self, data, limit):
                nonlocal copied
                copied += len(data)
                return self.real.decompress(data, limit)

        data = gzip.compress(b"") * 20_000
        self.patch(zlib, "decompressobj", Counting)
        self.assertEqual(util.GzipDecompressor().decompress(data, 10), b"")
        self.assertLess(copied, 20 * len(data))

    def test_without_limit(self):
        """No limit is the deprecated default: everything at once, with a warning."""
        decompressor = util.GzipDecompressor()
        data = gzip.compress(b"a" * 5000) + gzip.compress(b"b")
        self.assertEqual(decompressor.decompress(data), b"a" * 5000 + b"b")
        self.assertEqual(decompressor.flush(), b"")
        warnings = self.flushWarnings()
        self.assertEqual([w["category"] for w in warnings], [DeprecationWarning])
        self.assertIn("max_length", warnings[0]["message"])


class ImportObjectTests(SynchronousTestCase):
    def test_module(self):
        """A module's name gives the module, also at the top level."""
        self.assertIs(util.import_object("txtornado.escape"), txtornado.escape)
        self.assertIs(util.import_object("txtornado"), txtornado)

    def test_member(self):
        """A name in a module gives what it is bound to."""
        self.assertIs(util.import_object("txtornado.escape.utf8"), txtornado.escape.utf8)

    def test_missing(self):
        """Modules and names that do not exist raise ImportError."""
        for name in ("no_such_module", "no_such.module", "txtornado.nope", "txtornado.escape.nope"):
            self.assertRaises(ImportError, util.import_object, name)

    def test_broken_module(self):
        """The error within a module that exists is shown, not hidden as "no such module"."""
        directory = self.mktemp()
        os.mkdir(directory)
        with open(os.path.join(directory, "__init__.py"), "w"):
            pass
        with open(os.path.join(directory, "broken.py"), "w") as f:
            f.write("import a_module_that_is_missing\n")
        parent, package = os.path.split(os.path.abspath(directory))
        with contextlib.ExitStack() as stack:
            sys.path.insert(0, parent)
            stack.callback(sys.path.remove, parent)
            stack.callback(sys.modules.pop, package, None)
            with self.assertRaises(ImportError) as caught:
                util.import_object(package + ".broken")
        self.assertIn("a_module_that_is_missing", str(caught.exception))


class SmallToolsTests(SynchronousTestCase):
    def test_exec_in_text(self):
        """Text is run in the given namespace, without this file's __future__ features."""
        namespace = {}
        util.exec_in("def f(x: int): pass", namespace)
        self.assertEqual(namespace["f"].__annotations__, {"x": int})

    def test_exec_in_code_and_locals(self):
        """A code object runs as it is; assignments go to the second namespace."""
        outer, inner = {"a": 1}, {}
        util.exec_in(compile("b = a + 1", "x", "exec"), outer, inner)
        self.assertEqual(inner, {"b": 2})
        self.assertNotIn("b", outer)

    def test_raise_exc_info(self):
        """The very exception is raised again, from where it first was."""

        def first():
            raise KeyError("x")

        try:
            first()
        except KeyError:
            exc_info = sys.exc_info()
        with self.assertRaises(KeyError) as caught:
            util.raise_exc_info(exc_info)
        self.assertIs(caught.exception, exc_info[1])
        names = []
        traceback = exc_info[1].__traceback__
        while traceback:
            names.append(traceback.tb_frame.f_code.co_name)
            traceback = traceback.tb_next
        self.assertEqual(names[-1], "first")

    def test_raise_no_exc_info(self):
        """Without an exception there is nothing to raise: TypeError."""
        self.assertRaises(TypeError, util.raise_exc_info, (None, None, None))

    def test_errno(self):
        """The number is the attribute, the first argument or None."""

        class Odd(Exception):
            pass

        self.assertEqual(util.errno_from_exception(OSError(errno.EPIPE, "x")), errno.EPIPE)
        self.assertEqual(util.errno_from_exception(Odd(7)), 7)
        self.assertIsNone(util.errno_from_exception(Odd()))

    def test_timedelta(self):
        """A timedelta's length in seconds, fractions and sign included."""
        span = datetime.timedelta(days=-1, microseconds=500_000)
        self.assertEqual(util.timedelta_to_seconds(span), -86399.5)

    @given(st.text())
    def test_re_unescape(self, text):
        """re_unescape undoes re.escape for any text."""
        self.assertEqual(util.re_unescape(re.escape(text)), text)

    def test_re_unescape_refuses(self):
        """Character classes and anchors are no escaped text."""
        for pattern in (r"\d", r"a\Z", r"\b", r"\1"):
            self.assertRaises(ValueError, util.re_unescape, pattern)

    def test_names_of_both_pythons(self):
        """The names that bridged Python 2 and 3 are what they are on Python 3."""
        self.assertIs(util.bytes_type, bytes)
        self.assertIs(util.unicode_type, str)
        self.assertIs(util.basestring_type, str)
        self.assertEqual((util.b("\xe9"), util.u("a")), (b"\xe9", "a"))
        self.assertIs(util.TimeoutError, asyncio.TimeoutError)

    @given(st.binary(min_size=4, max_size=4), st.binary(max_size=70))
    def test_websocket_mask(self, mask, data):
        """Each byte is XORed with the mask's byte of its position."""
        expected = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.assertEqual(util._websocket_mask(mask, data), expected)
