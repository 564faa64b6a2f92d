"""Pairs of streams for the tests of this package."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any

from twisted.internet.testing import StringTransport

from txtornado.iostream import IOStream, PipeIOStream, SSLIOStream
from txtornado.testing import ReactorTestCase
from txtornado.testing._certificate import certificate_files


def server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate_files())
    return context


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate_files()[0])


def tcp_sockets() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return server, client


class Consumer:
    """An `IStreamConsumer` that remembers."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.closed: list[BaseException | None] = []

    def data_received(self, data: bytes) -> None:
        self.chunks.append(data)

    def stream_closed(self, error: BaseException | None) -> None:
        self.closed.append(error)

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)


class MemoryTransport(StringTransport):
    """A transport that remembers whether it reads."""

    protocol: Any = None


class StreamTestCase(ReactorTestCase):
    """Makes streams and closes them when the test ends."""

    timeout = 20

    def memory_stream(self, **options: Any) -> tuple[IOStream, MemoryTransport]:
        transport = MemoryTransport()
        return IOStream(transport, **options), transport

    def closing(self, stream: Any) -> Any:
        self.addCleanup(stream.close)
        return stream

    async def pair(self, **options: Any) -> tuple[Any, Any]:
        """Two streams that are connected with each other."""
        server, client = tcp_sockets()
        return self.closing(IOStream(server, **options)), self.closing(IOStream(client, **options))


class TLSPair:
    """Mixed in, makes the pair speak TLS."""

    async def pair(self, **options: Any) -> tuple[Any, Any]:
        server, client = tcp_sockets()
        a = SSLIOStream(server, ssl_options=server_context(), server_side=True, **options)
        b = SSLIOStream(
            client, ssl_options=client_context(), server_hostname="localhost", **options
        )
        self.closing(a)
        self.closing(b)
        await a.wait_for_handshake()
        await b.wait_for_handshake()
        return a, b


class UnixPair:
    """Mixed in, makes the pair a UNIX socket pair."""

    async def pair(self, **options: Any) -> tuple[Any, Any]:
        a, b = socket.socketpair(socket.AF_UNIX)
        return self.closing(IOStream(a, **options)), self.closing(IOStream(b, **options))


class PipePair:
    """Mixed in, makes the pair a pipe, whose first end reads."""

    async def pair(self, **options: Any) -> tuple[Any, Any]:
        r, w = os.pipe()
        return self.closing(PipeIOStream(r, **options)), self.closing(PipeIOStream(w, **options))
