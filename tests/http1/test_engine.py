"""`txtornado.http1connection.HTTP1Engine`: bytes and events, no I/O."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txtornado.http1connection import HTTP1Engine, ProtocolStateError
from txtornado.http1connection._states import RECEIVING, SENDING, Event, State
from txtornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPOutputError,
    RequestStartLine,
    ResponseStartLine,
)

GET = RequestStartLine("GET", "/", "")
OK = ResponseStartLine("", 200, "OK")


def events(engine: HTTP1Engine, data: bytes, eof: bool = False, limit: int = 1000) -> list[object]:
    """Feed ``data`` and list the events; body data as bytes, put together."""
    engine.receive_data(data)
    if eof:
        engine.receive_eof()
    seen: list[object] = []
    while True:
        event = engine.next_event()
        if event in (Event.NEED_DATA, Event.PAUSED):
            return seen
        if event is Event.DATA:
            if seen and isinstance(seen[-1], bytes):
                seen[-1] += engine.buffer.data
            else:
                seen.append(engine.buffer.data)
        elif event is not Event.YIELD:
            seen.append(event)
        if event is Event.HEAD:
            engine.start_body(limit)
        if event is Event.EOF:
            return seen


def server(**kwargs: int) -> HTTP1Engine:
    return HTTP1Engine(False, **kwargs)


def client(method: str = "GET") -> HTTP1Engine:
    engine = HTTP1Engine(True)
    engine.send_head(RequestStartLine(method, "/", ""), HTTPHeaders())
    return engine


def refusal(data: bytes, engine: HTTP1Engine | None = None, limit: int = 1000) -> str:
    """Why ``data`` is refused; fails when it is not."""
    try:
        seen = events(engine or server(), data, limit=limit)
    except HTTPInputError as error:
        return str(error)
    raise AssertionError(f"accepted: {seen}")


class RequestHeadTests(SynchronousTestCase):
    """Heads of requests."""

    def test_whole(self) -> None:
        """A head in one chunk gives start line and headers, and is complete without a body."""
        engine = server()
        seen = events(engine, b"GET /a?b HTTP/1.1\r\nHost: x\r\nAccept:*/*\r\n\r\n")
        self.assertEqual(seen, [Event.HEAD])
        self.assertEqual(engine.start_line, ("GET", "/a?b", "HTTP/1.1"))
        self.assertEqual(list(engine.headers.get_all()), [("Host", "x"), ("Accept", "*/*")])
        self.assertIs(engine.receiving, State.DONE)

    def test_byte_by_byte(self) -> None:
        """How a head is cut into chunks makes no difference."""
        engine = server()
        seen: list[object] = []
        for byte in b"\r\nPUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab":
            seen += events(engine, bytes([byte]))
        self.assertEqual(seen, [Event.HEAD, b"a", b"b", Event.END])
        self.assertEqual(engine.start_line.method, "PUT")  # type: ignore[union-attr]

    def test_bare_lf(self) -> None:
        """A bare LF ends a line, and two of them the head."""
        engine = server()
        self.assertEqual(events(engine, b"GET / HTTP/1.0\nA: b\n\nrest"), [Event.HEAD])
        self.assertEqual(engine.headers["a"], "b")
        self.assertEqual(len(engine.buffer), 4)

    def test_white_space(self) -> None:
        """White space around a value does not belong to it."""
        engine = server()
        events(engine, b"GET / HTTP/1.0\r\nA: \t b c \t \r\nB:d\r\nC: \r\n\r\n")
        self.assertEqual(dict(engine.headers), {"A": "b c", "B": "d", "C": ""})

    def test_repeated_headers(self) -> None:
        """A header that occurs twice has two values."""
        engine = server()
        events(engine, b"GET / HTTP/1.0\r\nA: 1\r\na: 2\r\n\r\n")
        self.assertEqual(engine.headers.get_list("A"), ["1", "2"])

    def test_headers_are_not_shared(self) -> None:
        """Two requests with the same header bytes have headers of their own."""
        engine = server()
        data = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        events(engine, data)
        first = engine.headers
        first["X-Mine"] = "1"
        engine.send_message(OK, HTTPHeaders(), b"")
        engine.next_exchange()
        events(engine, data)
        self.assertNotIn("X-Mine", engine.headers)
        self.assertIsNot(engine.headers, first)

    def test_repeated_head(self) -> None:
        """A head that comes again means the same again, whatever body or request follows it."""
        engine = server()
        post = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
        get = b"GET /y HTTP/1.1\r\nHost: x\r\n\r\n"
        for data, body, rest in (
            (post + b"abc", b"abc", b""),
            (post + b"def", b"def", b""),
            (post + b"ghi" + get, b"ghi", get),
        ):
            self.assertEqual(events(engine, data), [Event.HEAD, body, Event.END])
            self.assertEqual(engine.start_line, RequestStartLine("POST", "/x", "HTTP/1.1"))
            self.assertEqual(engine.buffer.take(1000), rest)
            engine.send_message(OK, HTTPHeaders(), b"")
            engine.next_exchange()
        for _ in range(2):
            self.assertEqual(events(engine, get + get), [Event.HEAD])
            self.assertEqual(engine.start_line, RequestStartLine("GET", "/y", "HTTP/1.1"))
            self.assertEqual(engine.buffer.take(1000), get)
            engine.send_message(OK, HTTPHeaders(), b"")
            engine.next_exchange()

    def test_repeated_head_in_pieces(self) -> None:
        """So does one that comes in pieces; and the limits of the body are looked at each time."""
        engine = server()
        post = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
        self.assertEqual(events(engine, post + b"abc"), [Event.HEAD, b"abc", Event.END])
        engine.send_message(OK, HTTPHeaders(), b"")
        engine.next_exchange()
        self.assertEqual(events(engine, post[:20]), [])
        self.assertEqual(events(engine, post[20:] + b"d"), [Event.HEAD, b"d"])
        self.assertEqual(events(engine, b"ef"), [b"ef", Event.END])
        engine.send_message(OK, HTTPHeaders(), b"")
        engine.next_exchange()
        self.assertEqual(refusal(post + b"abc", engine, limit=2), "Content-Length too long")

    def test_receive_again(self) -> None:
        """A whole request that comes again is known at once; everything else has to be read."""
        get = b"GET /y HTTP/1.1\r\nHost: x\r\n\r\n"
        post = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
        engine = server()

        def answer() -> None:
            engine.send_message(OK, HTTPHeaders(), b"")
            engine.next_exchange()

        self.assertFalse(engine.receive_again(get))
        self.assertIs(engine.next_event(), Event.HEAD)
        first = engine.headers
        first["X-Mine"] = "1"
        answer()
        for _ in range(2):
            self.assertTrue(engine.receive_again(get))
            self.assertIs(engine.receiving, State.DONE)
            self.assertEqual(engine.start_line, RequestStartLine("GET", "/y", "HTTP/1.1"))
            self.assertEqual(list(engine.headers.get_all()), [("Host", "x")])
            self.assertFalse(engine.receive_again(get))  # in the middle of that one
            answer()
            self.assertIs(engine.next_event(), Event.HEAD)
            answer()
            self.assertEqual(len(engine.buffer), 0)
        for data in (get[:-1], get + get, post, post + b"abc"):
            self.assertFalse(engine.receive_again(data))
            self.assertEqual(engine.buffer.take(1000), data)
        self.assertEqual(events(engine, post + b"abc"), [Event.HEAD, b"abc", Event.END])
        answer()
        self.assertFalse(engine.receive_again(post))
        self.assertEqual(events(engine, b"def"), [Event.HEAD, b"def", Event.END])
        answer()
        self.assertFalse(engine.receive_again(get[:5]))
        self.assertFalse(engine.receive_again(get))  # not the beginning of one
        self.assertEqual(engine.buffer.take(1000), get[:5] + get)
        self.assertEqual(engine.received, 14)

    def test_changed_headers_are_read_again(self) -> None:
        """What is remembered of one request's headers is not taken for another's."""
        engine = server()
        events(engine, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
        engine.send_message(OK, HTTPHeaders(), b"")
        engine.next_exchange()
        events(engine, b"GET / HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n")
        self.assertEqual(engine.headers["Host"], "y")
        self.assertFalse(engine.keep_alive)

    def test_idle_connections_share(self) -> None:
        """Connections whose last requests were alike keep one copy of what they remember of it."""
        head = b"GET /shared HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n"
        engines = [server(), server()]
        for engine in engines:
            self.assertEqual(events(engine, bytes(bytearray(head))), [Event.HEAD])
        one, other = engines
        self.assertIs(one._block, other._block)
        self.assertIs(one._last_head, other._last_head)
        self.assertIs(one.start_line, other.start_line)
        self.assertIsNot(one.headers, other.headers)
        one.headers["X-Mine"] = "1"
        self.assertNotIn("X-Mine", other.headers)

    def test_shared_headers_of_other_requests(self) -> None:
        """The same headers under another request line do not bring that line along."""
        one, other = server(), server()
        events(one, b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
        events(other, b"HEAD /other HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIs(one._block, other._block)
        for engine, line in (
            (one, RequestStartLine("GET", "/one", "HTTP/1.1")),
            (other, RequestStartLine("HEAD", "/other", "HTTP/1.1")),
        ):
            self.assertEqual(engine.start_line, line)
            engine.send_message(OK, HTTPHeaders(), b"")
            engine.next_exchange()
            method, path, version = line
            again = f"{method} {path} {version}\r\nHost: x\r\n\r\n".encode()
            self.assertEqual(events(engine, again), [Event.HEAD])
            self.assertEqual(engine.start_line, line)

    def test_large_headers_are_not_shared(self) -> None:
        """Nobody fills the memory of others with headers of many kibibytes."""
        data = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 4096 + b"\r\n\r\n"
        engines = [server(), server()]
        for engine in engines:
            self.assertEqual(events(engine, data), [Event.HEAD])
        self.assertIsNot(engines[0]._block, engines[1]._block)

    def test_roles_do_not_share(self) -> None:
        """What is wrong with a request's headers is right in a response, and the other way round."""
        block = b"Content-Length: 1, 1\r\nX: roles\r\n\r\n"
        client = HTTP1Engine(True)
        client.send_head(GET, HTTPHeaders())
        client.finish()
        self.assertEqual(events(client, b"HTTP/1.1 200 OK\r\n" + block), [Event.HEAD])
        self.assertIn("Host", refusal(b"GET / HTTP/1.1\r\nX: roles\r\n\r\n"))
        self.assertIn("Content-Length", refusal(b"GET / HTTP/1.1\r\n" + block))

    def test_idle_keeps_nothing(self) -> None:
        """A connection that waits for the next message holds neither headers nor bytes."""
        engine = server()
        body = b"x" * 500
        data = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n" + body
        for piece in (data, data[:300], data[300:]):
            events(engine, piece)
            if engine.receiving is State.DONE:
                engine.send_message(OK, HTTPHeaders(), b"")
                engine.next_exchange()
                self.assertEqual((engine.buffer.bytes, engine.buffer.data), (b"", b""))
                self.assertEqual(len(engine.headers), 0)

    def test_pipelined_request_is_kept(self) -> None:
        """What has come of the next message already is not lost with that."""
        engine = server()
        get = b"GET /y HTTP/1.1\r\nHost: x\r\n\r\n"
        self.assertEqual(events(engine, get + get[:9]), [Event.HEAD])
        engine.send_message(OK, HTTPHeaders(), b"")
        engine.next_exchange()
        self.assertEqual(events(engine, get[9:]), [Event.HEAD])

    def test_malformed_lines(self) -> None:
        """What is no HTTP is refused with a reason."""
        for data, reason in [
            (b"asdf\r\n\r\n", "Malformed HTTP request line"),
            (b"GET  / HTTP/1.1\r\n\r\n", "Malformed HTTP request line"),
            (b"GET / HTTP/2.0\r\n\r\n", "Malformed HTTP request line"),
            (b"GET / HTTP/1.2\r\n\r\n", "Malformed HTTP request line"),
            (b"GET /a b HTTP/1.1\r\n\r\n", "Malformed HTTP request line"),
            (b"GET /\x00 HTTP/1.1\r\n\r\n", "Malformed HTTP request line"),
            (b"G,T / HTTP/1.1\r\n\r\n", "Malformed HTTP request line"),
            (b"GET / HTTP/1.1 \r\n\r\n", "Malformed HTTP request line"),
            (b"GET / HTTP/1.1\r\nasdf\r\n\r\n", "no colon in header line"),
            (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "folding"),
            (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", "invalid header name"),
            (b"GET / HTTP/1.1\r\n: b\r\n\r\n", "invalid header name"),
            (b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", "control character"),
            (b"GET / HTTP/1.1\r\nA: b\rc: d\r\n\r\n", "control character"),
        ]:
            self.assertIn(reason, refusal(data), data)

    def test_refused_early(self) -> None:
        """A first line that cannot be one is refused before the head is complete."""
        self.assertIn("request line", refusal(b"GET /\r\n"))
        self.assertIn("request line", refusal(b"\x16\x03\x01\x02\x00\x01\x00"))

    def test_too_large(self) -> None:
        """A head beyond the limit is refused, complete or not."""
        line = b"GET / HTTP/1.0\r\nA: "
        self.assertIn("too large", refusal(line + b"b" * 100, server(max_header_size=100)))
        whole = line + b"b" * 100 + b"\r\n\r\n"
        self.assertIn("too large", refusal(whole, server(max_header_size=100)))
        self.assertEqual(events(server(max_header_size=len(whole)), whole), [Event.HEAD])

    def test_host(self) -> None:
        """HTTP/1.1 needs exactly one Host, and any version a sensible one."""
        self.assertIn("Missing Host", refusal(b"GET / HTTP/1.1\r\n\r\n"))
        for version in (b"0", b"1"):
            line = b"GET / HTTP/1." + version + b"\r\n"
            twice = line + b"Host: a\r\nHost: a\r\n\r\n"
            self.assertIn("Multiple Host", refusal(twice))
            for bad in (b"a b", b"a,b", b"a/b", b"u@a", b"a:b", b"[::1", b"a\xff", b"a?b"):
                self.assertIn("Invalid Host", refusal(line + b"Host: " + bad + b"\r\n\r\n"), bad)
            for good in (b"a", b"a_b.example:80", b"[::1]:8888", b"", b"127.0.0.1:"):
                events(server(), line + b"Host: " + good + b"\r\n\r\n")

    def test_keep_alive(self) -> None:
        """HTTP/1.1 keeps the connection unless told not to, HTTP/1.0 if told to."""
        for version, connection, expected in [
            (1, b"", True),
            (1, b"Connection: close\r\n", False),
            (1, b"Connection: x, Close\r\n", False),
            (1, b"Connection: closed\r\n", True),
            (0, b"", False),
            (0, b"Connection: Keep-Alive\r\n", True),
            (0, b"Connection: x, keep-alive\r\n", True),
        ]:
            engine = server()
            events(engine, b"GET / HTTP/1.%d\r\nHost: x\r\n%b\r\n" % (version, connection))
            self.assertEqual(engine.keep_alive, expected, (version, connection))


class RequestBodyTests(SynchronousTestCase):
    """Bodies of requests."""

    def head(self, headers: bytes) -> bytes:
        return b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n"

    def test_length(self) -> None:
        """A body of a known length ends where it says."""
        engine = server()
        seen = events(engine, self.head(b"Content-Length: 3\r\n") + b"abcGET")
        self.assertEqual(seen, [Event.HEAD, b"abc", Event.END])
        self.assertEqual(len(engine.buffer), 3)

    def test_empty(self) -> None:
        """Neither a length of zero nor no length make a body."""
        for headers in (b"", b"Content-Length: 0\r\n"):
            engine = server()
            self.assertEqual(events(engine, self.head(headers)), [Event.HEAD])
            self.assertIs(engine.receiving, State.DONE)

    def test_bad_lengths(self) -> None:
        """Lengths that parsers may read differently are refused."""
        for value, reason in [
            (b"+1", "Only integer"),
            (b"1_0", "Only integer"),
            (b"-1", "Only integer"),
            (b"0x1", "Only integer"),
            (b"1 1", "Only integer"),
            (b"", "Only integer"),
            (b"\xb2", "Only integer"),
            (b"5,\xa05", "Multiple unequal"),
            (b"5,6", "Multiple unequal"),
            (b"5,5", "Multiple Content-Lengths"),
            (b"5\r\nContent-Length: 5", "Multiple Content-Lengths"),
        ]:
            self.assertIn(reason, refusal(self.head(b"Content-Length: " + value + b"\r\n")), value)

    def test_bad_codings(self) -> None:
        """Only one coding is known, and it excludes a length."""
        for headers, reason in [
            (
                b"Transfer-Encoding: gzip, chunked\r\n",
                "Unsupported Transfer-Encoding gzip, chunked",
            ),
            (
                b"Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n",
                "Unsupported Transfer-Encoding chunked,chunked",
            ),
            (b"Transfer-Encoding: \xa0chunked\r\n", "Unsupported"),
            (b"Transfer-Encoding: \r\n", "Unsupported"),
            (b"Transfer-Encoding: identity\r\n", "Unsupported"),
            (
                b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
                "both Transfer-Encoding and Content-Length",
            ),
        ]:
            self.assertIn(reason, refusal(self.head(headers)), headers)

    def test_limit(self) -> None:
        """A body beyond the limit is refused, before it comes if the length is known."""
        self.assertEqual(
            refusal(self.head(b"Content-Length: 11\r\n"), limit=10), "Content-Length too long"
        )
        chunked = self.head(b"Transfer-Encoding: chunked\r\n")
        self.assertEqual(
            refusal(chunked + b"6\r\n123456\r\n5\r\n", limit=10), "chunked body too large"
        )
        seen = events(server(), self.head(b"Content-Length: 10\r\n") + b"1234567890", limit=10)
        self.assertEqual(seen, [Event.HEAD, b"1234567890", Event.END])

    def test_chunk_size(self) -> None:
        """Body data comes in pieces of at most chunk_size bytes."""
        for data in (
            self.head(b"Content-Length: 10\r\n") + b"1234567890",
            self.head(b"Transfer-Encoding: chunked\r\n") + b"A\r\n1234567890\r\n0\r\n\r\n",
        ):
            engine = server(chunk_size=4)
            engine.receive_data(data)
            self.assertIs(engine.next_event(), Event.HEAD)
            engine.start_body(100)
            sizes = []
            while engine.next_event() is Event.DATA:
                sizes.append(len(engine.buffer.data))
            self.assertEqual(sizes, [4, 4, 2])
            self.assertIs(engine.receiving, State.DONE)

    def test_eof(self) -> None:
        """The end of the stream within a message is one event, and the last."""
        for data in (b"GET / HT", self.head(b"Content-Length: 3\r\n") + b"ab"):
            engine = server()
            self.assertIs(events(engine, data, eof=True)[-1], Event.EOF)
            self.assertIs(engine.receiving, State.CLOSED)


class ChunkedTests(SynchronousTestCase):
    """Chunked bodies."""

    HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"

    def test_whole(self) -> None:
        """Chunks are put together; trailers are read over."""
        engine = server()
        seen = events(
            engine, self.HEAD + b'3\r\nabc\r\nA;x=y;z="q\\"r"\r\n0123456789\r\n0\r\nT: x\r\n\r\nG'
        )
        self.assertEqual(seen, [Event.HEAD, b"abc0123456789", Event.END])
        self.assertEqual(len(engine.buffer), 1)

    def test_byte_by_byte(self) -> None:
        """How chunks are cut makes no difference to the body."""
        engine = server()
        events(engine, self.HEAD)
        seen: list[object] = []
        for byte in b"3\r\nabc\r\n1;x\r\nd\r\n0\r\nT: x\r\n\r\n":
            seen += events(engine, bytes([byte]))
        self.assertEqual(seen, [b"a", b"b", b"c", b"d", Event.END])

    def test_bad_sizes(self) -> None:
        """Chunk sizes that parsers may read differently are refused."""
        for line in (
            b"1_a\r\n",
            b"0x2\r\n",
            b"+2\r\n",
            b"-2\r\n",
            b" 2\r\n",
            b"2 \r\n",
            b"\r\n",
            b"g\r\n",
            b"2\n",
            b"2;\r\n",
            b"2; x\r\n",
            b"2;x=\r\n",
            b"2;x\x00\r\n",
            b'2;x="\r\n',
            b"00000000000000002\r\n",
            b"2;" + b"x" * 2000 + b"\r\n",
            b"f" * 17,
        ):
            self.assertEqual(
                refusal(self.HEAD + line + b"ab\r\n0\r\n\r\n"), "invalid chunk size", line
            )

    def test_bad_ends(self) -> None:
        """A chunk ends with CRLF and nothing else, and so does the body."""
        self.assertEqual(refusal(self.HEAD + b"3\r\nfooXX0\r\n\r\n"), "improperly terminated chunk")
        self.assertEqual(refusal(self.HEAD + b"3\r\nfoo\n0\r\n\r\n"), "improperly terminated chunk")
        self.assertIn("improperly", refusal(self.HEAD + b"0\r\n\n"))
        self.assertIn("improperly", refusal(self.HEAD + b"0\r\nbad trailer\r\n\r\n"))
        self.assertIn(
            "too large", refusal(self.HEAD + b"0\r\nA: " + b"x" * 200, server(max_header_size=100))
        )

    def test_tiny_chunks_yield(self) -> None:
        """Many tiny chunks are put together, and other connections get their turn meanwhile."""
        engine = server()
        engine.receive_data(self.HEAD + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n")
        engine.next_event()
        engine.start_body(10000)
        seen = []
        while not seen or seen[-1] is not Event.END:
            seen.append(engine.next_event())
        self.assertEqual(seen.count(Event.DATA), 1)
        self.assertGreater(seen.count(Event.YIELD), 10)
        self.assertEqual(engine.buffer.data, b"x" * 5000)


class ResponseTests(SynchronousTestCase):
    """A client's engine."""

    def test_bodies(self) -> None:
        """A response ends as its length, its coding or the stream does."""
        for headers, body in [
            (b"Content-Length: 2\r\n", b"ab"),
            (b"Content-Length: 2, 2\r\n", b"ab"),
            (b"Transfer-Encoding: chunked\r\n", b"2\r\nab\r\n0\r\n\r\n"),
            (b"", b"ab"),
        ]:
            engine = client()
            seen = events(engine, b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n" + body, eof=True)
            self.assertEqual(seen, [Event.HEAD, b"ab", Event.END], headers)

    def test_no_bodies(self) -> None:
        """Some responses have no body, whatever their headers say."""
        for method, code in [("HEAD", 200), ("GET", 304), ("CONNECT", 200)]:
            engine = client(method)
            seen = events(engine, b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % code)
            self.assertEqual(seen, [Event.HEAD], (method, code))
            self.assertIs(engine.receiving, State.DONE)

    def test_204(self) -> None:
        """A 204 response that announces a body is malformed."""
        self.assertEqual(
            events(client(), b"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n"), [Event.HEAD]
        )
        for header in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
            self.assertEqual(
                refusal(b"HTTP/1.1 204 X\r\n" + header + b"\r\n\r\n", client()),
                "Response with code 204 should not have body",
            )

    def test_interim(self) -> None:
        """Interim responses come before the response, and not too many of them."""
        info = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        engine = client()
        seen = events(engine, info * 2 + final)
        self.assertEqual(seen, [Event.INFO, Event.INFO, Event.HEAD, Event.END])
        self.assertIn("Too many 1xx", refusal(info * 11 + final, client()))
        self.assertIn(
            "should not have body",
            refusal(b"HTTP/1.1 100 C\r\nContent-Length: 1\r\n\r\n", client()),
        )

    def test_folded(self) -> None:
        """A client puts folded headers on one line."""
        engine = client()
        events(engine, b"HTTP/1.1 304 X\r\nA: b;\r\n\tc=d\r\n  e\r\nF: g\r\n\r\n")
        self.assertEqual(dict(engine.headers), {"A": "b; c=d e", "F": "g"})
        for head in (b"HTTP/1.1\r\n 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n"):
            refusal(head, client())

    def test_status_lines(self) -> None:
        """The reason may be missing; anything else is refused."""
        for line, reason in [
            (b"HTTP/1.0 200", ""),
            (b"HTTP/1.1 200 ", ""),
            (b"HTTP/1.1 200 a b", "a b"),
        ]:
            engine = client()
            events(engine, line + b"\r\n\r\n")
            self.assertEqual(engine.start_line[2], reason)
        for line in (b"HTTP/1.1 99 X", b"HTTP/2 200 OK", b"HTTP/1.1  200 OK", b"ICY 200 OK"):
            self.assertEqual(
                refusal(line + b"\r\n\r\n", client()), "Malformed HTTP status line", line
            )

    def test_limit_until_close(self) -> None:
        """The limit holds for bodies without a length."""
        self.assertEqual(
            refusal(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 11, client(), limit=10), "Body too long"
        )

    def test_truncated(self) -> None:
        """A response cut short is no response."""
        engine = client()
        seen = events(engine, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", eof=True)
        self.assertEqual(seen, [Event.HEAD, b"ab", Event.EOF])

    def test_keep_alive(self) -> None:
        """A response that ends with the connection, or says so, is the last."""
        for data, expected in [
            (b"HTTP/1.1 304 X\r\n\r\n", True),
            (b"HTTP/1.1 304 X\r\nConnection: close\r\n\r\n", False),
            (b"HTTP/1.0 304 X\r\n\r\n", False),
            (b"HTTP/1.0 304 X\r\nConnection: keep-alive\r\n\r\n", True),
            (b"HTTP/1.1 200 OK\r\n\r\n", False),
        ]:
            engine = client()
            events(engine, data)
            self.assertEqual(engine.keep_alive, expected, data)


class SendResponseTests(SynchronousTestCase):
    """What a server's engine makes of responses."""

    def engine(
        self, method: bytes = b"GET", version: int = 1, connection: bytes = b""
    ) -> HTTP1Engine:
        engine = server()
        if connection:
            connection = b"Connection: " + connection + b"\r\n"
        events(engine, b"%b / HTTP/1.%d\r\nHost: x\r\n%b\r\n" % (method, version, connection))
        return engine

    def test_length(self) -> None:
        """With a Content-Length the body goes out as it is."""
        engine = self.engine()
        self.assertEqual(
            engine.send_head(OK, HTTPHeaders({"Content-Length": "3"})),
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
        )
        self.assertEqual(engine.send_data(b"abc") + engine.finish(), b"abc")

    def test_chunked(self) -> None:
        """Without one, a client of HTTP/1.1 gets chunks."""
        engine = self.engine()
        self.assertEqual(
            engine.send_head(OK, HTTPHeaders()),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        self.assertEqual(engine.send_data(b"abc"), b"3\r\nabc\r\n")
        self.assertEqual(engine.send_data(b""), b"")
        self.assertEqual(engine.finish(), b"0\r\n\r\n")
        self.assertTrue(engine.keep_alive)

    def test_until_close(self) -> None:
        """A client of HTTP/1.0 gets the end of the connection for an end."""
        engine = self.engine(version=0, connection=b"keep-alive")
        self.assertEqual(engine.send_head(OK, HTTPHeaders()), b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(engine.send_data(b"abc") + engine.finish(), b"abc")
        self.assertFalse(engine.keep_alive)

    def test_message(self) -> None:
        """A whole message gets the length it has."""
        engine = self.engine()
        self.assertEqual(
            engine.send_message(OK, HTTPHeaders({"A": "b"}), b"abc"),
            b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\nabc",
        )
        self.assertIs(engine.sending, State.DONE)

    def test_head_has_no_body(self) -> None:
        """The answer to HEAD has the headers of a GET and no body."""
        engine = self.engine(b"HEAD")
        self.assertEqual(
            engine.send_message(OK, HTTPHeaders({"Content-Length": "3"}), b"abc"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
        )
        engine = self.engine(b"HEAD")
        engine.send_head(OK, HTTPHeaders())
        self.assertEqual(engine.send_data(b"abc") + engine.finish(), b"")

    def test_bodiless_statuses(self) -> None:
        """204 and 304 have no body and need no length."""
        for code in (204, 304):
            engine = self.engine()
            line = ResponseStartLine("", code, "X")
            self.assertEqual(
                engine.send_message(line, HTTPHeaders(), b""), b"HTTP/1.1 %d X\r\n\r\n" % code
            )

    def test_interim(self) -> None:
        """Any number of interim responses may come before the response."""
        engine = self.engine()
        line = ResponseStartLine("", 103, "Early Hints")
        for _ in range(2):
            self.assertEqual(
                engine.send_head(line, HTTPHeaders({"Link": "</a>"})),
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            )
        engine.send_message(OK, HTTPHeaders(), b"")

    def test_connection_header(self) -> None:
        """Each version is told what it would not expect."""
        for version, asked, added in [
            (1, b"", b""),
            (1, b"close", b"Connection: close\r\n"),
            (0, b"", b""),
            (0, b"keep-alive", b"Connection: Keep-Alive\r\n"),
        ]:
            engine = self.engine(version=version, connection=asked)
            self.assertEqual(
                engine.send_message(OK, HTTPHeaders({"Content-Length": "0"}), b""),
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + added + b"\r\n",
            )

    def test_application_closes(self) -> None:
        """``Connection: close`` of the application is kept, and meant."""
        engine = self.engine()
        engine.send_message(OK, HTTPHeaders({"Connection": "close"}), b"")
        self.assertFalse(engine.keep_alive)

    def test_wrong_lengths(self) -> None:
        """Too much and too little are errors, and so is a length that is none."""
        engine = self.engine()
        engine.send_head(OK, HTTPHeaders({"Content-Length": "2"}))
        error = self.assertRaises(HTTPOutputError, engine.send_data, b"abc")
        self.assertEqual(str(error), "Tried to write more data than Content-Length")
        engine = self.engine()
        engine.send_head(OK, HTTPHeaders({"Content-Length": "42"}))
        engine.send_data(b"ab")
        error = self.assertRaises(HTTPOutputError, engine.finish)
        self.assertEqual(str(error), "Tried to write 40 bytes less than Content-Length")
        for value in ("foo", "+10", "1_0"):
            headers = HTTPHeaders({"Content-Length": value})
            self.assertRaises(HTTPOutputError, self.engine().send_head, OK, headers)

    def test_injection(self) -> None:
        """Nobody can add headers through a value, a name or the reason."""
        for name, value in [
            ("A", "b\r\nC: d"),
            ("A", "b\nC: d"),
            ("A", "b\rC: d"),
            ("A", "b\0"),
            ("A\r\nB", "c"),
            ("A\n", "c"),
        ]:
            headers = HTTPHeaders()
            headers[name] = value
            self.assertRaises(ValueError, self.engine().send_head, OK, headers)
        for reason in ("a\r\nB: c", "a\nb", "a\rb", "a\0"):
            line = ResponseStartLine("", 200, reason)
            self.assertRaises(ValueError, self.engine().send_head, line, HTTPHeaders())

    def test_second_chance(self) -> None:
        """After a head that could not be sent, another one can."""
        engine = self.engine()
        bad = HTTPHeaders()
        bad["A"] = "b\n"
        self.assertRaises(ValueError, engine.send_head, OK, bad)
        self.assertEqual(
            engine.send_message(OK, HTTPHeaders({"Content-Length": "1"}), b"x"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        )

    def test_encoded_message(self) -> None:
        """A message that the application has encoded itself passes through."""
        engine = self.engine()
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.assertEqual(engine.send_data(raw) + engine.finish(), raw)
        self.assertIs(engine.sending, State.DONE)


class SendRequestTests(SynchronousTestCase):
    """What a client's engine makes of requests."""

    def test_get(self) -> None:
        """A GET has no body and says nothing of one."""
        self.assertEqual(
            HTTP1Engine(True).send_head(GET, HTTPHeaders({"Host": "x"})),
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        )

    def test_post(self) -> None:
        """A POST of unknown length is chunked."""
        engine = HTTP1Engine(True)
        line = RequestStartLine("POST", "/", "")
        self.assertIn(b"Transfer-Encoding: chunked\r\n", engine.send_head(line, HTTPHeaders()))
        self.assertEqual(engine.send_data(b"ab") + engine.finish(), b"2\r\nab\r\n0\r\n\r\n")

    def test_given_coding(self) -> None:
        """An application that asks for chunks gets them, without a second header."""
        engine = HTTP1Engine(True)
        line = RequestStartLine("DELETE", "/", "")
        head = engine.send_head(line, HTTPHeaders({"Transfer-Encoding": "chunked"}))
        self.assertEqual(head.count(b"chunked"), 1)
        self.assertEqual(engine.send_data(b"ab"), b"2\r\nab\r\n")

    def test_injection(self) -> None:
        """Nothing can be smuggled through method or path."""
        for method, path in [("G ET", "/"), ("GET", "/ x"), ("GET", "/\r\nA: b"), ("GET\n", "/")]:
            self.assertRaises(
                ValueError,
                HTTP1Engine(True).send_head,
                RequestStartLine(method, path, ""),
                HTTPHeaders(),
            )


class StateTests(SynchronousTestCase):
    """The tables, and what happens to moves they do not have."""

    def test_complete(self) -> None:
        """Both tables have every state, and lead to states only."""
        for table in (RECEIVING, SENDING):
            states = set(State)
            if table is RECEIVING:
                states.discard(State.RAW)
            self.assertEqual(set(table), states)
            for moves in table.values():
                self.assertLessEqual(set(moves.values()), set(State))

    def test_illegal_moves(self) -> None:
        """An illegal move is an error that names event, role and state."""
        engine = server()
        events(engine, b"GET / HTTP/1.0\r\n\r\n")
        engine.send_message(OK, HTTPHeaders(), b"")
        for move in (
            lambda: engine.send_head(OK, HTTPHeaders()),
            lambda: engine.send_data(b"x"),
            engine.finish,
        ):
            error = self.assertRaises(ProtocolStateError, move)
            self.assertEqual(error.role, "server")
            self.assertIs(error.state, State.DONE)
            self.assertIn("a server cannot send", str(error))

    def test_next_exchange(self) -> None:
        """The next exchange begins when both sides are done, and not before."""
        engine = server()
        self.assertRaises(ProtocolStateError, engine.next_exchange)
        events(engine, b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertRaises(ProtocolStateError, engine.next_exchange)
        self.assertIs(engine.next_event(), Event.PAUSED)
        engine.send_message(OK, HTTPHeaders(), b"")
        engine.next_exchange()
        self.assertIs(engine.next_event(), Event.HEAD)
        self.assertEqual(engine.start_line[1], "/2")

    def test_switch(self) -> None:
        """After a switch the bytes belong to another protocol."""
        engine = server()
        events(engine, b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: y\r\n\r\nother")
        engine.send_message(ResponseStartLine("", 101, "X"), HTTPHeaders(), b"")
        self.assertTrue(engine.switched)
        self.assertEqual(engine.switch(), b"other")
        self.assertIs(engine.next_event(), Event.PAUSED)
        self.assertRaises(ProtocolStateError, engine.send_data, b"x")
