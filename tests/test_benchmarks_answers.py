"""The load generator of the benchmarks: which answers it takes for right."""

from __future__ import annotations

import contextlib
import ssl
import zlib
from collections.abc import Callable

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.conversations import (
    GET,
    LINE,
    SOON,
    SWITCHING,
    Conversation,
    LoadTestCase,
    answers,
    certificate,
    frame,
    load,
    peer,
    response,
    unmasked,
)
from tests.processes import once

REASON = "it is about a program in C"


@once(REASON)
class ExchangeTests(SynchronousTestCase):
    """What is sent, before any program sends it."""

    def test_masked_frames(self) -> None:
        """A client's frames have the shortest size there is, and are masked."""
        for size, head in ((0, 6), (125, 6), (126, 8), (65535, 8), (65536, 14)):
            payload = bytes(i % 251 for i in range(size))
            data = load.masked(payload)
            self.assertEqual(len(data), head + size)
            self.assertTrue(data[1] & 0x80)
            self.assertEqual(unmasked(data), (0x81, payload, b""))

    def test_compressed_frames(self) -> None:
        """A compressed message has RSV1 set, and can be decompressed by itself."""
        first, payload, _ = unmasked(load.masked(b"again and again and again", compressed=True))
        self.assertEqual(first, 0xC1)
        plain = zlib.decompress(payload + b"\x00\x00\xff\xff\x03\x00", wbits=-15)
        self.assertEqual(plain, b"again and again and again")

    def test_handshake(self) -> None:
        """Compression is offered only where it is asked for."""
        for compressed in (False, True):
            opening = load.websocket("/chat", b"x", compressed=compressed).opening
            assert opening is not None
            self.assertTrue(opening.request.startswith(b"GET /chat HTTP/1.1\r\n"))
            self.assertTrue(opening.request.endswith(b"\r\n\r\n"))
            self.assertEqual(b"permessage-deflate" in opening.request, compressed)


@once(REASON)
class HTTPTests(LoadTestCase):
    """Responses are known by their Content-Length."""

    exchange = load.Exchange((GET,), load.http(b"hello"))

    def refuse(self, answer: bytes, reason: str, **more: object) -> None:
        talk = answers(answer, size=len(GET))
        self.assert_refused(talk, reason, exchange=self.exchange, **more)

    def test_responses(self) -> None:
        """Heads may differ from one response to the next."""
        with peer(
            answers(
                response(b"hello"),
                b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length:5\r\nX-More: 1\r\n\r\nhello",
                b"HTTP/1.1 200 Fine\r\nX-Content-Length: 7\r\nContent-Length: 5\r\n\r\nhello",
                size=len(GET),
            )
        ) as port:
            done = load.closed_loop(port, self.exchange, connections=1, count=3)
        self.assertEqual(done.answers, 3)

    def test_empty_body(self) -> None:
        """A body may be empty."""
        exchange = load.Exchange((GET,), load.http(b""))
        with load.answering(response(b"")) as responder:
            done = load.closed_loop(responder.port, exchange, count=100)
        self.assertEqual(done.answers, 100)

    def test_status(self) -> None:
        """Any status but 200 is an error."""
        self.refuse(response(b"hello", "500 No"), "not a 200: HTTP/1.1 500 No")

    def test_other_size(self) -> None:
        """A body of another size is an error."""
        self.refuse(response(b"hello!"), "a body of 6 bytes instead of 5")

    def test_other_body(self) -> None:
        """So is another body of the same size."""
        self.refuse(response(b"hullo"), "wrong answer: hullo")

    def test_no_length(self) -> None:
        """A response that does not tell its size cannot be measured."""
        self.refuse(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello", "without a Content-Length")

    def test_endless_head(self) -> None:
        """A head without an end is an error, and no reason to take more memory."""
        self.refuse(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "head has no end")


@once(REASON)
class WebSocketTests(LoadTestCase):
    """The handshake, and frames."""

    def conversation(self, *each: bytes, head: bytes = SWITCHING) -> Callable[[Conversation], None]:
        """Do the handshake, and answer each message with the next of these bytes."""

        def talk(client: Conversation) -> None:
            client.take_head()
            client.give(head)
            for answer in each:
                client.take_frame()
                client.give(answer)
            client.wait()

        return talk

    exchange = load.websocket("/", b"hi")

    def test_echo(self) -> None:
        """Messages and their echoes are counted after the handshake."""
        size = len(self.exchange.requests[0])
        with load.answering(frame(b"hi"), unit=size, opening=SWITCHING) as responder:
            done = load.closed_loop(responder.port, self.exchange, connections=5, count=500)
        self.assertEqual((done.answers, done.bytes), (500, 500 * 4))

    def test_large_messages(self) -> None:
        """Frames of each of the three forms of size are understood."""
        for size, head in (
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (65536, b"\x81\x7f" + (65536).to_bytes(8, "big")),
        ):
            exchange = load.websocket("/", b"m" * size)
            unit = len(exchange.requests[0])
            with load.answering(head + b"m" * size, unit=unit, opening=SWITCHING) as responder:
                done = load.closed_loop(responder.port, exchange, connections=2, count=10)
            self.assertEqual(done.answers, 10)

    def test_greeting(self) -> None:
        """A connection is open when the server's first message has come."""
        exchange = load.websocket("/", b"hi", greeting=b"ready")
        talk = self.conversation(frame(b"hi"), head=SWITCHING + frame(b"ready"))
        with peer(talk) as port:
            done = load.closed_loop(port, exchange, connections=3, count=3)
        self.assertEqual(done.answers, 3)

    def test_wrong_greeting(self) -> None:
        """Another message is an error."""
        exchange = load.websocket("/", b"hi", greeting=b"ready")
        talk = self.conversation(head=SWITCHING + frame(b"never"))
        self.assert_refused(talk, "a wrong greeting", exchange=exchange)

    def test_refused_handshake(self) -> None:
        """A handshake that is not accepted is an error, with the server's first line."""
        talk = self.conversation(head=response(b"", "403 Forbidden"))
        reason = "the handshake was answered with: HTTP/1.1 403 Forbidden"
        self.assert_refused(talk, reason, exchange=self.exchange)

    def test_silent_handshake(self) -> None:
        """So is one that is not answered."""
        talk = self.conversation(head=b"HTTP/1.1 101")
        reason = "no answer to the handshake within"
        self.assert_refused(talk, reason, exchange=self.exchange, limit=SOON)

    def test_ping(self) -> None:
        """A ping between messages is answered, and is no answer."""
        got = []

        def talk(client: Conversation) -> None:
            client.take_head()
            client.give(SWITCHING)
            client.take_frame()
            client.give(frame(b"are you there", 0x89))
            got.append(client.take_frame())
            client.give(frame(b"hi"))
            client.wait()

        with peer(talk) as port:
            done = load.closed_loop(port, self.exchange, connections=1, count=1)
        self.assertEqual((done.answers, got), (1, [(0x8A, b"are you there")]))

    def test_nothing_but_pings(self) -> None:
        """A peer that pings and never answers is given up after the limit."""

        def talk(client: Conversation) -> None:
            client.take_head()
            client.give(SWITCHING)
            while client.take_frame():
                client.give(frame(b"ping", 0x89))

        reason = "after 0 answers: no answer within"
        self.assert_refused(talk, reason, exchange=self.exchange, limit=SOON)

    def test_close_frame(self) -> None:
        """A close frame is an error."""
        talk = self.conversation(frame(b"\x03\xe9", 0x88))
        self.assert_refused(talk, "closed with a frame", exchange=self.exchange)

    def test_other_kind(self) -> None:
        """A binary message in place of a text is an error, and so is a masked one."""
        for wrong in (frame(b"hi", 0x82), b"\x81\x82\0\0\0\0hi", frame(b"hi", 0x01)):
            talk = self.conversation(wrong)
            self.assert_refused(talk, "a frame of another kind", exchange=self.exchange)

    def test_other_size(self) -> None:
        """A message of another size is an error."""
        talk = self.conversation(frame(b"hi!"))
        self.assert_refused(talk, "a frame of another size", exchange=self.exchange)

    def test_unasked_message(self) -> None:
        """A message that nobody asked for is an error."""
        talk = self.conversation(frame(b"hi") * 2)
        self.assert_refused(talk, "nobody asked for", exchange=self.exchange)


@once(REASON)
class CompressionTests(LoadTestCase):
    """Compressed messages: their size is the server's affair, their content is not."""

    messages = (b"one " * 30, b"two " * 30, b"two " * 40)
    exchange = load.websocket("/", *messages, compressed=True)

    def talk(self, *texts: bytes, first: int = 0xC1) -> Callable[[Conversation], None]:
        """Answer with these messages, compressed with what came before in mind."""

        def talk(client: Conversation) -> None:
            client.take_head()
            client.give(SWITCHING)
            deflater = zlib.compressobj(wbits=-15)
            for text in texts:
                client.take_frame()
                data = deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH)
                client.give(frame(data[:-4], first))
            client.wait()

        return talk

    def test_messages(self) -> None:
        """The first answers are decompressed and compared, the others counted."""
        # One connection may have nearly all of them, if the other is late.
        with peer(self.talk(*self.messages * 4)) as port:
            done = load.closed_loop(port, self.exchange, connections=2, count=8)
        self.assertEqual(done.answers, 8)

    def test_wrong_message(self) -> None:
        """Another content is an error."""
        talk = self.talk(self.messages[0], b"three")
        self.assert_refused(talk, "wrong answer: b'three'", exchange=self.exchange, count=2)

    def test_uncompressed(self) -> None:
        """A server that does not compress is not measured."""
        talk = self.talk(self.messages[0], first=0x81)
        self.assert_refused(talk, "a frame of another kind", exchange=self.exchange)

    def test_no_deflate(self) -> None:
        """Bytes that cannot be decompressed are an error."""
        talk = WebSocketTests.conversation(self, frame(b"\xff\xff\xff", 0xC1))  # type: ignore[arg-type]
        reason = "cannot be decompressed"
        self.assert_refused(talk, reason, exchange=self.exchange, count=1)


@once(REASON)
class TLSTests(LoadTestCase):
    """The same through TLS."""

    def setUp(self) -> None:
        super().setUp()
        if not load.has_tls():
            raise SkipTest("OpenSSL's header files are not installed (libssl-dev)")

    def secure(
        self, talk: Callable[[Conversation], None]
    ) -> contextlib.AbstractContextManager[int]:
        """A peer that talks through TLS."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with certificate() as files:
            context.load_cert_chain(*files)

        def secured(client: Conversation) -> None:
            with contextlib.suppress(ssl.SSLError):
                client.connection = context.wrap_socket(client.connection, server_side=True)
                client.rfile = client.connection.makefile("rb")
                client.wfile = client.connection.makefile("wb", buffering=0)
                talk(client)

        return peer(secured)

    def test_echo(self) -> None:
        """Requests and answers, small ones and some that are more than a record."""
        large = bytes(range(256)) * 400
        for text in (LINE, large):

            def talk(client: Conversation, size: int = len(text)) -> None:
                while True:
                    client.give(client.take(size))

            exchange = load.Exchange((text,), load.fixed(text), tls=True)
            with self.secure(talk) as port:
                done = load.closed_loop(port, exchange, connections=3, count=12)
            self.assertEqual((done.answers, done.bytes), (12, 12 * len(text)))

    def test_wrong_answer(self) -> None:
        """A wrong answer is one here as well."""
        exchange = load.Exchange((LINE,), load.fixed(LINE), tls=True)
        with self.secure(answers(b"no" + LINE[2:])) as port:
            error = self.assertRaises(load.LoadError, load.closed_loop, port, exchange, count=1)
        self.assertIn("wrong answer: no", str(error))

    def test_no_tls(self) -> None:
        """A peer that does not speak TLS is an error."""
        exchange = load.Exchange((LINE,), load.fixed(LINE), tls=True)
        self.assert_refused(answers(b"What?\r\n" * 10, size=1), "connection 0", exchange=exchange)

    def test_silent_peer(self) -> None:
        """One that says nothing is given up after the limit."""
        exchange = load.Exchange((LINE,), load.fixed(LINE), tls=True)
        talk = answers(size=1)
        self.assert_refused(talk, "no TLS within", exchange=exchange, limit=SOON)
