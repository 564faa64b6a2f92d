"""Small work on URLs and host names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import AnyStr
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

__all__ = ["qs_to_qsl", "split_host_and_port", "url_concat"]

_HOST_AND_PORT = re.compile(r"(.+):([0-9]{1,18})", re.DOTALL)


def url_concat(
    url: str,
    args: Mapping[str, str] | list[tuple[str, str]] | tuple[tuple[str, str], ...] | None,
) -> str:
    """Add query arguments to ``url``, whether it has some already or not.

    Args:
        url: a URL or a path, perhaps with a query and a fragment.
        args: a dictionary, or pairs, among which a name may occur again.

    >>> url_concat("http://example.com/foo", dict(c="d"))
    'http://example.com/foo?c=d'
    >>> url_concat("http://example.com/foo?a=b", [("c", "d"), ("c", "d2")])
    'http://example.com/foo?a=b&c=d&c=d2'
    """
    if args is None:
        return url
    if isinstance(args, Mapping):
        added = list(args.items())
    elif isinstance(args, (list, tuple)):
        added = list(args)
    else:
        raise TypeError(f"'args' parameter should be dict, list or tuple. Not {type(args)!r}")
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True) + added
    return urlunsplit(parts._replace(query=urlencode(pairs)))


def qs_to_qsl(qs: Mapping[str, Sequence[AnyStr]]) -> Iterable[tuple[str, AnyStr]]:
    """Turn what ``parse_qs`` returns back into pairs.  Since Tornado 5.0."""
    for name, values in qs.items():
        for value in values:
            yield name, value


def split_host_and_port(netloc: str) -> tuple[str, int | None]:
    """Split ``host:port``; the port is None when there is none.  Since Tornado 4.1.

    An IPv6 address keeps its brackets.

    >>> split_host_and_port("[::1]:80")
    ('[::1]', 80)
    """
    match = _HOST_AND_PORT.fullmatch(netloc)
    return (match[1], int(match[2])) if match else (netloc, None)
