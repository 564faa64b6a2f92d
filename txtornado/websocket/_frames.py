"""Frames as bytes: headers, masks and the contents of close frames (RFC 6455, section 5).

Masking is what costs most on a small frame, so it takes the C function of the ``websockets``
package where that is installed (0.1 microseconds for 32 bytes) and otherwise XORs the bytes as
one big integer (0.7 microseconds, and linear in the size).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from txtornado.util import _websocket_mask
from txtornado.websocket._errors import ProtocolViolation

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "apply_mask",
    "close_payload",
    "frame",
    "may_be_received",
    "may_be_sent",
    "message_frame",
    "parse_close",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10

#: The most bytes in a control frame.
CONTROL_LIMIT = 125


def _mask_by_integer(data: bytes, mask: bytes) -> bytes:
    return _websocket_mask(mask, data)


apply_mask: Callable[[bytes, bytes], bytes]
"""``data`` XORed with the repeated four bytes of ``mask``."""
try:
    from websockets.speedups import apply_mask  # type: ignore[import-not-found, import-untyped, no-redef, unused-ignore]
except ImportError:
    apply_mask = _mask_by_integer


_SHORT_HEADS = {
    opcode: [bytes((FIN | opcode, size)) for size in range(126)] for opcode in (TEXT, BINARY)
}


def message_frame(opcode: int, payload: bytes) -> bytes:
    """A server's message in one frame, neither masked nor compressed."""
    size = len(payload)
    if size <= CONTROL_LIMIT:
        return _SHORT_HEADS[opcode][size] + payload
    return frame(FIN | opcode, payload, False)


def frame(first: int, payload: bytes, mask: bool) -> bytes:
    """One frame.

    Args:
        first: FIN, the RSV bits and the opcode.
        payload: what it carries.
        mask: whether to mask it, with a new random mask; clients must.
    """
    size = len(payload)
    bit = 0x80 if mask else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 0x10000:
        head = bytes((first, bit | 126, size >> 8, size & 0xFF))
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + apply_mask(payload, key)


# Registered status codes that stand for something no close frame can tell.
_NEVER_SENT = frozenset((1004, 1005, 1006, 1015))


def may_be_sent(code: int) -> bool:
    """Whether a close frame may carry ``code`` (RFC 6455, section 7.4, and IANA's registry)."""
    return (1000 <= code <= 1014 and code not in _NEVER_SENT) or 3000 <= code <= 4999


may_be_received = may_be_sent


def close_payload(code: int | None, reason: str | None) -> bytes:
    """The contents of a close frame; a reason without a code gets 1000.

    Raises:
        ValueError: ``code`` must not be sent, or ``reason`` has more than 123 bytes in UTF-8.
    """
    if code is None:
        if reason is None:
            return b""
        code = 1000
    if not may_be_sent(code):
        raise ValueError(f"a close frame must not carry the status code {code}")
    data = code.to_bytes(2, "big") + (reason or "").encode("utf-8")
    if len(data) > CONTROL_LIMIT:
        raise ValueError(f"the reason for closing has {len(data) - 2} bytes; 123 are the most")
    return data


def parse_close(payload: bytes) -> tuple[int | None, str | None]:
    """The code and the reason in a close frame; None for what is not there.

    Raises:
        ProtocolViolation: the code may not be sent, or the reason is not UTF-8.
    """
    if not payload:
        return None, None
    if len(payload) == 1:
        raise ProtocolViolation(1002, "close frame of one byte")
    code = int.from_bytes(payload[:2], "big")
    if not may_be_received(code):
        raise ProtocolViolation(1002, "forbidden close code")
    try:
        reason = payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolViolation(1007, "close reason is not UTF-8") from None
    return code, reason or None
