"""What a request's parameters are in libcurl's words."""

import inspect
import re
import unicodedata
from io import BytesIO
from typing import Any

import pycurl

from txtornado import gen, version
from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._head import WITH_BODY, check_request
from txtornado.httpclient._target import Target, parse_target
from txtornado.httputil.grammar import Grammar

__all__ = ["CR_OR_LF_RE", "check", "set_up"]

#: What no header line may contain; it would begin another one.
CR_OR_LF_RE = re.compile(b"\r|\n")

_NOT_IN_URL = re.compile(r"[\r\n\0]")

UNSUPPORTED = ("body_producer", "ssl_options")
AUTH_MODES = {"basic": pycurl.HTTPAUTH_BASIC, "digest": pycurl.HTTPAUTH_DIGEST}

# libcurl takes 0 for its default of five minutes; this is as near to "never" as it gets.
_NEVER = 2**31 - 1
_HTTP_ONLY = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS

# What pycurl has no name for: CURLOPT_SUPPRESS_CONNECT_HEADERS (libcurl 7.54), and
# CURLFOLLOW_OBEYCODE (8.16): a method of one's own, too, becomes GET where the status says so.
_SUPPRESS_CONNECT_HEADERS = 265
_FOLLOW = 2 if pycurl.version_info()[2] >= 0x081000 else 1


def check(request: HTTPRequest) -> None:
    """Refuse what this client cannot do.

    Raises:
        ValueError: for an unsupported parameter, which the message names, or a wrong value.
        KeyError: the method is unknown.
        TypeError: ``streaming_callback`` is a coroutine function.
    """
    for name in UNSUPPORTED:
        if getattr(request, name) is not None:
            raise ValueError(
                f"{name} is not supported by CurlAsyncHTTPClient: configure another one"
            )
    check_request(request)
    if not Grammar.token.fullmatch(request.method):
        raise ValueError(f"Illegal characters in method {request.method!r}")
    if request.method == "HEAD" and request.body is not None:
        raise ValueError("Body must be None for method HEAD")
    if request.proxy_auth_mode not in (None, *AUTH_MODES):
        raise ValueError(f"unsupported proxy_auth_mode {request.proxy_auth_mode!r}")
    if request.proxy_host and not request.proxy_port:
        raise ValueError("proxy_host needs a proxy_port")
    for name in ("streaming_callback", "header_callback"):
        if _is_coroutine_function(getattr(request, name)):
            raise TypeError(
                f"{name} must not be a coroutine function: CurlAsyncHTTPClient does not wait for it"
            )


def _is_coroutine_function(function: Any) -> bool:
    if not inspect.isroutine(function):  # it may have been wrapped by `stack_context.wrap`
        function = getattr(function, "__wrapped__", function)
    return inspect.iscoroutinefunction(function) or gen.is_coroutine_function(function)


def set_up(curl: Any, request: HTTPRequest) -> None:
    """Set every option of ``request`` in ``curl``, a handle in its initial state.

    Raises:
        ValueError: something has characters that it may not have.
        pycurl.error: libcurl does not know an option.
    """
    if _NOT_IN_URL.search(request.url):
        raise ValueError(f"Illegal characters in url {request.url!r}")
    target = parse_target(request.url)
    setopt = curl.setopt
    setopt(pycurl.URL, f"{target.scheme}://{target.authority}{target.path}")
    setopt(pycurl.NOSIGNAL, 1)
    setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(request.connect_timeout) or _NEVER)
    setopt(pycurl.TIMEOUT_MS, _milliseconds(request.request_timeout))
    if request.follow_redirects:
        setopt(pycurl.FOLLOWLOCATION, _FOLLOW)
        setopt(pycurl.MAXREDIRS, request.max_redirects or 0)
        setopt(pycurl.REDIR_PROTOCOLS, _HTTP_ONLY)
    if request.decompress_response:
        setopt(pycurl.ENCODING, "gzip,deflate")
    if request.allow_ipv6 is False:
        setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4)
    if request.network_interface:
        setopt(pycurl.INTERFACE, request.network_interface)
    _set_method(curl, request)
    _set_auth(curl, request, target)
    if request.proxy_host:
        _set_proxy(curl, request)
    _set_tls(curl, request)
    setopt(pycurl.HTTPHEADER, _header_lines(request))


def _milliseconds(seconds: float | None) -> int:
    """Zero is none; less than a millisecond is not."""
    return min(_NEVER, max(1, int(seconds * 1000))) if seconds else 0


def _set_method(curl: Any, request: HTTPRequest) -> None:
    method, body = request.method, request.body
    if method == "GET" and body is None:
        return
    if method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif method == "POST":
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDS, body or b"")
    else:
        if method != "PUT":
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        if body is not None or method in WITH_BODY:
            _set_upload(curl, body or b"")


def _set_upload(curl: Any, body: bytes) -> None:
    file = BytesIO(body)

    def seek(offset: int, whence: int) -> int:
        # To send it again, after a redirect, a challenge or on a new connection.
        file.seek(offset, whence)
        return int(pycurl.SEEKFUNC_OK)

    curl.setopt(pycurl.UPLOAD, 1)
    curl.setopt(pycurl.INFILESIZE_LARGE, len(body))
    curl.setopt(pycurl.READFUNCTION, file.read)
    curl.setopt(pycurl.SEEKFUNCTION, seek)


def _set_auth(curl: Any, request: HTTPRequest, target: Target) -> None:
    if target.username is not None:
        username, password = target.username, target.password
    elif request.auth_username is not None:
        username, password = request.auth_username, request.auth_password or ""
    else:
        return
    # As options and not as a header: then libcurl keeps them from other origins.
    curl.setopt(pycurl.HTTPAUTH, AUTH_MODES[request.auth_mode or "basic"])
    curl.setopt(pycurl.USERNAME, _credential(username))
    curl.setopt(pycurl.PASSWORD, _credential(password))


def _credential(text: str) -> bytes:
    # RFC 7617, section 2.1.
    encoded = unicodedata.normalize("NFC", text).encode("utf-8")
    if b"\0" in encoded:
        raise ValueError("Illegal characters in a user name or password")
    return encoded


def _set_proxy(curl: Any, request: HTTPRequest) -> None:
    assert request.proxy_host is not None
    if _NOT_IN_URL.search(request.proxy_host):
        raise ValueError(f"Illegal characters in proxy_host {request.proxy_host!r}")
    curl.setopt(pycurl.PROXY, request.proxy_host)
    curl.setopt(pycurl.PROXYPORT, request.proxy_port)
    # header_callback is to hear of the server, not of the way to it.
    curl.setopt(_SUPPRESS_CONNECT_HEADERS, 1)
    if request.proxy_username is not None:
        curl.setopt(pycurl.PROXYAUTH, AUTH_MODES[request.proxy_auth_mode or "basic"])
        curl.setopt(pycurl.PROXYUSERNAME, _credential(request.proxy_username))
        curl.setopt(pycurl.PROXYPASSWORD, _credential(request.proxy_password or ""))


def _set_tls(curl: Any, request: HTTPRequest) -> None:
    """The settings count for https, which a redirect may lead to."""
    if not request.validate_cert:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
    if request.ca_certs is not None:
        # These and no others: a directory of the system's would still be looked into.
        curl.setopt(pycurl.CAINFO, request.ca_certs)
        curl.unsetopt(pycurl.CAPATH)
    if request.client_cert is not None:
        curl.setopt(pycurl.SSLCERT, request.client_cert)
    if request.client_key is not None:
        curl.setopt(pycurl.SSLKEY, request.client_key)


def _header_lines(request: HTTPRequest) -> list[bytes]:
    headers = request.headers
    lines: list[bytes] = []
    for name in headers:
        if not Grammar.field_name.fullmatch(name):
            raise ValueError(f"Illegal characters in header name {name!r}")
        if request.user_agent and name == "User-Agent":
            continue
        lines.extend(_header_line(name, value) for value in headers.get_list(name))
    if request.user_agent:
        lines.append(_header_line("User-Agent", request.user_agent))
    elif "User-Agent" not in headers:
        lines.append(b"User-Agent: Tornado/" + version.encode("ascii"))
    if request.expect_100_continue:
        lines.append(b"Expect: 100-continue")
    elif request.body is not None and "Expect" not in headers:
        lines.append(b"Expect:")  # libcurl would, with a large body
    return lines


def _header_line(name: str, value: str | bytes) -> bytes:
    """A line in latin-1, so that bytes go out as they are."""
    encoded = value.encode("latin-1") if isinstance(value, str) else value
    if CR_OR_LF_RE.search(encoded) or b"\0" in encoded:
        raise ValueError(f"Illegal characters in header value {value!r}")
    # For libcurl "Name:" is a header to leave out, "Name;" an empty one.
    if not encoded.strip():
        return name.encode("ascii") + b";"
    return name.encode("ascii") + b": " + encoded
