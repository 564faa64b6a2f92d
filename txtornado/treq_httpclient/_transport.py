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
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httputil import HTTPHeaders, HTTPInputError
from txtornado.interfaces import IStreamConsumer
from txtornado.iostream import IOStream, StreamClosedError, UnsatisfiableReadError
from txtornado.log import gen_log

__all__ = ["HeadScanner", "StreamEndpoint", "StreamTransport"]

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.\d (\d\d\d)")
_FOLDED = re.compile(r"(?m)^[ \t]")


class HeadScanner:
    """Looks over the shoulder of Twisted's parser, which keeps some of a head to itself.

    That is what it says of the connection (``Content-Length`` of a 304, for example), and that
    an interim response came.  What Twisted reads more generously than we do is refused here.

    Args:
        peer: the server, for the log.
        max_size: bytes that a head may have.
        interim: called with the code of each 1xx response.

    Attributes:
        headers: those of the final response, as soon as they are there.
        began: whether anything came at all.
    """

    def __init__(self, peer: str, max_size: int, interim: Callable[[int], object]) -> None:
        self.headers: HTTPHeaders | None = None
        self.began = False
        self._peer = peer
        self._max_size = max_size
        self._interim = interim
        self._buffer = b""

    def feed(self, data: bytes) -> BaseException | None:
        """Some bytes came in; returns why they cannot be taken, if so."""
        self.began = True
        self._buffer += data
        try:
            while self.headers is None and (end := _HEAD_END.search(self._buffer)):
                head, self._buffer = self._buffer[: end.end()], self._buffer[end.end() :]
                self._head(head)
            if self.headers is None and len(self._buffer) > self._max_size:
                raise UnsatisfiableReadError(f"response head of over {self._max_size} bytes")
        except UnsatisfiableReadError as error:
            gen_log.info("Unsatisfiable read, closing connection: %s", error)
            return error
        except HTTPInputError as error:
            gen_log.info("Malformed HTTP message from %s: %s", self._peer, error)
            return HTTPStreamClosedError("Connection closed")
        if self.headers is not None:
            self._buffer = b""
        return None

    def _head(self, head: bytes) -> None:
        if len(head) > self._max_size:
            raise UnsatisfiableReadError(f"response head of over {self._max_size} bytes")
        status = _STATUS.match(head)
        if status is None:
            raise HTTPInputError("Malformed status line")
        code = int(status[1])
        if 100 <= code < 200 and code != 101:
            self._interim(code)
            return
        text = head.decode("latin-1").partition("\n")[2]
        if _FOLDED.search(text):
            raise HTTPInputError("line folding is not supported (RFC 9112, section 5.2)")
        headers = HTTPHeaders.parse(text)
        _check_length(headers)
        self.headers = headers


def _check_length(headers: HTTPHeaders) -> None:
    """Refuse bodies whose end others may see elsewhere (RFC 9112, section 6.3)."""
    lengths = headers.get_list("Content-Length")
    if not lengths:
        return
    if "Transfer-Encoding" in headers:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
    values = {value.strip() for length in lengths for value in length.split(",")}
    if len(values) > 1:
        raise HTTPInputError(f"Multiple unequal Content-Lengths: {sorted(values)}")
    (value,) = values
    if not (value.isascii() and value.isdigit()):
        raise HTTPInputError(f"Content-Length is not a number: {value!r}")


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

    def start(self) -> None:
        """Let bytes through."""
        self.protocol.makeConnection(self)
        self.stream.set_consumer(self)

    # IStreamConsumer

    def data_received(self, data: bytes) -> None:
        scanner = self.scanner
        if scanner is not None and scanner.headers is None:
            self.error = scanner.feed(data)
            if self.error is not None:
                self.abortConnection()
                return
        self.protocol.dataReceived(data)

    def stream_closed(self, error: BaseException | None) -> None:
        if self.disconnecting:
            # Protocols do not expect to hear of it while they are asking for it.
            self.stream.io_loop.add_callback(self._lost, error)
        else:
            self._lost(error)

    def _lost(self, error: BaseException | None) -> None:
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
