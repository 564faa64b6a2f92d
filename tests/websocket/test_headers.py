"""Tests for the handshake's headers: extensions, subprotocols, compression."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.websocket import WebSocketError, WebSocketProtocol13
from txtornado.websocket._deflate import Agreement, accept_offer, accept_response, offer
from txtornado.websocket._headers import (
    format_extension,
    has_token,
    parse_extensions,
    parse_tokens,
)

sizes = st.none() | st.integers(8, 15)
options = st.fixed_dictionaries(
    {},
    optional={
        "server_max_window_bits": sizes,
        "client_max_window_bits": sizes,
        "server_no_context_takeover": st.booleans(),
        "client_no_context_takeover": st.booleans(),
        "compression_level": st.integers(0, 9),
    },
)


class HeaderTests(SynchronousTestCase):
    """Lists in headers."""

    def test_accept_value(self) -> None:
        """The RFC's example, from text and from bytes."""
        for key in ("dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ=="):
            value = WebSocketProtocol13.compute_accept_value(key)
            self.assertEqual(value, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    def test_tokens(self) -> None:
        """Members are separated by commas; white space and empty ones do not count."""
        self.assertEqual(parse_tokens(" a, b ,,c "), ["a", "b", "c"])
        self.assertTrue(has_token("keep-alive, Upgrade", "upgrade"))
        self.assertFalse(has_token("upgraded", "upgrade"))

    def test_extensions(self) -> None:
        """Extensions have parameters, some of them values, some of those quotes."""
        self.assertEqual(
            parse_extensions('a; b; c=1, d ;e = "f"'),
            [("a", [("b", None), ("c", "1")]), ("d", [("e", "f")])],
        )
        self.assertEqual(parse_extensions(" , "), [])

    def test_malformed_extensions(self) -> None:
        """What is no such list is an error."""
        for header in ("a;", "a=1", "a b", 'a; b="c', 'a; b="\x00"', ";", "a; =1", 'a; b=" "'):
            self.assertRaises(ValueError, parse_extensions, header)

    @given(st.text())
    def test_any_text(self, header: str) -> None:
        """Any text is a list of extensions, or a ValueError."""
        try:
            found = parse_extensions(header)
        except ValueError:
            return
        again = ", ".join(format_extension(extension) for extension in found)
        self.assertEqual(parse_extensions(again), found)


class NegotiationTests(SynchronousTestCase):
    """What client and server agree on."""

    @given(options, options)
    def test_agreement(self, ours: dict, theirs: dict) -> None:
        """Whatever both want, both draw the same conclusions, and nobody wants more after that."""
        header, agreement = accept_offer(offer(theirs), ours)
        assert header is not None and agreement is not None
        try:
            answer = accept_response(header, theirs)
        except WebSocketError:
            self.fail(f"the client refused {header} to {offer(theirs)}")
        assert answer is not None
        self.assertEqual(answer.server_bits, agreement.server_bits)
        self.assertEqual(answer.server_forgets, agreement.server_forgets)
        # A client may use less than it may, and forget though it need not.
        self.assertLessEqual(answer.client_bits, agreement.client_bits)
        self.assertGreaterEqual(answer.client_forgets, agreement.client_forgets)

    def test_default(self) -> None:
        """By default windows are as large as can be, and contexts are kept."""
        self.assertEqual(offer({}), "permessage-deflate; client_max_window_bits")
        header, agreement = accept_offer(offer({}), {})
        self.assertEqual(header, "permessage-deflate")
        self.assertEqual(agreement, Agreement())

    def test_parameters(self) -> None:
        """The client's parameters are honoured, and named in the answer."""
        header, agreement = accept_offer(
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10;"
            " client_no_context_takeover; client_max_window_bits=12",
            {},
        )
        self.assertEqual(agreement, Agreement(10, 12, True, True))
        self.assertEqual(
            header,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover;"
            " server_max_window_bits=10; client_max_window_bits=12",
        )

    def test_unable_client(self) -> None:
        """A client that did not offer to limit its window is not asked to."""
        _, agreement = accept_offer("permessage-deflate", {"client_max_window_bits": 9})
        self.assertEqual(agreement, Agreement())

    def test_bad_offers(self) -> None:
        """An offer that cannot be met is passed over for the next."""
        for bad in (
            "x-webkit-deflate-frame",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=07",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; unknown",
        ):
            self.assertEqual(accept_offer(bad, {}), (None, None))
            _, agreement = accept_offer(f"{bad}, permessage-deflate; server_max_window_bits=9", {})
            self.assertEqual(agreement, Agreement(server_bits=9))

    def test_bad_answers(self) -> None:
        """A client refuses an answer that does not fit what it offered."""
        limited = {"server_max_window_bits": 10, "server_no_context_takeover": True}
        for answer, wanted in (
            ("permessage-deflate", None),
            ("something-else", {}),
            ("permessage-deflate, permessage-deflate", {}),
            ("permessage-deflate; client_max_window_bits", {}),
            ("permessage-deflate; server_max_window_bits=99", {}),
            ("permessage-deflate; unknown", {}),
            ("permessage-deflate;", {}),
            ("permessage-deflate; server_no_context_takeover", limited),
            ("permessage-deflate; server_max_window_bits=10", limited),
        ):
            self.assertRaises(WebSocketError, accept_response, answer, wanted)
        self.assertIsNone(accept_response("", {}))

    def test_own_mistakes(self) -> None:
        """A window of an impossible size is the application's mistake."""
        self.assertRaises(ValueError, offer, {"server_max_window_bits": 7})
        self.assertRaises(
            ValueError, accept_offer, "permessage-deflate", {"server_max_window_bits": 16}
        )
