"""Tests for bytes that came in pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.httputil import HTTPHeaders, HTTPServerRequest, parse_multipart_form_data
from txtornado.httputil.pieces import Pieces

# Few different bytes, so that there is something to be found.
PIECES = st.lists(st.binary(min_size=1, max_size=6).map(lambda b: bytes(c % 3 for c in b)))
PLACES = st.integers(0, 40)


class PiecesTests(SynchronousTestCase):
    """What is asked of pieces is what bytes would say."""

    @given(PIECES, PLACES, PLACES)
    def test_slices(self, pieces: list[bytes], start: int, stop: int) -> None:
        """A slice has the bytes that it would have of all of them joined."""
        whole = b"".join(pieces)
        self.assertEqual(Pieces(pieces)[start:stop], whole[start:stop])
        self.assertEqual(Pieces(pieces)[start:], whole[start:])
        self.assertEqual(Pieces(pieces)[:stop], whole[:stop])
        self.assertEqual(len(Pieces(pieces)), len(whole))
        self.assertEqual(Pieces(pieces).whole(), whole)

    @given(PIECES, st.lists(st.integers(0, 2), min_size=1, max_size=9).map(bytes), PLACES, PLACES)
    def test_searches(self, pieces: list[bytes], what: bytes, start: int, end: int) -> None:
        """What is looked for is found where it first is, over any number of seams."""
        whole = b"".join(pieces)
        self.assertEqual(Pieces(pieces).find(what, start), whole.find(what, start))
        self.assertEqual(Pieces(pieces).find(what, start, end), whole.find(what, start, end))
        if start <= len(whole):
            expected = whole.startswith(what, start)
            self.assertEqual(Pieces(pieces).startswith(what, start), expected)

    def test_a_whole_piece_is_not_copied(self) -> None:
        """A slice that is one of the pieces is that very object."""
        pieces = [b"abc", b"defg", b"hi"]
        self.assertIs(Pieces(pieces)[3:7], pieces[1])


BODY = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\none\r\n'
    b'--b  \r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n'
    b"\r\n--be careful\r\n--b-\r\n--b\r\r\n--b--\r\n"
)


class FormTests(SynchronousTestCase):
    """Forms whose bodies came in pieces."""

    def test_form(self) -> None:
        """A form means the same, however its body is cut."""
        expected: tuple[dict, dict] = {}, {}
        parse_multipart_form_data(b"b", BODY, *expected)
        self.assertEqual(list(expected[0]), ["a"])
        self.assertEqual(expected[1]["f"][0].body, b"\r\n--be careful\r\n--b-\r\n--b\r")
        for size in (1, 2, 3, 7, 20, 1000):
            pieces = [BODY[i : i + size] for i in range(0, len(BODY), size)]
            found: tuple[dict, dict] = {}, {}
            parse_multipart_form_data(b"b", Pieces(pieces), *found)
            self.assertEqual(found, expected)

    def test_request(self) -> None:
        """A request's body is joined when somebody asks for it, and can be replaced."""
        headers = HTTPHeaders({"Content-Type": "multipart/form-data; boundary=b", "Host": "x"})
        request = HTTPServerRequest("POST", "/", headers=headers)
        self.assertEqual(request.body, b"")
        request._take_body([BODY[:50], BODY[50:]])
        request._parse_body()
        self.assertEqual(request.body_arguments, {"a": [b"one"]})
        self.assertEqual(request.files["f"][0].filename, "x")
        self.assertEqual(request.body, BODY)
        self.assertIs(request.body, request.body)
        request._take_body([BODY[:50], BODY[50:]])
        request.body = b"other"
        self.assertEqual(request.body, b"other")
        request._take_body([BODY])
        self.assertIs(request.body, BODY)
