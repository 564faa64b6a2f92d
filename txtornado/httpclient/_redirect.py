"""What a redirect makes of a request."""

import copy
from urllib.parse import urljoin

from txtornado.httpclient._request import HTTPRequest
from txtornado.httpclient._target import Target, parse_target
from txtornado.httputil import HTTPHeaders

__all__ = ["is_redirect", "redirected"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OF_THE_BODY = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")
_OF_THE_ORIGIN = ("Authorization", "Cookie", "Host", "Proxy-Authorization")


def is_redirect(code: int, headers: HTTPHeaders) -> bool:
    """Whether a response leads elsewhere."""
    return code in REDIRECTS and headers.get("Location") is not None


def redirected(
    request: HTTPRequest, target: Target, url: str, code: int, headers: HTTPHeaders
) -> HTTPRequest:
    """The request that follows ``request`` after a redirect.

    * 303 makes a ``GET`` of everything but ``HEAD``, and 301 and 302 of a ``POST``, as all
      clients do (RFC 9110, section 15.4); else method and body remain, and a
      ``body_producer`` is called again.
    * Credentials and cookies go to no other origin.

    Args:
        request: the one that was redirected; it is not changed.
        target: of that request.
        url: of that request; the new one is relative to it.
        code: the response's status.
        headers: the response's headers.

    Raises:
        ValueError: the redirect leads to a URL that is not http or https.
    """
    follower = copy.copy(request)
    follower.headers = HTTPHeaders(request.headers)
    follower.url = urljoin(url, headers["Location"])
    follower.max_redirects = (request.max_redirects or 0) - 1
    if (code == 303 and request.method != "HEAD") or (
        code in (301, 302) and request.method == "POST"
    ):
        follower.method = "GET"
        follower.body = None
        follower.body_producer = None
        follower.expect_100_continue = False
        _drop(follower.headers, _OF_THE_BODY)
    destination = parse_target(follower.url)
    if destination.origin != target.origin:
        _drop(follower.headers, _OF_THE_ORIGIN)
        follower.auth_username = follower.auth_password = None
        return follower
    if request.auth_mode == "digest":
        _drop(follower.headers, ("Authorization",))  # it was for the other URL
    if destination.username is None and target.username is not None:
        follower.auth_username, follower.auth_password = target.username, target.password
    return follower


def _drop(headers: HTTPHeaders, names: tuple[str, ...]) -> None:
    for name in names:
        if name in headers:
            del headers[name]
