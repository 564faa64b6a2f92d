"""Byte ranges for static files (RFC 9110 section 14)."""

from __future__ import annotations

import datetime
import email.utils
from typing import NamedTuple

from txtornado import httputil
from txtornado.httputil.ranges import parse_request_range

__all__ = ["Range", "parse_date", "range_applies", "requested_range"]


class Range(NamedTuple):
    """The bytes from ``start`` up to ``end``; empty when ``start`` is not below ``end``."""

    start: int
    end: int


def requested_range(header: str, size: int) -> Range | None:
    """What a ``Range`` header asks of a file of ``size`` bytes.

    None for a header to be ignored; an empty `Range` for one that cannot be satisfied.
    """
    parsed = parse_request_range(header)
    if parsed is None:
        return None
    start, end = parsed
    if start is not None and start < 0:
        start = max(start + size, 0)
    return Range(start or 0, size if end is None else min(end, size))


def range_applies(
    request: httputil.HTTPServerRequest, etag: str | None, modified: datetime.datetime | None
) -> bool:
    """Whether ``If-Range`` leaves the ``Range`` in force (RFC 9110 section 13.1.5).

    The browser's etag must be ours, compared strongly, or its date the file's exactly.
    """
    condition = request.headers.get("If-Range")
    if condition is None:
        return True
    condition = condition.strip()
    if condition.startswith(('"', "W/")):
        return condition == etag and not condition.startswith("W/")
    moment = parse_date(condition)
    if moment is None or modified is None:
        return False
    if modified.tzinfo is None:
        modified = modified.replace(tzinfo=datetime.UTC)
    return moment == modified.replace(microsecond=0)


def parse_date(text: str) -> datetime.datetime | None:
    """Read an HTTP date; None if it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)
