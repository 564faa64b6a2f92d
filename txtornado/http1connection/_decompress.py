"""Bodies with ``Content-Encoding: gzip`` or ``deflate``, decoded on their way to a delegate.

A few compressed bytes can stand for gigabytes.  Nothing is decompressed further than the next
``chunk_size`` bytes, each of which is handed on (and waited for) before the next, and the sum is
held against the limit of the body.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from txtornado.concurrent import as_future
from txtornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from txtornado.util import GzipDecompressor

__all__ = ["DecompressingDelegate"]


class _Decompressor(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, value: bytes, max_length: int) -> bytes: ...

    def flush(self) -> bytes: ...


class DeflateDecompressor:
    """The ``deflate`` coding: a zlib stream (RFC 9110, section 8.4.1.2).

    Some senders leave zlib's header out; which it is shows in the first two bytes.
    """

    def __init__(self) -> None:
        self._stream: Any = None
        self._start = b""
        self.unconsumed_tail = b""

    def decompress(self, value: bytes, max_length: int) -> bytes:
        """Like `txtornado.util.GzipDecompressor.decompress`."""
        if self._stream is None:
            value = self._start + value
            if len(value) < 2:
                self._start = value
                self.unconsumed_tail = b""
                return b""
            self._start = b""
            wrapped = value[0] & 15 == 8 and not (value[0] * 256 + value[1]) % 31
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        data: bytes = self._stream.decompress(value, max_length)
        self.unconsumed_tail = self._stream.unconsumed_tail
        if self._stream.unused_data:
            raise zlib.error("data after the end of the deflate stream")
        return data

    def flush(self) -> bytes:
        """Check that the stream was complete.

        Raises:
            zlib.error: it was not.
        """
        if self._start or (self._stream is not None and not self._stream.eof):
            raise zlib.error("incomplete deflate stream")
        return b""


_CODINGS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": GzipDecompressor,
    "x-gzip": GzipDecompressor,
    "deflate": DeflateDecompressor,
}


class DecompressingDelegate(HTTPMessageDelegate):
    """Decodes the body before ``delegate`` gets it.

    The header that named the coding moves to ``X-Consumed-Content-Encoding``.

    Args:
        delegate: gets everything.
        chunk_size: the most bytes it gets at once.
        limit: tells how many bytes the decoded body may have.
    """

    def __init__(
        self, delegate: HTTPMessageDelegate, chunk_size: int, limit: Callable[[], int]
    ) -> None:
        self._delegate = delegate
        self._chunk_size = chunk_size
        self._limit = limit
        self._decompressor: _Decompressor | None = None
        self._coding = ""
        self._total = 0

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """See `~txtornado.httputil.HTTPMessageDelegate`."""
        encoding = headers.get("Content-Encoding")
        if encoding is not None:
            make = _CODINGS.get(encoding.lower())
            if make is not None:
                self._decompressor = make()
                self._coding = "deflate" if make is DeflateDecompressor else "gzip"
                headers.add("X-Consumed-Content-Encoding", encoding)
                del headers["Content-Encoding"]
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """See `~txtornado.httputil.HTTPMessageDelegate`."""
        if self._decompressor is None:
            return self._delegate.data_received(chunk)
        return self._decompress(self._decompressor, chunk)

    def _decompress(self, decompressor: _Decompressor, data: bytes) -> Awaitable[None] | None:
        while data:
            try:
                chunk = decompressor.decompress(data, self._chunk_size)
            except zlib.error as error:
                raise HTTPInputError(f"invalid {self._coding} data: {error}") from None
            data = decompressor.unconsumed_tail
            if not chunk:
                continue
            self._total += len(chunk)
            if self._total > self._limit():
                raise HTTPInputError("decompressed body too large")
            wait = self._delegate.data_received(chunk)
            if wait is not None:
                return self._decompress_after(wait, decompressor, data)
        return None

    async def _decompress_after(
        self, wait: Awaitable[None], decompressor: _Decompressor, data: bytes
    ) -> None:
        await as_future(wait)
        more = self._decompress(decompressor, data)
        if more is not None:
            await more

    def finish(self) -> None:
        """See `~txtornado.httputil.HTTPMessageDelegate`."""
        if self._decompressor is not None:
            try:
                self._decompressor.flush()
            except zlib.error as error:
                raise HTTPInputError(f"invalid {self._coding} data: {error}") from None
        self._delegate.finish()

    def on_connection_close(self) -> None:
        """See `~txtornado.httputil.HTTPMessageDelegate`."""
        self._delegate.on_connection_close()
