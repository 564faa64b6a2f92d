"""Tests for the protocol of 2010."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.websocket.support import Recorder
from txtornado.websocket import WebSocketClosedError, broadcast, prepare_message
from txtornado.websocket._draft76 import Draft76Engine, challenge_response
from txtornado.websocket._errors import ProtocolViolation

# The example of draft-hixie-thewebsocketprotocol-76, section 1.2.
REQUEST = (
    b"GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nSec-WebSocket-Protocol: sample\r\n"
    b"Upgrade: WebSocket\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n"
    b"Origin: http://example.com\r\n\r\n"
)
CHALLENGE = b"^n:ds[4U"
RESPONSE = b"8jKS'y:G*Co,Wxa-"


class Old(Recorder):
    def allow_draft76(self) -> bool:
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0] if subprotocols else None


class HandshakeTests(SynchronousTestCase):
    """The request, the eight bytes after it, and what is answered."""

    def send(self, request: bytes, handler: type = Old) -> Any:
        from txtornado.testing import MemoryServer
        from txtornado.web import Application

        Recorder.instances.clear()
        self.server = MemoryServer(Application([("/demo", handler)]))
        self.addCleanup(self.server.close)
        wire = self.server.connect()
        wire.send(request)
        return wire

    def test_example(self) -> None:
        """The draft's own example is answered as the draft says."""
        wire = self.send(REQUEST + CHALLENGE)
        head, _, body = wire.received().partition(b"\r\n\r\n")
        status, *headers = head.lower().split(b"\r\n")
        self.assertEqual(status, b"http/1.1 101 websocket protocol handshake")
        for header in (
            b"upgrade: websocket",
            b"connection: upgrade",
            b"sec-websocket-origin: http://example.com",
            b"sec-websocket-location: ws://example.com/demo",
            b"sec-websocket-protocol: sample",
        ):
            self.assertIn(header, headers)
        self.assertEqual(body, RESPONSE)
        self.assertEqual(Recorder.instances[0].selected_subprotocol, "sample")

    def test_challenge_later(self) -> None:
        """The head is answered before the challenge comes, for proxies' sake; open waits."""
        wire = self.send(REQUEST)
        self.assertIn(b" 101 ", wire.received())
        self.assertEqual(Recorder.instances, [])
        wire.send(CHALLENGE[:5])
        wire.send(CHALLENGE[5:])
        self.assertEqual(wire.received(), RESPONSE)
        self.assertEqual(len(Recorder.instances), 1)

    def test_scheme(self) -> None:
        """The location's scheme is the application's to say."""

        class Secure(Old):
            def get_websocket_scheme(self) -> str:
                return "wss"

        self.assertIn(b"wss://example.com/demo", self.send(REQUEST, Secure).received())

    def test_not_allowed(self) -> None:
        """It has to be allowed."""
        self.assertIn(b" 426 ", self.send(REQUEST, Recorder).received())

    def test_bad_keys(self) -> None:
        """Keys that are none are answered with 400, and so is a request without an origin."""
        for old, new in (
            (b"12998 5 Y3 1  .P00", b"1299853100"),
            (b"12998 5 Y3 1  .P00", b"x y"),
            (b"12998 5 Y3 1  .P00", b"1 3 2 7 1"),
            (b"12998 5 Y3 1  .P00", b"99999999999999 9"),
            (b"Origin: http://example.com\r\n", b""),
        ):
            self.assertIn(b" 400 ", self.send(REQUEST.replace(old, new)).received())

    def test_origin(self) -> None:
        """Origins are checked here as well."""
        request = REQUEST.replace(b"http://example.com", b"http://evil.example")
        self.assertIn(b" 403 ", self.send(request).received())

    def test_response(self) -> None:
        """The draft's second example."""
        keys = ("18x 6]8vM;54 *(5:  {   U1]8  z [  8", "1_ tx7X d  <  nw  334J702) 7]o}` 0")
        self.assertEqual(challenge_response(*keys, b"Tm[K T2u"), b"fQJ,fN/4F4!~K~MH")


class TalkTests(HandshakeTests):
    """An open connection."""

    def open(self) -> tuple[Any, Any]:
        wire = self.send(REQUEST + CHALLENGE)
        wire.received()
        return wire, Recorder.instances[0]

    def test_messages(self) -> None:
        """Text goes both ways."""
        wire, handler = self.open()
        wire.send(b"\x00one\xff\x00t\xc3\xa9")
        wire.send(b"\xff")
        self.assertEqual(handler.events, ["one", "t\u00e9"])
        handler.write_message("t\u00e9")
        handler.write_message({"a": 1})
        handler.write_message(b"bytes")
        self.assertEqual(wire.received(), b'\x00t\xc3\xa9\xff\x00{"a": 1}\xff\x00bytes\xff')

    def test_broadcast(self) -> None:
        """Prepared messages reach these clients, too."""
        wire, handler = self.open()
        self.assertEqual(broadcast([handler], "all"), 1)
        self.assertEqual(wire.received(), b"\x00all\xff")

    def test_limits(self) -> None:
        """There are no binary messages, and no pings."""
        _, handler = self.open()
        self.assertRaises(ValueError, handler.write_message, b"x", binary=True)
        self.assertRaises(ValueError, handler.write_message, prepare_message(b"x", True))
        self.assertRaises(ValueError, handler.write_message, b"\xff")
        self.assertRaises(ValueError, handler.ping)

    def test_closed_by_client(self) -> None:
        """A closing frame is answered with one."""
        wire, handler = self.open()
        wire.send(b"\xff")
        wire.send(b"\x00")
        self.assertEqual(wire.received(), b"\xff\x00")
        self.assertTrue(wire.closed)
        self.assertEqual(handler.events, [("close", None, None)])

    def test_closed_by_server(self) -> None:
        """A server that closes waits for the client's closing frame."""
        wire, handler = self.open()
        handler.close(1000, "no room for this")
        self.assertEqual(wire.received(), b"\xff\x00")
        self.assertRaises(WebSocketClosedError, handler.write_message, "x")
        self.assertFalse(wire.closed)
        wire.send(b"\xff\x00")
        self.assertTrue(wire.closed)

    def test_no_consent(self) -> None:
        """A client that does not answer is cut off."""
        wire, handler = self.open()
        handler.close()
        self.server.advance(6)
        self.assertTrue(wire.closed)

    def test_violation(self) -> None:
        """An unknown frame ends the connection."""
        wire, handler = self.open()
        wire.send(b"\x80\x01x")
        self.assertEqual(wire.received(), b"\xff\x00")
        self.assertEqual(handler.events, [("close", None, None)])


class EngineTests(SynchronousTestCase):
    """Bytes in, messages out."""

    def events(self, data: bytes, limit: int = 1000) -> list[Any]:
        engine = Draft76Engine(limit)
        found = []
        for i in range(len(data)):
            engine.receive_data(data[i : i + 1])
            while (event := engine.next_event()) is not None:
                found.append(event)
        return found

    @given(st.lists(st.text(max_size=50)))
    def test_messages(self, messages: list[str]) -> None:
        """Messages come out as they went in, byte by byte."""
        data = b"".join(b"\x00" + m.encode() + b"\xff" for m in messages)
        self.assertEqual(self.events(CHALLENGE + data), [CHALLENGE, *messages])

    @given(st.binary())
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever comes in, nothing is raised but a violation."""
        try:
            self.events(data, 20)
        except ProtocolViolation as violation:
            self.assertIn(violation.code, (1002, 1009))

    def test_size(self) -> None:
        """A message beyond the limit is refused before it ends."""
        self.assertRaises(ProtocolViolation, self.events, CHALLENGE + b"\x00" + b"x" * 11, 10)
        self.assertEqual(self.events(CHALLENGE + b"\x00" + b"x" * 10 + b"\xff", 10)[1], "x" * 10)
