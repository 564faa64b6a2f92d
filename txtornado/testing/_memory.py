"""Applications without sockets: `MemoryServer`, on a reactor whose time stands still.

A `MemoryServer` has a reactor of its own, `MemoryReactor`, which is Twisted's
``MemoryReactorClock`` with the little that an event loop needs beside it: it runs nothing by
itself, its clock moves when it is told to, and threads are not used.  Connections are pairs of
`MemoryTransport`, which is Twisted's ``StringTransport`` with somebody at the other end.
"""

import asyncio
import contextlib
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future as ConcurrentFuture
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Self

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from txtornado.concurrent import Future, as_future, dummy_executor
from txtornado.httpclient import HTTPResponse
from txtornado.httpserver import HTTPServer
from txtornado.ioloop import IOLoop
from txtornado.iostream import IOStream
from txtornado.platform.asyncio import ReactorIOLoop
from txtornado.simple_httpclient import SimpleAsyncHTTPClient

__all__ = ["MemoryConnection", "MemoryReactor", "MemoryServer", "MemoryTransport"]

SERVER = IPv4Address("TCP", "127.0.0.1", 80)
CLIENT = IPv4Address("TCP", "127.0.0.1", 54321)

# Turns without the clock moving after which an application will hardly come to rest.
MAX_TURNS = 100_000


class MemoryReactor(MemoryReactorClock):
    """A reactor whose clock stands still, and which never touches a socket or a thread."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.running = self.hasRun = True

    def turn(self) -> bool:
        """Make the calls that are due; False when there were none."""
        due = [call for call in self.calls if call.getTime() <= self.seconds()]
        for call in due:
            if call.active():  # an earlier one may have cancelled it
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
        self._sortCalls()
        return bool(due)

    def next_time(self) -> float | None:
        """When the next call is due, on the reactor's clock."""
        return min((call.getTime() for call in self.calls), default=None)

    # IReactorFromThreads and IReactorInThreads, all in this thread

    def callFromThread(self, callable: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        self.callLater(0, callable, *args, **kwargs)

    def callInThread(self, callable: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        callable(*args, **kwargs)

    def getThreadPool(self) -> "MemoryReactor":
        return self

    def callInThreadWithCallback(
        self,
        onResult: Callable[[bool, Any], object] | None,
        func: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """What `twisted.internet.threads.deferToThreadPool` asks of a pool."""
        try:
            success, result = True, func(*args, **kwargs)
        except BaseException:
            success, result = False, Failure()
        if onResult is not None:
            onResult(success, result)

    def removeSystemEventTrigger(self, triggerID: object) -> None:
        """Nothing fires triggers here."""


class _MemoryIOLoop(ReactorIOLoop):
    """A loop whose time is the reactor's, instead of the wall clock's."""

    def time(self) -> float:
        return float(self.reactor.seconds())


class MemoryTransport(StringTransport):
    """One end of a connection in memory.

    What is written reaches the `peer` in a later turn of the reactor; when there is none, it
    is kept, for `value`.
    """

    peer: "MemoryTransport | None" = None
    protocol: IProtocol

    def __init__(self, reactor: MemoryReactor, host: Any, address: Any) -> None:
        super().__init__(host, address, lenient=True)  # type: ignore[no-untyped-call]
        self.reactor = reactor
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if self.disconnecting:
            return
        if self.peer is None:
            super().write(data)  # type: ignore[no-untyped-call]
        else:
            self.reactor.callLater(0, self.peer.receive, data)

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def receive(self, data: bytes) -> None:
        """Hand ``data`` to the protocol, now or when it reads again."""
        if not self.connected:
            return
        if self.producerState == "paused":
            self._held.append(data)
        else:
            self.protocol.dataReceived(data)

    def resumeProducing(self) -> None:
        super().resumeProducing()  # type: ignore[no-untyped-call]
        held, self._held = self._held, []
        for data in held:
            self.reactor.callLater(0, self.receive, data)

    def loseConnection(self) -> None:
        self._end(ConnectionDone())

    def abortConnection(self) -> None:
        self.disconnected = True
        self._end(ConnectionAborted())

    def _end(self, reason: Exception) -> None:
        if self.disconnecting:
            return
        self.disconnecting = True
        self.reactor.callLater(0, self.lost, reason)
        if self.peer is not None:
            self.peer.disconnecting = True
            self.reactor.callLater(0, self.peer.lost, ConnectionDone())

    def lost(self, reason: Exception) -> None:
        """The connection is over."""
        if not self.connected:
            return
        self.connected = False
        self.disconnecting = True
        for data in self._held:
            self.protocol.dataReceived(data)
        self._held.clear()
        self.protocol.connectionLost(Failure(reason))

    # ITCPTransport, as far as it means anything here

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass


class MemoryConnection:
    """A client's end of a connection, for bytes as they go over the wire.

    Attributes:
        transport: the server's end.
    """

    def __init__(self, server: "MemoryServer", transport: MemoryTransport) -> None:
        self._server = server
        self.transport = transport

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, by either side."""
        return not self.transport.connected

    def send(self, data: bytes) -> None:
        """Send ``data`` to the server, and let it do what it does of it."""
        with self._server._running():
            self.transport.receive(data)
        self._server.settle()

    def received(self) -> bytes:
        """What the server has sent since this was asked before."""
        data: bytes = self.transport.value()  # type: ignore[no-untyped-call]
        self.transport.clear()  # type: ignore[no-untyped-call]
        return data

    def close(self) -> None:
        """Close the connection from the client's side."""
        with self._server._running():
            self.transport.lost(ConnectionDone())
        self._server.settle()

    def stop_reading(self) -> None:
        """Behave like a client that takes no more: the server has to wait with its writes."""
        with self._server._running():
            if self.transport.producer is not None:
                self.transport.producer.pauseProducing()

    def start_reading(self) -> None:
        """Take what comes again."""
        with self._server._running():
            if self.transport.producer is not None:
                self.transport.producer.resumeProducing()
        self._server.settle()


@contextlib.contextmanager
def _as_running_loop(loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """Have ``loop`` be asyncio's running one, and afterwards whichever was before."""
    before = _get_running_loop()
    _set_running_loop(loop)
    try:
        yield
    finally:
        _set_running_loop(before)


class MemoryServer:
    """An application served in memory: no sockets, no threads, and time that stands still.

    ::

        with MemoryServer(make_app()) as server:
            self.assertEqual(server.fetch("/").body, b"Hello")

            slow = server.request("/in-an-hour")
            server.advance(3600)
            self.assertEqual(slow.result().code, 200)

            connection = server.connect()
            connection.send(b"GET / HTTP/1.0\\r\\n\\r\\n")
            self.assertIn(b"Hello", connection.received())

    Works in any test case, under any reactor or none, since it runs on a reactor of its own;
    `IOLoop.current` is its loop wherever the application runs.  Functions that the application
    runs in executors or in Twisted's threads are called at once.

    Attributes:
        reactor: the `MemoryReactor`.
        io_loop: its `IOLoop`.
        http_server: the `HTTPServer`.
        http_client: the client that `fetch` and `request` use.  All host names lead here.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        """Serve ``app``.

        Args:
            app: an `Application`, or what else `HTTPServer` takes.
            options: for `HTTPServer`, for example ``xheaders=True``.  ``ssl_options`` is no use
                here; ``protocol="https"`` makes requests look encrypted.
        """
        self.reactor = MemoryReactor()
        with _as_running_loop(None):  # the loop of a running reactor makes itself that
            self.io_loop: IOLoop = _MemoryIOLoop(self.reactor)
        self.io_loop.set_default_executor(dummy_executor)
        self.io_loop.asyncio_loop.set_default_executor(_Immediately())
        with self._running():
            self.http_server = HTTPServer(app, **options)
            self.http_client = _MemoryClient(force_instance=True, io_loop=self.io_loop, server=self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, cancel what still runs, and close the loop."""
        if self.io_loop.closing:
            return
        with self._running():
            self.http_client.close()
            closing = asyncio.ensure_future(self.http_server.close_all_connections())
        self.settle()
        del closing
        with self._running():
            for task in asyncio.all_tasks():
                task.cancel()
        self.settle()
        self.reactor.running = False
        self.io_loop.close(all_fds=True)

    # -- time ---------------------------------------------------------------------------

    def _running(self) -> AbstractContextManager[None]:
        return _as_running_loop(self.io_loop.asyncio_loop)

    def settle(self) -> None:
        """Let everything happen that can happen without the clock moving.

        Raises:
            AssertionError: it does not come to rest.
        """
        with self._running():
            for _ in range(MAX_TURNS):
                if not self.reactor.turn():
                    return
        raise AssertionError(f"the application was still busy after {MAX_TURNS} turns")

    def advance(self, seconds: float) -> None:
        """Move the clock on; every timer on the way goes off at its time."""
        end = self.reactor.seconds() + seconds
        self.settle()
        while (due := self.reactor.next_time()) is not None and due <= end:
            self.reactor.rightNow = due
            self.settle()
        self.reactor.rightNow = end
        self.settle()

    # -- requests -----------------------------------------------------------------------

    def connect(self, address: Any = CLIENT) -> MemoryConnection:
        """Open a connection from ``address``, for bytes."""
        transport = MemoryTransport(self.reactor, SERVER, address)
        self._accept(transport)
        return MemoryConnection(self, transport)

    def _accept(self, transport: MemoryTransport) -> None:
        with self._running():
            protocol = self.http_server.buildProtocol(transport.getPeer())  # type: ignore[no-untyped-call]
            transport.protocol = protocol
            protocol.makeConnection(transport)

    def request(self, path: str, raise_error: bool = False, **kwargs: Any) -> Future[HTTPResponse]:
        """Send a request; the response's Future is done as soon as the application is.

        Args:
            path: a path, or a whole URL.
            raise_error: as for `AsyncHTTPClient.fetch`.
            kwargs: parameters of `HTTPRequest`.
        """
        url = path if "://" in path else f"http://localhost{path}"
        with self._running():
            future = self.http_client.fetch(url, raise_error=raise_error, **kwargs)
        self.settle()
        return future

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> HTTPResponse:
        """Send a request and return the response; parameters as for `request`.

        Raises:
            AssertionError: the application waits for something.  Then use `request` and `advance`.
        """
        future = self.request(path, raise_error, **kwargs)
        response: HTTPResponse = self._outcome(future, f"no response to {path}")
        return response

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """Call ``function`` in the loop and return what it returns, in the end.

        Args:
            function: a coroutine function, or one that returns something else to wait for.

        Raises:
            AssertionError: it waits for something that needs the clock to move.
        """
        with self._running():
            future = as_future(function())
        self.settle()
        return self._outcome(future, f"{function!r} has not finished")

    def _outcome(self, future: Future[Any], complaint: str) -> Any:
        if not future.done():
            future.cancel()
            self.settle()
            raise AssertionError(f"{complaint}: it waits for something; advance() moves the clock")
        return future.result()


class _MemoryClient(SimpleAsyncHTTPClient):
    """A client all of whose connections lead to one server."""

    def initialize(self, server: MemoryServer) -> None:  # type: ignore[override]
        super().initialize(max_clients=1000)
        self.tcp_client = _MemoryConnector(server)  # type: ignore[assignment]


class _MemoryConnector:
    """A `TCPClient` that never leaves the house."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    def close(self) -> None:
        """Nothing is held."""

    async def connect(
        self, host: str, port: int, ssl_options: object = None, **kwargs: Any
    ) -> IOStream:
        if ssl_options is not None:
            raise ValueError("MemoryServer speaks no TLS: use http:// and protocol='https'")
        reactor = self._server.reactor
        theirs = MemoryTransport(reactor, SERVER, CLIENT)
        ours = MemoryTransport(reactor, CLIENT, SERVER)
        theirs.peer, ours.peer = ours, theirs
        self._server._accept(theirs)
        stream = IOStream()
        ours.protocol = stream
        stream.makeConnection(ours)
        return stream


class _Immediately(ThreadPoolExecutor):
    """An executor without threads; asyncio insists on the class."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> ConcurrentFuture[Any]:
        return dummy_executor.submit(fn, *args, **kwargs)
