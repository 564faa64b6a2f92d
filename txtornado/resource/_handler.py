"""A resource of twisted.web as a handler.

`_Channel` stands where twisted.web's own HTTP engine stands: a `twisted.web.server.Request` reads
from it and writes to it, as it does with an HTTP/2 stream, and the handler's ``flush`` is behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, ITransport
from twisted.python.failure import Failure
from twisted.web.server import Request, Site
from zope.interface import implementer

from txtornado.concurrent import Future, future_set_result_unless_cancelled, new_future
from txtornado.ioloop import IOLoop
from txtornado.iostream import StreamClosedError
from txtornado.log import app_log
from txtornado.web import RequestHandler, stream_request_body

__all__ = ["ResourceHandler"]

#: Headers of the response that are the connection's business.
_OF_CONNECTION = frozenset((b"transfer-encoding", b"connection", b"keep-alive"))


class _Site(Site):
    """Begins the search for a resource where the route ends."""

    resource: Any

    def getResourceFor(self, request: Any) -> Any:
        for _ in range(request.channel.consumed):
            request.prepath.append(request.postpath.pop(0))
        return super().getResourceFor(request)  # type: ignore[no-untyped-call]


class _Request(Request):
    """Leaves it to the connection whether a body goes in chunks."""

    def write(self, data: bytes) -> None:
        if self.startedWriting:
            super().write(data)  # type: ignore[no-untyped-call]
            return
        version, self.clientproto = self.clientproto, b"HTTP/1.0"
        try:
            super().write(data)  # type: ignore[no-untyped-call]
        finally:
            self.clientproto = version


@stream_request_body
class ResourceHandler(RequestHandler):
    """Answers with a resource of twisted.web, whatever the method.

    Args:
        resource: an `~twisted.web.resource.IResource`: a `~twisted.web.static.File`, an
            ``XMLRPC``, a ``WSGIResource``, a Klein app's ``resource()`` ...
        prefix: the path that the resource stands at, ``"/files/"`` say; what follows is looked up
            in it.  By default that is what the first group of the route captures, and the whole
            path where there is none.

    A body that does not fit into memory is kept in a temporary file until the resource has it.
    """

    def initialize(  # type: ignore[override]
        self, resource: Any, prefix: str | None = None
    ) -> None:
        """Take the arguments."""
        self._site = _site_of(self.application, resource)
        self._prefix = prefix
        self._channel: _Channel | None = None
        self._body_size: int | None = None

    def set_default_headers(self) -> None:
        """None: the resource has its own."""
        for name in ("Server", "Content-Type", "Date"):
            self.clear_header(name)

    def prepare(self) -> None:
        """The headers are here."""
        self._channel = _Channel(self, self._site)

    def data_received(self, chunk: bytes) -> None:
        """A piece of the body is here."""
        if self._channel is not None:
            self._channel.request.handleContentChunk(chunk)

    async def _answer(self, *args: Any, **kwargs: Any) -> None:
        channel = self._channel
        assert channel is not None
        await channel.answer(_consumed(self.request.path, self._prefix, args, kwargs))

    get = head = post = put = delete = patch = options = _answer

    def compute_etag(self) -> str | None:
        """None: that is the resource's business."""
        return None

    def check_xsrf_cookie(self) -> None:
        """Nothing: the resource's forms know nothing of it."""

    def on_connection_close(self) -> None:
        """The client is gone: the resource's request hears of it."""
        super().on_connection_close()
        if self._channel is not None:
            self._channel.lost()


def _site_of(application: Any, resource: Any) -> _Site:
    """A site for ``resource``: always the same in one application, for it keeps the sessions."""
    sites: dict[int, _Site] = application.__dict__.setdefault("_sites_of_resources", {})
    site = sites.get(id(resource))
    if site is None:
        make: Any = _Site
        site = sites[id(resource)] = make(resource, reactor=IOLoop.current().reactor)
    return site


def _consumed(path: str, prefix: str | None, args: Any, kwargs: Any) -> int:
    """How many segments of ``path`` come before the resource's."""
    if prefix is not None:
        return prefix.strip("/").count("/") + 1 if prefix.strip("/") else 0
    captured = next((value for value in (*args, *kwargs.values()) if value is not None), None)
    if captured is None:
        return 0
    wanted = captured if isinstance(captured, bytes) else str(captured).encode("utf-8")
    segments = path.split("/")[1:]
    for count in range(len(segments)):
        if unquote_to_bytes("/".join(segments[count:])) == wanted.lstrip(b"/"):
            return count
    return len(segments)


@implementer(ITransport, IConsumer)
class _Channel:
    """What the request of twisted.web takes for its connection."""

    factory = None

    def __init__(self, handler: ResourceHandler, site: _Site) -> None:
        self.handler = handler
        self.site = site
        self.transport = self
        #: Segments of the path that belong to the route.
        self.consumed = 0
        self._done: Future[None] = new_future()
        self._producer: Any = None
        self._streaming = False
        self._paused = False
        self._sending: Awaitable[None] | None = None
        make: Any = _Request
        self.request: Any = make(self)
        headers = handler.request.headers
        for name in headers:
            values = [value.encode("utf-8") for value in headers.get_list(name)]
            self.request.requestHeaders.setRawHeaders(name.encode("latin-1"), values)
        self.request.parseCookies()
        length = headers.get("Content-Length", "0" if "Transfer-Encoding" not in headers else "")
        self.request.gotLength(int(length) if length.isdecimal() else None)

    async def answer(self, consumed: int) -> None:
        """Have the resource respond, and wait until it has."""
        self.consumed = consumed
        asked = self.handler.request
        method, uri = (asked.method or "").encode("latin-1"), asked.uri.encode("utf-8")
        self.request.requestReceived(method, uri, asked.version.encode("latin-1"))
        await self._done

    def lost(self) -> None:
        """The client is gone."""
        if not self._done.done():
            producer, self._producer = self._producer, None
            if producer is not None:
                producer.stopProducing()
            self.request.connectionLost(Failure(ConnectionDone()))
            future_set_result_unless_cancelled(self._done, None)

    # -- what the request calls ---------------------------------------------------------

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        handler = self.handler
        handler.set_status(int(code), reason.decode("latin-1"))
        for name, values in headers.getAllRawHeaders():
            if name.lower() not in _OF_CONNECTION:
                text = name.decode("latin-1")
                handler.clear_header(text)
                for value in values:
                    handler.add_header(text, value)

    def write(self, data: bytes) -> None:
        if data and not self._done.done():
            self.handler.write(data)
            self._flush()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def requestDone(self, request: Any) -> None:
        future_set_result_unless_cancelled(self._done, None)

    def loseConnection(self) -> None:
        self._cut()

    def abortConnection(self) -> None:
        self._cut()

    def _cut(self) -> None:
        connection: Any = self.handler.request.connection
        stream = getattr(connection, "stream", None)
        if stream is not None:
            stream.close()
        self.lost()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # What a request calls whose body is no form, though it says so.
        self.handler.send_error(400)
        future_set_result_unless_cancelled(self._done, None)

    def getPeer(self) -> Any:
        return _address(self.handler.request.remote_ip)

    def getHost(self) -> Any:
        connection: Any = self.handler.request.connection
        transport = getattr(getattr(connection, "stream", None), "transport", None)
        return _address("0.0.0.0") if transport is None else transport.getHost()

    def isSecure(self) -> bool:
        return self.handler.request.protocol == "https"

    # -- flow control -------------------------------------------------------------------

    def _flush(self) -> None:
        future = self.handler.flush()
        if self._producer is None or not self._streaming:
            self._sending = future
        elif not future.done() and not self._paused:
            self._paused = True
            self._producer.pauseProducing()
            future.add_done_callback(self._sent)
        if future.done():
            self._sent(future)
        elif self._sending is future:
            future.add_done_callback(_ignore)

    def _sent(self, future: Future[None]) -> None:
        _ignore(future)
        if self._paused:
            self._paused = False
            if self._producer is not None:
                self._producer.resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer = producer
        self._streaming = streaming
        if not streaming:
            IOLoop.current().add_callback(self._pull, producer)

    def unregisterProducer(self) -> None:
        self._producer = None
        self._paused = False

    async def _pull(self, producer: Any) -> None:
        """Ask a pull producer for more whenever the last was sent."""
        try:
            while self._producer is producer and not self._done.done():
                self._sending = None
                producer.resumeProducing()
                sending: Any = self._sending
                if sending is not None:
                    await sending
                else:
                    await asyncio.sleep(0)
        except StreamClosedError:
            self.lost()
        except Exception:
            app_log.error("Uncaught exception of a producer %r", producer, exc_info=True)
            self._cut()


def _ignore(future: Future[None]) -> None:
    """The request hears from `_Channel.lost` that the client is gone."""
    if not future.cancelled():
        future.exception()


def _address(host: str | None) -> Any:
    if not host:
        return UNIXAddress(None)
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, 0)
