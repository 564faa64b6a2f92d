"""`txtornado.http1connection.HTTP1ServerConnection`: one client, in memory."""

from __future__ import annotations

import gzip
import logging
import zlib
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.http1.support import OK, MemoryStream, Recorder, ok, serve
from txtornado.concurrent import as_deferred, new_future
from txtornado.http1connection import HTTP1ServerConnection, ProtocolStateError
from txtornado.httputil import HTTPHeaders, HTTPInputError, HTTPOutputError, ResponseStartLine
from txtornado.ioloop import IOLoop
from txtornado.iostream import StreamClosedError

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\n\r\n"


def post(body: bytes, headers: bytes = b"", path: bytes = b"/") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (
        path,
        headers,
        len(body),
        body,
    )


def turns(count: int = 3) -> Deferred[None]:
    """Let the loop turn a few times."""
    future = new_future()

    def turn(left: int) -> None:
        if left:
            IOLoop.current().add_callback(turn, left - 1)
        else:
            future.set_result(None)

    turn(count)
    return as_deferred(future)


class LoggingTestCase(TestCase):
    """Collects what the package logs."""

    def setUp(self) -> None:
        self.records: list[logging.LogRecord] = []
        handler = logging.Handler()
        handler.emit = self.records.append  # type: ignore[method-assign]
        logger = logging.getLogger("tornado")
        old = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False

        def restore() -> None:
            logger.removeHandler(handler)
            logger.setLevel(old[0])
            logger.propagate = old[1]

        self.addCleanup(restore)

    def messages(self) -> list[str]:
        return [f"{record.levelname} {record.getMessage()}" for record in self.records]


class ExchangeTests(LoggingTestCase):
    """Requests and responses."""

    def test_one_turn(self) -> None:
        """A request is read, handled and answered in the call that brings it, with one send."""
        stream, app = serve()
        stream.feed(GET)
        self.assertEqual(stream.sent, ok())
        self.assertEqual(stream.sends, 1)
        self.assertEqual(app.requests[0].events, ["head", "finish"])

    def test_no_delay(self) -> None:
        """Parts of a response do not wait for the client to acknowledge those before."""
        stream, _ = serve()
        self.assertIs(stream.nodelay, True)

    def test_body(self) -> None:
        """Body data comes between head and finish."""
        stream, app = serve()
        stream.feed(post(b"hello"))
        self.assertEqual(app.requests[0].events, ["head", "data", "finish"])
        self.assertEqual(app.requests[0].body, b"hello")

    def test_keep_alive(self) -> None:
        """One connection carries many requests, each with a connection object of its own."""
        stream, app = serve()
        for _ in range(3):
            stream.feed(GET)
            self.assertEqual(stream.take(), ok())
        self.assertEqual(len({id(request.connection) for request in app.requests}), 3)
        self.assertFalse(stream.closed())

    def test_close_asked(self) -> None:
        """A client that asks for it gets its connection closed after the response."""
        stream, app = serve()
        stream.feed(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(stream.sent, ok(extra="Connection: close\r\n"))
        self.assertTrue(stream.closed())
        self.assertEqual(app.closed, 1)

    def test_no_keep_alive(self) -> None:
        """A server can refuse to keep connections, and says so."""
        stream, _ = serve(no_keep_alive=True)
        stream.feed(GET + GET)
        self.assertEqual(stream.sent, ok(extra="Connection: close\r\n"))
        self.assertTrue(stream.closed())

    def test_pipelined(self) -> None:
        """Requests that come together are answered in their order."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET + post(b"abc") + GET)
        self.assertEqual(len(app.requests), 1)
        for number in range(3):
            app.requests[number].respond(b"%d" % number)
        self.assertEqual(stream.sent, ok(b"0") + ok(b"1") + ok(b"2"))

    def test_many_pipelined(self) -> Any:
        """A connection with very many requests lets others have their turn, and goes on."""
        stream, app = serve()
        stream.feed(GET * 200)
        first = len(app.requests)
        self.assertLess(first, 200)
        done = turns(10)
        done.addCallback(lambda _: self.assertEqual(stream.sent, ok() * 200))
        return done

    def test_backlog(self) -> None:
        """While a request is being handled, what comes after it is kept only up to a limit."""
        stream, app = serve(lambda conn: Recorder(conn, None), chunk_size=1000)
        stream.feed(GET)
        stream.feed(post(b"x" * 1500))
        self.assertFalse(stream.reading)
        app.requests[0].respond(b"a")
        self.assertTrue(stream.reading)
        self.assertEqual(app.requests[1].body, b"x" * 1500)

    def test_streaming_response(self) -> None:
        """A response can be written in pieces."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET)
        connection = app.requests[0].connection
        self.assertTrue(connection.write_headers(OK, HTTPHeaders(), b"ab").done())
        self.assertTrue(connection.write(b"c").done())
        connection.finish()
        self.assertEqual(
            stream.sent,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        )
        stream.feed(GET)
        self.assertEqual(len(app.requests), 2)

    def test_old_style(self) -> Any:
        """An encoded response goes out as it is, and a callback says when."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET + GET)
        called: list[str] = []
        app.requests[0].connection.write(ok(), lambda: called.append("written"))
        app.requests[0].connection.finish()
        self.assertEqual(stream.sent, ok())
        self.assertEqual(len(app.requests), 2)
        return turns().addCallback(lambda _: self.assertEqual(called, ["written"]))

    def test_late_writer(self) -> None:
        """Whoever kept the connection of an answered request cannot write into another's."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET + GET)
        first = app.requests[0]
        first.respond(b"1")
        for move in (
            lambda: first.respond(b"x"),
            lambda: first.connection.write(b"x"),
            first.connection.finish,
        ):
            self.assertRaises(ProtocolStateError, move)
        app.requests[1].respond(b"2")
        self.assertEqual(stream.sent, ok(b"1") + ok(b"2"))

    def test_wrong_length(self) -> None:
        """A response that is not as long as it says closes the connection."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET)
        headers = HTTPHeaders({"Content-Length": "5"})
        connection = app.requests[0].connection
        self.assertRaises(HTTPOutputError, connection.write_response, OK, headers, b"ab")
        self.assertTrue(stream.closed())

    def test_continue(self) -> None:
        """A client that waits for leave to send the body gets it, once the head is accepted."""
        stream, app = serve()
        head, _, body = post(b"ab", b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        stream.feed(head + b"\r\n\r\n")
        self.assertEqual(stream.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        stream.feed(body)
        self.assertEqual(stream.take(), ok())

    def test_no_needless_continue(self) -> None:
        """A client that has sent the body already, or must not, is not told to."""
        stream, _ = serve(max_body_size=10)
        stream.feed(post(b"ab", b"Expect: 100-continue\r\n"))
        self.assertEqual(stream.take(), ok())
        stream.feed(post(b"x" * 11, b"Expect: 100-continue\r\n")[:-11])
        self.assertEqual(stream.take(), BAD)

    def test_early_answer(self) -> None:
        """An answer before the whole request came closes the connection after it."""

        class Early(Recorder):
            def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
                super().headers_received(start_line, headers)
                self.respond(b"no")

        stream, app = serve(Early)
        stream.feed(post(b"x" * 100)[:-50])
        self.assertEqual(stream.sent, ok(b"no"))
        self.assertTrue(stream.closed())
        self.assertEqual(app.requests[0].events, ["head", "close"])


class FlowControlTests(LoggingTestCase):
    """Delegates that take their time, and clients that do not read."""

    def test_slow_head(self) -> Any:
        """The body waits for what headers_received returned."""
        gate = new_future()

        class Slow(Recorder):
            def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Any:
                super().headers_received(start_line, headers)
                return gate

        stream, app = serve(Slow)
        stream.feed(post(b"abc"))
        self.assertEqual(app.requests[0].events, ["head"])
        gate.set_result(None)

        def check(_: object) -> None:
            self.assertEqual(app.requests[0].events, ["head", "data", "finish"])
            self.assertEqual(stream.sent, ok())

        return turns().addCallback(check)

    def test_slow_data(self) -> Any:
        """One piece of the body is handled before the next is given; coroutines and Deferreds do."""
        running: list[int] = []
        fired: list[Deferred[None]] = []

        class Slow(Recorder):
            def data_received(self, chunk: bytes) -> Any:
                super().data_received(chunk)
                if len(self.chunks) == 1:
                    fired.append(Deferred())
                    return fired[0]
                return self.work()

            async def work(self) -> None:
                running.append(1)
                self.events.append("worked")

        stream, app = serve(Slow, chunk_size=2)
        stream.feed(post(b"abcd"))
        self.assertEqual(app.requests[0].events, ["head", "data"])
        fired[0].callback(None)

        def check(_: object) -> None:
            self.assertEqual(app.requests[0].events, ["head", "data", "data", "worked", "finish"])

        return turns(6).addCallback(check)

    def test_slow_upload_is_bounded(self) -> None:
        """While a delegate is busy, the stream stops reading at a limit."""

        class Stuck(Recorder):
            def data_received(self, chunk: bytes) -> Any:
                super().data_received(chunk)
                return new_future()

        stream, _ = serve(Stuck, chunk_size=100)
        stream.feed(post(b"x" * 10000)[:-9900])
        self.assertTrue(stream.reading)
        stream.feed(b"x" * 200)
        self.assertFalse(stream.reading)

    def test_failing_awaitable(self) -> Any:
        """An awaitable that fails closes the connection and is logged."""

        class Failing(Recorder):
            async def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
                raise ValueError("no")

        stream, app = serve(Failing)
        stream.feed(GET)

        def check(_: object) -> None:
            self.assertTrue(stream.closed())
            self.assertEqual(self.messages(), ["ERROR Uncaught exception"])
            self.assertEqual(app.requests[0].events, ["close"])

        return turns(5).addCallback(check)

    def test_client_does_not_read(self) -> Any:
        """No more requests are taken from a client that does not take its responses."""
        stream, app = serve()
        stream.stuck = True
        stream.feed(GET * 3)
        self.assertEqual(len(app.requests), 1)
        stream.drain()
        return turns().addCallback(lambda _: self.assertEqual(len(app.requests), 3))

    def test_close_waits_for_the_response(self) -> Any:
        """A connection to be closed is closed when the client has everything."""
        stream, _ = serve(no_keep_alive=True)
        stream.stuck = True
        stream.feed(GET)
        self.assertFalse(stream.closed())
        stream.drain()
        return turns().addCallback(lambda _: self.assertTrue(stream.closed()))

    def test_write_future(self) -> None:
        """What write returns is done when the client has taken it."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.stuck = True
        stream.feed(GET)
        future = app.requests[0].connection.write_headers(OK, HTTPHeaders(), b"x")
        self.assertFalse(future.done())
        stream.drain()
        self.assertIsNone(future.result())


class EndTests(LoggingTestCase):
    """Closing, from either side."""

    def test_client_leaves_during_request(self) -> None:
        """A request that will never be complete is reported to its delegate."""
        stream, app = serve()
        stream.feed(post(b"abc")[:-1])
        stream.close()
        self.assertEqual(app.requests[0].events, ["head", "data", "close"])
        self.assertEqual(app.closed, 1)

    def test_client_leaves_during_response(self) -> Any:
        """A client that leaves before the response is complete runs the close callback."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET)
        called: list[str] = []
        connection = app.requests[0].connection
        connection.set_close_callback(lambda: called.append("closed"))
        stream.close()

        def check(_: object) -> None:
            self.assertEqual(called, ["closed"])
            self.assertEqual(app.requests[0].events, ["head", "finish"])

        return turns().addCallback(check)

    def test_no_callback_after_response(self) -> Any:
        """The close callback is forgotten with the response."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET)
        called: list[str] = []
        app.requests[0].connection.set_close_callback(lambda: called.append("closed"))
        app.requests[0].respond(b"x")
        stream.close()
        return turns().addCallback(lambda _: self.assertEqual(called, []))

    def test_writing_to_nobody(self) -> None:
        """Writing after the client left harms nobody and is not logged."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET)
        stream.close()
        connection = app.requests[0].connection
        future = connection.write_headers(OK, HTTPHeaders({"Content-Length": "9"}), b"x")
        self.assertIsInstance(future.exception(), StreamClosedError)
        self.assertIsInstance(connection.write(b"x").exception(), StreamClosedError)
        connection.finish()
        self.assertRaises(StreamClosedError, app.requests[0].respond, b"x")
        self.assertEqual(self.messages(), [])

    def test_closed_within_the_request(self) -> None:
        """A handler may close the stream and go on as if nothing had happened."""

        class Closing(Recorder):
            def finish(self) -> None:
                self.connection.stream.close()
                self.connection.write_headers(OK, HTTPHeaders({"Content-Length": "9"}), b"x")
                self.connection.finish()

        stream, app = serve(Closing)
        stream.feed(GET + GET)
        self.assertEqual(stream.sent, b"")
        self.assertEqual(len(app.requests), 1)
        self.assertEqual(self.messages(), [])

    def test_application_fails(self) -> None:
        """An exception in a delegate is logged, and costs the connection."""
        for method in ("headers_received", "data_received", "finish"):
            stream, app = serve()
            app.make = type(
                "Failing",
                (Recorder,),
                {method: lambda self, *args: (_ for _ in ()).throw(ValueError(method))},
            )
            stream.feed(post(b"abc"))
            self.assertTrue(stream.closed())
            self.assertEqual(app.requests[0].events[-1:], ["close"], method)
            self.assertEqual(self.messages(), ["ERROR Uncaught exception"])
            self.records.clear()

    def test_close(self) -> Any:
        """close() ends the connection and waits for the end."""
        stream = MemoryStream()
        connection = HTTP1ServerConnection(stream)
        connection.start_serving(serve()[1])
        done = as_deferred(connection.close())

        def again(_: object) -> Any:
            self.assertTrue(stream.closed())
            return as_deferred(connection.close())

        return done.addCallback(again)

    def test_detach(self) -> None:
        """A detached stream is in pull mode, with the bytes that came after the request."""

        class Detaching(Recorder):
            def finish(self) -> None:
                self.connection.write_response(
                    ResponseStartLine("", 101, "Switching Protocols"), HTTPHeaders(), b""
                )
                self.stream = self.connection.detach()

        stream, app = serve(Detaching)
        stream.feed(GET + b"other protocol")
        self.assertEqual(stream.sent, b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        self.assertIs(app.requests[0].stream, stream)
        self.assertIsNone(app.requests[0].connection.stream)
        self.assertIsNone(stream.consumer)
        self.assertEqual(stream.unread_bytes, b"other protocol")
        self.assertEqual(app.closed, 1)
        stream.close()
        self.assertEqual(app.requests[0].events, ["head"])

    def test_detach_in_headers_received(self) -> None:
        """A delegate that detaches at once hears nothing more."""

        class Detaching(Recorder):
            def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
                self.connection.detach()

        stream, app = serve(Detaching)
        stream.feed(post(b"abc"))
        self.assertEqual(app.requests[0].events, [])
        self.assertEqual(stream.unread_bytes, b"abc")

    def test_late_detach(self) -> None:
        """After a 101 response nothing is read as HTTP, even if detaching takes a while."""
        stream, app = serve(lambda conn: Recorder(conn, None))
        stream.feed(GET)
        connection = app.requests[0].connection
        connection.write_headers(ResponseStartLine("", 101, "X"), HTTPHeaders())
        connection.finish()
        stream.feed(b"\x81\x05hello")
        connection.detach()
        self.assertEqual(stream.unread_bytes, b"\x81\x05hello")

    def test_detach_too_late(self) -> None:
        """When the exchange is over, the stream is not ours to give."""
        stream, app = serve()
        stream.feed(GET)
        self.assertRaises(RuntimeError, app.requests[0].connection.detach)


class RefusalTests(LoggingTestCase):
    """Bad requests."""

    def test_malformed(self) -> None:
        """A malformed request gets 400 and the end of the connection, and one line in the log."""
        stream, app = serve()
        stream.feed(b"asdf\r\n\r\n" + GET)
        self.assertEqual(stream.sent, BAD)
        self.assertTrue(stream.closed())
        self.assertEqual(app.requests, [])
        self.assertEqual(
            self.messages(),
            ["INFO Malformed HTTP message from peer: Malformed HTTP request line"],
        )

    def test_malformed_body(self) -> None:
        """A body that breaks the rules gets 400, and the delegate is told that it ends."""
        stream, app = serve()
        stream.feed(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX")
        self.assertEqual(stream.sent, BAD)
        self.assertEqual(app.requests[0].events[-1], "close")

    def test_too_large_head(self) -> None:
        """A head beyond the limit gets 431."""
        stream, _ = serve(max_header_size=100)
        stream.feed(b"GET / HTTP/1.1\r\nA: " + b"x" * 100)
        self.assertEqual(stream.sent, b"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n")
        self.assertTrue(stream.closed())

    def test_refused_by_the_application(self) -> None:
        """HTTPInputError from a delegate is a malformed request, too."""

        class Refusing(Recorder):
            def finish(self) -> None:
                raise HTTPInputError("bad form")

        stream, app = serve(Refusing)
        stream.feed(post(b"abc"))
        self.assertEqual(stream.sent, BAD)
        self.assertEqual(self.messages(), ["INFO Malformed HTTP message from peer: bad form"])
        self.assertEqual(app.requests[0].events, ["head", "data", "close"])

    def test_after_good_ones(self) -> None:
        """Requests before the malformed one are answered first."""
        stream, _ = serve()
        stream.feed(GET + b"nonsense\r\n\r\n")
        self.assertEqual(stream.sent, ok() + BAD)

    def test_limit_of_one_request(self) -> None:
        """A limit that a delegate sets holds for its request only."""

        class Raising(Recorder):
            def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
                super().headers_received(start_line, headers)
                if start_line.path == "/big":
                    self.connection.set_max_body_size(100)

        stream, app = serve(Raising, max_body_size=10)
        stream.feed(post(b"x" * 100, path=b"/big"))
        self.assertEqual(stream.take(), ok())
        stream.feed(post(b"x" * 11))
        self.assertEqual(stream.take(), BAD)
        self.assertEqual(
            self.messages(), ["INFO Malformed HTTP message from peer: Content-Length too long"]
        )


class DecompressionTests(LoggingTestCase):
    """Compressed request bodies."""

    def send(self, body: bytes, coding: bytes = b"gzip", **params: Any) -> tuple[Any, Any]:
        stream, app = serve(decompress=True, **params)
        stream.feed(post(body, b"Content-Encoding: " + coding + b"\r\n"))
        return stream, app.requests[0]

    def test_gzip(self) -> None:
        """A gzip body is decoded, and the headers say so."""
        for body in (gzip.compress(b"hello"), gzip.compress(b"hel") + gzip.compress(b"lo")):
            stream, request = self.send(body, b"GZip")
            self.assertEqual(request.body, b"hello")
            self.assertNotIn("Content-Encoding", request.headers)
            self.assertEqual(request.headers["X-Consumed-Content-Encoding"], "GZip")
            self.assertEqual(stream.sent, ok())

    def test_deflate(self) -> None:
        """So is a deflate body, with zlib's header or without."""
        raw = zlib.compressobj(wbits=-15)
        for body in (zlib.compress(b"hello"), raw.compress(b"hello") + raw.flush()):
            _, request = self.send(body, b"deflate")
            self.assertEqual(request.body, b"hello")

    def test_others(self) -> None:
        """A coding that is not known is left alone, and so is everything unless asked for."""
        _, request = self.send(b"hello", b"br")
        self.assertEqual(request.body, b"hello")
        self.assertEqual(request.headers["Content-Encoding"], "br")
        stream, app = serve()
        stream.feed(post(gzip.compress(b"hello"), b"Content-Encoding: gzip\r\n"))
        self.assertEqual(gzip.decompress(app.requests[0].body), b"hello")

    def test_bomb(self) -> None:
        """A body that unpacks to more than the limit is refused, and not unpacked."""
        for body, coding in [
            (gzip.compress(b"\0" * 100_000), b"gzip"),
            (zlib.compress(b"\0" * 100_000), b"deflate"),
        ]:
            stream, request = self.send(body, coding, max_body_size=1000, chunk_size=200)
            self.assertEqual(stream.sent, BAD)
            self.assertLessEqual(len(request.body), 1000)
            self.assertLessEqual(max(map(len, request.chunks)), 200)
            self.assertIn("decompressed body too large", self.messages()[-1])

    def test_damaged(self) -> None:
        """Damaged, cut or prolonged bodies are refused."""
        whole = gzip.compress(b"hello")
        for body in (whole[:-1], whole + b"\0", b"nonsense"):
            stream, _ = self.send(body)
            self.assertEqual(stream.sent, BAD)
            self.assertIn("invalid gzip data", self.messages()[-1])
        whole = zlib.compress(b"hello")
        for body in (whole[:-1], whole + b"\0", b"x", b"nonsense"):
            stream, _ = self.send(body, b"deflate")
            self.assertEqual(stream.sent, BAD, body)
            self.assertIn("invalid deflate data", self.messages()[-1])

    def test_flow_control(self) -> Any:
        """Each decoded piece is handled before the next is made."""

        class Slow(Recorder):
            async def data_received(self, chunk: bytes) -> None:
                Recorder.data_received(self, chunk)
                await as_deferred(new_done())
                self.events.append("worked")

        def new_done() -> Any:
            future = new_future()
            IOLoop.current().add_callback(future.set_result, None)
            return future

        stream, app = serve(Slow, decompress=True, chunk_size=100)
        stream.feed(post(gzip.compress(b"x" * 250), b"Content-Encoding: gzip\r\n"))

        def check(_: object) -> None:
            self.assertEqual(app.requests[0].events, ["head", *["data", "worked"] * 3, "finish"])

        return turns(30).addCallback(check)
