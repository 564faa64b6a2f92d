"""Proxies: whether there is one, its authentication, and tunnels through it."""

import base64
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from txtornado.httpclient import HTTPRequest
from txtornado.httpclient._digest import authorization, find_challenge
from txtornado.httpclient._errors import HTTPStreamClosedError
from txtornado.httpclient._target import Target
from txtornado.httputil import HTTPHeaders, encode_username_password
from txtornado.iostream import IOStream

__all__ = ["ProxyRefusedError", "answer", "first_try", "has_proxy", "open_tunnel"]

_MAX_REPLY = 16384


class ProxyRefusedError(HTTPStreamClosedError):
    """A proxy did not connect.

    Attributes:
        challenge: to authenticate, if the proxy wants that and we know how.
    """

    def __init__(self, message: str, challenge: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.challenge = challenge


def has_proxy(request: HTTPRequest, target: Target) -> bool:
    """Whether ``request`` goes through a proxy.

    ``NO_PROXY`` of the environment goes for proxies that a request names, as with curl.

    Raises:
        ValueError: it has a proxy without a port.
    """
    if not request.proxy_host or proxy_bypass_environment(target.host):
        return False
    if not request.proxy_port:
        raise ValueError("proxy_host needs a proxy_port")
    return True


def first_try(request: HTTPRequest) -> str | None:
    """The ``Proxy-Authorization`` to begin with; digests wait for a challenge."""
    if not request.proxy_username or request.proxy_auth_mode == "digest":
        return None
    credentials = encode_username_password(request.proxy_username, request.proxy_password or "")
    return "Basic " + base64.b64encode(credentials).decode("ascii")


def answer(request: HTTPRequest, challenge: dict[str, str], method: str, uri: str) -> str:
    """The ``Proxy-Authorization`` that answers ``challenge``."""
    return authorization(
        challenge, method, uri, request.proxy_username or "", request.proxy_password or ""
    )


async def open_tunnel(stream: IOStream, authority: str, credentials: str | None) -> None:
    """Have the proxy at the other end of ``stream`` connect it (RFC 9110, section 9.3.6).

    Args:
        stream: closed when the proxy refuses.
        authority: where to: host and port.
        credentials: for ``Proxy-Authorization``.

    Raises:
        ProxyRefusedError: the proxy does not want to.
        StreamClosedError: it hung up.
    """
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if credentials is not None:
        lines.append(f"Proxy-Authorization: {credentials}")
    try:
        await stream.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
        reply = await stream.read_until(b"\r\n\r\n", _MAX_REPLY)
        status, _, block = reply.decode("latin-1").partition("\r\n")
        code = status.split(" ")[1:2]
        if code == ["200"]:
            return
        challenge = None
        if code == ["407"]:
            challenge = find_challenge(HTTPHeaders.parse(block), "Proxy-Authenticate")
        raise ProxyRefusedError(f"The proxy refused to connect: {status}", challenge)
    except BaseException:
        stream.close()
        raise
