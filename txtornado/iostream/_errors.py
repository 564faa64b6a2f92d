"""What goes wrong with a stream."""

from __future__ import annotations

import errno
import ssl

from twisted.internet import error as twisted_error

__all__ = [
    "StreamBufferFullError",
    "StreamClosedError",
    "UnsatisfiableReadError",
]


class StreamClosedError(OSError):
    """The stream is closed, so that the operation cannot be completed.

    Attributes:
        real_error: why it was closed; None when it ended in an orderly way (Tornado 4.3).
    """

    def __init__(self, real_error: BaseException | None = None) -> None:
        super().__init__("Stream is closed")
        self.real_error = real_error


class UnsatisfiableReadError(Exception):
    """A read cannot succeed any more: its ``max_bytes`` came without what it looks for."""


class StreamBufferFullError(Exception):
    """``max_buffer_size`` or ``max_write_buffer_size`` does not suffice."""


_RESETS = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT})
_ORDERLY = (twisted_error.ConnectionDone, twisted_error.ConnectionClosed)


def is_reset(error: BaseException) -> bool:
    """True when the peer just went away, which is no fault of the program's.

    That includes TLS connections that end without a ``close_notify`` (RFC 8446, section 6.1).
    """
    if isinstance(error, OSError) and error.errno in _RESETS:
        return True
    return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))


def cause_of(reason: BaseException | None) -> BaseException | None:
    """What `StreamClosedError.real_error` says of the reason that a transport gave."""
    if reason is None or type(reason) in _ORDERLY:
        return None
    if isinstance(reason, twisted_error.ConnectionLost):
        return ConnectionResetError(errno.ECONNRESET, "Connection to the peer was lost")
    cause = reason.__cause__
    if isinstance(cause, (ssl.SSLError, OSError)):
        return cause
    return reason
