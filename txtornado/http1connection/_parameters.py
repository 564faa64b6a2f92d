"""What an HTTP/1.x connection may be told, and what it assumes when it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txtornado.http1connection._timers import IdleWatch
    from txtornado.ioloop import IOLoop

__all__ = [
    "DEFAULT_CHUNK_SIZE",
    "DEFAULT_MAX_BODY_SIZE",
    "DEFAULT_MAX_HEADER_SIZE",
    "HTTP1ConnectionParameters",
]

DEFAULT_CHUNK_SIZE = 65536
DEFAULT_MAX_HEADER_SIZE = 65536
#: Used when neither the parameters nor the stream's ``max_buffer_size`` say otherwise.
DEFAULT_MAX_BODY_SIZE = 104857600


class HTTP1ConnectionParameters:
    """Limits and options of an `HTTP1Connection` or `HTTP1ServerConnection`.

    Args:
        no_keep_alive: close the connection after one exchange.
        chunk_size: the most bytes handed to
            `~txtornado.httputil.HTTPMessageDelegate.data_received` at once; 64 KiB by default.
        max_header_size: the most bytes of start line and headers together; 64 KiB by default.
        header_timeout: seconds to wait for a complete head, counted from the end of the last
            exchange; no limit by default.
        max_body_size: the most bytes of a body, before and after decompression; by default the
            stream's ``max_buffer_size``.
        body_timeout: seconds to wait for a whole body; no limit by default.
        decompress: decode bodies with ``Content-Encoding: gzip`` or ``deflate``.

    Since Tornado 4.0.
    """

    def __init__(
        self,
        no_keep_alive: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        header_timeout: float | None = None,
        max_body_size: int | None = None,
        body_timeout: float | None = None,
        decompress: bool = False,
    ) -> None:
        self.no_keep_alive = no_keep_alive
        self.chunk_size = chunk_size or DEFAULT_CHUNK_SIZE
        self.max_header_size = max_header_size or DEFAULT_MAX_HEADER_SIZE
        self.header_timeout = header_timeout
        self.max_body_size = max_body_size
        self.body_timeout = body_timeout
        self.decompress = decompress
        # For each loop that has connections with these parameters.
        self._watches: dict[IOLoop, IdleWatch] = {}
