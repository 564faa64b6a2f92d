"""Twisted protocols over WebSockets, at either end.

A `WebSocketTransport` is to a Twisted `Protocol` what a TCP connection is: bytes that it writes go
out as binary messages, and what is in the messages that come in (text as UTF-8) goes to
``dataReceived``.  Where one message ends and the next begins has no meaning, as in a stream.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txtornado.concurrent import as_deferred
from txtornado.httpclient import HTTPRequest
from txtornado.websocket._client import websocket_connect
from txtornado.websocket._errors import WebSocketClosedError
from txtornado.websocket._handler import WebSocketHandler

__all__ = ["ProtocolHandler", "WebSocketEndpoint", "WebSocketTransport"]

_ORDERLY = frozenset((None, 1000, 1001))


@implementer(ITransport, IConsumer, IPushProducer)
class WebSocketTransport:
    """An open WebSocket as a transport for ``protocol``; ours.

    `message` and `closed` are to be called by the owner of the connection.

    Args:
        connection: a `WebSocketHandler` or `WebSocketClientConnection` that is open.
        protocol: what is to talk over it.

    Attributes:
        connection: as above; for protocols that want to know of headers, say.
        protocol: as above.
        disconnecting: `loseConnection` was called.
    """

    disconnecting = False
    connected = True
    _producer: Any = None
    _streaming = False
    _resumed: Future[None] | None = None
    _draining = False

    def __init__(self, connection: Any, protocol: IProtocol) -> None:
        self.connection = connection
        self.protocol = protocol
        self._stream = connection.stream
        protocol.makeConnection(self)

    # ------------------------------------------------------------------- from the owner

    def message(self, message: str | bytes) -> Future[None] | None:
        """Hand on what came in; what is returned is to be waited for before the next message."""
        data = message.encode("utf-8") if isinstance(message, str) else message
        if data:
            self.protocol.dataReceived(data)
        return self._resumed

    def closed(self, close_code: int | None) -> None:
        """The connection is closed."""
        if not self.connected:
            return
        self.connected = False
        self.resumeProducing()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        orderly = self.disconnecting or (close_code in _ORDERLY and self._stream.error is None)
        error = (
            ConnectionDone() if orderly else ConnectionLost(f"closed with the code {close_code}")
        )
        self.protocol.connectionLost(Failure(error))

    # ------------------------------------------------------------------------ ITransport

    def write(self, data: bytes) -> None:
        """Send ``data`` as a binary message; without effect once the connection is closing."""
        if not data or not self.connected or (self.disconnecting and self._producer is None):
            return
        try:
            sent = self.connection.write_message(data, binary=True)
        except WebSocketClosedError:
            return
        if not sent.done() and not self._draining:
            self._draining = True
            sent.add_done_callback(self._drained)
            if self._producer is not None and self._streaming:
                self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send the whole of ``data`` as one binary message."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close with the code 1000, when everything is written and no producer is left."""
        if not self.disconnecting:
            self.disconnecting = True
            self.resumeProducing()
            if self._producer is None:
                self.connection.close(1000)

    def abortConnection(self) -> None:
        """Close at once."""
        self._stream.close()

    def getPeer(self) -> IAddress:
        """The other end's address, proxies not being looked through."""
        return self._stream.transport.getPeer()  # type: ignore[no-any-return]

    def getHost(self) -> IAddress:
        """Our end's address."""
        return self._stream.transport.getHost()  # type: ignore[no-any-return]

    # ------------------------------------------------------------------------- IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See `twisted.internet.interfaces.IConsumer`."""
        if self._producer is not None:
            raise RuntimeError(f"there is a producer already: {self._producer!r}")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer, self._streaming = producer, streaming
        if not streaming:
            self._ask_producer()
        elif self._draining:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """See `twisted.internet.interfaces.IConsumer`."""
        self._producer = None
        if self.disconnecting and self.connected:
            self.connection.close(1000)

    def _drained(self, sent: Future[None]) -> None:
        self._draining = False
        if sent.cancelled() or sent.exception() is not None or self._producer is None:
            return
        if self._streaming:
            self._producer.resumeProducing()
        else:
            self._ask_producer()

    def _ask_producer(self) -> None:
        """Let a pull producer write, in a turn of its own, until the transport has enough."""
        if self._producer is None or self._streaming or self._draining or not self.connected:
            return
        self._producer.resumeProducing()
        self._stream.io_loop.add_callback(self._ask_producer)

    # --------------------------------------------------------------------- IPushProducer

    def pauseProducing(self) -> None:
        """Hand on no more messages."""
        if self._resumed is None and self.connected:
            self._resumed = self._stream.io_loop.asyncio_loop.create_future()

    def resumeProducing(self) -> None:
        """Hand on messages again."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None and not resumed.done():
            resumed.set_result(None)

    def stopProducing(self) -> None:
        """Nobody wants any more: close."""
        self.loseConnection()


class ProtocolHandler(WebSocketHandler):
    """Serves a Twisted protocol over WebSockets; ours.

    ::

        Application([("/amp", ProtocolHandler, {"factory": factory})])

    Args (of the route):
        factory: its ``buildProtocol`` is called for each connection; None from there refuses it,
            with the code 1008.  (Its ``doStart`` and ``doStop`` are left to you.)
        subprotocols: the first of these that a client proposes is chosen.

    Attributes:
        transport: the `WebSocketTransport`, once the connection is open.
    """

    transport: WebSocketTransport | None = None

    def initialize(  # type: ignore[override]
        self, factory: IProtocolFactory, subprotocols: Iterable[str] = ()
    ) -> None:
        self.factory = factory
        self.subprotocols = subprotocols

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return next((known for known in self.subprotocols if known in subprotocols), None)

    def open(self, *args: str, **kwargs: str) -> None:
        assert self.stream is not None
        protocol = self.factory.buildProtocol(self.stream.transport.getPeer())
        if protocol is None:
            self.close(1008)
        else:
            self.transport = WebSocketTransport(self, protocol)

    def on_message(self, message: str | bytes) -> Future[None] | None:
        return None if self.transport is None else self.transport.message(message)

    def on_close(self) -> None:
        if self.transport is not None:
            self.transport.closed(self.close_code)


@implementer(IStreamClientEndpoint)
class WebSocketEndpoint:
    """Connects a Twisted protocol to a WebSocket server; ours.

    ::

        amp = await connectProtocol(WebSocketEndpoint("ws://127.0.0.1:8888/amp"), AMP())

    Args:
        url: see `websocket_connect`.
        **options: keyword arguments of `websocket_connect`, other than the callbacks.
    """

    def __init__(self, url: str | HTTPRequest, **options: Any) -> None:
        self._url = url
        self._options = options

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; the Deferred fires with the protocol, or fails as `websocket_connect`."""
        link = _Link(protocolFactory)
        connecting = as_deferred(
            websocket_connect(self._url, on_message_callback=link.message, **self._options)
        )
        protocol: Deferred[IProtocol] = connecting.addCallback(link.connected)
        return protocol


class _Link:
    """Between a client's connection and its transport."""

    _transport: WebSocketTransport | None = None

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory = factory
        self._close_code: Callable[[], int | None] = lambda: None

    def connected(self, connection: Any) -> IProtocol:
        protocol = self._factory.buildProtocol(connection.stream.transport.getPeer())
        if protocol is None:
            connection.close(1000)
            raise NoProtocol
        self._close_code = lambda: connection.close_code
        self._transport = WebSocketTransport(connection, protocol)
        return protocol

    def message(self, message: str | bytes | None) -> Future[None] | None:
        transport = self._transport
        if transport is None:
            return None
        if message is not None:
            return transport.message(message)
        transport.closed(self._close_code())
        return None
