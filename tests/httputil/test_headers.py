"""Tests for `txtornado.httputil.headers`."""

import copy
import pickle

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.httputil import HTTPHeaders, HTTPInputError
from txtornado.httputil import headers as headers_module
from txtornado.httputil.grammar import Grammar
from txtornado.httputil.headers import normalize_header

names = st.from_regex(Grammar.field_name, fullmatch=True)
values = st.from_regex(Grammar.field_value, fullmatch=True)


class DictionaryTests(SynchronousTestCase):
    """The dictionary's interface."""

    def test_case_does_not_count(self) -> None:
        """A header is found under its name in any case, and keeps one spelling."""
        headers = HTTPHeaders({"content-TYPE": "text/html"})
        self.assertEqual(headers["CONTENT-type"], "text/html")
        self.assertIn("Content-Type", headers)
        self.assertEqual(list(headers), ["Content-Type"])

    def test_bytes_names_are_found(self) -> None:
        """A name may be bytes when it is looked up."""
        self.assertIn(b"host", HTTPHeaders(Host="a"))

    def test_other_types_are_not_found(self) -> None:
        """What is no name is in no headers, and does not raise."""
        headers = HTTPHeaders(Host="a")
        self.assertNotIn(5, headers)
        self.assertIsNone(headers.get(None))  # type: ignore[call-overload]
        self.assertRaises(KeyError, lambda: headers[5])  # type: ignore[index]

    def test_missing(self) -> None:
        """A missing header raises KeyError, or is the default."""
        headers = HTTPHeaders()
        self.assertRaises(KeyError, lambda: headers["A"])
        self.assertRaises(KeyError, headers.__delitem__, "A")
        self.assertIsNone(headers.get("A"))
        self.assertEqual(headers.get("A", "x"), "x")
        self.assertEqual(headers.get_list("A"), [])

    def test_several_values(self) -> None:
        """Values add up in order, and are joined by a comma where only one is expected."""
        headers = HTTPHeaders()
        for value in ("1", "2", "2"):
            headers.add("x-a", value)
        self.assertEqual(headers["X-A"], "1,2,2")
        self.assertEqual(headers.get("X-A"), "1,2,2")
        self.assertEqual(headers.get_list("X-A"), ["1", "2", "2"])
        self.assertEqual(list(headers.get_all()), [("X-A", "1"), ("X-A", "2"), ("X-A", "2")])

    def test_same_value_twice(self) -> None:
        """One object added twice counts twice."""
        value = "the same object"
        headers = HTTPHeaders()
        headers.add("A", value)
        headers.add("A", value)
        self.assertEqual(headers.get_list("A"), [value, value])

    def test_get_list_is_a_copy(self) -> None:
        """What get_list returns can be changed without changing the headers."""
        headers = HTTPHeaders(A=["1", "2"])
        headers.get_list("A").clear()
        self.assertEqual(headers["A"], "1,2")

    def test_assignment_replaces_all_values(self) -> None:
        """Assigning drops the values that were there."""
        headers = HTTPHeaders(A=["1", "2"])
        headers["a"] = "3"
        self.assertEqual(headers.get_list("A"), ["3"])

    def test_assigning_a_list(self) -> None:
        """A list is several values."""
        headers = HTTPHeaders()
        headers["A"] = ["1", "2"]
        self.assertEqual(list(headers.get_all()), [("A", "1"), ("A", "2")])

    def test_constructors(self) -> None:
        """Mappings, pairs, keyword arguments and other headers are taken."""
        self.assertEqual(HTTPHeaders(a="1"), HTTPHeaders([("A", "1")]))
        several = HTTPHeaders(A=["1", "2"])
        self.assertEqual(HTTPHeaders(several).get_list("A"), ["1", "2"])
        self.assertEqual(HTTPHeaders(several, b="x")["B"], "x")
        self.assertRaises(TypeError, HTTPHeaders, {}, {})

    def test_from_pairs(self) -> None:
        """Pairs are taken over with their repetitions."""
        headers = HTTPHeaders.from_pairs([("a", "1"), ("b", "x"), ("A", "2")])
        self.assertEqual(list(headers.get_all()), [("A", "1"), ("A", "2"), ("B", "x")])

    def test_copies_are_independent(self) -> None:
        """A change of a copy does not show in the original, nor the other way."""
        original = HTTPHeaders(A=["1", "2"])
        for duplicate in (original.copy(), copy.copy(original), copy.deepcopy(original)):
            self.assertEqual(duplicate, original)
            duplicate.add("A", "3")
            self.assertEqual(original.get_list("A"), ["1", "2"])
        self.assertEqual(pickle.loads(pickle.dumps(original)).get_list("A"), ["1", "2"])

    def test_clear(self) -> None:
        """Cleared headers are empty."""
        headers = HTTPHeaders(A="1")
        headers.clear()
        self.assertEqual(len(headers), 0)

    @given(st.lists(st.tuples(names, values), max_size=10))
    def test_round_trip(self, pairs: list[tuple[str, str]]) -> None:
        """What str() writes, parse() reads, with either line end."""
        headers = HTTPHeaders()
        for name, value in pairs:
            headers.add(name, value)
        self.assertEqual(list(headers.get_all()), list(HTTPHeaders.from_pairs(pairs).get_all()))
        for text in (str(headers), str(headers).replace("\n", "\r\n")):
            parsed = HTTPHeaders.parse(text)
            self.assertEqual(list(parsed.get_all()), list(headers.get_all()))


class SpellingTests(SynchronousTestCase):
    """The table of spellings."""

    def test_spelling(self) -> None:
        """Each part between hyphens is capitalized."""
        for name, expected in [
            ("etag", "Etag"),
            ("WWW-authenticate", "Www-Authenticate"),
            ("-x-", "-X-"),
            ("x_y-z", "X_y-Z"),
        ]:
            self.assertEqual(normalize_header(name), expected)

    def test_memory_is_bounded(self) -> None:
        """However many names come in, few are remembered, and no long ones."""
        headers = HTTPHeaders()
        for number in range(3000):
            headers.add(f"X-Name-{number}", "1")
        headers.add("x" * 5000, "1")
        self.assertEqual(len(headers), 3001)
        for table in (headers_module._SPELLINGS, headers_module._VALID_SPELLINGS):
            self.assertLessEqual(len(table), headers_module._MAX_KNOWN_NAMES)
            self.assertLess(max(map(len, table)), 5000)


class CheckTests(SynchronousTestCase):
    """What is refused."""

    def test_bad_names(self) -> None:
        """A name that is no token is refused, also when it was looked up before."""
        for name in ("", "a b", " a", "a ", "a:", "é", "a\n", "a\x00", "(a)"):
            headers = HTTPHeaders()
            headers.get(name)
            with self.assertRaisesRegex(HTTPInputError, "Invalid header name"):
                headers.add(name, "x")

    def test_bad_values(self) -> None:
        """Control characters, what is no byte, and white space around are refused."""
        for value in ("a\r\nb", "a\nb", "a\0", "\x7f", " a", "a\t", "\u20ac"):
            with self.assertRaisesRegex(HTTPInputError, "Invalid header value"):
                HTTPHeaders().add("A", value)

    def test_text_values(self) -> None:
        """Where characters are not bytes, all but controls are taken."""
        headers = HTTPHeaders()
        headers.add("A", "\u20ac", _chars_are_bytes=False)
        self.assertEqual(headers["A"], "\u20ac")
        self.assertRaises(HTTPInputError, headers.add, "A", "a\nb", _chars_are_bytes=False)

    def test_bad_lines(self) -> None:
        """Lines without a colon, with a space before it, and folded ones are refused."""
        for line in ("A", "A : b", " A: b", "\tb", ": b", "A: b\r\r\n", "A: b\rC: d"):
            self.assertRaises(HTTPInputError, HTTPHeaders().parse_line, line)
        self.assertRaises(HTTPInputError, HTTPHeaders.parse, "A: b\r\n c\r\n")

    def test_lines(self) -> None:
        """A line may come with or without its end; an empty one adds nothing."""
        headers = HTTPHeaders()
        for line in ("A: 1", "A:2\r\n", "A:\t3 \n", "", "\r\n", "B:"):
            headers.parse_line(line)
        self.assertEqual(headers.get_list("A"), ["1", "2", "3"])
        self.assertEqual(headers["B"], "")

    def test_large_blocks(self) -> None:
        """A block of a million bytes is no trouble."""
        headers = HTTPHeaders.parse("A: b\r\n" * 200_000)
        self.assertEqual(len(headers.get_list("A")), 200_000)
        self.assertEqual(len(HTTPHeaders.parse("A: b" + " " * 1_000_000)["A"]), 1)

    @settings(deadline=None)
    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is parsed or refused with HTTPInputError."""
        try:
            headers = HTTPHeaders.parse(text)
        except HTTPInputError:
            return
        for name, value in headers.get_all():
            self.assertTrue(Grammar.field_name.fullmatch(name))
            self.assertTrue(Grammar.field_value.fullmatch(value))
