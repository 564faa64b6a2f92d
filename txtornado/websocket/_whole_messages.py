"""permessage-deflate for whole messages, under the names that Tornado 4.1 and later use inside.

Programs that speak the protocol themselves lean on them; the engine here works with `Deflater` and
`Inflater`, on parts of messages.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from txtornado.websocket._deflate import Deflater, Inflater
from txtornado.websocket._errors import ProtocolViolation

__all__ = [
    "_DecompressTooLargeError",
    "_PerMessageDeflateCompressor",
    "_PerMessageDeflateDecompressor",
]


class _DecompressTooLargeError(Exception):
    """A message comes to more bytes than it may."""


class _PerMessageDeflateCompressor:
    """Compresses messages.

    Args:
        persistent: keep the context from one message to the next.
        max_wbits: size of the window as a power of two, from 9; None for 15.
        compression_options: see `Deflater`.
    """

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        compression_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._deflater = Deflater(
            max_wbits or zlib.MAX_WBITS, not persistent, compression_options or {}
        )

    def compress(self, data: bytes) -> bytes:
        """The compressed message."""
        return self._deflater.compress(data)


class _PerMessageDeflateDecompressor:
    """Decompresses messages.

    Args:
        persistent: the context was kept from one message to the next.
        max_wbits: size of the peer's window as a power of two; None for 15.
        max_message_size: in bytes.
        compression_options: not used.
    """

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        max_message_size: int,
        compression_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._inflater = Inflater(max_wbits or zlib.MAX_WBITS, not persistent)
        self._limit = max_message_size

    def decompress(self, data: bytes) -> bytes:
        """The message.

        Raises:
            _DecompressTooLargeError: it is too large.
            ProtocolViolation: ``data`` is not deflate.
        """
        try:
            message = self._inflater.decompress(data, self._limit)
            return message + self._inflater.finish(self._limit - len(message))
        except ProtocolViolation as error:
            if error.code == 1009:
                raise _DecompressTooLargeError(str(error)) from error
            raise
