"""The headers of an opening handshake (RFC 6455, sections 4 and 9.1), without a connection."""

from __future__ import annotations

import base64
import hashlib
import re

__all__ = [
    "Extension",
    "accept_value",
    "format_extension",
    "has_token",
    "parse_extensions",
    "parse_tokens",
]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Extension = tuple[str, list[tuple[str, str | None]]]
"""A name and its parameters; the value is None where there is none."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*(?:=\s*({_TOKEN}|"(?:[^"\\]|\\.)*")\s*)?(?=[;,]|$)')
_BETWEEN = re.compile(r"[ \t,]*")
_TOKEN_ONLY = re.compile(_TOKEN)


def accept_value(key: str | bytes) -> str:
    """The ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key`` (section 4.2.2)."""
    if isinstance(key, str):
        key = key.encode("latin-1")
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def parse_tokens(header: str) -> list[str]:
    """The members of a comma-separated header."""
    return [token for part in header.split(",") if (token := part.strip())]


def has_token(header: str, token: str) -> bool:
    """Whether ``token`` (in lower case) is a member of ``header``."""
    return token in (member.lower() for member in parse_tokens(header))


def parse_extensions(header: str) -> list[Extension]:
    """Take a ``Sec-WebSocket-Extensions`` header apart.

    Raises:
        ValueError: it is malformed.
    """
    extensions: list[Extension] = []
    position, end = 0, len(header)
    name: str | None = None
    while position < end:
        if name is None:
            position = _BETWEEN.match(header, position).end()  # type: ignore[union-attr]
            if position == end:
                break
        match = _PARAMETER.match(header, position)
        if match is None:
            raise ValueError(f"not a list of extensions: {header!r}")
        token, value = match.groups()
        if name is None:
            if value is not None:
                raise ValueError(f"an extension's name has no value: {header!r}")
            name = token
            extensions.append((token, []))
        else:
            extensions[-1][1].append((token, _unquote(value)))
        position = match.end()
        if position < end:
            if header[position] == ",":
                name = None
            elif position + 1 == end:
                raise ValueError(f"not a list of extensions: {header!r}")
            position += 1
    return extensions


def _unquote(value: str | None) -> str | None:
    """A value without its quotes; in those, too, it must be a token (section 9.1)."""
    if value is None or not value.startswith('"'):
        return value
    value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if not _TOKEN_ONLY.fullmatch(value):
        raise ValueError(f"not a token: {value!r}")
    return value


def format_extension(extension: Extension) -> str:
    """An extension and its parameters as a header has them."""
    name, params = extension
    return "; ".join([name, *(n if v is None else f"{n}={v}" for n, v in params)])
