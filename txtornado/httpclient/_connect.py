"""Opening the connection that a request goes over."""

import asyncio
import socket
from typing import Any

from txtornado.httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError
from txtornado.httpclient._request import HTTPRequest
from txtornado.httpclient._tls import ssl_options_of
from txtornado.iostream import IOStream, StreamClosedError
from txtornado.netutil import is_valid_ip
from txtornado.tcpclient import TCPClient

__all__ = ["open_stream", "start_tls"]


async def open_stream(
    tcp_client: TCPClient,
    request: HTTPRequest,
    host: str,
    port: int,
    secure: bool,
    max_buffer_size: int | None = None,
    unix_socket: str | None = None,
) -> IOStream:
    """A stream to ``host``, or to whoever listens on ``unix_socket``, with the request's settings.

    Raises:
        HTTPTimeoutError: ``connect_timeout`` is over.
        OSError: there is no connection to be had; TLS errors are `ssl.SSLError`.
        ValueError: ``network_interface`` is not an address.
    """
    source = request.network_interface or None
    if source is not None and not is_valid_ip(source):
        raise ValueError(f"Unrecognized IPv4 or IPv6 address for network_interface, got {source!r}")
    ssl_options = ssl_options_of(request) if secure else None
    timeout = request.connect_timeout or None
    try:
        if unix_socket is not None:
            async with asyncio.timeout(timeout):
                return await _open_unix(unix_socket, ssl_options, host, max_buffer_size)
        stream = await tcp_client.connect(
            host,
            port,
            af=socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC,
            ssl_options=ssl_options,
            max_buffer_size=max_buffer_size,
            source_ip=source,
            timeout=timeout,
        )
    except TimeoutError as error:
        if error.errno is not None:
            raise  # the system's own, ETIMEDOUT
        raise HTTPTimeoutError(str(error) or "Timeout while connecting") from None
    except StreamClosedError as error:
        raise error.real_error or HTTPStreamClosedError("Connection closed") from None
    stream.set_nodelay(True)
    return stream


async def _open_unix(
    path: str, ssl_options: Any, host: str, max_buffer_size: int | None
) -> IOStream:
    stream = IOStream(socket.socket(socket.AF_UNIX), max_buffer_size=max_buffer_size)
    try:
        await stream.connect(path)
        if ssl_options is not None:
            return await start_tls(stream, ssl_options, host)
    except BaseException:
        stream.close()
        raise
    return stream


async def start_tls(stream: IOStream, ssl_options: Any, host: str) -> IOStream:
    """``stream`` with TLS above it; nothing stays open when this is cancelled."""
    handshake = stream.start_tls(False, ssl_options, host)
    try:
        return await handshake
    except asyncio.CancelledError:
        if not handshake.cancelled() and handshake.exception() is None:
            handshake.result().close()  # it was done already, just then
        raise
