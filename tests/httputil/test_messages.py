"""Tests for start lines, parameters, cookies, dates, ranges and URLs of `txtornado.httputil`."""

import datetime
import time
import urllib.parse

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado import httputil
from txtornado.httputil import (
    HTTPInputError,
    RequestStartLine,
    ResponseStartLine,
    dates,
    format_timestamp,
    parse_cookie,
    parse_request_start_line,
    parse_response_start_line,
    split_host_and_port,
    url_concat,
)
from txtornado.httputil.parameters import (
    encode_header,
    encode_username_password,
    int_or_none,
    parse_header,
)
from txtornado.httputil.ranges import get_content_range, parse_request_range


class StartLineTests(SynchronousTestCase):
    """The first lines of messages."""

    def test_request(self) -> None:
        """Method, target and version are told apart."""
        self.assertEqual(
            parse_request_start_line("GET /a?b HTTP/1.1"),
            RequestStartLine("GET", "/a?b", "HTTP/1.1"),
        )

    def test_bad_requests(self) -> None:
        """Anything but three parts, one space between, is refused; so is HTTP/2."""
        for line in (
            "",
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET /a b HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/1.10",
            "GET / HTTP/2.0",
            "GET /\n HTTP/1.1",
            "GET / HTTP/1.1\n",
        ):
            self.assertRaises(HTTPInputError, parse_request_start_line, line)

    def test_response(self) -> None:
        """Version, code and reason are told apart; the reason may be empty."""
        self.assertEqual(
            parse_response_start_line("HTTP/1.0 404 Not Found"),
            ResponseStartLine("HTTP/1.0", 404, "Not Found"),
        )
        self.assertEqual(parse_response_start_line("HTTP/1.1 200 ").reason, "")

    def test_bad_responses(self) -> None:
        """A code without three digits, controls, and another version are refused."""
        for line in ("", "HTTP/1.1 200", "HTTP/1.1 20 OK", "HTTP/1.1 200 a\0", "HTTP/3.0 200 OK"):
            self.assertRaises(HTTPInputError, parse_response_start_line, line)

    @given(st.text())
    def test_any_text(self, line: str) -> None:
        """Any text is parsed or refused with HTTPInputError."""
        for parse in (parse_request_start_line, parse_response_start_line):
            try:
                parse(line)
            except HTTPInputError:
                continue


class ParameterTests(SynchronousTestCase):
    """Field values with parameters."""

    def test_values(self) -> None:
        """Quoted and plain values, blanks, and repetitions."""
        for line, expected in [
            ("", ("", {})),
            ("text/html; charset=utf-8", ("text/html", {"charset": "utf-8"})),
            ('a; B="c;d"; e = f', ("a", {"b": "c;d", "e": "f"})),
            ('a; b="\\"\\\\"', ("a", {"b": '"\\'})),
            ('a; b="c\\d"', ("a", {"b": "c\\d"})),
            ("a; b; c=d", ("a", {"c": "d"})),
            ("a; b=1; b=2", ("a", {"b": "2"})),
            ('a; b="open', ("a", {"b": '"open'})),
            ('a; b="c"d; e=f', ("a", {"b": '"c"d', "e": "f"})),
        ]:
            self.assertEqual(parse_header(line), expected, line)

    def test_extended(self) -> None:
        """The extended form is decoded and wins, wherever it stands."""
        line = "a; f*=UTF-8''%e2%82%ac; f=euro"
        self.assertEqual(parse_header(line)[1], {"f": "\u20ac"})
        self.assertEqual(parse_header("a; f*=iso-8859-1'en'%a3")[1], {"f": "\xa3"})
        self.assertEqual(parse_header("a; f*=nonsense%41")[1], {"f": "nonsenseA"})
        self.assertEqual(parse_header("a; f*=utf-8''%ff")[1], {"f": "\ufffd"})

    def test_many_quotes(self) -> None:
        """A megabyte of quotes, semicolons or escapes is no trouble."""
        for piece in ('"', ";", '\\"', '; a="', '; a="\\"', "; a=b", '="\\', ' ;a= "x'):
            value, parameters = parse_header("v; x=" + piece * (1_000_000 // len(piece)))
            self.assertEqual(value, "v")
            self.assertLess(len(parameters), 5)

    @given(st.text())
    def test_any_text(self, line: str) -> None:
        """Any text is taken without an error."""
        value, parameters = parse_header(line)
        self.assertIsInstance(value, str)
        self.assertTrue(all(isinstance(each, str) for each in parameters.values()))

    @given(st.dictionaries(st.from_regex("[a-z]{1,5}", fullmatch=True), st.text()))
    def test_quoted_round_trip(self, parameters: dict[str, str]) -> None:
        """What is quoted and escaped comes back as it was."""
        line = "v"
        for name, text in parameters.items():
            text = text.replace("\\", "\\\\").replace('"', '\\"')
            line += f'; {name}="{text}"'
        self.assertEqual(parse_header(line), ("v", parameters))

    def test_encode(self) -> None:
        """A parameter without a value is its name."""
        self.assertEqual(encode_header("a", {"b": None, "c": 1}), "a; b; c=1")

    def test_credentials(self) -> None:
        """Text is composed and encoded as UTF-8; bytes are left alone."""
        self.assertEqual(encode_username_password("a\u0301", b"\xff"), b"\xc3\xa1:\xff")

    def test_int_or_none(self) -> None:
        """Blank is None, a number a number, the rest an error."""
        self.assertIsNone(int_or_none(" "))
        self.assertEqual(int_or_none(" 7 "), 7)
        self.assertRaises(ValueError, int_or_none, "x")


class CookieTests(SynchronousTestCase):
    """The ``Cookie`` header."""

    def test_cookies(self) -> None:
        """Pairs, pieces without a name, equals signs, blanks, repetitions."""
        for header, expected in [
            ("", {}),
            ("a=b; c=d", {"a": "b", "c": "d"}),
            ("a=b=c", {"a": "b=c"}),
            ("alone", {"": "alone"}),
            (" ; =; a = b ", {"a": "b"}),
            ("a=1; a=2", {"a": "2"}),
            ('a="b;c"', {"a": '"b', "": 'c"'}),
        ]:
            self.assertEqual(parse_cookie(header), expected, header)

    def test_quoted(self) -> None:
        """Quotes go, escapes are undone; three octal digits make a character."""
        for header, expected in [
            (r'a="b"', "b"),
            (r'a=""', ""),
            ('a="', '"'),
            (r'a="\"\\\054"', '"\\,'),
            (r'a="\400"', "400"),
            (r'a="\\054"', r"\054"),
        ]:
            self.assertEqual(parse_cookie(header)["a"], expected, header)

    def test_large(self) -> None:
        """A megabyte of escapes is no trouble."""
        self.assertEqual(parse_cookie('a="' + r"\\" * 500_000 + '"')["a"], "\\" * 500_000)

    @given(st.text())
    def test_any_text(self, header: str) -> None:
        """Any text gives a dictionary of text."""
        for name, value in parse_cookie(header).items():
            self.assertIsInstance(name + value, str)


class DateTests(SynchronousTestCase):
    """HTTP's dates."""

    EXPECTED = "Sun, 27 Jan 2013 18:43:20 GMT"
    SECONDS = 1359312200

    def test_kinds(self) -> None:
        """Numbers, time tuples and datetimes of any zone are taken."""
        utc = datetime.datetime.fromtimestamp(self.SECONDS, datetime.UTC)
        zone = datetime.timezone(datetime.timedelta(hours=-5))
        for ts in (
            self.SECONDS,
            self.SECONDS + 0.9,
            time.gmtime(self.SECONDS),
            tuple(time.gmtime(self.SECONDS)),
            utc,
            utc.replace(tzinfo=None),
            utc.astimezone(zone),
        ):
            self.assertEqual(format_timestamp(ts), self.EXPECTED)

    def test_before_the_epoch(self) -> None:
        """Negative numbers round down as positive ones do."""
        self.assertEqual(format_timestamp(-0.5), "Wed, 31 Dec 1969 23:59:59 GMT")

    def test_other_types(self) -> None:
        """Anything else is a TypeError that names its type."""
        with self.assertRaisesRegex(TypeError, "not str"):
            format_timestamp("now")  # type: ignore[arg-type]

    def test_current_date(self) -> None:
        """The date follows the clock."""
        now = [self.SECONDS + 0.1]
        self.patch(dates.time, "time", lambda: now[0])
        self.assertEqual(dates.current_date(), self.EXPECTED)
        now[0] += 0.5
        self.assertEqual(dates.current_date(), self.EXPECTED)
        now[0] += 0.5
        self.assertEqual(dates.current_date(), self.EXPECTED.replace(":20", ":21"))


class RangeTests(SynchronousTestCase):
    """Byte ranges."""

    def test_ranges(self) -> None:
        """First and last, open ends, suffixes."""
        for header, expected in [
            ("bytes=0-9", (0, 10)),
            ("bytes=5-", (5, None)),
            ("bytes=-5", (-5, None)),
            ("bytes=-0", (None, 0)),
            ("Bytes=0-0", (0, 1)),
            ("bytes=10-3", (10, 4)),
            ("bytes=5", (5, None)),
            ("bytes= 1 - 2 ", (1, 3)),
        ]:
            self.assertEqual(parse_request_range(header), expected, header)

    def test_ignored(self) -> None:
        """Other units, several ranges and bad syntax mean: no range."""
        for header in (
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=" + " " * 1_000_000 + "x",
            "bytes=-" + " " * 1_000_000 + "x",
            "bytes=--5",
            "bytes=a-b",
            "bytes=1_0-",
            "bytes=\uff11-2",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=" + "9" * 5000 + "-",
        ):
            self.assertIsNone(parse_request_range(header), header[:20])

    def test_content_range(self) -> None:
        """Open ends are those of the file."""
        self.assertEqual(get_content_range(None, 1, 4), "bytes 0-0/4")
        self.assertEqual(get_content_range(2, None, 4), "bytes 2-3/4")


class URLTests(SynchronousTestCase):
    """Work on URLs."""

    @given(st.lists(st.tuples(st.text(), st.text())), st.lists(st.tuples(st.text(), st.text())))
    def test_round_trip(self, old: list[tuple[str, str]], new: list[tuple[str, str]]) -> None:
        """The arguments of the URL are the old ones, then the new ones."""
        url = "http://example.com/p?" + urllib.parse.urlencode(old) + "#f"
        parts = urllib.parse.urlsplit(url_concat(url, new))
        self.assertEqual(urllib.parse.parse_qsl(parts.query, keep_blank_values=True), old + new)
        self.assertEqual((parts.path, parts.fragment), ("/p", "f"))

    def test_kinds_of_arguments(self) -> None:
        """A dictionary, pairs, and nothing are taken; text is not."""
        self.assertEqual(url_concat("/a", {"b": "c d"}), "/a?b=c+d")
        self.assertEqual(url_concat("/a?x", (("b", "1"), ("b", "2"))), "/a?x=&b=1&b=2")
        self.assertEqual(url_concat("/a", None), "/a")
        self.assertRaises(TypeError, url_concat, "/a", "b=c")

    def test_qs_to_qsl(self) -> None:
        """Each value of a name makes a pair."""
        pairs = list(httputil.qs_to_qsl({"a": [b"1", b"2"], "b": [b"3"]}))
        self.assertEqual(pairs, [("a", b"1"), ("a", b"2"), ("b", b"3")])

    def test_host_and_port(self) -> None:
        """The port is a number behind the last colon, if there is one."""
        for netloc, expected in [
            ("a", ("a", None)),
            ("a:80", ("a", 80)),
            ("[::1]:80", ("[::1]", 80)),
            ("[::1]", ("[::1]", None)),
            ("a:", ("a:", None)),
            ("a:b", ("a:b", None)),
            ("", ("", None)),
            ("a:" + "1" * 5000, ("a:" + "1" * 5000, None)),
        ]:
            self.assertEqual(split_host_and_port(netloc), expected)


class PackageTests(SynchronousTestCase):
    """The package as a whole."""

    def test_doctests(self) -> None:
        """The examples in the docstrings hold."""
        suite = httputil.doctests()
        self.assertGreater(suite.countTestCases(), 10)
        result = suite.run(__import__("unittest").TestResult())
        self.assertEqual([text for _, text in result.failures + result.errors], [])

    def test_responses(self) -> None:
        """Status codes have their reasons."""
        self.assertEqual(httputil.responses[404], "Not Found")
