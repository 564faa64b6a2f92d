"""An application without sockets: requests in as objects, responses out as objects."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from txtornado.concurrent import new_future
from txtornado.httputil import HTTPConnection, HTTPHeaders, RequestStartLine, ResponseStartLine
from txtornado.web import Application, RequestHandler

# Keeps Python's handler of last resort from printing each 404.
logging.getLogger("tornado.access").addHandler(logging.NullHandler())


class Context:
    """Who is on the other side."""

    remote_ip = "192.0.2.1"
    protocol = "http"


class Exchange(HTTPConnection):
    """The connection of one request, which keeps the response."""

    def __init__(self) -> None:
        self.context = Context()
        self.stream = None
        self.start_line: ResponseStartLine | None = None
        self.headers = HTTPHeaders()
        self.chunks: list[bytes] = []
        self.calls: list[str] = []
        self.close_callback: Any = None
        self.is_done = False
        self.delegate: Any = None
        self._waiting: list[asyncio.Future[None]] = []

    def write_response(
        self, start_line: ResponseStartLine, headers: HTTPHeaders, body: bytes
    ) -> None:
        self.calls.append("write_response")
        self._head(start_line, headers, body)
        self._done()

    def write_headers(
        self, start_line: Any, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Any:
        self.calls.append("write_headers")
        self._head(start_line, headers, chunk or b"")
        return resolved()

    def write(self, chunk: bytes) -> Any:
        self.calls.append("write")
        self.chunks.append(chunk)
        return resolved()

    def finish(self) -> None:
        self.calls.append("finish")
        self._done()

    def set_close_callback(self, callback: Any) -> None:
        self.close_callback = callback

    def detach(self) -> str:
        return "the stream"

    def _head(self, start_line: ResponseStartLine, headers: HTTPHeaders, chunk: bytes) -> None:
        if self.start_line is not None:
            raise AssertionError("a second response")
        self.start_line = start_line
        self.headers = headers
        if chunk:
            self.chunks.append(chunk)

    def _done(self) -> None:
        self.is_done = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def done(self) -> Exchange:
        """Wait for the end of the response."""
        if not self.is_done:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await asyncio.wait_for(waiter, 5)
        return self

    @property
    def code(self) -> int:
        assert self.start_line is not None, "there is no response"
        return self.start_line.code

    @property
    def reason(self) -> str:
        assert self.start_line is not None
        return self.start_line.reason

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookies(self) -> list[str]:
        return self.headers.get_list("Set-Cookie")


class DocumentedExchange(Exchange):
    """A connection with the documented methods only, as others may bring along."""

    def __getattribute__(self, name: str) -> Any:
        if name == "write_response":
            raise AttributeError(name)
        return super().__getattribute__(name)


def resolved() -> asyncio.Future[None]:
    future: asyncio.Future[None] = new_future()
    future.set_result(None)
    return future


def begin(
    app: Application,
    uri: str = "/",
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    exchange: Exchange | None = None,
) -> Exchange:
    """Send the head of a request."""
    exchange = Exchange() if exchange is None else exchange
    exchange.delegate = app.start_request(object(), exchange)
    sent = HTTPHeaders({"Host": "example.com", **(headers or {})})
    start_line = RequestStartLine(method, uri, "HTTP/1.1")
    exchange.awaited = exchange.delegate.headers_received(start_line, sent)  # type: ignore[attr-defined]
    return exchange


def request(
    app: Application,
    uri: str = "/",
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | Mapping[str, Any] | None = None,
    exchange: Exchange | None = None,
) -> Exchange:
    """Send a whole request; a mapping as ``body`` is sent as a form."""
    sent = dict(headers or {})
    if isinstance(body, Mapping):
        body = urlencode(body).encode()
        sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
    exchange = begin(app, uri, method, sent, exchange)
    if body:
        exchange.delegate.data_received(body)
    exchange.delegate.finish()
    return exchange


def app_of(handler: type[RequestHandler], pattern: str = r"/.*", **settings: Any) -> Application:
    """An application with one handler, which is called without the groups of a pattern."""
    return Application([(pattern, handler)], **settings)
