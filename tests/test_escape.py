"""Tests for `txtornado.escape`."""

import doctest
import html
import json
import re
import tracemalloc
import unittest
import urllib.parse

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.processes import once
from txtornado import escape
from txtornado.escape import linkify


def peak_memory(function, *args):
    """The most memory that a call takes, in bytes."""
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class DocstringTests(SynchronousTestCase):
    def test_examples_hold(self):
        """Every example in the module's docstrings does what it says."""
        result = unittest.TestResult()
        doctest.DocTestSuite(escape).run(result)
        self.assertTrue(result.testsRun)
        self.assertEqual((result.failures, result.errors), ([], []))


class TextAndBytesTests(SynchronousTestCase):
    def test_utf8(self):
        """Text is encoded; bytes and None are returned as they are."""
        self.assertEqual(escape.utf8("é"), b"\xc3\xa9")
        self.assertEqual(escape.utf8(b"\xff"), b"\xff")
        self.assertIsNone(escape.utf8(None))

    def test_to_unicode(self):
        """Bytes are decoded; text and None are returned as they are."""
        self.assertEqual(escape.to_unicode(b"\xc3\xa9"), "é")
        self.assertEqual(escape.to_unicode("é"), "é")
        self.assertIsNone(escape.to_unicode(None))

    def test_other_types(self):
        """Anything else is a TypeError that names the type."""
        for wrong in (1, [], bytearray(b"x")):
            for function in (escape.utf8, escape.to_unicode):
                with self.assertRaises(TypeError) as caught:
                    function(wrong)
                self.assertIn(type(wrong).__name__, str(caught.exception))

    def test_not_utf8(self):
        """Bytes that are no UTF-8 are not guessed at."""
        self.assertRaises(UnicodeDecodeError, escape.to_unicode, b"\xe9")

    def test_old_names(self):
        """native_str and to_basestring are to_unicode."""
        self.assertEqual(escape.native_str(b"a"), "a")
        self.assertEqual(escape.to_basestring(b"a"), "a")

    def test_recursive_unicode(self):
        """Bytes are decoded at any depth, other things are left alone."""
        value = {b"a": [b"b", ("c", b"d", 1)], "e": None, 2: {b"f"}}
        self.assertEqual(
            escape.recursive_unicode(value), {"a": ["b", ("c", "d", 1)], "e": None, 2: {b"f"}}
        )

    def test_squeeze(self):
        """Runs of blanks and control characters become one space."""
        self.assertEqual(escape.squeeze(" a\t\r\n b\x00\x1f c  "), "a b c")
        self.assertEqual(escape.squeeze("a\xa0 b"), "a\xa0 b")


class XHTMLTests(SynchronousTestCase):
    def test_escape(self):
        """The five characters become the documented references; the result is always str."""
        self.assertEqual(escape.xhtml_escape("<&>\"'é"), "&lt;&amp;&gt;&quot;&#x27;é")
        self.assertEqual(escape.xhtml_escape(b"<\xc3\xa9>"), "&lt;é&gt;")

    @given(st.text(alphabet="<>&\"'#x;aé0"))
    def test_round_trip(self, text):
        """Unescaping undoes escaping."""
        self.assertEqual(escape.xhtml_unescape(escape.xhtml_escape(text)), text)

    def test_unescape(self):
        """Named and numeric references are resolved, broken ones stay."""
        self.assertEqual(escape.xhtml_unescape("&eacute;&#233;&#xE9;&#XE9;"), "éééé")
        self.assertEqual(escape.xhtml_unescape("&nosuch;&#;&#xyz;"), "&nosuch;&#;&#xyz;")
        self.assertEqual(escape.xhtml_unescape(b"&lt;"), "<")


class JSONTests(SynchronousTestCase):
    def test_script_is_safe(self):
        """The text cannot end the script element it stands in, and still says the same."""
        text = escape.json_encode({"a": "</script><!--"})
        self.assertNotIn("</", text)
        self.assertEqual(json.loads(text), {"a": "</script><!--"})

    def test_same_as_json(self):
        """It is what `json.dumps` makes of it, and fails as that does, with or without help."""

        class Odd(dict):
            pass

        circle = []
        circle.append(circle)
        values = [None, 1.5, float("inf"), "\u00e9\u4f60", {1: [(), {}], None: True}, Odd(a=1), []]
        for pieces in (escape._json_pieces, None):
            self.patch(escape, "_json_pieces", pieces)
            for value in values:
                self.assertEqual(escape.json_encode(value), json.dumps(value))
            for wrong, error in (
                (circle, ValueError),
                ({(1, 2): 3}, TypeError),
                (object(), TypeError),
            ):
                said = str(self.assertRaises(error, escape.json_encode, wrong))
                self.assertEqual(said, str(self.assertRaises(error, json.dumps, wrong)))

    def test_not_encodable(self):
        """Bytes have no JSON form."""
        self.assertRaises(TypeError, escape.json_encode, b"a")

    def test_decode(self):
        """Text and UTF-8 bytes are decoded."""
        self.assertEqual(escape.json_decode('["é"]'), ["é"])
        self.assertEqual(escape.json_decode('["é"]'.encode()), ["é"])

    def test_not_decodable(self):
        """What is not JSON is a ValueError."""
        for wrong in ("", "{", "nope", b"\xff"):
            self.assertRaises(ValueError, escape.json_decode, wrong)


class URLTests(SynchronousTestCase):
    def test_escape(self):
        """With plus for queries, without for paths."""
        self.assertEqual(escape.url_escape("a/b c+é"), "a%2Fb+c%2B%C3%A9")
        self.assertEqual(escape.url_escape("a/b c+é", plus=False), "a/b%20c%2B%C3%A9")
        self.assertEqual(escape.url_escape(b"\xe9"), "%E9")

    @given(st.text(), st.booleans())
    def test_round_trip(self, text, plus):
        """url_unescape undoes url_escape, as text and as bytes."""
        escaped = escape.url_escape(text, plus)
        self.assertEqual(escape.url_unescape(escaped, plus=plus), text)
        self.assertEqual(escape.url_unescape(escaped.encode(), None, plus), text.encode())

    def test_unescape_encodings(self):
        """The encoding decides; None gives bytes; what does not fit is replaced."""
        self.assertEqual(escape.url_unescape("%E9", "latin1"), "é")
        self.assertEqual(escape.url_unescape(b"%E9+", None), b"\xe9 ")
        self.assertEqual(escape.url_unescape("%E9"), "\ufffd")

    def test_unescape_plus(self):
        """A plus is a space in queries only."""
        self.assertEqual(escape.url_unescape("a+%2B"), "a +")
        self.assertEqual(escape.url_unescape("a+%2B", plus=False), "a++")

    @given(st.binary() | st.text(alphabet="%0aAfFzZ=\n").map(str.encode))
    def test_unquote(self, data):
        """Percent-decoding is that of the standard library, broken escapes included."""
        self.assertEqual(escape._unquote_to_bytes(data), urllib.parse.unquote_to_bytes(data))

    @given(st.text(alphabet="%4a", min_size=8).map(str.encode))
    def test_unquote_in_windows(self, data):
        """Long input is decoded piece by piece with the same result."""
        expected = urllib.parse.unquote_to_bytes(data)
        before = escape._UNQUOTE_WINDOW
        escape._UNQUOTE_WINDOW = 5
        try:
            self.assertEqual(escape._unquote_to_bytes(data), expected)
        finally:
            escape._UNQUOTE_WINDOW = before

    @once("escaping needs no reactor")
    def test_unquote_memory(self):
        """No input takes many times its size: not lone percents, not isolated escapes."""
        for pattern in (b"%", b"%41", b"%41a", b"a%", b"%4", b"%%41"):
            data = pattern * (600_000 // len(pattern))
            self.assertLess(peak_memory(escape._unquote_to_bytes, data), 10 * len(data), pattern)


class ParseQSTests(SynchronousTestCase):
    def test_values(self):
        """Values are bytes in order, names latin-1 text."""
        self.assertEqual(
            escape.parse_qs_bytes(b"a=1&b=x+y%2B&a=%FF&%E9=2"),
            {"a": [b"1", b"\xff"], "b": [b"x y+"], "é": [b"2"]},
        )

    def test_text(self):
        """Text counts as latin-1, and must be."""
        self.assertEqual(escape.parse_qs_bytes("é=é"), {"é": [b"\xe9"]})
        self.assertRaises(ValueError, escape.parse_qs_bytes, "a=\u4e00")

    def test_blank(self):
        """Fields without a value count on request; empty fields never do."""
        self.assertEqual(escape.parse_qs_bytes(b"a&b=&&c=1"), {"c": [b"1"]})
        self.assertEqual(
            escape.parse_qs_bytes(b"a&b=&&c=1", keep_blank_values=True),
            {"a": [b""], "b": [b""], "c": [b"1"]},
        )

    def test_strict(self):
        """Strict parsing refuses fields without an equals sign."""
        for wrong in (b"a", b"a=1&", b"&", b"a=1&&b=2"):
            self.assertRaises(ValueError, escape.parse_qs_bytes, wrong, strict_parsing=True)
        self.assertEqual(escape.parse_qs_bytes(b"", strict_parsing=True), {})

    def test_number_of_fields(self):
        """More fields than allowed are refused; as many are not."""
        self.assertEqual(len(escape.parse_qs_bytes(b"a=1&b=2", max_num_fields=2)), 2)
        self.assertRaises(ValueError, escape.parse_qs_bytes, b"a=1&b=2&", max_num_fields=2)
        self.assertEqual(escape.parse_qs_bytes(b"", max_num_fields=0), {})

    def test_semicolon(self):
        """Only the ampersand separates fields."""
        self.assertEqual(escape.parse_qs_bytes(b"a=1;b=2"), {"a": [b"1;b=2"]})

    @given(st.text(alphabet="ab=&+%4é").map(lambda s: s.encode("latin1")), st.booleans())
    def test_like_the_standard_library(self, query, keep):
        """The result is urllib's, with the values encoded."""
        expected = urllib.parse.parse_qs(query.decode("latin1"), keep, encoding="latin1")
        self.assertEqual(
            escape.parse_qs_bytes(query, keep),
            {k: [v.encode("latin1") for v in values] for k, values in expected.items()},
        )


def a(url, text=None, href=None):
    return f'<a href="{href or url}">{text or url}</a>'


class LinkifyTests(SynchronousTestCase):
    def test_documented(self):
        """The example of the documentation."""
        self.assertEqual(
            linkify("Hello http://tornadoweb.org!"),
            'Hello <a href="http://tornadoweb.org">http://tornadoweb.org</a>!',
        )

    def test_where_a_link_ends(self):
        """A link ends before blanks, brackets, quotes and a sentence's punctuation."""
        for after in ("", " x", ".", "...", ", x", ">", "</b>", "'", '"', ")", ":", "?", "!", "\n"):
            self.assertEqual(
                linkify("http://ab.com/c" + after), a("http://ab.com/c") + html.escape(after)
            )

    def test_parentheses(self):
        """Balanced parentheses belong to a link, others do not."""
        self.assertEqual(linkify("(http://a.b/c_(d))"), "(" + a("http://a.b/c_(d)") + ")")
        self.assertEqual(linkify("http://a.b/c_(d)_(e)f."), a("http://a.b/c_(d)_(e)f") + ".")
        self.assertEqual(linkify("http://a.b/c(d"), a("http://a.b/c") + "(d")
        self.assertEqual(linkify("http://a.b/c((d))"), a("http://a.b/c") + "((d))")

    def test_escaping(self):
        """Everything is escaped, in and around links."""
        self.assertEqual(
            linkify("<b> & http://a.b/?c=1&d=2"),
            "&lt;b&gt; &amp; " + a("http://a.b/?c=1&amp;d=2"),
        )
        self.assertNotIn('" onclick', linkify('http://a.b/" onclick="x'))

    def test_bytes(self):
        """Bytes are UTF-8."""
        self.assertEqual(linkify("é www.é.b".encode()), "é " + a("http://www.é.b", "www.é.b"))

    def test_www(self):
        """Names that begin with www. are links, unless a protocol is required."""
        self.assertEqual(linkify("x www.a.b y"), "x " + a("http://www.a.b", "www.a.b") + " y")
        self.assertEqual(linkify("x www.a.b y", require_protocol=True), "x www.a.b y")
        self.assertEqual(linkify("xwww.a.b www. www..."), "xwww.a.b www. www...")

    def test_protocols(self):
        """Only permitted protocols become links; others keep their text whole."""
        text = "javascript:/alert(1) http://a.b"
        self.assertEqual(linkify(text), "javascript:/alert(1) " + a("http://a.b"))
        self.assertEqual(linkify("file:///www.a.b http://c", permitted_protocols=["file"]),
                         a("file:///www.a.b") + " http://c")  # fmt: skip
        self.assertEqual(linkify("x-http://a.b"), "x-http://a.b")

    def test_protocols_once(self):
        """permitted_protocols may be an iterator."""
        self.assertEqual(
            linkify("http://a http://b", permitted_protocols=iter(["http"])),
            a("http://a") + " " + a("http://b"),
        )

    def test_nothing_after_the_protocol(self):
        """A bare protocol is no link."""
        self.assertEqual(linkify("http:// http://..."), "http:// http://...")

    def test_extra_params(self):
        """Attributes are added, from a string or a function of the escaped URL."""
        self.assertEqual(
            linkify("www.a.b", extra_params='rel="nofollow"'),
            '<a href="http://www.a.b" rel="nofollow">www.a.b</a>',
        )
        seen = []
        result = linkify("http://a.b/?c&d", extra_params=lambda url: seen.append(url) or " x ")
        self.assertEqual(result, '<a href="http://a.b/?c&amp;d" x>http://a.b/?c&amp;d</a>')
        self.assertEqual(seen, ["http://a.b/?c&amp;d"])

    def shown(self, url):
        result = linkify(url, shorten=True)
        return html.unescape(result[result.index(">") + 1 : result.rindex("<")])

    def test_shorten(self):
        """A long URL is cut within its path, and whole in the title."""
        url = "http://example.com/a-long-path/that/goes?on=1"
        self.assertEqual(
            linkify(url, shorten=True),
            f'<a href="{url}" title="{url}">http://example.com/a-long-p...</a>',
        )
        self.assertEqual(
            self.shown("http://a.com/index.html?q=01234567890"), "http://a.com/index..."
        )
        self.assertEqual(
            self.shown("www.a.com/bcdefghijklm/nopqrstuvwxyz"), "www.a.com/bcdefghi..."
        )

    def test_shorten_host(self):
        """A URL whose host alone is too long is cut there."""
        self.assertEqual(self.shown("http://" + "a" * 60 + ".com/x"), "http://" + "a" * 23 + "...")

    def test_shorten_to_no_avail(self):
        """What would not become shorter is left as it is, without a title."""
        for url in ("http://a.com/b", "http://abcdefghijklmnopqrstuvwxy/", "http://" + "a" * 30):
            self.assertEqual(linkify(url, shorten=True), a(url))

    def test_shorten_does_not_cut_references(self):
        """Cutting happens before escaping."""
        self.assertEqual(
            self.shown("http://a.com/a&b&c&d&e&f&g&h&i&j&k"), "http://a.com/a&b&c&d&..."
        )

    @once("escaping needs no reactor")
    def test_linear(self):
        """Input made to provoke backtracking is handled at once, and in proportionate memory."""
        for pattern in (
            "a-",
            "www.",
            "http://",
            "http://x(",
            "www.a.....",
            "(",
            "w",
            "a:/",
            "www.a ",
        ):
            text = pattern * (200_000 // len(pattern))
            self.assertLess(peak_memory(linkify, text), 30 * len(text), pattern)

    @given(st.text(alphabet="htp:/w.()<>&\"' a-", max_size=60))
    def test_text_is_kept(self, text):
        """Without its tags the result says what the text said, and has no other markup."""
        result = linkify(text)
        self.assertEqual(html.unescape(re.sub(r'<a href="[^"<>]*">|</a>', "", result)), text)
