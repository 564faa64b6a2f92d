"""Response headers: what every response starts with, and what a header value may be."""

import datetime
import numbers
import re
import time

from txtornado import httputil
from txtornado._version import version
from txtornado.escape import utf8

__all__ = [
    "HeaderValue",
    "clear_representation_headers",
    "convert_value",
    "default_headers",
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
    elif isinstance(value, numbers.Integral):
        return str(value)
    elif isinstance(value, datetime.datetime):
        return httputil.format_timestamp(value)
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


def redirect_location(url: str | bytes) -> bytes:
    """The value of ``Location``: UTF-8 on the wire, as browsers read it."""
    return utf8(url)
