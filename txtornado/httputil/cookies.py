"""The ``Cookie`` header, read as browsers and RFC 6265, section 5.4, write it."""

import re

__all__ = ["parse_cookie"]

_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")


def parse_cookie(cookie: str) -> dict[str, str]:
    """Return the names and values of a ``Cookie`` header.  Since Tornado 4.4.2.

    Never raises.  A semicolon always ends a cookie, a piece without ``=`` is a value
    whose name is empty, a quoted value loses its quotes and escapes, and of cookies with
    one name the last counts.

    >>> parse_cookie('a=b; c="d e"')
    {'a': 'b', 'c': 'd e'}
    """
    cookies = {}
    for chunk in cookie.split(";"):
        name, equals, value = chunk.partition("=")
        if not equals:
            name, value = "", name
        name, value = name.strip(), value.strip()
        if name or value:
            cookies[name] = _unquote(value) if value[:1] == '"' else value
    return cookies


def _unquote(value: str) -> str:
    if len(value) < 2 or value[-1] != '"':
        return value
    value = value[1:-1]
    return _ESCAPE.sub(_unescape, value) if "\\" in value else value


def _unescape(match: re.Match[str]) -> str:
    octal, char = match.groups()
    return chr(int(octal, 8)) if octal else char
