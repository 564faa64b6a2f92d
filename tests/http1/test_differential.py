"""What llhttp, in strict mode, refuses is refused here.

llhttp (through ``httptools``) is the parser of Node.js and, as its proxies show, of many programs
that may stand before or behind a txtornado server.  Where one parser accepts what the other reads
differently, requests can be smuggled; so the engine must not be laxer, save for `EXCUSES`.
"""

from __future__ import annotations

import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.processes import once
from txtornado.http1connection import HTTP1Engine
from txtornado.http1connection._states import Event, State
from txtornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    RequestStartLine,
    ResponseStartLine,
)

try:
    import httptools
except ImportError:
    httptools = None


class Message:
    """One request as a parser has seen it."""

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False

    def key(self) -> object:
        return (self.method, self.target, self.headers, self.body)


class _Reader:
    """llhttp's callbacks."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.parser: object = None

    def on_message_begin(self) -> None:
        self.messages.append(Message())

    def on_url(self, target: bytes) -> None:
        self.messages[-1].target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.messages[-1].headers.append((name, value or b""))

    def on_headers_complete(self) -> None:
        self.messages[-1].method = self.parser.get_method()  # type: ignore[attr-defined]

    def on_body(self, body: bytes) -> None:
        self.messages[-1].body += body

    def on_message_complete(self) -> None:
        self.messages[-1].complete = True


def by_llhttp(data: bytes) -> tuple[list[Message], str]:
    """The complete requests that llhttp sees in ``data``, and why it refuses what follows."""
    reader = _Reader()
    reader.parser = parser = httptools.HttpRequestParser(reader)
    complaint = ""
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        complaint = "upgrade"
    except httptools.HttpParserError as error:
        complaint = str(error)
    return [message for message in reader.messages if message.complete], complaint


def by_us(data: bytes) -> list[Message] | str:
    """The complete requests that we see in ``data``, or why we refuse."""
    engine = HTTP1Engine(False)
    engine.receive_data(data)
    messages: list[Message] = []
    try:
        while True:
            event = engine.next_event()
            if event is Event.HEAD:
                message = Message()
                line = engine.start_line
                message.method = line[0].encode("latin-1")
                message.target = line[1].encode("latin-1")
                message.headers = [
                    (name.encode("latin-1"), value.encode("latin-1"))
                    for name, value in engine.headers.get_all()
                ]
                messages.append(message)
                engine.start_body(1 << 30)
            elif event is Event.DATA:
                messages[-1].body += engine.buffer.data
            elif event is Event.NEED_DATA:
                break
            if engine.receiving is State.DONE:
                messages[-1].complete = True
                engine.send_message(ResponseStartLine("", 200, "OK"), HTTPHeaders(), b"")
                if not engine.keep_alive:
                    break
                engine.next_exchange()
    except HTTPInputError as error:
        return str(error)
    return [message for message in messages if message.complete]


def _bare_lf(data: bytes) -> bool:
    return re.search(rb"(?<!\r)\n", data) is not None


#: What we accept though llhttp does not: a test of the input and llhttp's complaint, and why.
EXCUSES = [
    (
        lambda data, complaint: _bare_lf(data) and "chunk" not in complaint.lower(),
        "RFC 9112, section 2.2, lets a recipient take a bare LF for the end of a line of the head; "
        "Tornado documents that it does, and old clients rely on it.  (Not within chunked bodies.)",
    ),
    (
        lambda data, complaint: "Invalid method" in complaint,
        "llhttp has a list of methods; RFC 9110, section 9.1, allows any token.  An application "
        "answers unknown ones with 405.",
    ),
    (
        lambda data, complaint: re.search("(?:char in url|start char in url)", complaint),
        "llhttp wants a target to be a URL of ASCII characters; Tornado passes all visible ones on, "
        "and clients do send raw UTF-8.  It ends at the same space for both.",
    ),
]

TOKENS = [b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"DELETE"]
TARGETS = [b"/", b"/", b"/x", b"/a?b=c", b"*", b"http://x/", b"/\xc3\xa9", b"//x", b"/%00"]
NAMES = [
    b"Host",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Connection",
    b"X-A",
    b"Expect",
    b"content-length",
    b"transfer-encoding",
    b"Accept",
]
VALUES = [
    b"x",
    b"5",
    b"0",
    b"05",
    b"5,5",
    b"5, 5",
    b"+5",
    b"5 ",
    b"0x5",
    b"1_0",
    b"",
    b"chunked",
    b"Chunked",
    b"gzip, chunked",
    b"chunked, gzip",
    b"chunked, chunked",
    b"identity",
    b"close",
    b"keep-alive",
    b"keep-alive, close",
    b"100-continue",
    b"a b",
    b"\xe9",
    b"chunked,",
    b",chunked",
    b"chunked;q=1",
    b'"chunked"',
    b"\xa0chunked",
    b"chunk",
    b"chunkedx",
    b" chunked\t",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"-0",
]
JUNK = [
    b"\0",
    b"\r",
    b"\n",
    b"\t",
    b" ",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\x85",
    b"\xa0",
    b"\xff",
    b":",
    b";",
    b",",
    b"\r\n",
    b"\r\n ",
    b"_",
    b"(",
    b'"',
    b"\x1b",
]


@st.composite
def chunked_body(draw: st.DrawFn) -> bytes:
    """A chunked body, mostly right."""
    out = b""
    for _ in range(draw(st.integers(0, 3))):
        data = draw(st.binary(min_size=1, max_size=20))
        size = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"000%x"])) % len(data)
        extension = draw(
            st.sampled_from(
                [
                    b"",
                    b"",
                    b"",
                    b";a",
                    b";a=b",
                    b';a="b c"',
                    b" ;a",
                    b";",
                    b"; a",
                    b";a=",
                    b";a b",
                    b" ",
                    b";a;b=c",
                ]
            )
        )
        out += size + extension + b"\r\n" + data + b"\r\n"
    trailer = draw(st.sampled_from([b"", b"", b"T: x\r\n", b"T : x\r\n", b"T\r\n", b" T: x\r\n"]))
    return out + draw(st.sampled_from([b"0", b"0", b"000", b"0;a"])) + b"\r\n" + trailer + b"\r\n"


GOOD_HEADERS = [
    b"Accept: */*",
    b"Connection: keep-alive",
    b"X-A: b c\td",
    b"X-Empty:",
    b"Cookie: a=b; c=d",
    b"Expect: 100-continue",
]


@st.composite
def good_request(draw: st.DrawFn) -> list[bytes]:
    """The lines of a request in order, the last one being its body."""
    target = draw(st.sampled_from(TARGETS))
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"]))
    lines = [b" ".join([draw(st.sampled_from(TOKENS)), target, version]), b"Host: x"]
    lines += draw(st.lists(st.sampled_from(GOOD_HEADERS), max_size=3, unique=True))
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    body = b""
    if framing == "length":
        body = draw(st.binary(max_size=12))
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        body = draw(chunked_body())
        lines.append(b"Transfer-Encoding: chunked")
    return [*lines, b"", body]


@st.composite
def damaged_request(draw: st.DrawFn) -> bytes:
    """A request with at most two things wrong with it, and perhaps nothing."""
    lines = draw(good_request())
    for kind in draw(
        st.lists(st.sampled_from(["add", "replace", "repeat", "version"]), max_size=1)
    ):
        at = draw(st.integers(1, len(lines) - 2))
        value = draw(st.sampled_from(VALUES))
        colon = draw(st.sampled_from([b": ", b": ", b":", b" : ", b":\t", b"\t:"]))
        if kind == "add":
            lines.insert(at, draw(st.sampled_from(NAMES)) + colon + value)
        elif kind == "replace":
            lines[at] = lines[at].partition(b":")[0] + colon + value
        elif kind == "repeat":
            lines.insert(at, lines[at])
        else:
            version = draw(
                st.sampled_from([b"HTTP/1.2", b"HTTP/0.9", b"http/1.1", b"HTTP/11", b""])
            )
            lines[0] = lines[0].rpartition(b" ")[0] + b" " + version
    data = b"\r\n".join(lines)
    for _ in range(draw(st.integers(0, 1))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from(JUNK)) + data[at + draw(st.integers(0, 2)) :]
    return data


def requests() -> st.SearchStrategy[bytes]:
    """One or two requests that are nearly HTTP."""
    return st.lists(damaged_request(), min_size=1, max_size=2).map(b"".join)


@once("the parsers do no I/O")
class DifferentialTests(SynchronousTestCase):
    """The same bytes for both parsers."""

    def setUp(self) -> None:
        if httptools is None:
            raise SkipTest("needs the httptools package")

    def compare(self, data: bytes) -> None:
        ours = by_us(data)
        if isinstance(ours, str):
            return  # refusing is always safe
        theirs, complaint = by_llhttp(data)
        # Two parsers must agree on where each message ends, and on what is in it.
        for mine, other in zip(ours, theirs):
            self.assertEqual((mine.method, mine.target), (other.method, other.target), data)
            self.assertEqual(mine.body, other.body, data)
        if len(ours) > len(theirs) and complaint != "upgrade":
            excused = any(applies(data, complaint) for applies, _ in EXCUSES)
            self.assertTrue(excused, f"llhttp refuses {data!r} ({complaint})")

    @settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests())
    @example(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    )
    @example(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello")
    @example(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"
    )
    def test_nearly_http(self, data: bytes) -> None:
        """Of requests with a little damage, none that llhttp refuses is accepted."""
        self.compare(data)

    @settings(max_examples=500, deadline=None)
    @given(
        chunked_body(), st.lists(st.tuples(st.integers(0, 200), st.sampled_from(JUNK)), max_size=2)
    )
    def test_chunked(self, body: bytes, damage: list[tuple[int, bytes]]) -> None:
        """The same holds for chunked bodies, where a difference smuggles requests."""
        for at, junk in damage:
            at %= len(body) + 1
            body = body[:at] + junk + body[at:]
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.compare(head + body)

    @settings(max_examples=300, deadline=None)
    @given(requests(), st.data())
    def test_chunking_makes_no_difference(self, data: bytes, draw: st.DataObject) -> None:
        """However the bytes are cut, the engine comes to the same end."""
        whole = by_us(data)
        if not isinstance(whole, list):
            return
        cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
        engine = HTTP1Engine(False)
        bodies: list[bytes] = []
        lines = []
        for start, end in zip([0, *cuts], [*cuts, len(data)]):
            if start == end:
                continue
            engine.receive_data(data[start:end])
            while (event := engine.next_event()) not in (Event.NEED_DATA, Event.PAUSED):
                if event is Event.HEAD:
                    engine.start_body(1 << 30)
                    lines.append(engine.start_line)
                    bodies.append(b"")
                elif event is Event.DATA:
                    bodies[-1] += engine.buffer.data
                if engine.receiving is State.DONE:
                    engine.send_message(ResponseStartLine("", 200, "OK"), HTTPHeaders(), b"")
                    if engine.keep_alive:
                        engine.next_exchange()
        for mine, line, body in zip(whole, lines, bodies):
            self.assertEqual(mine.target, line[1].encode("latin-1"))
            self.assertEqual(mine.body, body)

    @settings(max_examples=500, deadline=None)
    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """No bytes whatsoever make the engine fail in another way than refusing them."""
        by_us(data)


# ------------------------------------------------------------------------------- responses

RESPONSE_EXCUSES = [
    EXCUSES[0],
    (
        lambda data, complaint: re.search(rb"\n[ \t]", data) and "header" in complaint,
        "RFC 9112, section 5.2: a user agent must unfold headers.",
    ),
    (
        lambda data, complaint: "Content-Length" in complaint,
        "RFC 9110, section 8.6, leaves it to the recipient to take equal lengths for one, which "
        "Tornado's client does; unequal ones are refused.",
    ),
]


class _ResponseReader(_Reader):
    """llhttp's callbacks for a response."""

    def on_headers_complete(self) -> None:
        self.messages[-1].method = b"%d" % self.parser.get_status_code()  # type: ignore[attr-defined]


@st.composite
def damaged_response(draw: st.DrawFn) -> bytes:
    """A final response with at most two things wrong with it."""
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"ICY"]))
    status = draw(
        st.sampled_from([b"200 OK", b"200", b"404 Not\tFound", b"304 X", b"204 X", b"99 X"])
    )
    lines = [version + b" " + status]
    lines += draw(st.lists(st.sampled_from([b"Server: x", b"A: b\r\n c", b"E:"]), max_size=2))
    body = draw(st.binary(max_size=10))
    framing = draw(st.sampled_from(["none", "length", "chunked"]))
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        body = draw(chunked_body())
        lines.append(b"Transfer-Encoding: chunked")
    if draw(st.integers(0, 3)) == 0:
        value = draw(st.sampled_from(VALUES))
        lines.append(draw(st.sampled_from(NAMES)) + draw(st.sampled_from([b": ", b" : "])) + value)
    data = b"\r\n".join([*lines, b"", body])
    for _ in range(draw(st.integers(0, 1))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from(JUNK)) + data[at + draw(st.integers(0, 2)) :]
    return data


@once("the parsers do no I/O")
class ResponseDifferentialTests(SynchronousTestCase):
    """The same for a client and the responses it gets."""

    def setUp(self) -> None:
        if httptools is None:
            raise SkipTest("needs the httptools package")

    def by_us(self, data: bytes) -> tuple[int, bytes] | None:
        engine = HTTP1Engine(True)
        engine.send_head(RequestStartLine("GET", "/", ""), HTTPHeaders())
        engine.receive_data(data)
        body = b""
        try:
            while (event := engine.next_event()) not in (Event.NEED_DATA, Event.PAUSED):
                if event is Event.HEAD:
                    engine.start_body(1 << 30)
                elif event is Event.DATA:
                    body += engine.buffer.data
        except HTTPInputError:
            return None
        return (engine.start_line[1], body) if engine.receiving is State.DONE else None

    @settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damaged_response())
    def test_nearly_http(self, data: bytes) -> None:
        """Of responses with a little damage, none that llhttp refuses is accepted."""
        ours = self.by_us(data)
        if ours is None:
            return
        reader = _ResponseReader()
        reader.parser = parser = httptools.HttpResponseParser(reader)
        complaint = ""
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError as error:
            complaint = str(error)
        done = [message for message in reader.messages if message.complete]
        if done:
            self.assertEqual(ours, (int(done[0].method), done[0].body), data)
        else:
            excused = any(applies(data, complaint) for applies, _ in RESPONSE_EXCUSES)
            self.assertTrue(excused, f"llhttp refuses {data!r} ({complaint})")
