"""What compiled templates call while they run.

A template's function gathers its output as pieces of text in a list, which `join` makes bytes.
Bytes that are not UTF-8 can only come from ``raw`` and ``module``; they stay bytes in the list.
"""

from __future__ import annotations

import datetime
import html
from collections.abc import Callable
from typing import Any

from txtornado.escape import (
    json_encode,
    linkify,
    squeeze,
    url_escape,
    utf8,
    xhtml_escape,
)

_escape_text: Callable[[str], str]
try:  # The C function below markupsafe.escape, without the Markup object around its result.
    from markupsafe._speedups import _escape_inner as _escape_text
except ImportError:
    _escape_text = html.escape

__all__ = [
    "DEFAULT_NAMESPACE",
    "ESCAPER_NAMES",
    "HELPERS",
    "Escaper",
    "bind_escaper",
    "join",
]

#: What every template can name (Tornado 2.3 and 6): the helpers of `txtornado.escape`, and
#: ``datetime``.  Names that start with ``_tt_`` are the template system's.
DEFAULT_NAMESPACE: dict[str, Any] = {
    "escape": xhtml_escape,
    "xhtml_escape": xhtml_escape,
    "url_escape": url_escape,
    "json_encode": json_encode,
    "squeeze": squeeze,
    "linkify": linkify,
    "datetime": datetime,
    "_tt_utf8": utf8,
    "_tt_string_types": (str, bytes),
}


def _text(value: Any) -> str:
    """``value``, anything but bytes, as text: a `str` itself, and not of a class derived from it.

    A derived class has methods of its own; ``markupsafe.Markup.replace`` escapes, for one.
    """
    return str.__str__(value if isinstance(value, str) else str(value))


def _as_text(value: Any) -> str | bytes:
    """What a template puts out for ``value`` as it stands: text, or bytes that are not UTF-8."""
    if not isinstance(value, bytes):
        return _text(value)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _as_bytes(value: Any) -> bytes:
    """What escape functions are given, as documented: UTF-8."""
    return value if isinstance(value, bytes) else _text(value).encode("utf-8")


def _result(value: Any, function: Any) -> str | bytes:
    """What an application's function returned, if it is something to put out."""
    if isinstance(value, str | bytes):
        return _as_text(value)
    name = getattr(function, "__name__", repr(function))
    raise TypeError(f"{name}() must return str or bytes to a template, not {type(value).__name__}")


# Escaping
#
# An escaper is three functions, for the code that is written into templates to do the common case,
# a str with nothing to escape in it, with one call of a C function:
#
#     (r if (r := first(v)) is v else then(r)) if type(v := ...) is str else other(v)

Escaper = tuple[Callable[[str], str], Callable[[str], str], Callable[[Any], str]]


def _document_quotes(escaped: str) -> str:
    """From markupsafe's references for quotes to those of `xhtml_escape`.

    Every ampersand of the original is ``&amp;`` by now, so that these are nothing but quotes.
    """
    return escaped.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


def _xhtml_escape_other(value: Any) -> str:
    kind = type(value)
    if kind is int or kind is float:
        return str(value)
    return xhtml_escape(value if isinstance(value, bytes) else _text(value))


_XHTML: Escaper = (_escape_text, _document_quotes, _xhtml_escape_other)


def _unchanged(text: str) -> str:
    return text


#: The names whose function is most likely `xhtml_escape`, and is asked for before a template runs.
ESCAPER_NAMES = frozenset({"xhtml_escape", "escape"})


def bind_escaper(function: Any) -> Escaper:
    """How a template escapes with what it finds under one of `ESCAPER_NAMES`."""
    if function is xhtml_escape:
        return _XHTML

    def escape(value: Any) -> str:
        text = _escape_with(value, function)
        return text if isinstance(text, str) else text.decode("utf-8")

    return escape, _unchanged, escape


# The functions of the same names in compiled templates, with ``_tt_`` before them


def _escape_with(value: Any, function: Callable[[bytes], Any]) -> str | bytes:
    """``value`` through any other escape function than `xhtml_escape`."""
    return _result(function(_as_bytes(value)), function)


def _applied(function: Callable[[bytes], Any], pieces: list[str | bytes]) -> str | bytes:
    """``{% apply function %}`` over the output in ``pieces``."""
    return _result(function(join(pieces)), function)


#: Handed to every compiled template's function, after its escapers.
HELPERS: dict[str, Any] = {
    "_tt_type": type,
    "_tt_str": str,
    "_tt_raw": _as_text,
    "_tt_escape_with": _escape_with,
    "_tt_applied": _applied,
}


def join(pieces: list[str | bytes]) -> bytes:
    """The output: all pieces in UTF-8.

    Raises:
        UnicodeEncodeError: a text in it has surrogates.
    """
    try:
        return "".join(pieces).encode("utf-8")  # type: ignore[arg-type]
    except TypeError:
        return b"".join(utf8(piece) for piece in pieces)
