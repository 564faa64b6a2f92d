"""Which function an expression is escaped with, and how."""

import html

import markupsafe
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.template import render, render_files
from txtornado.escape import xhtml_escape
from txtornado.template import DictLoader, ParseError, Template, runtime

EVIL = '<a href="x">&\''
ESCAPED = b"&lt;a href=&quot;x&quot;&gt;&amp;&#x27;"


class DefaultEscapingTests(SynchronousTestCase):
    def test_by_default(self):
        """Expressions are escaped with xhtml_escape unless somebody says otherwise."""
        self.assertEqual(render("{{ x }}", x=EVIL), ESCAPED)
        self.assertEqual(render("{{ x }}", x=EVIL.encode()), ESCAPED)
        self.assertEqual(render("{{ x }}", x=[EVIL[:3]]), b"[&#x27;&lt;a &#x27;]")

    def test_every_kind_of_value(self):
        """What an object calls itself is escaped, whatever its class derives from."""

        class Loud(str):
            def replace(self, *args):
                return self

        class Named:
            def __str__(self):
                return Loud("<named>")

        class Number(int):
            def __str__(self):
                return "<7>"

        for value, expected in (
            (Loud("<b>"), b"&lt;b&gt;"),
            (markupsafe.Markup("<b>"), b"&lt;b&gt;"),
            (Named(), b"&lt;named&gt;"),
            (Number(7), b"&lt;7&gt;"),
        ):
            self.assertEqual(render("{{ x }}", x=value), expected)
            unescaped = render("{% raw x %}", x=value).decode()
            self.assertEqual(html.unescape(expected.decode()), unescaped)

    @given(st.text(st.characters(codec="utf-8")) | st.text("<>&\"'#34;9x27lt "))
    def test_same_as_xhtml_escape(self, text):
        """The quick way that templates escape gives what xhtml_escape gives."""
        expected = xhtml_escape(text).encode()
        self.assertEqual(Template("{{ x }}").generate(x=text), expected)
        self.assertEqual(Template("{{ x }}").generate(x=text.encode()), expected)

    def test_without_c(self):
        """Where markupsafe has no C function, html.escape takes its place in the same code."""
        escaper = (html.escape, *runtime._XHTML[1:])
        self.patch(runtime, "_XHTML", escaper)
        self.assertEqual(render("{{ x }}", x=EVIL), ESCAPED)


class WhoDecidesTests(SynchronousTestCase):
    def test_loader(self):
        """A loader decides for its templates."""
        files = {"a": "{{ x }}"}
        self.assertEqual(DictLoader(files, autoescape=None).load("a").generate(x="<"), b"<")
        self.assertEqual(DictLoader(files).load("a").generate(x="<"), b"&lt;")

    def test_template(self):
        """A template's constructor goes before its loader."""
        loader = DictLoader({}, autoescape=None)
        self.assertEqual(Template("{{ x }}", autoescape=None).generate(x="<"), b"<")
        self.assertEqual(
            Template("{{ x }}", loader=loader, autoescape="xhtml_escape").generate(x="<"), b"&lt;"
        )
        self.assertEqual(Template("{{ x }}", loader=loader).generate(x="<"), b"<")

    def test_file(self):
        """A file decides for all of itself, wherever in it the directive stands."""
        self.assertEqual(render("{{ x }}{% autoescape None %}{{ x }}", x="<"), b"<<")

    def test_file_only(self):
        """A file decides for no other file: not for what it includes or extends."""
        files = {
            "base": "{{ x }}{% block b %}{{ x }}{% end %}{% block c %}{{ x }}{% end %}",
            "inc": "{{ x }}",
            "page": "{% autoescape None %}{% extends base %}"
            "{% block b %}{{ x }}{% include inc %}{{ x }}{% end %}",
        }
        self.assertEqual(render_files(files, "page", x="<"), b"&lt;<&lt;<&lt;")

    def test_expression(self):
        """``raw`` decides for one expression."""
        self.assertEqual(render("{% raw x %}{{ x }}", x="<"), b"<&lt;")

    def test_missing_name(self):
        """``autoescape`` with nothing behind it is an error, not the end of escaping."""
        self.assertRaises(ParseError, Template, "{% autoescape %}{{ x }}")


class OwnFunctionTests(SynchronousTestCase):
    def test_given_bytes(self):
        """An escape function is given bytes, and may return bytes or text."""
        seen = []

        def as_text(value):
            seen.append(value)
            return value.decode().upper()

        def as_bytes(value):
            return b"\xff" + value

        text = "{% autoescape f %}{{ x }}{{ y }}"
        self.assertEqual(render(text, f=as_text, x="\u00e9", y=5), "\u00c95".encode())
        self.assertEqual(seen, ["\u00e9".encode(), b"5"])
        self.assertEqual(render(text, f=as_bytes, x="a", y=b"b"), b"\xffa\xffb")

    def test_returns_something_else(self):
        """An escape function that returns neither is told so, by its name."""

        def broken(value):
            return 5

        error = self.assertRaises(TypeError, render, "{% autoescape g %}{{ 1 }}", g=broken)
        self.assertIn("broken() must return str or bytes", str(error))

    def test_override(self):
        """An application may put its own function under the name xhtml_escape, for everybody."""

        def hashes(value):
            return b"#" * len(value)

        self.assertEqual(render("{{ x }}{{ y }}", x="ab", y=5, xhtml_escape=hashes), b"###")
        loader = DictLoader({"a": "{{ x }}"}, namespace={"xhtml_escape": hashes})
        self.assertEqual(loader.load("a").generate(x="ab"), b"##")
        self.assertEqual(
            render("{% autoescape escape %}{{ x }}", x="<", escape=lambda v: v + b"!"), b"<!"
        )

    def test_from_the_template(self):
        """The template itself may make or import the function, under whatever name."""
        self.assertEqual(
            render("{% set f = lambda v: b'[' + v + b']' %}{% autoescape f %}{{ 1 }}"), b"[1]"
        )
        self.assertEqual(render("{% set xhtml_escape = lambda v: b'!' %}{{ 1 }}{{ '<' }}"), b"!!")
        self.assertEqual(
            render("{% from base64 import b64encode as enc %}{% autoescape enc %}{{ 'a' }}"),
            b"YQ==",
        )

    def test_any_expression(self):
        """The function may be an attribute, or made on the spot."""
        self.assertEqual(
            render("{% import base64 %}{% autoescape base64.b64encode %}{{ 'a' }}"), b"YQ=="
        )
        self.assertEqual(render("{% autoescape repr %}{{ 'a' }}"), b"b'a'")

    def test_not_there(self):
        """A function that is not there is an error where it is wanted, and not before."""
        text = "{% autoescape nowhere %}{% if x %}{{ x }}{% end %}"
        self.assertEqual(render(text, x=0), b"")
        self.assertRaises(NameError, render, text, x=1)
