"""`HTTPServerRequest`: what the client asked for.

Constructing one is on the path of every request, so that only what routing and logging
need is set at once; arguments, cookies, files are made when somebody asks.  What a client
can get wrong in the head (the ``Host``, too many arguments) is refused in the constructor
all the same, for a server can still answer with status 400 there.
"""

from __future__ import annotations

import http.cookies
import ssl
import time
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

from txtornado.concurrent import Future, with_callback
from txtornado.escape import parse_qs_bytes
from txtornado.httputil.cookies import parse_cookie
from txtornado.httputil.errors import HTTPInputError
from txtornado.httputil.forms import (
    HTTPFile,
    check_field_count,
    get_parse_body_config,
    parse_body_arguments,
)
from txtornado.httputil.grammar import Grammar
from txtornado.httputil.headers import HTTPHeaders
from txtornado.httputil.interfaces import HTTPConnection
from txtornado.httputil.pieces import Pieces
from txtornado.httputil.startline import RequestStartLine
from txtornado.httputil.urls import split_host_and_port

__all__ = ["HTTPServerRequest"]

_T = TypeVar("_T")

_MAX_KNOWN_HOSTS = 200


class _HostNames(dict[str, str]):
    """Maps a ``Host`` header that is in order to its name; the recent ones are kept."""

    def __missing__(self, host: str) -> str:
        if not Grammar.host.fullmatch(host):
            raise HTTPInputError(f"Invalid Host header: {host!r}")
        if "," in host:
            raise HTTPInputError(f"Multiple host headers not allowed: {host!r}")
        name = split_host_and_port(host.lower())[0]
        if len(host) <= 255:
            if len(self) >= _MAX_KNOWN_HOSTS:
                self.clear()
            self[host] = name
        return name


_HOST_NAMES = _HostNames()


class _lazy(Generic[_T]):
    """An attribute that is made when it is first read, and can be set as any other."""

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._kept = f"_{name}"
        setattr(owner, self._kept, None)

    @overload
    def __get__(self, instance: None, owner: type) -> _lazy[_T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _T: ...

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        value = getattr(instance, self._kept)
        if value is None:
            value = self._make(instance)
            setattr(instance, self._kept, value)
        return value

    def __set__(self, instance: object, value: _T) -> None:
        setattr(instance, self._kept, value)


class HTTPServerRequest:
    """A request as a server received it.

    Before Tornado 4.0 this was ``tornado.httpserver.HTTPRequest``.

    Args:
        method: like ``GET``; only without ``start_line``.
        uri: path and query as sent; only without ``start_line``.
        version: like ``HTTP/1.1``; only without ``start_line``.
        headers: none by default.
        body: the body as far as it is known.
        host: in place of the ``Host`` header.
        files: uploaded files, by field name.
        connection: where the response goes; its ``context`` tells ``remote_ip`` and
            ``protocol``.
        start_line: method, target and version (Tornado 4.0).
        server_connection: stands for the connection over all its requests (Tornado 4.0).
        remote_ip: in place of what the connection tells (Tornado 2.3).
        protocol: in place of what the connection tells (Tornado 2.3).

    Raises:
        HTTPInputError: for a bad or repeated ``Host``, none in HTTP/1.1, and for more
            query arguments than `ParseUrlEncodedConfig` allows.
    """

    method: str
    #: The target as sent.
    uri: str
    #: The target up to the first ``?``.
    path: str
    #: What follows it, or an empty string.
    query: str
    version: str
    headers: HTTPHeaders
    #: The client's address, from a proxy's headers when the server believes them.
    remote_ip: str | None = None
    #: ``http`` or ``https``, likewise.
    protocol: str = "http"
    #: The ``Host`` header.
    host: str
    #: The same in lower case without the port.
    host_name: str
    connection: HTTPConnection | None = None
    server_connection: object | None = None
    _body: bytes = b""
    # The body, as long as it is not joined.
    _pieces: Pieces | None = None
    # What is made on demand, once it is; see `_lazy`.
    _arguments: dict[str, list[bytes]] | None
    _body_arguments: dict[str, list[bytes]] | None
    _cookies: dict[str, http.cookies.Morsel[str]] | None
    _start_time: float
    _finish_time: float | None = None

    def __init__(
        self,
        method: str | None = None,
        uri: str | None = None,
        version: str = "HTTP/1.0",
        headers: HTTPHeaders | None = None,
        body: bytes | None = None,
        host: str | None = None,
        files: dict[str, list[HTTPFile]] | None = None,
        connection: HTTPConnection | None = None,
        start_line: RequestStartLine | None = None,
        server_connection: object | None = None,
        *,
        remote_ip: str | None = None,
        protocol: str | None = None,
    ) -> None:
        if start_line is None:
            start_line = RequestStartLine(method or "GET", "/" if uri is None else uri, version)
        if headers is None:
            headers = HTTPHeaders()
        self._begin(start_line, headers, host, connection)
        if server_connection is not None:
            self.server_connection = server_connection
        if body is not None:
            self._body = body
        if files is not None:
            self.files = files
        if remote_ip is not None:
            self.remote_ip = remote_ip
        if protocol is not None:
            self.protocol = protocol

    @classmethod
    def received(
        cls,
        start_line: RequestStartLine,
        headers: HTTPHeaders,
        connection: HTTPConnection | None,
        server_connection: object,
    ) -> Self:
        """A request of which a connection has just received the head; ours.

        The same as the constructor with these arguments, in less time.
        """
        self = cls.__new__(cls)
        self._begin(start_line, headers, None, connection)
        self.server_connection = server_connection
        return self

    def _begin(
        self,
        start_line: RequestStartLine,
        headers: HTTPHeaders,
        host: str | None,
        connection: HTTPConnection | None,
    ) -> None:
        """Set what every request has."""
        self.method, self.uri, self.version = start_line
        self.path, _, self.query = self.uri.partition("?")
        self.headers = headers
        if host is None:
            host = headers.get("Host")
            if host is None:
                host = self._default_host()
        self.host = host
        self.host_name = _HOST_NAMES[host]
        if connection is not None:
            self.connection = connection
            try:
                context = connection.context  # type: ignore[attr-defined]
                self.protocol = context.protocol
                self.remote_ip = context.remote_ip
            except AttributeError:  # others' connections may lack any of this
                context = getattr(connection, "context", None)
                self.protocol = getattr(context, "protocol", "http")
                self.remote_ip = getattr(context, "remote_ip", None)
        if self.query:
            check_field_count(self.query, get_parse_body_config().urlencoded.max_arguments)
        self._start_time = time.time()

    def _default_host(self) -> str:
        """What stands for a ``Host`` header that is not there."""
        if self.version != "HTTP/1.0":
            raise HTTPInputError("Missing Host header")
        return "127.0.0.1"

    # -- what is made on demand ---------------------------------------------------------

    @property
    def body(self) -> bytes:
        """The body as far as it is known; all of it, unless the handler takes it in pieces."""
        pieces = self._pieces
        if pieces is not None:
            self._body = pieces.whole()
            self._pieces = None
        return self._body

    @body.setter
    def body(self, body: bytes) -> None:
        self._body = body
        self._pieces = None

    def _take_body(self, pieces: list[bytes]) -> None:
        """The whole body, in the pieces in which it came; joined if somebody asks for it."""
        if len(pieces) == 1:
            self._body = pieces[0]
        else:
            self._pieces = Pieces(pieces)

    @_lazy
    def query_arguments(self) -> dict[str, list[bytes]]:
        """The arguments of the query string: names to lists of values; Tornado 3.2."""
        if not self.query:
            return {}
        return parse_qs_bytes(self.query, keep_blank_values=True)

    @_lazy
    def body_arguments(self) -> dict[str, list[bytes]]:
        """The arguments of a form's body: names to lists of values; Tornado 3.2."""
        return {}

    @_lazy
    def arguments(self) -> dict[str, list[bytes]]:
        """The arguments of query and body together: names to lists of values."""
        first = self.query_arguments or self.body_arguments
        arguments = {name: values[:] for name, values in first.items()}
        if first is self.query_arguments:
            _extend(arguments, self.body_arguments)
        return arguments

    def all_arguments(self) -> dict[str, list[bytes]]:
        """What `arguments` are, to be read only; mostly not made for that; ours."""
        if self._arguments is not None:
            return self._arguments
        body = self._body_arguments
        if not body:
            return self.query_arguments
        return self.arguments if self.query else body

    @_lazy
    def files(self) -> dict[str, list[HTTPFile]]:
        """The uploaded files: names of fields to lists of `HTTPFile`."""
        return {}

    @_lazy
    def cookies(self) -> dict[str, http.cookies.Morsel[str]]:
        """The cookies: names to ``http.cookies.Morsel``; those with bad names are left out."""
        cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        for name, value in self.cookie_values.items():
            try:
                cookies[name] = value
            except http.cookies.CookieError:
                continue
        return cookies

    @_lazy
    def cookie_values(self) -> dict[str, str]:
        """The cookies as plain text, names to values, as the client sent them; ours."""
        if "Cookie" not in self.headers:
            return {}
        return parse_cookie(";".join(self.headers.get_list("Cookie")))

    def get_cookie_value(self, name: str) -> str | None:
        """Return ``cookies[name].value``, or None, without making all the others; ours."""
        if self._cookies is not None:
            morsel = self.cookies.get(name)
            return None if morsel is None else morsel.value
        value = self.cookie_values.get(name)
        if value is not None:
            try:
                http.cookies.Morsel[str]().set(name, value, value)
            except http.cookies.CookieError:
                return None
        return value

    def _parse_body(self) -> None:
        """Take a form's body apart, once ``body`` is complete.

        Raises:
            HTTPInputError: for a malformed form.
        """
        content_type = self.headers.get("Content-Type")
        if not content_type:
            return
        parsed: dict[str, list[bytes]] = {}
        body = self._body if self._pieces is None else self._pieces
        parse_body_arguments(content_type, body, parsed, self.files, self.headers)
        if not parsed:
            return
        if self._body_arguments is not None:
            _extend(self._body_arguments, parsed)
        else:
            self._body_arguments = parsed
        if self._arguments is not None:
            _extend(self._arguments, parsed)

    # -- what one can ask -----------------------------------------------------------------

    def full_url(self) -> str:
        """Return the URL that was asked for, put together from protocol, host and uri."""
        return f"{self.protocol}://{self.host}{self.uri}"

    def request_time(self) -> float:
        """Return the seconds since the request came in, or that it took when finished."""
        if self._finish_time is None:
            return time.time() - self._start_time
        return self._finish_time - self._start_time

    def supports_http_1_1(self) -> bool:
        """Tell whether the client speaks HTTP/1.1.  Tornado 2.3."""
        return self.version == "HTTP/1.1"

    def get_ssl_certificate(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """Return the client's certificate, None when there is none.

        The server's ``ssl_options`` must ask for it (``verify_mode`` of an
        ``ssl.SSLContext``, ``cert_reqs`` of a dictionary).

        Args:
            binary_form: DER bytes in place of the dictionary of
                ``ssl.SSLSocket.getpeercert``.
        """
        stream = getattr(self.connection, "stream", None)
        getpeercert = getattr(getattr(stream, "socket", None), "getpeercert", None)
        if getpeercert is None:
            return None
        try:
            certificate: dict[str, Any] | bytes | None = getpeercert(binary_form=binary_form)
        except (ssl.SSLError, ValueError):
            return None
        return certificate or None

    def __repr__(self) -> str:
        # Headers have cookies and passwords in them, and this ends up in logs.
        names = ("protocol", "host", "method", "uri", "version", "remote_ip")
        attributes = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__name__}({attributes})"

    # -- Tornado 2.3's way to respond -----------------------------------------------------

    def write(
        self, chunk: bytes, callback: Callable[[], object] | None = None
    ) -> Future[None] | None:
        """Send bytes of the response, its head included.  Tornado 2.3.

        Args:
            chunk: bytes as they go over the wire.
            callback: called without arguments when they have been written.
        """
        if self.connection is None:
            raise RuntimeError("the request has no connection to write to")
        future = self.connection.write(chunk.encode("utf-8") if isinstance(chunk, str) else chunk)
        return future if callback is None else with_callback(future, callback)

    def finish(self) -> None:
        """Say that the response has been written.  Tornado 2.3."""
        if self.connection is None:
            raise RuntimeError("the request has no connection to finish")
        self.connection.finish()
        self._finish_time = time.time()


def _extend(arguments: dict[str, list[bytes]], added: dict[str, list[bytes]]) -> None:
    for name, values in added.items():
        arguments.setdefault(name, []).extend(values)
