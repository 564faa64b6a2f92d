"""Streams: reading and writing without blocking, on sockets, pipes and Twisted transports.

`IOStream` is a Twisted protocol around any ``ITransport``, and brings about one for a socket.
Protocol engines use it in push mode (`BaseIOStream.set_consumer`), everybody else through
``await stream.read_until(...)`` and its family.

Sources: Tornado 2.3's documentation, chapter 3.2; Tornado 6's ``tornado.iostream``.
"""

from txtornado.iostream._base import BaseIOStream
from txtornado.iostream._buffers import WriteBuffer
from txtornado.iostream._errors import (
    StreamBufferFullError,
    StreamClosedError,
    UnsatisfiableReadError,
)
from txtornado.iostream._fd import PipeIOStream
from txtornado.iostream._socket import IOStream
from txtornado.iostream._ssl import SSLIOStream

__all__ = [
    "BaseIOStream",
    "IOStream",
    "PipeIOStream",
    "SSLIOStream",
    "StreamBufferFullError",
    "StreamClosedError",
    "UnsatisfiableReadError",
    "doctests",
]

#: Tornado's name for it, which its test suite looks for.
_StreamBuffer = WriteBuffer


def doctests() -> object:
    """The doctests of this module, for a test runner (Tornado 3.0)."""
    import doctest

    import txtornado.iostream

    return doctest.DocTestSuite(txtornado.iostream)
