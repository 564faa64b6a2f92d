"""Reading URLs as browsers do (WHATWG URL), to keep redirects on the host."""

import re
from urllib.parse import urlsplit

__all__ = ["is_protocol_relative", "normalize_like_browser", "scheme_and_netloc"]

_EDGES = "".join(map(chr, range(0x21)))
_REMOVED = re.compile(r"[\t\n\r]")
_SLASHES = re.compile(r"/{2,}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def normalize_like_browser(url: str) -> str:
    """What a browser makes of ``url`` before it parses it.

    Blanks and control characters at the ends go, tabs and line ends everywhere; a
    backslash is a slash.
    """
    return _REMOVED.sub("", url.strip(_EDGES)).replace("\\", "/")


def is_protocol_relative(url: str) -> bool:
    """Whether a browser takes ``url`` to name a host without a scheme (``//host/``)."""
    return normalize_like_browser(url).startswith("//")


def scheme_and_netloc(url: str) -> tuple[str, str]:
    """The scheme and the host part, with user and port, that a browser sees in ``url``.

    Both are empty for a relative URL.

    Raises:
        ValueError: the host part is malformed.
    """
    url = normalize_like_browser(url)
    scheme = _SCHEME.match(url)
    end = scheme.end() if scheme else 0
    # Browsers skip any number of slashes before the host; urlsplit counts to two.
    if scheme is None and not url.startswith("//"):
        return "", ""
    rest = url[end:].lstrip("/")
    parts = urlsplit((scheme[0] if scheme else "") + "//" + rest)
    return parts.scheme, parts.netloc
