"""Where a URL leads: host, port, request target and credentials."""

import functools
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import idna

__all__ = ["Target", "parse_target"]

DEFAULT_PORTS = {"http": 80, "https": 443}

# RFC 9112, section 3.2: no white space, no controls; beyond ASCII is UTF-8, percent-encoded.
_NOT_ALLOWED = re.compile(rb"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart.

    Attributes:
        scheme: ``"http"`` or ``"https"``.
        host: the host name in ASCII, or an address without brackets.
        port: the port, the scheme's default one if the URL has none.
        authority: host and port as the ``Host`` header has them.
        path: path and query as the request line has them.
        username: the URL's user name, percent-decoded, or None.
        password: the URL's password, percent-decoded; empty when there is none.
    """

    scheme: str
    host: str
    port: int
    authority: str
    path: str
    username: str | None
    password: str

    @property
    def url(self) -> str:
        """The URL without credentials."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be equal for two URLs to share credentials (RFC 6454)."""
        return self.scheme, self.host, self.port


def parse_target(url: str) -> Target:
    """Take ``url`` apart.

    Raises:
        ValueError: it is not an absolute ``http`` or ``https`` URL.
    """
    # Programs mostly ask for the same URLs again; those that carry a password are not kept.
    return _parse(url) if "@" in url else _parse_kept(url)


def _parse(url: str) -> Target:
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(f"Unsupported url scheme: {url}")
    if not parts.hostname:
        raise ValueError(f"No host in url: {url}")
    host = parts.hostname
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")
    port = parts.port
    authority = f"[{host}]" if ":" in host else host
    if port is not None:
        authority = f"{authority}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(
        scheme=parts.scheme,
        host=host,
        port=DEFAULT_PORTS[parts.scheme] if port is None else port,
        authority=authority,
        path=_NOT_ALLOWED.sub(_percent, path.encode("utf-8")).decode("ascii"),
        username=None if parts.username is None else unquote(parts.username),
        password=unquote(parts.password or ""),
    )


_parse_kept = functools.lru_cache(maxsize=256)(_parse)


def _percent(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(match[0])
