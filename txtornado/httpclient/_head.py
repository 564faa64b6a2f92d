"""What a request's head says, and whether the request makes sense."""

import base64
import re
from collections.abc import Container, Iterable

from txtornado import version
from txtornado.httpclient._request import HTTPRequest
from txtornado.httpclient._target import Target
from txtornado.httputil import HTTPHeaders, RequestStartLine, encode_username_password
from txtornado.httputil.grammar import Grammar

__all__ = ["check_request", "request_head"]

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
METHODS = WITH_BODY | {"GET", "HEAD", "DELETE", "OPTIONS"}

_LINE_END = re.compile(r"[\r\n\0]")


def check_request(
    request: HTTPRequest,
    unsupported: Iterable[str] = (),
    auth_modes: Container[str] = ("basic", "digest"),
) -> None:
    """Refuse what a client cannot do, and what is probably a mistake.

    Args:
        request: with the client's defaults.
        unsupported: parameters that the client has no use for.
        auth_modes: the kinds of authentication that it knows.

    Raises:
        NotImplementedError: the request has an unsupported parameter.
        KeyError: its method is unknown.
        ValueError: it has a body where none belongs or none where one does, or authentication
            that the client does not know.
    """
    for name in unsupported:
        if getattr(request, name):
            raise NotImplementedError(
                f"{name} is not supported by this HTTP client: configure another one"
            )
    if request.auth_mode is not None and request.auth_mode not in auth_modes:
        raise ValueError(f"unsupported auth_mode {request.auth_mode!r}")
    if request.body is not None and request.body_producer is not None:
        raise ValueError("body and body_producer exclude each other")
    if request.allow_nonstandard_methods:
        return
    if request.method not in METHODS:
        raise KeyError(f"unknown method {request.method}")
    has_body = request.body is not None or request.body_producer is not None
    if has_body != (request.method in WITH_BODY):
        not_ = "" if has_body else "not "
        raise ValueError(
            f"Body must {not_}be None for method {request.method} "
            "(unless allow_nonstandard_methods is true)"
        )


def request_head(
    request: HTTPRequest, target: Target, keep_alive: bool = False, absolute: bool = False
) -> tuple[RequestStartLine, HTTPHeaders]:
    """The start line and the headers of ``request``, whose own headers are left alone.

    Args:
        request: with the client's defaults.
        target: where its URL leads.
        keep_alive: whether the connection is to be kept.
        absolute: whether to ask for the whole URL, as proxies want it (RFC 9112, section 3.2.2).

    Raises:
        ValueError: a header has characters that none may have.
    """
    # Host comes first (RFC 9110, section 7.2).
    headers = HTTPHeaders()
    headers["Host"] = request.headers.get("Host", target.authority)
    for name in request.headers:
        if not Grammar.field_name.fullmatch(name):
            raise ValueError(f"Illegal characters in header name {name!r}")
        if name != "Host":
            headers[name] = [_text(value) for value in request.headers.get_list(name)]
    if not keep_alive:
        headers.setdefault("Connection", "close")
    _authenticate(headers, request, target)
    if request.user_agent:
        headers["User-Agent"] = request.user_agent
    else:
        headers.setdefault("User-Agent", f"Tornado/{version}")
    if request.expect_100_continue:
        headers["Expect"] = "100-continue"
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    if request.method == "POST":
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    if request.decompress_response:
        headers["Accept-Encoding"] = "gzip"
    path = target.url if absolute else target.path
    return RequestStartLine(request.method, path, "HTTP/1.1"), headers


def _text(value: str | bytes) -> str:
    """Header values are sent in latin-1, so that bytes go out as they are."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if _LINE_END.search(value):
        raise ValueError(f"Illegal characters in header value {value!r}")
    return value


def _authenticate(headers: HTTPHeaders, request: HTTPRequest, target: Target) -> None:
    if request.auth_mode == "digest":
        return  # the server is asked for a challenge first
    if target.username is not None:
        username, password = target.username, target.password
    elif request.auth_username is not None:
        username, password = request.auth_username, request.auth_password or ""
    else:
        return
    credentials = base64.b64encode(encode_username_password(username, password))
    headers["Authorization"] = "Basic " + credentials.decode("ascii")
