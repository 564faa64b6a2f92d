"""One request and its response on a connection of its own."""

from typing import TYPE_CHECKING

from txtornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._connect import open_stream
from txtornado.httpclient._head import request_head
from txtornado.httpclient._target import Target
from txtornado.httpclient._trace import tell
from txtornado.httpclient._wire import WireExchange
from txtornado.iostream import IOStream

if TYPE_CHECKING:
    from txtornado.simple_httpclient._client import SimpleAsyncHTTPClient

__all__ = ["SimpleExchange"]


class SimpleExchange(WireExchange):
    """Connects, sends a request and collects the response.

    Args:
        client: for its connections and its limits.
        request: with the client's defaults.
        target: where its URL leads.
    """

    def __init__(
        self, client: "SimpleAsyncHTTPClient", request: HTTPRequest, target: Target
    ) -> None:
        super().__init__(request, target, client.trace)
        self._client = client
        self._stream: IOStream | None = None

    async def perform(self) -> None:
        client, request, target = self._client, self.request, self.target
        if self.trace is not None:
            tell(self.trace, "connecting", request, target.host, target.port)
        stream = self._stream = await open_stream(
            client.tcp_client,
            request,
            target.host,
            target.port,
            target.scheme == "https",
            client.max_buffer_size,
            client.unix_socket,
        )
        client.open_connections += 1
        self.connected = client.io_loop.asyncio_loop.time()
        if self.trace is not None:
            tell(self.trace, "connected", request, False)
        connection = HTTP1Connection(
            stream,
            True,
            HTTP1ConnectionParameters(
                no_keep_alive=True,
                max_header_size=client.max_header_size,
                max_body_size=client.max_body_size,
                decompress=bool(request.decompress_response),
            ),
        )
        await self.run(connection, *request_head(request, target))

    def close(self) -> None:
        super().close()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            self._client.open_connections -= 1
