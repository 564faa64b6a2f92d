"""Etags and conditional requests (RFC 9110 section 13)."""

import hashlib
import re
from collections.abc import Iterable

__all__ = ["content_etag", "etag_matches"]

_ETAG = re.compile(r'(?:W/)?"([^"]*)"')


def content_etag(chunks: Iterable[bytes]) -> str:
    """The default etag of a response: SHA-1 over its body, in quotes."""
    digest = hashlib.sha1(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return f'"{digest.hexdigest()}"'


def etag_matches(etag: str, if_none_match: str) -> bool:
    """Whether an ``If-None-Match`` header names ``etag``.

    The comparison is the weak one: ``W/`` is no difference (RFC 9110 section 8.8.3.2).
    """
    if not etag or not if_none_match:
        return False
    if if_none_match.strip() == "*":
        return True
    return etag.removeprefix("W/").strip('"') in _ETAG.findall(if_none_match)
