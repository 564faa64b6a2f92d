"""Handing what comes in to the user's callbacks, outside of libcurl."""

import contextvars
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pycurl

if TYPE_CHECKING:
    from txtornado.curl_httpclient._client import CurlAsyncHTTPClient

__all__ = ["_CurlStreamingBuffer"]


class _CurlStreamingBuffer:
    """Keeps chunks and header lines until the loop hands them to their callbacks.

    It never holds much: beyond `max_buffer_size` the transfer is paused.  An exception of a
    callback is given to the client's `handle_callback_exception`, and the transfer goes on.

    Args:
        client: for its loop and its limit.
        curl: the handle that writes here.
        callback: gets the chunks of the body; None when only header lines are to come.

    Attributes:
        paused: whether libcurl was told to wait.  It keeps the chunk that it had.
        body_too_large: whether the body was refused for its length.
    """

    #: Bytes at which libcurl is told to wait.
    max_buffer_size = 262144

    def __init__(
        self,
        client: "CurlAsyncHTTPClient",
        curl: Any,
        callback: Callable[[bytes], object] | None,
    ) -> None:
        self._client = client
        self._curl = curl
        self._callback = callback
        self._context = contextvars.copy_context()
        self._waiting: deque[tuple[Callable[[Any], object], bytes | str]] = deque()
        self._size = 0
        self._total = 0
        self.paused = False
        self.body_too_large = False

    def write(self, chunk: bytes) -> int:
        """Take a chunk of the body, as libcurl's write callback."""
        size = len(chunk)
        if self._total + size > self._client.max_body_size:
            self.body_too_large = True
            return 0  # fewer than were given: libcurl gives up
        if self._size >= self.max_buffer_size:
            self.paused = True
            return int(pycurl.WRITEFUNC_PAUSE)
        self._total += size
        self._size += size
        assert self._callback is not None
        self._put(self._callback, chunk)
        return size

    def put_header(self, callback: Callable[[str], object], line: bytes) -> None:
        """Take a header line; libcurl limits how many there are."""
        self._put(callback, line.decode("latin-1"))

    def _put(self, callback: Callable[[Any], object], data: bytes | str) -> None:
        if not self._waiting:
            self._client.io_loop.add_callback(self.flush)
        self._waiting.append((callback, data))

    def flush(self) -> None:
        """Hand over what is there, and let libcurl go on."""
        waiting = self._waiting
        while waiting:
            callback, data = waiting.popleft()
            try:
                self._context.run(callback, data)
            except Exception:
                self._client.handle_callback_exception(callback)
        self._size = 0
        if self.paused:
            self.paused = False
            self._resume()

    def _resume(self) -> None:
        try:
            self._curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error:
            return  # the transfer failed meanwhile, which its end will tell
        # Not every libcurl asks for this by itself.
        self._client._set_timeout(0)

    def close(self) -> None:
        """Forget the rest, and the handle: the transfer is over."""
        self._waiting.clear()
        self.paused = False
        self._curl = self._callback = None
