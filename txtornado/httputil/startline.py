"""The first line of a message (RFC 9112, sections 3 and 4)."""

from typing import NamedTuple

from txtornado.httputil.errors import HTTPInputError
from txtornado.httputil.grammar import Grammar

__all__ = [
    "RequestStartLine",
    "ResponseStartLine",
    "parse_request_start_line",
    "parse_response_start_line",
]


class RequestStartLine(NamedTuple):
    """A request's method, target and version (``HTTP/1.1``).  Since Tornado 4.0."""

    method: str
    path: str
    version: str


class ResponseStartLine(NamedTuple):
    """A response's version (``HTTP/1.1``), status and reason.  Since Tornado 4.0."""

    version: str
    code: int
    reason: str


def parse_request_start_line(line: str) -> RequestStartLine:
    """Take an HTTP/1.x request line, without its line end, apart.  Since Tornado 4.0.

    >>> parse_request_start_line("GET /foo HTTP/1.1")
    RequestStartLine(method='GET', path='/foo', version='HTTP/1.1')

    Raises:
        HTTPInputError: for a malformed line or another major version.
    """
    match = Grammar.request_line.fullmatch(line)
    if match is None:
        raise HTTPInputError("Malformed HTTP request line")
    method, path, version = match.groups()
    _check_version(version)
    return RequestStartLine(method, path, version)


def parse_response_start_line(line: str) -> ResponseStartLine:
    """Take an HTTP/1.x status line, without its line end, apart.  Since Tornado 4.0.

    ``reason`` may be empty.

    >>> parse_response_start_line("HTTP/1.1 200 OK")
    ResponseStartLine(version='HTTP/1.1', code=200, reason='OK')

    Raises:
        HTTPInputError: for a malformed line or another major version.
    """
    match = Grammar.status_line.fullmatch(line)
    if match is None:
        raise HTTPInputError("Malformed HTTP status line")
    version, code, reason = match.groups()
    _check_version(version)
    return ResponseStartLine(version, int(code), reason or "")


def _check_version(version: str) -> None:
    if not version.startswith("HTTP/1."):
        raise HTTPInputError(f"Unexpected HTTP version {version!r}")
