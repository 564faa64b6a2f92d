"""`txtornado.http1connection.HTTP1Connection` on its own: mostly a client."""

from __future__ import annotations

import gzip
from typing import Any

from tests.http1.support import MemoryStream, Recorder
from tests.http1.test_server_connection import LoggingTestCase, turns
from txtornado.concurrent import new_future
from txtornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from txtornado.httputil import HTTPHeaders, RequestStartLine
from txtornado.iostream import UnsatisfiableReadError

GET = RequestStartLine("GET", "/", "")
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class ClientTests(LoggingTestCase):
    """A client's connection."""

    def fetch(self, line: RequestStartLine = GET, **params: Any) -> tuple[Any, Any, Any, Any]:
        """Send a request; stream, connection, delegate and the future of the response."""
        stream = MemoryStream()
        connection = HTTP1Connection(stream, True, HTTP1ConnectionParameters(**params))
        connection.write_headers(line, HTTPHeaders({"Host": "x"}))
        connection.finish()
        delegate = Recorder()
        return stream, connection, delegate, connection.read_response(delegate)

    def test_response(self) -> None:
        """A response comes as head, data and finish; the result says that the stream is open."""
        stream, _, delegate, future = self.fetch()
        self.assertEqual(stream.sent, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.feed(RESPONSE[:20])
        self.assertFalse(future.done())
        stream.feed(RESPONSE[20:])
        self.assertIs(future.result(), True)
        self.assertEqual(delegate.events, ["head", "data", "finish"])
        self.assertEqual(delegate.start_line, ("HTTP/1.1", 200, "OK"))
        self.assertEqual(delegate.body, b"hello")

    def test_several(self) -> None:
        """A connection that is kept carries further exchanges."""
        stream, connection, _, _ = self.fetch()
        stream.feed(RESPONSE)
        for _ in range(2):
            connection.write_headers(GET, HTTPHeaders({"Host": "x"}))
            connection.finish()
            delegate = Recorder()
            future = connection.read_response(delegate)
            stream.feed(RESPONSE)
            self.assertIs(future.result(), True)
            self.assertEqual(delegate.body, b"hello")

    def test_not_kept(self) -> None:
        """A connection that ends with the response is closed, and the result says so."""
        stream, _, delegate, future = self.fetch(no_keep_alive=True)
        self.assertIn(b"Connection: close", stream.sent)
        stream.feed(RESPONSE)
        self.assertIs(future.result(), False)
        self.assertTrue(stream.closed())
        self.assertEqual(delegate.events[-1], "finish")

    def test_until_close(self) -> None:
        """A response without a length ends with the stream."""
        stream, _, delegate, future = self.fetch()
        stream.feed(b"HTTP/1.0 200 OK\r\n\r\nhello")
        stream.close()
        self.assertEqual(delegate.body, b"hello")
        self.assertEqual(delegate.events[-1], "finish")
        self.assertTrue(future.done())

    def test_reset(self) -> None:
        """A reset ends a response without a length, too, and cuts all others short."""
        for head, last in [
            (b"HTTP/1.0 200 OK\r\n\r\n", "finish"),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n", "close"),
        ]:
            stream, _, delegate, _ = self.fetch()
            stream.feed(head + b"hello")
            reset = ConnectionResetError()
            stream.close(exc_info=(type(reset), reset, None))
            self.assertEqual(delegate.events[-1], last)

    def test_cut_short(self) -> None:
        """A response that is not complete is no response."""
        stream, _, delegate, future = self.fetch()
        stream.feed(RESPONSE[:-1])
        stream.close()
        self.assertIs(future.result(), False)
        self.assertEqual(delegate.events, ["head", "data", "close"])

    def test_no_response(self) -> None:
        """Without a head the delegate hears nothing at all."""
        stream, _, delegate, future = self.fetch()
        stream.close()
        self.assertIs(future.result(), False)
        self.assertEqual(delegate.events, [])

    def test_there_already(self) -> None:
        """A response that came, with the end of the stream, before anybody read is read."""
        stream = MemoryStream()
        stream.feed(RESPONSE)
        stream.close()
        delegate = Recorder()
        future = HTTP1Connection(stream, True).read_response(delegate)
        self.assertEqual(delegate.events, ["head", "data", "finish"])
        self.assertTrue(future.done())

    def test_interim(self) -> None:
        """Interim responses go to the delegate before the response."""
        stream, _, delegate, future = self.fetch()
        stream.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(delegate.start_line.code, 100)
        stream.feed(RESPONSE)
        self.assertEqual(delegate.events, ["head", "head", "data", "finish"])
        self.assertIs(future.result(), True)

    def test_waits_for_leave(self) -> None:
        """A request body can be sent after the interim response that asks for it."""
        stream = MemoryStream()
        connection = HTTP1Connection(stream, True)
        headers = HTTPHeaders({"Host": "x", "Content-Length": "3", "Expect": "100-continue"})
        connection.write_headers(RequestStartLine("POST", "/", ""), headers)

        class Patient(Recorder):
            def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
                super().headers_received(start_line, headers)
                if start_line.code == 100:
                    connection.write(b"abc")
                    connection.finish()

        delegate = Patient()
        future = connection.read_response(delegate)
        stream.take()
        stream.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(stream.sent, b"abc")
        stream.feed(RESPONSE)
        self.assertIs(future.result(), True)

    def test_malformed(self) -> None:
        """A malformed response is logged, and the connection closed."""
        stream, _, delegate, future = self.fetch()
        sent = stream.sent
        stream.feed(b"HTTP/1.1 two hundred\r\n\r\n")
        self.assertIs(future.result(), False)
        self.assertTrue(stream.closed())
        self.assertEqual(stream.sent, sent)
        self.assertEqual(
            self.messages(), ["INFO Malformed HTTP message from None: Malformed HTTP status line"]
        )

    def test_too_large_head(self) -> None:
        """Headers beyond the limit close the stream with an error that says so."""
        stream, _, _, future = self.fetch(max_header_size=100)
        stream.feed(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100)
        self.assertIs(future.result(), False)
        self.assertIsInstance(stream.error, UnsatisfiableReadError)
        self.assertIn("Unsatisfiable read", self.messages()[0])

    def test_decompress(self) -> None:
        """Compressed responses are decoded when that was asked for."""
        body = gzip.compress(b"hello")
        response = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        for decompress, expected in [(True, b"hello"), (False, body)]:
            stream, _, delegate, _ = self.fetch(decompress=decompress)
            stream.feed(response)
            self.assertEqual(delegate.body, expected)

    def test_head_of_compressed(self) -> None:
        """The empty response to HEAD is not a damaged one."""
        stream, _, delegate, future = self.fetch(RequestStartLine("HEAD", "/", ""), decompress=True)
        stream.feed(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n")
        self.assertIs(future.result(), True)
        self.assertEqual(delegate.events, ["head", "finish"])

    def test_detach(self) -> None:
        """What follows the response can be somebody else's."""
        stream, connection, delegate, future = self.fetch()
        delegate.finish = lambda: connection.detach()
        stream.feed(RESPONSE + b"rest")
        self.assertTrue(future.done())
        self.assertEqual(stream.unread_bytes, b"rest")
        self.assertIsNone(connection.stream)
        self.assertFalse(stream.closed())

    def test_upgrade(self) -> None:
        """After 101 the stream is to be detached, with what came behind the head."""
        stream, connection, delegate, _ = self.fetch()
        delegate.headers_received = lambda line, headers: connection.detach() and None
        stream.feed(b"HTTP/1.1 101 Switching\r\n\r\n\x81\x00")
        self.assertEqual(stream.unread_bytes, b"\x81\x00")

    def test_closed_while_the_delegate_waits(self) -> Any:
        """A response that is there is handed on to its end, though the stream closed meanwhile."""
        gate = new_future()
        stream, _, delegate, future = self.fetch()
        delegate.headers_received = lambda line, headers: gate
        stream.feed(RESPONSE)
        stream.close()
        self.assertFalse(future.done())
        gate.set_result(None)

        def check(_: object) -> None:
            self.assertEqual(delegate.body, b"hello")
            self.assertEqual(delegate.events, ["data", "finish"])
            self.assertTrue(future.done())

        return turns().addCallback(check)

    def test_delegate_fails(self) -> None:
        """An exception of the delegate is logged; the result is False."""
        for method in ("headers_received", "data_received", "finish"):
            stream, _, delegate, future = self.fetch()

            def fail(*args: Any) -> None:
                raise ValueError(method)

            setattr(delegate, method, fail)
            stream.feed(RESPONSE)
            self.assertIs(future.result(), False)
            self.assertTrue(stream.closed())
            self.assertEqual(delegate.events[-1], "close")
            self.assertEqual(self.messages(), ["ERROR Uncaught exception"])
            self.records.clear()

    def test_one_reader(self) -> None:
        """A second read_response before the first is done is an error."""
        _, connection, _, _ = self.fetch()
        self.assertRaises(RuntimeError, connection.read_response, Recorder())

    def test_early_response(self) -> None:
        """A response may come before the request is complete, which then still can be."""
        stream = MemoryStream()
        connection = HTTP1Connection(stream, True)
        connection.write_headers(RequestStartLine("POST", "/", ""), HTTPHeaders({"Host": "x"}))
        future = connection.read_response(Recorder())
        stream.feed(RESPONSE)
        self.assertIs(future.result(), True)
        connection.write(b"abc")
        connection.finish()
        self.assertTrue(stream.sent.endswith(b"3\r\nabc\r\n0\r\n\r\n"))


class ServerRoleTests(LoggingTestCase):
    """A single request, read without a server."""

    def test_request(self) -> None:
        """read_response reads a request in a server's role, and the answer goes back."""
        stream = MemoryStream()
        connection = HTTP1Connection(stream, False)
        delegate = Recorder(connection)
        future = connection.read_response(delegate)
        stream.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(future.done())
        self.assertEqual(delegate.start_line, ("GET", "/", "HTTP/1.1"))
        self.assertIn(b"200 OK", stream.sent)
