"""A stream as a Twisted transport, and a way to connect to it as a Twisted endpoint."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from txtornado.concurrent import as_deferred
from txtornado.interfaces import IStreamConsumer
from txtornado.iostream import IOStream, StreamClosedError, UnsatisfiableReadError

__all__ = ["HeadScanner", "StreamEndpoint", "StreamTransport"]

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/\d\.\d (\d\d\d)")


class HeadScanner:
    """Looks over the shoulder of Twisted's parser, which keeps some of a head to itself.

    That is what it says of the connection (``Content-Length`` of a 304, for example), and that
    an interim response came.

    Attributes:
        head: the final head, with its status line, as soon as it is there.
        began: whether anything came at all.
    """

    def __init__(self, max_size: int, interim: Callable[[int], object]) -> None:
        self.head: bytes | None = None
        self.began = False
        self._max_size = max_size
        self._interim = interim
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        """Some bytes came in.

        Raises:
            UnsatisfiableReadError: the head is too long.
        """
        self.began = True
        self._buffer += data
        while self.head is None and (end := _HEAD_END.search(self._buffer)):
            head, self._buffer = self._buffer[: end.end()], self._buffer[end.end() :]
            status = _STATUS.match(head)
            code = int(status[1]) if status else 0
            if 100 <= code < 200 and code != 101:
                self._interim(code)
            else:
                self.head = head
        size = len(self._buffer) if self.head is None else len(self.head)
        if size > self._max_size:
            raise UnsatisfiableReadError(f"response head of more than {self._max_size} bytes")
        if self.head is not None:
            self._buffer = b""


@implementer(ITransport, IStreamConsumer)
class StreamTransport:
    """An `IOStream` in the form of a Twisted transport.

    Attributes:
        stream: the stream.
        scanner: sees what comes in before the protocol does, while there is one.
    """

    disconnecting = False
    scanner: HeadScanner | None = None

    def __init__(self, stream: IOStream, protocol: Any) -> None:
        self.stream = stream
        self.protocol = protocol
        self.error: BaseException | None = None
        self._producer: Any = None
        self._lost = False

    def start(self) -> None:
        """Let bytes through."""
        self.protocol.makeConnection(self)
        self.stream.set_consumer(self)

    # IStreamConsumer

    def data_received(self, data: bytes) -> None:
        scanner = self.scanner
        if scanner is not None and scanner.head is None:
            try:
                scanner.feed(data)
            except UnsatisfiableReadError as error:
                self.error = error
                self.abortConnection()
                return
        self.protocol.dataReceived(data)

    def stream_closed(self, error: BaseException | None) -> None:
        if not self._lost:
            self._lost = True
            self.error = self.error or error
            self.protocol.connectionLost(Failure(error or ConnectionDone()))

    # ITransport

    def write(self, data: bytes) -> None:
        if self.stream.closed():
            return
        try:
            drained = self.stream.send(data)
        except StreamClosedError:
            return  # stream_closed tells
        if not drained and self._producer is not None:
            self._producer.pauseProducing()
            self.stream.drained().add_done_callback(self._drained)

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def _drained(self, future: Any) -> None:
        if not future.cancelled() and future.exception() is None and self._producer is not None:
            self._producer.resumeProducing()

    def loseConnection(self) -> None:
        self.disconnecting = True
        if self.stream.closed() or not self.stream.writing():
            self.abortConnection()
        else:
            self.stream.drained().add_done_callback(self._close)

    def _close(self, future: Any) -> None:
        if not future.cancelled():
            future.exception()
        self.abortConnection()

    def abortConnection(self) -> None:
        self.disconnecting = True
        self.stream.close()

    def getPeer(self) -> Any:
        return getattr(self.stream.transport, "getPeer", lambda: None)()

    def getHost(self) -> Any:
        return getattr(self.stream.transport, "getHost", lambda: None)()

    # IConsumer and IPushProducer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self.stream.pause_reading()

    def resumeProducing(self) -> None:
        self.stream.resume_reading()

    def stopProducing(self) -> None:
        self.loseConnection()


@implementer(IStreamClientEndpoint)
class StreamEndpoint:
    """Connects Twisted's protocols to streams.

    Args:
        open_stream: a coroutine function that returns a connected stream.
    """

    def __init__(self, open_stream: Callable[[], Awaitable[IOStream]]) -> None:
        self._open_stream = open_stream

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return as_deferred(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        stream = await self._open_stream()
        protocol = factory.buildProtocol(None)
        StreamTransport(stream, protocol).start()
        return protocol
