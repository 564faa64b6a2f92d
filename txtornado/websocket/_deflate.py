"""permessage-deflate (RFC 7692): agreeing on it, and doing it.

`offer`, `accept_offer` and `accept_response` are the negotiation, as plain functions between
header values and an `Agreement`; `Deflater` and `Inflater` work by one.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from txtornado.websocket._errors import ProtocolViolation, WebSocketError
from txtornado.websocket._headers import Extension, format_extension, parse_extensions

__all__ = ["Agreement", "Deflater", "Inflater", "accept_offer", "accept_response", "offer"]

NAME = "permessage-deflate"

_TAIL = b"\x00\x00\xff\xff"
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_SIZES = ("server_max_window_bits", "client_max_window_bits")
_BITS = {str(bits): bits for bits in range(8, 16)}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both ends agreed on.

    Attributes:
        server_bits: size of the server's window, as a power of two.
        client_bits: size of the client's.
        server_forgets: the server compresses each message on its own.
        client_forgets: the client does.
    """

    server_bits: int = 15
    client_bits: int = 15
    server_forgets: bool = False
    client_forgets: bool = False


def offer(options: Mapping[str, Any]) -> str:
    """A client's ``Sec-WebSocket-Extensions``, as ``options`` want it."""
    params: Extension = (NAME, [])
    for flag in _FLAGS:
        if options.get(flag):
            params[1].append((flag, None))
    for size in _SIZES:
        if options.get(size):
            params[1].append((size, str(_checked(size, options[size]))))
        elif size == "client_max_window_bits":
            params[1].append((size, None))  # we are able to, should the server want it
    return format_extension(params)


def accept_offer(
    header: str, options: Mapping[str, Any]
) -> tuple[str, Agreement] | tuple[None, None]:
    """A server's choice among the offers in ``header``: the response's header, and what it means.

    The first offer that can be met is taken (RFC 7692, section 7.1).

    Raises:
        ValueError: the header is malformed.
    """
    for name, params in parse_extensions(header):
        if name == NAME:
            known = _parameters(params)
            agreed = None if known is None else _meet(known, options)
            if agreed is not None:
                return agreed
    return None, None


def _meet(known: dict[str, int | bool], options: Mapping[str, Any]) -> tuple[str, Agreement] | None:
    if known.get("server_max_window_bits") is True:
        return None  # it has to say how many
    agreed: list[tuple[str, str | None]] = [
        (flag, None) for flag in _FLAGS if flag in known or options.get(flag)
    ]
    wanted = options.get("server_max_window_bits")
    server_bits = _least(_checked("server_max_window_bits", wanted), known.get(_SIZES[0]))
    if server_bits < 15 or "server_max_window_bits" in known:
        agreed.append(("server_max_window_bits", str(server_bits)))
    client_bits = 15
    if "client_max_window_bits" in known:
        wanted = options.get("client_max_window_bits")
        client_bits = _least(_checked("client_max_window_bits", wanted), known[_SIZES[1]])
        if client_bits < 15:
            agreed.append(("client_max_window_bits", str(client_bits)))
    names = {name for name, _ in agreed}
    return format_extension((NAME, agreed)), Agreement(
        server_bits,
        client_bits,
        "server_no_context_takeover" in names,
        "client_no_context_takeover" in names,
    )


def accept_response(header: str, options: Mapping[str, Any] | None) -> Agreement | None:
    """What a server's ``Sec-WebSocket-Extensions`` means to a client that sent `offer`.

    Args:
        header: the header; None comes of an empty one.
        options: what the offer was made of, or None when nothing was offered.

    Raises:
        WebSocketError: the server answered what was not offered.
    """
    try:
        extensions = parse_extensions(header)
    except ValueError as error:
        raise WebSocketError(f"malformed Sec-WebSocket-Extensions: {error}") from None
    if not extensions:
        return None
    if options is None or len(extensions) > 1 or extensions[0][0] != NAME:
        raise WebSocketError(f"the server chose an extension that was not offered: {header}")
    known = _parameters(extensions[0][1])
    if known is None or any(known.get(size) is True for size in _SIZES):
        raise WebSocketError(f"the server answered with bad parameters: {header}")
    limit = options.get("server_max_window_bits") or 15
    server_bits = int(known.get("server_max_window_bits", 15))
    if server_bits > limit:
        raise WebSocketError(f"the server insists on a larger window than {limit} bits: {header}")
    if options.get("server_no_context_takeover") and "server_no_context_takeover" not in known:
        raise WebSocketError(f"the server insists on keeping its context: {header}")
    return Agreement(
        server_bits,
        _least(options.get("client_max_window_bits"), known.get("client_max_window_bits")),
        "server_no_context_takeover" in known,
        "client_no_context_takeover" in known or bool(options.get("client_no_context_takeover")),
    )


def _parameters(params: list[tuple[str, str | None]]) -> dict[str, int | bool] | None:
    """The parameters with their values; None when there is one that must not be."""
    known: dict[str, int | bool] = {}
    for name, value in params:
        if name in known:
            return None
        if name in _FLAGS and value is None:
            known[name] = True
        elif name in _SIZES and (value is None or value in _BITS):
            known[name] = True if value is None else _BITS[value]
        else:
            return None
    return known


def _least(*sizes: Any) -> int:
    return min((size for size in sizes if size and size is not True), default=15)


def _checked(name: str, bits: Any) -> Any:
    if bits is not None and bits not in range(8, 16):
        raise ValueError(f"{name} must be a number from 8 to 15, not {bits!r}")
    return bits


class Deflater:
    """Compresses messages.

    A window of 8 bits is more than zlib can do: messages then go out as they are, which is always
    allowed.

    Args:
        bits: size of the window.
        forgets: compress each message on its own.
        options: ``compression_level`` (zlib's, default 6) and ``mem_level`` (default 8).
    """

    __slots__ = ("_context", "forgets", "settings")

    def __init__(self, bits: int, forgets: bool, options: Mapping[str, Any]) -> None:
        level = options.get("compression_level")
        mem_level = options.get("mem_level")
        #: What the output depends on, context aside.
        self.settings = (
            6 if level is None else int(level),
            bits,
            8 if mem_level is None else int(mem_level),
        )
        self.forgets = forgets
        self._context: Any = None

    @property
    def able(self) -> bool:
        """Whether it can compress at all."""
        return self.settings[1] > 8

    def compress(self, data: bytes) -> bytes:
        """The compressed message (RFC 7692, section 7.2.1)."""
        context = self._context
        if context is None:
            context = new_compressor(self.settings)
            if not self.forgets:
                self._context = context
        return finish_message(context, data)

    def forget(self) -> None:
        """Start afresh: the peer has seen messages that this object has not."""
        self._context = None


def new_compressor(settings: tuple[int, int, int]) -> Any:
    level, bits, mem_level = settings
    return zlib.compressobj(level, zlib.DEFLATED, -bits, mem_level)


def finish_message(context: Any, data: bytes) -> bytes:
    compressed: bytes = context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH)
    assert compressed.endswith(_TAIL)
    return compressed[:-4]


class Inflater:
    """Decompresses messages, piece by piece and never to more than a limit.

    Args:
        bits: size of the peer's window.
        forgets: each message was compressed on its own.
    """

    __slots__ = ("_bits", "_context", "_forgets")

    def __init__(self, bits: int, forgets: bool) -> None:
        self._bits = bits
        self._forgets = forgets
        self._context: Any = None

    def decompress(self, data: bytes, limit: int) -> bytes:
        """What ``data``, a part of a message, comes to.

        Raises:
            ProtocolViolation: it is not deflate, or comes to more than ``limit`` bytes.
        """
        out = b""
        while data:
            context = self._context
            if context is None:
                context = self._context = zlib.decompressobj(-self._bits)
            try:
                out += context.decompress(data, limit - len(out) + 1)
            except zlib.error:
                raise ProtocolViolation(1007, "malformed compressed data") from None
            if len(out) > limit:
                raise ProtocolViolation(1009, "message too big")
            data = context.unconsumed_tail
            if context.eof:
                # A final block, though it ends no stream here (RFC 7692, section 7.2.3.5).
                data = context.unused_data
                self._context = None
        return out

    def whole(self, data: bytes, limit: int) -> bytes:
        """What a whole message comes to; see `decompress`."""
        out = self.decompress(data + _TAIL, limit)
        if self._forgets:
            self._context = None
        return out

    def finish(self, limit: int) -> bytes:
        """The last part of a message (RFC 7692, section 7.2.2)."""
        return self.whole(b"", limit)
