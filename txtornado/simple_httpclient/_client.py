"""`SimpleAsyncHTTPClient`: the queue, the time limits, and the way through redirects."""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import Any

from txtornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from txtornado.netutil import OverrideResolver, Resolver
from txtornado.simple_httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError
from txtornado.simple_httpclient._exchange import Exchange
from txtornado.simple_httpclient._head import check_request
from txtornado.simple_httpclient._redirect import redirected
from txtornado.simple_httpclient._target import parse_target
from txtornado.tcpclient import TCPClient

__all__ = ["SimpleAsyncHTTPClient"]


class _Job:
    """A request from `fetch` to its response."""

    def __init__(
        self,
        client: "SimpleAsyncHTTPClient",
        request: HTTPRequest,
        callback: Callable[[HTTPResponse], None],
    ) -> None:
        self.client = client
        self.loop = client.io_loop
        self.request = request
        self.callback: Callable[[HTTPResponse], None] | None = callback
        self.created = self.loop.asyncio_loop.time()
        self.started: float | None = None
        self.start_time: float | None = None
        self.url = request.url
        self.context = contextvars.copy_context()
        self.timer: Any = None
        self.task: asyncio.Task[None] | None = None

    def wait(self) -> None:
        """Set the time limit for waiting in the queue."""
        limits = [t for t in (self.request.connect_timeout, self.request.request_timeout) if t]
        if limits:
            self.timer = self.loop.call_later(
                min(limits), self.abort, HTTPTimeoutError("Timeout in request queue")
            )

    def start(self) -> None:
        """Leave the queue."""
        self._stop_timer()
        loop = self.loop.asyncio_loop
        self.task = loop.create_task(self._run(), context=self.context)

    def abort(self, error: Exception | None = None) -> None:
        """End the request, wherever it stands."""
        if self.task is not None:
            self.task.cancel()
        else:
            self._fail(error or HTTPStreamClosedError("Request was aborted"))

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.loop.remove_timeout(self.timer)
            self.timer = None

    async def _run(self) -> None:
        try:
            response = await self._respond()
        except asyncio.CancelledError:
            self._fail(HTTPStreamClosedError("Request was aborted"))
            raise
        except Exception as error:
            self._fail(error)
        else:
            self._done(response)

    def _done(self, response: HTTPResponse) -> None:
        """Give up the slot and answer, which may well send the next request."""
        callback, self.callback = self.callback, None
        if callback is not None:
            self._stop_timer()
            self.client._release(self)
            callback(response)

    def _fail(self, error: BaseException) -> None:
        began = self.created if self.started is None else self.started
        self._done(
            HTTPResponse(
                self.request,
                599,
                error=error,
                effective_url=self.url,
                request_time=self.loop.asyncio_loop.time() - began,
                start_time=self.start_time,
            )
        )

    async def _respond(self) -> HTTPResponse:
        """Send the request, and those that redirects make of it."""
        check_request(self.request)
        queued = self.loop.asyncio_loop.time() - self.created
        limit = self.request.request_timeout or None
        request, exchange = self.request, None
        try:
            async with asyncio.timeout(None if limit is None else limit - queued) as timer:
                while exchange is None or exchange.follow:
                    if exchange is not None:
                        request = redirected(
                            request, exchange.target, self.url, exchange.code, exchange.headers
                        )
                        self.url = request.url
                    exchange = Exchange(request, parse_target(self.url))
                    await self._exchange(exchange)
        except TimeoutError:
            if not timer.expired() or limit is None:
                raise
            stage = "connecting" if exchange is None else exchange.stage
            raise HTTPTimeoutError(f"Timeout during request: {stage} after {limit:g} s") from None
        return self._response(exchange, queued)

    async def _exchange(self, exchange: Exchange) -> None:
        client = self.client
        self.started = exchange.started = self.loop.asyncio_loop.time()
        self.start_time = time.time()
        try:
            await exchange.connect(
                client.tcp_client,
                exchange.request.connect_timeout or None,
                client.max_buffer_size,
            )
            exchange.connected = self.loop.asyncio_loop.time()
            await exchange.run(client.max_header_size, client.max_body_size)
        finally:
            exchange.close()

    def _response(self, exchange: Exchange, queued: float) -> HTTPResponse:
        assert self.started is not None
        elapsed = self.loop.asyncio_loop.time() - self.started
        streamed = exchange.request.streaming_callback is not None and not exchange.follow
        return HTTPResponse(
            self.request,
            exchange.code,
            reason=exchange.reason,
            headers=exchange.headers,
            buffer=BytesIO() if streamed else exchange.body(),
            effective_url=self.url,
            request_time=elapsed,
            start_time=self.start_time,
            time_info={
                "queue": queued,
                "connect": exchange.connected - exchange.started,
                "total": elapsed,
            },
        )


class SimpleAsyncHTTPClient(AsyncHTTPClient):
    """An HTTP/1.1 client on txtornado's own streams.

    Each request has a connection of its own; proxies are not supported.

    Attributes:
        queue: the requests that wait for their turn.
        waiting: the same requests, to be looked up.
        active: the requests under way.
    """

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        hostname_mapping: dict[Any, Any] | None = None,
        max_buffer_size: int = 104857600,
        resolver: Resolver | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int | None = None,
        max_body_size: int | None = None,
    ) -> None:
        """Set the client's limits.

        Args:
            max_clients: how many requests may be under way at once.  The time that others spend
                in the queue counts in their time limits.
            hostname_mapping: addresses for host names, ``{"example.com": "127.0.0.1"}``, or
                for host and port; see `OverrideResolver`.
            max_buffer_size: bytes that may be read into memory at once, 100 MiB by default.
            resolver: finds addresses; a new `Resolver` by default, closed with the client.
            defaults: see `AsyncHTTPClient`.
            max_header_size: bytes that a response's head may have, 64 KiB by default.
            max_body_size: bytes that a response's body may have, before and after decompression;
                ``max_buffer_size`` by default (since 4.2).
        """
        super().initialize(defaults=defaults)
        self.max_clients = max_clients
        self.queue: deque[_Job] = deque()
        self.waiting: dict[_Job, HTTPRequest] = {}
        self.active: dict[_Job, HTTPRequest] = {}
        self.max_buffer_size = max_buffer_size
        self.max_header_size = max_header_size
        self.max_body_size = max_buffer_size if max_body_size is None else max_body_size
        self.own_resolver = resolver is None
        self.resolver = Resolver() if resolver is None else resolver
        if hostname_mapping is not None:
            self.resolver = OverrideResolver(resolver=self.resolver, mapping=hostname_mapping)
        self.tcp_client = TCPClient(resolver=self.resolver)

    def close(self) -> None:
        """Abort what is under way and free everything."""
        if self._closed:
            return
        super().close()
        for job in [*self.queue, *self.active]:
            job.abort(HTTPStreamClosedError("The client was closed"))
        if self.own_resolver:
            self.resolver.close()
        self.tcp_client.close()

    def fetch_impl(
        self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]
    ) -> Callable[[], object]:
        job = _Job(self, request, callback)
        self.queue.append(job)
        self.waiting[job] = request
        self._process_queue()
        if job in self.waiting:
            job.wait()
        return job.abort

    def _process_queue(self) -> None:
        while self.queue and len(self.active) < self.max_clients:
            job = self.queue.popleft()
            self.active[job] = self.waiting.pop(job)
            job.start()

    def _release(self, job: _Job) -> None:
        """``job`` is over."""
        if self.active.pop(job, None) is None and self.waiting.pop(job, None) is not None:
            self.queue.remove(job)
        if not self._closed:
            self._process_queue()
