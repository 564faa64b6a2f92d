"""Byte ranges (RFC 9110, section 14)."""

import re

__all__ = ["get_content_range", "parse_request_range"]

# Numbers beyond 18 digits are no file's size, and Python refuses to convert very long ones.
# Blanks, and a start without a dash, are Tornado's tolerance.  No blank is looked at twice.
_RANGE = re.compile(r"[ \t]*+([0-9]{0,18})[ \t]*+(?:-[ \t]*+([0-9]{0,18})[ \t]*+)?")


def parse_request_range(range_header: str) -> tuple[int | None, int | None] | None:
    """Return ``(start, end)`` of a ``Range`` header with one range of bytes.

    ``end`` lies behind the last byte, as in a slice; None stands for an open end.  A
    suffix of n bytes is ``(-n, None)``, and ``(None, 0)`` when n is zero, which no file
    satisfies.  None, for a header to be ignored: other units, several ranges, bad syntax.

    >>> parse_request_range("bytes=1-2")
    (1, 3)
    >>> parse_request_range("bytes=-6")
    (-6, None)
    >>> parse_request_range("bytes=6-")
    (6, None)
    """
    unit, _, text = range_header.partition("=")
    match = _RANGE.fullmatch(text)
    if match is None or unit.strip(" \t").lower() != "bytes":
        return None
    first, last = match.groups()
    if first:
        return int(first), int(last) + 1 if last else None
    if not last:
        return None
    suffix = int(last)
    return (-suffix, None) if suffix else (None, 0)


def get_content_range(start: int | None, end: int | None, total: int) -> str:
    """Return a ``Content-Range`` for bytes ``start`` to ``end`` (as in a slice) of ``total``.

    >>> get_content_range(None, 1, 4)
    'bytes 0-0/4'
    >>> get_content_range(1, 3, 4)
    'bytes 1-2/4'
    """
    return f"bytes {start or 0}-{(end or total) - 1}/{total}"
