"""A stream in memory, and delegates that write down what they are told."""

from __future__ import annotations

from typing import Any

from txtornado.concurrent import new_future
from txtornado.http1connection import HTTP1ConnectionParameters, HTTP1ServerConnection
from txtornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    ResponseStartLine,
)
from txtornado.iostream import StreamClosedError

OK = ResponseStartLine("HTTP/1.1", 200, "OK")


class MemoryStream:
    """The part of an IOStream that connections use, without a transport.

    ``sent`` is what was written.  With ``stuck`` set, nothing leaves until `drain`.
    """

    max_buffer_size = 1 << 20

    def __init__(self) -> None:
        self.sent = b""
        self.sends = 0
        self.unread_bytes = b""
        self.consumer: Any = None
        self.error: BaseException | None = None
        self.stuck = False
        self.reading = True
        self.progress = 0
        self.pending = b""
        self._drained: Any = None
        self._closed = False

    def set_consumer(self, consumer: Any) -> None:
        self.consumer = consumer
        if consumer is not None and self.pending:
            data, self.pending = self.pending, b""
            consumer.data_received(data)

    def unread(self, data: bytes) -> None:
        self.unread_bytes = data + self.unread_bytes

    def send(self, data: bytes) -> bool:
        if self._closed:
            raise StreamClosedError(real_error=self.error)
        assert isinstance(data, bytes)
        self.sends += 1
        self.sent += data
        if self.stuck and self._drained is None:
            self._drained = new_future()
        return not self.stuck

    send_part = send

    def set_nodelay(self, value: bool) -> None:
        self.nodelay = value

    def drained(self) -> Any:
        return self._drained

    def drain(self) -> None:
        self.stuck = False
        future, self._drained = self._drained, None
        future.set_result(None)

    def write_progress(self) -> int:
        return self.progress

    def writing(self) -> bool:
        return self._drained is not None

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def closed(self) -> bool:
        return self._closed

    def close(self, exc_info: Any = False) -> None:
        if self._closed:
            return
        self._closed = True
        if isinstance(exc_info, tuple):
            self.error = exc_info[1]
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(StreamClosedError())
            self._drained.exception()
        consumer, self.consumer = self.consumer, None
        if consumer is not None:
            consumer.stream_closed(self.error)

    def feed(self, data: bytes) -> None:
        """Let ``data`` come in."""
        if self.consumer is None:
            self.pending += data
        else:
            self.consumer.data_received(data)

    def take(self) -> bytes:
        """What was sent since the last time."""
        sent, self.sent = self.sent, b""
        return sent


class Recorder(HTTPMessageDelegate):
    """Writes down a message, and answers a request when ``answer`` is set."""

    def __init__(self, connection: Any = None, answer: bytes | None = b"ok") -> None:
        self.connection = connection
        self.answer = answer
        self.events: list[str] = []
        self.start_line: Any = None
        self.headers: Any = None
        self.chunks: list[bytes] = []

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Any:
        self.start_line = start_line
        self.headers = headers
        self.events.append("head")
        return None

    def data_received(self, chunk: bytes) -> Any:
        self.chunks.append(chunk)
        self.events.append("data")
        return None

    def finish(self) -> None:
        self.events.append("finish")
        if self.answer is not None and self.connection is not None:
            self.respond(self.answer)

    def on_connection_close(self) -> None:
        self.events.append("close")

    def respond(self, body: bytes) -> None:
        self.connection.write_response(OK, HTTPHeaders({"Content-Length": str(len(body))}), body)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class RecordingApp(HTTPServerConnectionDelegate):
    """Keeps a `Recorder` for each request."""

    def __init__(self, make: Any = Recorder) -> None:
        self.make = make
        self.requests: list[Any] = []
        self.closed = 0

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        delegate = self.make(request_conn)
        self.requests.append(delegate)
        return delegate

    def on_close(self, server_conn: object) -> None:
        self.closed += 1


def serve(make: Any = Recorder, **params: Any) -> tuple[MemoryStream, RecordingApp]:
    """A connection that is being served; its stream and its application."""
    stream = MemoryStream()
    app = RecordingApp(make)
    connection = HTTP1ServerConnection(stream, HTTP1ConnectionParameters(**params), "peer")
    connection.start_serving(app)
    return stream, app


def ok(body: bytes = b"ok", extra: str = "") -> bytes:
    """The response that a `Recorder` sends."""
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body
