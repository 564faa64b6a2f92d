"""Signed values: the format behind signed cookies.

Version 1 (Tornado 0.2 to 3.2.0)::

    base64(value) | seconds | hex HMAC-SHA1 over name, base64(value), seconds

The fields are joined without a separator under the signature, so digits can wander
from one to the other; the checks of the time stamp below make that useless.

Version 2 (since 3.2.1), every field with its length in front::

    2|1:0|10:1300000000|3:key|8:dmFsdWU=|hex HMAC-SHA256 over all before it

The second field is the version of the key, for secrets given as a dict of keys.
"""

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from txtornado.escape import utf8
from txtornado.log import gen_log

__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "Secret",
    "create_signed_value",
    "decode_signed_value",
    "get_signature_key_version",
    "signature_v1",
    "signature_v2",
]

MIN_SUPPORTED_SIGNED_VALUE_VERSION = 1
MAX_SUPPORTED_SIGNED_VALUE_VERSION = 2
DEFAULT_SIGNED_VALUE_VERSION = 2
DEFAULT_SIGNED_VALUE_MIN_VERSION = 1

Secret = str | bytes | Mapping[int, str] | Mapping[int, bytes]
Clock = Callable[[], float]

_DAY = 86400
_SHOWN = 200  # bytes of a bad value that go to the log
_VERSION = re.compile(rb"([1-9][0-9]{0,2})\|")


class _Fields(NamedTuple):
    key_version: int
    timestamp: bytes
    name: bytes
    value: bytes
    signature: bytes


def create_signed_value(
    secret: Secret,
    name: str,
    value: str | bytes,
    version: int | None = None,
    clock: Clock | None = None,
    key_version: int | None = None,
) -> bytes:
    """Sign ``value`` under ``name``, with the time of ``clock`` (default `time.time`).

    ``secret`` is one key, or a dict of keys by version, of which ``key_version`` signs.

    Raises:
        ValueError: an unknown format version, or a dict of keys without ``key_version``.
    """
    if version is None:
        version = DEFAULT_SIGNED_VALUE_VERSION
    timestamp = b"%d" % int((clock or time.time)())
    encoded = base64.b64encode(utf8(value))
    if version == 1:
        key = _single_key(secret)
        return b"|".join([encoded, timestamp, signature_v1(key, name, encoded, timestamp)])
    if version == 2:
        key = _signing_key(secret, key_version)
        fields = (b"%d" % (key_version or 0), timestamp, utf8(name), encoded)
        signed = b"2|" + b"".join(b"%d:%s|" % (len(field), field) for field in fields)
        return signed + signature_v2(key, signed)
    raise ValueError(f"Unsupported version {version}")


def decode_signed_value(
    secret: Secret,
    name: str,
    value: str | bytes | None,
    max_age_days: float = 31,
    clock: Clock | None = None,
    min_version: int | None = None,
) -> bytes | None:
    """Return what was signed under ``name``, or None if the value does not hold.

    It does not hold when it is missing, malformed, forged, of a key that is gone, older
    than ``max_age_days`` days, or of a format older than ``min_version``.
    """
    if min_version is None:
        min_version = DEFAULT_SIGNED_VALUE_MIN_VERSION
    if min_version > MAX_SUPPORTED_SIGNED_VALUE_VERSION:
        raise ValueError(f"Unsupported min_version {min_version}")
    if not value:
        return None
    data = utf8(value)
    version = _format_version(data)
    if version < min_version:
        return None
    now = (clock or time.time)()
    if version == 1:
        return _decode_v1(_single_key(secret), name, data, max_age_days, now)
    if version == 2:
        return _decode_v2(secret, name, data, max_age_days, now)
    return None


def get_signature_key_version(value: str | bytes) -> int | None:
    """The version of the key that signed ``value``; None for format 1 and for nonsense."""
    data = utf8(value)
    if _format_version(data) < 2:
        return None
    fields = _split_v2(data)
    return None if fields is None else fields.key_version


def signature_v1(secret: str | bytes, *parts: str | bytes) -> bytes:
    """Hex HMAC-SHA1 over the joined ``parts``."""
    mac = hmac.new(utf8(secret), digestmod=hashlib.sha1)
    for part in parts:
        mac.update(utf8(part))
    return utf8(mac.hexdigest())


def signature_v2(secret: str | bytes, data: bytes) -> bytes:
    """Hex HMAC-SHA256 over ``data``."""
    return utf8(hmac.new(utf8(secret), utf8(data), hashlib.sha256).hexdigest())


def _single_key(secret: Secret) -> str | bytes:
    if isinstance(secret, Mapping):
        raise ValueError("Version 1 signed values take a single secret, not a dict of keys")
    return secret


def _signing_key(secret: Secret, key_version: int | None) -> str | bytes:
    if not isinstance(secret, Mapping):
        return secret
    if key_version is None:
        raise ValueError("A dict of secrets needs the key_version setting to sign with")
    return secret[key_version]


def _format_version(data: bytes) -> int:
    # A value of version 1 may begin with digits too, but its first field is base64, and
    # longer than the three digits that a version is given here.
    match = _VERSION.match(data)
    return int(match[1]) if match else 1


def _decode_v1(
    secret: str | bytes, name: str, data: bytes, max_age_days: float, now: float
) -> bytes | None:
    parts = data.split(b"|")
    if len(parts) != 3:
        return None
    encoded, stamp, signature = parts
    if not hmac.compare_digest(signature, signature_v1(secret, name, encoded, stamp)):
        gen_log.warning("Invalid cookie signature %r", data[:_SHOWN])
        return None
    timestamp = _decimal(stamp)
    if timestamp is None:
        return None
    if timestamp < now - max_age_days * _DAY:
        gen_log.warning("Expired cookie %r", data[:_SHOWN])
        return None
    if timestamp > now + 31 * _DAY:
        # Digits moved from the value into the time stamp make a value that never expires.
        gen_log.warning("Cookie timestamp in future; possible tampering %r", data[:_SHOWN])
        return None
    if stamp.startswith(b"0"):
        gen_log.warning("Tampered cookie %r", data[:_SHOWN])
        return None
    return _unbase64(encoded)


def _decode_v2(
    secret: Secret, name: str, data: bytes, max_age_days: float, now: float
) -> bytes | None:
    fields = _split_v2(data)
    if fields is None:
        return None
    key = secret.get(fields.key_version) if isinstance(secret, Mapping) else secret
    if key is None:
        return None
    signed = memoryview(data)[: len(data) - len(fields.signature)]
    expected = utf8(hmac.new(utf8(key), signed, hashlib.sha256).hexdigest())
    if not hmac.compare_digest(fields.signature, expected):
        return None
    if fields.name != utf8(name):
        return None
    timestamp = _decimal(fields.timestamp)
    if timestamp is None or timestamp < now - max_age_days * _DAY:
        return None
    return _unbase64(fields.value)


def _split_v2(data: bytes) -> _Fields | None:
    """Take the four counted fields apart; None when the counts do not fit."""
    position = 2
    fields = []
    for _ in range(4):
        colon = data.find(b":", position, position + 12)
        length = _decimal(data[position:colon]) if colon >= 0 else None
        if length is None:
            return None
        end = colon + 1 + length
        if data[end : end + 1] != b"|":
            return None
        fields.append(data[colon + 1 : end])
        position = end + 1
    key_version = _decimal(fields[0])
    if key_version is None:
        return None
    return _Fields(key_version, fields[1], fields[2], fields[3], data[position:])


def _decimal(text: bytes) -> int | None:
    # int() alone would also take signs, blanks and underscores.
    return int(text) if text.isdigit() and len(text) < 20 else None


def _unbase64(data: bytes) -> bytes | None:
    try:
        return base64.b64decode(data)
    except binascii.Error:
        return None
