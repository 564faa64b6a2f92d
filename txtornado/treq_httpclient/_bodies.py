"""The bodies of requests and responses, in the forms that Twisted has for them."""

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet import defer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from txtornado.concurrent import Future, as_deferred, done_future, new_future
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httpclient._exchange import Exchange
from txtornado.log import gen_log
from txtornado.util import GzipDecompressor

__all__ = ["RequestBody", "ResponseBody"]

_CHUNK = 65536


@implementer(IBodyProducer)
class RequestBody:
    """What a request has to send: bytes, or what a ``body_producer`` writes.

    Args:
        body: bytes, or a ``body_producer``.
        length: of the body in bytes; None for a ``body_producer`` that did not say.
    """

    def __init__(self, body: bytes | Callable[..., Any], length: int | None) -> None:
        self.length = UNKNOWN_LENGTH if length is None else length
        self.error: Exception | None = None
        self._body = body
        self._consumer: Any = None
        self._room: Future[None] | None = None
        self._running: defer.Deferred[Any] | None = None
        self._stopped = False

    def startProducing(self, consumer: Any) -> defer.Deferred[None]:
        self._consumer = consumer
        produced: defer.Deferred[None] = defer.Deferred()
        self._running = defer.ensureDeferred(self._produce())
        self._running.addCallbacks(
            self._complete, self._failed, callbackArgs=(produced,), errbackArgs=(produced,)
        )
        return produced

    async def _produce(self) -> None:
        if isinstance(self._body, bytes):
            self._consumer.write(self._body)
            return
        producing = self._body(self.write)
        if producing is not None:
            await as_deferred(producing)

    # After stopProducing, what startProducing returned must not fire (IBodyProducer).

    def _complete(self, result: None, produced: defer.Deferred[None]) -> None:
        if not self._stopped:
            produced.callback(None)

    def _failed(self, failure: Failure, produced: defer.Deferred[None]) -> None:
        if not self._stopped:
            if isinstance(failure.value, Exception):
                self.error = failure.value
            produced.errback(failure)

    def write(self, chunk: bytes) -> Future[None]:
        """What a ``body_producer`` writes with; the Future is for flow control."""
        if self._stopped:
            future: Future[None] = new_future()
            future.set_exception(HTTPStreamClosedError("Connection closed"))
            return future
        self._consumer.write(chunk)
        return done_future() if self._room is None else self._room

    # IPushProducer

    def pauseProducing(self) -> None:
        if self._room is None:
            self._room = new_future()

    def resumeProducing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def stopProducing(self) -> None:
        self._stopped = True
        if self._running is not None:
            self._running.cancel()


class ResponseBody(Protocol):
    """Takes a response's body: decompresses it, keeps its limits, and hands it to an exchange.

    Args:
        exchange: gets the body; may ask to wait.
        compressed: whether it is gzip and to be decompressed.
        max_size: bytes that it may have, before and after decompression.

    Attributes:
        done: fires when the body is complete and handed on, or fails.
    """

    transport: Any

    def __init__(self, exchange: Exchange, compressed: bool, max_size: int) -> None:
        self.done: defer.Deferred[None] = defer.Deferred(lambda _: self.abort())
        self._exchange = exchange
        self._gzip = GzipDecompressor() if compressed else None
        self._left = self._left_packed = max_size
        self._queue: deque[Iterator[bytes]] = deque()
        self._waiting = False
        self._end: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self._queue.append(self._pieces(data))
        if not self._waiting:
            self._pump()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end = reason
        if not self._waiting:
            self._pump()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        """``data`` as it is to be handed on, as little at a time as possible."""
        self._left_packed -= len(data)
        if self._left_packed < 0:
            raise self.refused("body too long")
        if self._gzip is None:
            yield data
            return
        while data:
            try:
                piece = self._gzip.decompress(data, _CHUNK)
            except zlib.error as error:
                raise self.refused(f"invalid gzip data: {error}") from None
            data = self._gzip.unconsumed_tail
            if piece:
                self._left -= len(piece)
                if self._left < 0:
                    raise self.refused("decompressed body too large")
                yield piece

    def refused(self, reason: str) -> HTTPStreamClosedError:
        """The error for a body that is not taken, which is logged."""
        authority = self._exchange.target.authority
        gen_log.info("Malformed HTTP message from %s: %s", authority, reason)
        return HTTPStreamClosedError(f"Response refused: {reason}")

    def _pump(self) -> None:
        try:
            while self._queue:
                for piece in self._queue[0]:
                    wait = self._exchange.body_received(piece)
                    if wait is not None:
                        self._wait(wait)
                        return
                self._queue.popleft()
            if self._end is not None:
                self._finish(self._end)
        except Exception as error:
            self._fail(error)

    def _wait(self, wait: Any) -> None:
        self._waiting = True
        if self.transport is not None:
            self.transport.pauseProducing()
        wait.add_done_callback(self._go_on)

    def _go_on(self, future: Future[None]) -> None:
        self._waiting = False
        if self.done.called:
            return
        try:
            future.result()
        except BaseException as error:
            self._fail(error)
            return
        if self.transport is not None and self._end is None:
            self.transport.resumeProducing()
        self._pump()

    def _finish(self, reason: Failure) -> None:
        if not reason.check(ResponseDone, PotentialDataLoss):
            raise HTTPStreamClosedError("Connection closed")
        if self._gzip is not None:
            try:
                self._gzip.flush()
            except (ValueError, zlib.error) as error:
                raise self.refused(f"invalid gzip data: {error}") from None
        if not self.done.called:
            self.done.callback(None)

    def _fail(self, error: BaseException) -> None:
        self._queue.clear()
        if not self.done.called:
            self.done.errback(Failure(error))
        self.abort()

    def abort(self) -> None:
        """Close the connection."""
        self._queue.clear()
        transport = self.transport
        if transport is not None and self._end is None:
            # Twisted's stand-in for the transport has no abortConnection.
            transport.loseConnection()
