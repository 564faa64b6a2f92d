"""Response headers: what every response starts with, and what a header value may be."""

from __future__ import annotations

import datetime
import numbers
import re
import time
from typing import Any, overload

from txtornado import httputil
from txtornado._version import version
from txtornado.web._conditional import content_etag

__all__ = [
    "HeaderValue",
    "LazyHeaders",
    "clear_representation_headers",
    "convert_value",
    "default_headers",
    "plain_response",
    "start_line",
]

HeaderValue = bytes | str | int | numbers.Integral | datetime.datetime

SERVER = f"TornadoServer/{version}"
HTML = "text/html; charset=UTF-8"

_VALUE = re.compile(r"[\x09\x20-\x7e\x80-\xff]*")
# RFC 9110 section 15.4.5: a 304 leaves these out, and a 204 has nothing to describe.
_REPRESENTATION = (
    "Allow",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Last-Modified",
)


class _Defaults:
    """The headers of a fresh response, remade once a second for ``Date``."""

    second = -1
    headers = httputil.HTTPHeaders()

    def remake(self, second: int) -> httputil.HTTPHeaders:
        self.second = second
        self.headers = httputil.HTTPHeaders(
            {"Server": SERVER, "Content-Type": HTML, "Date": httputil.format_timestamp(second)}
        )
        return self.headers


_defaults = _Defaults()


class _PlainHeads(dict[str | None, bytes]):
    """What plain responses begin with, by content type, remade once a second for ``Date``."""

    second = -1

    def __missing__(self, content_type: str | None) -> bytes:
        headers = default_headers()
        if content_type is not None:
            headers["Content-Type"] = content_type
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        self[content_type] = head = f"HTTP/1.1 200 OK\r\n{''.join(lines)}".encode("latin-1")
        return head


_plain_heads = _PlainHeads()


#: For small bodies that were sent with their etag, as they often come again: the etag, and what
#: follows a plain head.
_small_tails: dict[bytes, tuple[str, bytes]] = {}
_SMALL_BODY = 256
_MAX_SMALL_TAILS = 256


def plain_response(
    body: bytes,
    with_etag: bool,
    content_type: str | None,
    more: str = "",
    cookies: dict[str, str] | None = None,
) -> tuple[str | None, bytes]:
    """A whole response: 200, with the headers that every response starts with.

    What the arguments name comes in where it would in `HTTPHeaders`; ``more`` are lines.

    Returns:
        the etag of ``body``, if it was wanted, and the response.
    """
    second = int(time.time())
    if second != _plain_heads.second:
        _plain_heads.clear()
        _plain_heads.second = second
    head = _plain_heads[content_type]
    if (
        with_etag
        and cookies is None
        and not more
        and len(body) <= _SMALL_BODY
        and type(body) is bytes  # programs that write past `write` may come with other buffers
    ):
        known, tail = _small_tails.get(body) or _small_tail(body)
        return known, head + tail
    etag = content_etag((body,)) if with_etag else None
    return etag, head + _tail(body, etag, more, cookies)


def _tail(
    body: bytes, etag: str | None, more: str = "", cookies: dict[str, str] | None = None
) -> bytes:
    if etag is not None:
        more += f"Etag: {etag}\r\n"
    more += f"Content-Length: {len(body)}\r\n"
    if cookies is not None:
        more += "".join([f"Set-Cookie: {cookie}\r\n" for cookie in cookies.values()])
    return b"".join((more.encode("latin-1"), b"\r\n", body))


def _small_tail(body: bytes) -> tuple[str, bytes]:
    if len(_small_tails) >= _MAX_SMALL_TAILS:
        _small_tails.clear()
    etag = content_etag((body,))
    _small_tails[body] = found = (etag, _tail(body, etag))
    return found


class LazyHeaders:
    """``RequestHandler._headers``: made when somebody asks for them.

    Few handlers of short responses do; then the headers are never made (`plain_response`).
    What such a response was sent with can be read all the same.
    """

    @overload
    def __get__(self, handler: None, owner: type) -> LazyHeaders: ...

    @overload
    def __get__(self, handler: object, owner: type) -> httputil.HTTPHeaders: ...

    def __get__(self, handler: Any, owner: type) -> Any:
        if handler is None:
            return self
        headers = handler._made_headers
        return self._make(handler) if headers is None else headers

    def __set__(self, handler: Any, headers: httputil.HTTPHeaders) -> None:
        handler._made_headers = headers

    def _make(self, handler: Any) -> httputil.HTTPHeaders:
        headers = handler._made_headers = default_headers()
        if handler._plain_type is not None:
            headers["Content-Type"] = handler._plain_type
        for line in handler._plain_more.splitlines():
            name, _, value = line.partition(": ")
            headers[name] = value
        if handler._sent_plain is not None:
            etag, length = handler._sent_plain
            if etag is not None:
                headers["Etag"] = etag
            headers["Content-Length"] = str(length)
            for cookie in (handler._new_cookies or {}).values():
                headers.add("Set-Cookie", cookie)
        return headers


def default_headers() -> httputil.HTTPHeaders:
    """Return new headers with ``Server``, ``Content-Type`` and ``Date``."""
    second = int(time.time())
    if second == _defaults.second:
        return _defaults.headers.copy()
    return _defaults.remake(second).copy()


def convert_value(value: HeaderValue) -> str:
    """Turn what `RequestHandler.set_header` takes into the text of a header.

    Bytes are taken as latin-1, as they stand on the wire; a ``datetime`` is formatted as
    HTTP dates are (RFC 9110 section 5.6.7).

    Raises:
        TypeError: the value is of another type.
        ValueError: it holds a control character, which could start a header of its own,
            or a character beyond U+00FF.
    """
    if isinstance(value, str):
        text = value
    elif isinstance(value, bytes):
        text = value.decode("latin1")
    elif isinstance(value, int):
        return str(value)
    elif isinstance(value, datetime.datetime):
        return httputil.format_timestamp(value)
    elif isinstance(value, numbers.Integral):
        return str(value)
    else:
        raise TypeError(f"Unsupported header value {value!r}")
    if _VALUE.fullmatch(text) is None:
        raise ValueError(f"Unsafe header value {text!r}")
    return text


def clear_representation_headers(headers: httputil.HTTPHeaders) -> None:
    """Remove the headers that describe a body, for a response that has none."""
    for name in _REPRESENTATION:
        if name in headers:
            del headers[name]


_start_lines: dict[tuple[int, str], httputil.ResponseStartLine] = {}


def start_line(status_code: int, reason: str) -> httputil.ResponseStartLine:
    """The start line of a response; the common ones are made once."""
    try:
        return _start_lines[status_code, reason]
    except KeyError:
        line = httputil.ResponseStartLine("", status_code, reason)
        if len(_start_lines) < 200:
            _start_lines[status_code, reason] = line
        return line
