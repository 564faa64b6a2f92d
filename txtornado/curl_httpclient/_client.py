"""`CurlAsyncHTTPClient`: its queue, and libcurl's sockets and timer on the loop."""

import contextlib
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any

import pycurl

from txtornado.curl_httpclient._errors import curl_log
from txtornado.curl_httpclient._transfer import Transfer
from txtornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.ioloop import IOLoop

__all__ = ["CurlAsyncHTTPClient"]

_EVENTS = {
    pycurl.POLL_IN: IOLoop.READ,
    pycurl.POLL_OUT: IOLoop.WRITE,
    pycurl.POLL_INOUT: IOLoop.READ | IOLoop.WRITE,
}


class CurlAsyncHTTPClient(AsyncHTTPClient):
    """An HTTP client on libcurl, with connections that are kept.

    Redirects, authentication, proxies, decompression and time limits are libcurl's.  Time spent
    in the queue does not count in a request's limits.  ``streaming_callback`` and
    ``header_callback`` must not be coroutine functions; an exception of theirs is logged, and the
    transfer goes on; ``header_callback`` hears of redirects as well.  ``body_producer`` and
    ``ssl_options`` are not supported.  Proxies of the environment (``http_proxy``, ``no_proxy``
    ...) are heeded.

    Every option that a request sets, ``prepare_curl_callback``'s included, ends with it.
    """

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        defaults: dict[str, Any] | None = None,
        max_body_size: int = 104857600,
    ) -> None:
        """Set the client's limits.

        Args:
            max_clients: how many requests may be under way at once; others wait in a queue.
            defaults: see `AsyncHTTPClient`.
            max_body_size: bytes that a response's body may have, after decompression, 100 MiB by
                default; also for bodies that a ``streaming_callback`` gets (since 6.6).
        """
        super().initialize(defaults=defaults)
        self.max_clients = max_clients
        self.max_body_size = max_body_size
        self._clock = self.io_loop.asyncio_loop.time
        # Sockets and timers belong to no request: none's context is theirs.
        self._context = contextvars.copy_context()
        self._queue: deque[Transfer] = deque()
        self._active: dict[Any, Transfer] = {}
        self._idle: list[Any] = []
        self._sockets: set[int] = set()
        self._timer: Any = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timeout)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)

    def close(self) -> None:
        """Abort what is under way and what waits, and close the connections."""
        if self._closed:
            return
        super().close()
        for transfer in [*self._queue, *self._active.values()]:
            self._abort(transfer, _closed())
        while self._idle:
            self._idle.pop().close()
        self._multi.close()
        for fd in self._sockets:
            self.io_loop.remove_handler(fd)
        self._sockets.clear()
        self._set_timeout(-1)
        # It refers to this client.
        self._multi = None

    def handle_callback_exception(self, callback: Callable[..., Any]) -> None:
        """Called when a request's callback raises; may be overridden (Tornado 2.3).

        Logs the exception, which is `sys.exc_info`.
        """
        super().handle_callback_exception(callback)

    # -- requests -----------------------------------------------------------------------

    def fetch_impl(
        self, request: HTTPRequest, callback: Callable[[HTTPResponse], None]
    ) -> Callable[[], object]:
        transfer = Transfer(self, request, callback)
        self._queue.append(transfer)
        self._process_queue()
        return transfer.abort

    def _process_queue(self) -> None:
        queue, active = self._queue, self._active
        while queue and len(active) < self.max_clients:
            self._start(queue.popleft())

    def _start(self, transfer: Transfer) -> None:
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        self._active[curl] = transfer
        try:
            transfer.start(curl)
            if self._active.get(curl) is transfer:  # else it was aborted before it began
                self._multi.add_handle(curl)
        except Exception as error:
            if self._active.pop(curl, None) is transfer:
                self._recycle(curl)
            transfer.finish(transfer.failed(error))

    def _recycle(self, curl: Any) -> None:
        """Bring a handle back to its initial state, for another request."""
        curl.reset()
        if self._closed:
            curl.close()
        else:
            self._idle.append(curl)

    def _abort(self, transfer: Transfer, error: BaseException | None = None) -> None:
        curl = transfer.curl
        if curl is None:
            if transfer not in self._queue:
                return
            self._queue.remove(transfer)
        elif self._active.get(curl) is transfer:
            del self._active[curl]
            with contextlib.suppress(pycurl.error):  # not there yet
                self._multi.remove_handle(curl)
            self._recycle(curl)
        transfer.finish(transfer.failed(error or HTTPStreamClosedError("Request was aborted")))
        if not self._closed:
            self._process_queue()

    def _complete(self, curl: Any, failure: tuple[int, str] | None) -> None:
        """libcurl is done with a transfer."""
        transfer = self._active.pop(curl, None)
        if transfer is None:
            return
        self._multi.remove_handle(curl)
        transfer.flush()
        if self._closed:  # by one of the callbacks
            response = transfer.failed(_closed())
        else:
            response = transfer.outcome(failure)
        self._recycle(curl)
        if not self._closed:
            self._process_queue()
        transfer.finish(response)

    # -- libcurl on the loop ------------------------------------------------------------

    def _set_timeout(self, msecs: int) -> None:
        """libcurl wants to be called in so many milliseconds, or (-1) not at all."""
        if self._timer is not None:
            self.io_loop.remove_timeout(self._timer)
            self._timer = None
        if msecs >= 0:
            self._timer = self._context.run(self.io_loop.call_later, msecs / 1000, self._time_is_up)

    def _watch(self, event: int, fd: int, multi: Any, data: object) -> None:
        """libcurl wants to hear of a socket, or no more."""
        try:
            self._register(event, fd)
        except Exception:
            # An exception would put an end to everything that libcurl does: a transfer that is
            # not told of its socket meets its time limit.
            curl_log.exception("Cannot watch descriptor %d", fd)

    def _register(self, event: int, fd: int) -> None:
        run, loop = self._context.run, self.io_loop
        if event == pycurl.POLL_REMOVE:
            self._sockets.discard(fd)
            loop.remove_handler(fd)
        elif fd in self._sockets:
            run(loop.update_handler, fd, _EVENTS[event])
        else:
            self._sockets.add(fd)
            # The descriptor is new, so whoever left a handler for that number has closed his.
            loop.remove_handler(fd)
            run(loop.add_handler, fd, self._socket_is_ready, _EVENTS[event])

    def _time_is_up(self) -> None:
        self._timer = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _socket_is_ready(self, fd: int, events: int) -> None:
        self._act(fd, pycurl.CSELECT_IN if events & IOLoop.READ else pycurl.CSELECT_OUT)

    def _act(self, fd: int, events: int) -> None:
        """Let libcurl work, and see whether it got something done."""
        multi = self._multi
        if multi is None:
            return
        _, running = multi.socket_action(fd, events)
        if running == len(self._active):
            return
        left = 1
        while left and not self._closed:
            left, succeeded, failed = multi.info_read()
            for curl in succeeded:
                self._complete(curl, None)
            for curl, errno, message in failed:
                self._complete(curl, (errno, message))


def _closed() -> HTTPStreamClosedError:
    return HTTPStreamClosedError("The client was closed")
