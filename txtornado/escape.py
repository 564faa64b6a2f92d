"""Escaping and its reverse for HTML, JSON and URLs, and moving between bytes and text.

HTML goes through the standard library's `html` (as documented since Tornado 6.4, so that a single
quote is ``&#x27;``), JSON through `json`, URLs through `urllib.parse`.  What is our own here works
in one pass over its input and in memory proportional to it, for all of it is fed with what
strangers send: `parse_qs_bytes` and `linkify`.
"""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import Any, overload

__all__ = [
    "json_decode",
    "json_encode",
    "linkify",
    "native_str",
    "parse_qs_bytes",
    "recursive_unicode",
    "squeeze",
    "to_basestring",
    "to_unicode",
    "url_escape",
    "url_unescape",
    "utf8",
    "xhtml_escape",
    "xhtml_unescape",
]


# Bytes and text


@overload
def utf8(value: bytes) -> bytes: ...
@overload
def utf8(value: str) -> bytes: ...
@overload
def utf8(value: None) -> None: ...


def utf8(value: str | bytes | None) -> bytes | None:
    """``value`` as bytes: text is encoded in UTF-8, bytes and None stay what they are.

    Raises:
        TypeError: ``value`` is something else.
    """
    if isinstance(value, str):
        return value.encode()
    if value is None or isinstance(value, bytes):
        return value
    raise TypeError(f"Expected bytes, unicode, or None; got {type(value)!r}")


@overload
def to_unicode(value: str) -> str: ...
@overload
def to_unicode(value: bytes) -> str: ...
@overload
def to_unicode(value: None) -> None: ...


def to_unicode(value: str | bytes | None) -> str | None:
    """``value`` as text: bytes are decoded from UTF-8, text and None stay what they are.

    Raises:
        TypeError: ``value`` is something else.
        UnicodeDecodeError: bytes that are not UTF-8.
    """
    if isinstance(value, bytes):
        return value.decode()
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"Expected bytes, unicode, or None; got {type(value)!r}")


#: Tornado 2's names for the same: what `str` is has been settled since.
native_str = to_unicode
to_basestring = to_unicode
_unicode = to_unicode


def recursive_unicode(obj: Any) -> Any:
    """``obj`` with the bytes in it decoded, through dicts, lists and tuples."""
    if isinstance(obj, bytes):
        return to_unicode(obj)
    if isinstance(obj, dict):
        return {recursive_unicode(k): recursive_unicode(v) for k, v in obj.items()}
    if isinstance(obj, list):
        return [recursive_unicode(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(recursive_unicode(item) for item in obj)
    return obj


_BLANKS = re.compile(r"[\x00-\x20]+")


def squeeze(value: str) -> str:
    """``value`` with every run of whitespace made one space, and none at its ends.

    >>> squeeze("  a  b\\n c ")
    'a b c'
    """
    return _BLANKS.sub(" ", value).strip()


# HTML


def xhtml_escape(value: str | bytes) -> str:
    """``value`` with ``& < > " '`` escaped, for HTML and XML text and quoted attributes.

    >>> xhtml_escape("<a href='x'>")
    '&lt;a href=&#x27;x&#x27;&gt;'
    """
    return html.escape(to_unicode(value))


def xhtml_unescape(value: str | bytes) -> str:
    """The text that ``value`` shows in a browser: every character reference resolved."""
    return html.unescape(to_unicode(value))


# JSON


def _not_json(value: Any) -> Any:
    raise TypeError  # json.dumps says it better


def _make_json_encoder() -> Callable[[Any, int], Iterable[str]] | None:
    """What `json.dumps` makes anew for each call; None where it cannot be had."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)  # it is not documented
    if make is None:
        return None
    quote = json.encoder.encode_basestring_ascii
    try:
        encoder: Callable[[Any, int], Iterable[str]] = make(
            None, _not_json, quote, None, ": ", ", ", False, False, True
        )
    except TypeError:
        return None
    return encoder


_json_pieces = _make_json_encoder()


def json_encode(value: Any) -> str:
    """``value`` as JSON that may stand within a ``<script>`` element: ``</`` is ``<\\/``.

    Raises:
        TypeError: a part of ``value`` (bytes, among others) has no JSON form.
    """
    if _json_pieces is not None:
        try:
            return "".join(_json_pieces(value, 0)).replace("</", "<\\/")
        except (TypeError, ValueError, RecursionError):
            pass  # for the right words, and for references in a circle
    return json.dumps(value).replace("</", "<\\/")


def json_decode(value: str | bytes) -> Any:
    """What the JSON text in ``value`` says.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(value)


# URLs


def url_escape(value: str | bytes, plus: bool = True) -> str:
    """``value`` percent-encoded, text in UTF-8.

    Args:
        value: what to encode.
        plus: True for query strings and forms: a space becomes ``+`` and a slash ``%2F``.  False
            (since 3.1) for paths: a space becomes ``%20`` and slashes stay.
    """
    raw = utf8(value)
    return urllib.parse.quote_plus(raw) if plus else urllib.parse.quote(raw)


@overload
def url_unescape(value: str | bytes, encoding: None, plus: bool = True) -> bytes: ...
@overload
def url_unescape(value: str | bytes, encoding: str = "utf-8", plus: bool = True) -> str: ...


def url_unescape(
    value: str | bytes, encoding: str | None = "utf-8", plus: bool = True
) -> str | bytes:
    """Undoes `url_escape`.

    Args:
        value: percent-encoded text or bytes.
        encoding: of the text to return (what does not fit becomes U+FFFD); None returns bytes.
        plus: whether ``+`` stands for a space (since 3.1).
    """
    if encoding is None:
        raw = utf8(value)
        return _unquote_to_bytes(raw.replace(b"+", b" ") if plus else raw)
    unquote = urllib.parse.unquote_plus if plus else urllib.parse.unquote
    return unquote(to_unicode(value), encoding=encoding)


def parse_qs_bytes(
    qs: str | bytes,
    keep_blank_values: bool = False,
    strict_parsing: bool = False,
    *,
    max_num_fields: int | None = None,
) -> dict[str, list[bytes]]:
    """`urllib.parse.parse_qs` for bytes in unknown encodings (Tornado 2.1).

    >>> parse_qs_bytes(b"a=1&a=%E9&b=")
    {'a': [b'1', b'\\xe9']}

    Args:
        qs: the query string or form; text must fit into latin-1.
        keep_blank_values: whether a field without a value counts.
        strict_parsing: whether a field without ``=`` is an error.
        max_num_fields: the most fields there may be (since 6.5.8); None for any number.

    Returns:
        The values of each name; names are decoded from latin-1, which loses nothing.

    Raises:
        ValueError: too many fields, or one that ``strict_parsing`` refuses.
    """
    raw = qs.encode("latin-1") if isinstance(qs, str) else qs
    result: dict[str, list[bytes]] = {}
    if not raw:
        return result
    if max_num_fields is not None and raw.count(b"&") >= max_num_fields:
        raise ValueError("Max number of fields exceeded")
    for item in raw.replace(b"+", b" ").split(b"&"):
        name, equals, value = item.partition(b"=")
        if not equals and strict_parsing:
            raise ValueError(f"bad query field: {item!r}")
        if value or (item and keep_blank_values):
            if b"%" in item:
                name, value = _unquote_to_bytes(name), _unquote_to_bytes(value)
            key = name.decode("latin-1")
            if key in result:
                result[key].append(value)
            else:
                result[key] = [value]
    return result


_UNQUOTE_WINDOW = 8192


def _unquote_to_bytes(data: bytes) -> bytes:
    """`urllib.parse.unquote_to_bytes`, in parts, for it takes much memory for each escape."""
    if b"%" not in data:
        return data
    if len(data) <= _UNQUOTE_WINDOW:
        return urllib.parse.unquote_to_bytes(data)
    result = bytearray()
    start = 0
    while start < len(data):
        end = _window_end(data, start)
        result += urllib.parse.unquote_to_bytes(data[start:end])
        start = end
    return bytes(result)


def _window_end(data: bytes, start: int) -> int:
    """Where to cut so that no ``%XX`` is cut through."""
    end = start + _UNQUOTE_WINDOW
    if end >= len(data):
        return len(data)
    percent = data.rfind(b"%", end - 2, end)
    return end if percent == -1 else percent


# Links

# A link begins with a protocol or with "www.".  Possessive quantifiers keep the search linear: a
# run of letters is tried from its first one only.
_LINK_START = re.compile(r"(?<![\w-])-*+(?P<protocol>\w[\w-]*+):/{1,3}|\bwww\.")

# A link goes on to the next blank, bracket or single quote; parentheses are in it when they are
# balanced and not nested ("/blah_(wikipedia)").
_LINK_REST = re.compile(r"(?:[^\s()<>']++|\([^\s()<>']*+\))*+")

# What ends a sentence rather than a link.
_LINK_TRAILERS = '!"#$%&*+,.:;=?@[]^`{|}~'

_SHOWN_LENGTH = 30
_SHOWN_PATH = re.compile(r"[^/?.]{0,8}")


def linkify(
    text: str | bytes,
    shorten: bool = False,
    extra_params: str | Callable[[str], str] = "",
    require_protocol: bool = False,
    permitted_protocols: Iterable[str] = ["http", "https"],
) -> str:
    """``text`` as HTML, with its URLs made links.

    >>> linkify("Hello http://example.com!")
    'Hello <a href="http://example.com">http://example.com</a>!'

    Args:
        text: plain text; it is escaped.
        shorten: long URLs are shown abbreviated, with the whole one as title.
        extra_params: more attributes for the ``<a>`` element, or a callable that returns them
            for the link's (escaped) URL: ``'rel="nofollow" class="external"'``.
        require_protocol: False makes links of names that begin with ``www.`` too.
        permitted_protocols: those which become links.  To permit ``javascript`` is to permit
            anybody to run scripts in your pages.
    """
    permitted = frozenset(permitted_protocols)
    return "".join(_linkified(to_unicode(text), shorten, extra_params, require_protocol, permitted))


def _linkified(
    text: str,
    shorten: bool,
    extra_params: str | Callable[[str], str],
    require_protocol: bool,
    permitted: frozenset[str],
) -> Iterator[str]:
    done = searched = 0
    while start := _LINK_START.search(text, searched):
        protocol = start["protocol"]
        end = searched = _link_end(text, start.end())
        if protocol is None:
            wanted = not require_protocol
            begin = start.start()
        else:
            wanted = protocol in permitted
            begin = start.start("protocol")
        if wanted and end > start.end():
            link = _anchor(text[begin:end], start.end() - begin, protocol, shorten, extra_params)
            yield html.escape(text[done:begin]) + link
            done = end
    yield html.escape(text[done:])


def _link_end(text: str, position: int) -> int:
    match = _LINK_REST.match(text, position)
    assert match is not None  # it matches the empty text
    return position + len(match[0].rstrip(_LINK_TRAILERS))


def _anchor(
    url: str,
    prefix: int,
    protocol: str | None,
    shorten: bool,
    extra_params: str | Callable[[str], str],
) -> str:
    shown = _shortened(url, prefix if protocol else 0) if shorten else url
    href = html.escape(url if protocol else "http://" + url)
    extra = extra_params(href) if callable(extra_params) else extra_params
    attributes = f'href="{href}"'
    if extra := extra.strip():
        attributes += f" {extra}"
    if shown != url:
        attributes += f' title="{href}"'
    return f"<a {attributes}>{html.escape(shown)}</a>"


def _shortened(url: str, prefix: int) -> str:
    """``url`` cut after its host and the beginning of its path, when it is long."""
    if len(url) <= _SHOWN_LENGTH:
        return url
    slash = url.find("/", prefix)
    end = len(url)
    if slash != -1:
        path = _SHOWN_PATH.match(url, slash + 1)
        end = path.end() if path else slash + 1
    if end > _SHOWN_LENGTH * 3 // 2:
        end = _SHOWN_LENGTH
    short = url[:end] + "..."
    return short if len(short) < len(url) else url
