"""Protection against forged requests by tokens (XSRF).

A random token is kept in a cookie, and every form repeats it. Version 1 of the cookie
(Tornado 0.2) is the bare token in hexadecimal. Version 2 (since 3.2.2) masks the token
anew in each response, so that compression of the page does not give it away::

    2 | hex mask of 4 bytes | hex of the token under the mask | seconds
"""

import binascii
import hmac
import os
import time
from typing import NamedTuple

from txtornado.web._errors import HTTPError

__all__ = ["Token", "check", "decode_token", "encode_token", "form_html", "new_token"]


class Token(NamedTuple):
    """A token, the version of the cookie it came in (None: it is new) and its age."""

    version: int | None
    token: bytes
    timestamp: float


def new_token() -> Token:
    """A fresh token of 16 random bytes."""
    return Token(None, os.urandom(16), time.time())


def encode_token(token: Token, version: int) -> bytes:
    """The cookie's and the form's value for ``token``.

    Raises:
        ValueError: an unknown ``version`` (setting ``xsrf_cookie_version``).
    """
    if version == 1:
        return binascii.b2a_hex(token.token)
    if version == 2:
        mask = os.urandom(4)
        masked = binascii.b2a_hex(_mask(mask, token.token))
        return b"2|%s|%s|%d" % (binascii.b2a_hex(mask), masked, int(token.timestamp))
    raise ValueError(f"unknown xsrf cookie version {version}")


def decode_token(text: str) -> Token | None:
    """Read either version of a token; None when it is neither."""
    first, separator, rest = text.partition("|")
    try:
        if not separator or not first.isdigit():
            return Token(1, _decode_v1(text), time.time())
        if first != "2":
            return None
        mask, masked, timestamp = rest.split("|")
        mask_bytes = binascii.a2b_hex(mask)
        if len(mask_bytes) != 4:
            return None
        return Token(2, _mask(mask_bytes, binascii.a2b_hex(masked)), int(timestamp))
    except ValueError:  # binascii.Error is one, and so is a wrong number of fields
        return None


def check(submitted: str | None, expected: Token) -> None:
    """Compare what a form or a header submitted with the cookie's token.

    Raises:
        HTTPError: 403, when it is missing, malformed or another one.
    """
    if not submitted:
        raise HTTPError(403, "'_xsrf' argument missing from POST")
    token = decode_token(submitted)
    if token is None or not token.token:
        raise HTTPError(403, "'_xsrf' argument has invalid format")
    if not hmac.compare_digest(token.token, expected.token):
        raise HTTPError(403, "XSRF cookie does not match POST argument")


def form_html(escaped_token: str) -> str:
    """The hidden input for forms; the token must be escaped for an attribute."""
    return f'<input type="hidden" name="_xsrf" value="{escaped_token}"/>'


def _decode_v1(text: str) -> bytes:
    # Applications have set tokens of their own that are not hexadecimal.
    data = text.encode("utf-8")
    try:
        return binascii.a2b_hex(data)
    except binascii.Error:
        return data


def _mask(mask: bytes, data: bytes) -> bytes:
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
