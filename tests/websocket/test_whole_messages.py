"""Tests for permessage-deflate on whole messages."""

import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.websocket import (
    _DecompressTooLargeError,
    _PerMessageDeflateCompressor,
    _PerMessageDeflateDecompressor,
)
from txtornado.websocket._errors import ProtocolViolation


class WholeMessageTests(SynchronousTestCase):
    """Compressing and decompressing messages in one piece."""

    @given(st.booleans(), st.integers(9, zlib.MAX_WBITS), st.lists(st.binary(max_size=500)))
    def test_round_trip(self, persistent: bool, bits: int, messages: list[bytes]) -> None:
        """What was compressed comes out again, with a context that is kept and without."""
        compressor = _PerMessageDeflateCompressor(persistent, bits)
        decompressor = _PerMessageDeflateDecompressor(persistent, bits, 500)
        for message in messages:
            self.assertEqual(decompressor.decompress(compressor.compress(message)), message)

    def test_limit(self) -> None:
        """A message of the greatest size comes through, a longer one does not."""
        for size, fits in ((100, True), (101, False), (100_000, False)):
            compressed = _PerMessageDeflateCompressor(False, None).compress(bytes(size))
            decompressor = _PerMessageDeflateDecompressor(False, None, 100)
            if fits:
                self.assertEqual(decompressor.decompress(compressed), bytes(size))
            else:
                self.assertRaises(_DecompressTooLargeError, decompressor.decompress, compressed)

    def test_malformed(self) -> None:
        """What is not deflate is a violation of the protocol."""
        decompressor = _PerMessageDeflateDecompressor(False, None, 100)
        self.assertRaises(ProtocolViolation, decompressor.decompress, b"\xff" * 10)
