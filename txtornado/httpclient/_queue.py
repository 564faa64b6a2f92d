"""A client's queue: who may begin when, the time limits, and the way through redirects."""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import Any

from txtornado.httpclient._client import AsyncHTTPClient
from txtornado.httpclient._digest import with_authorization
from txtornado.httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError
from txtornado.httpclient._exchange import Exchange
from txtornado.httpclient._redirect import redirected
from txtornado.httpclient._request import HTTPRequest
from txtornado.httpclient._response import HTTPResponse
from txtornado.httpclient._target import Target, parse_target
from txtornado.httpclient._trace import RequestTrace, tell

__all__ = ["QueuedHTTPClient"]


_IN_WORDS = {
    "sending": "sending the request",
    "waiting": "waiting for the response",
    "reading": "reading the response",
}


class Job:
    """A request from `fetch` to its response."""

    def __init__(
        self,
        client: "QueuedHTTPClient",
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
        self.running = False

    def wait(self) -> None:
        """Set the time limit for waiting in the queue."""
        limits = [t for t in (self.request.connect_timeout, self.request.request_timeout) if t]
        if limits:
            self.timer = self.loop.call_later(
                min(limits), self.abort, HTTPTimeoutError("Timeout in request queue", "in queue")
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
        if not self.running:  # nor will it: a task that has not begun ends without a step
            self._fail(error or HTTPStreamClosedError("Request was aborted"))

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.loop.remove_timeout(self.timer)
            self.timer = None

    async def _run(self) -> None:
        self.running = True
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
            if self.client.trace is not None:
                tell(self.client.trace, "done", self.request, response)
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
        self.client.check_request(self.request)
        queued = self.loop.asyncio_loop.time() - self.created
        limit = self.request.request_timeout or None
        request, exchange = self.request, None
        try:
            async with asyncio.timeout(None if limit is None else limit - queued) as timer:
                while exchange is None or exchange.follow:
                    if exchange is not None:
                        request = self._next_request(request, exchange)
                    exchange = self.client.new_exchange(request, parse_target(self.url))
                    await self._exchange(exchange)
        except TimeoutError:
            if not timer.expired() or limit is None:
                raise
            stage = "connecting" if exchange is None else exchange.stage
            doing = _IN_WORDS.get(stage, stage)
            message = f"Timeout during request: {doing} after {limit:g} s"
            raise HTTPTimeoutError(message, stage) from None
        return self._response(exchange, queued)

    def _next_request(self, request: HTTPRequest, exchange: Exchange) -> HTTPRequest:
        target = exchange.target
        if exchange.challenge is not None:
            return with_authorization(request, target, exchange.challenge)
        request = redirected(request, target, self.url, exchange.code, exchange.headers)
        self.url = request.url
        return request

    async def _exchange(self, exchange: Exchange) -> None:
        self.started = exchange.started = self.loop.asyncio_loop.time()
        self.start_time = time.time()
        try:
            await exchange.perform()
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


class QueuedHTTPClient(AsyncHTTPClient):
    """A client that has at most so many requests under way, and the others wait; ours.

    Implementations define `new_exchange` and `check_request`.

    Attributes:
        max_clients: how many requests may be under way at once.  The time that others spend
            in the queue counts in their time limits.
        queue: the requests that wait for their turn.
        waiting: the same requests, to be looked up.
        active: the requests under way.
        open_connections: how many connections stand.
        idle_connections: how many of them are kept for requests to come.
        trace: is told of the stages of each request.
    """

    open_connections: int = 0
    idle_connections: int = 0
    _ended = False

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        defaults: dict[str, Any] | None = None,
        trace: RequestTrace | None = None,
    ) -> None:
        super().initialize(defaults=defaults)
        self.trace = trace
        self.max_clients = max_clients
        self.queue: deque[Job] = deque()
        self.waiting: dict[Job, HTTPRequest] = {}
        self.active: dict[Job, HTTPRequest] = {}
        self._freed = asyncio.Event()

    def check_request(self, request: HTTPRequest) -> None:
        """Raise an exception when this client cannot send ``request``."""

    def new_exchange(self, request: HTTPRequest, target: Target) -> Exchange:
        """An exchange for one hop of a request."""
        raise NotImplementedError(f"{type(self).__name__} must define new_exchange()")

    def free(self) -> None:
        """Give back what the client holds besides its requests; called once."""

    def close(self) -> None:
        """Abort what is under way and what waits, on a client of one's own, and free everything.

        With a shared client the last request that is under way does so.
        """
        if self._closed:
            return
        busy = self._is_shared() and bool(self.active)
        super().close()
        if not busy:
            self._end()

    async def wait_closed(self) -> None:
        """Wait until nothing is under way and the connections are closed, after `close`."""
        if self._closed:
            await self._freed.wait()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        for job in [*self.queue, *self.active]:
            job.abort(HTTPStreamClosedError("The client was closed"))
        self.free()
        self._freed.set()

    def fetch_impl(
        self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]
    ) -> Callable[[], object]:
        job = Job(self, request, callback)
        if self.trace is not None:
            tell(self.trace, "queued", request)
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

    def _release(self, job: Job) -> None:
        """``job`` is over."""
        if self.active.pop(job, None) is None and self.waiting.pop(job, None) is not None:
            self.queue.remove(job)
        if not self._ended:
            self._process_queue()
            if self._closed and not self.active:
                self._end()
