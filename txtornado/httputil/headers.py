"""`HTTPHeaders`, a case-insensitive dictionary with several values per name.

One ``dict`` holds everything.  Its keys are names in ``Http-Header-Case``; its values are
the header's value or, when there are several, a private kind of list.  That spelling is
looked up in a bounded table of the names seen before, so that reading a header costs two
dictionary look-ups, and taking over pairs that somebody has already checked
(`HTTPHeaders.from_pairs`) is one comprehension.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, Self, TypeVar, overload

from txtornado.httputil.errors import HTTPInputError
from txtornado.httputil.grammar import HTTP_WHITESPACE, Grammar

__all__ = ["HTTPHeaders", "normalize_header"]

_T = TypeVar("_T")

# What no value may contain, even where its characters are not bytes (multipart's headers
# are UTF-8): controls save the tab.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# A peer chooses names: the tables of known ones are bounded, in number and in length.
_MAX_KNOWN_NAMES = 1000
_MAX_KNOWN_LENGTH = 100


class _Spellings(dict[Any, str]):
    """Maps any name to its ``Http-Header-Case``, valid or not; forgets when it is full."""

    def __missing__(self, name: Any) -> str:
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        elif not isinstance(name, str):
            return name  # type: ignore[no-any-return]  # no header has it: no match
        spelling = "-".join([part.capitalize() for part in name.split("-")])
        self._keep(name, spelling)
        return spelling

    def _keep(self, name: str, spelling: str) -> None:
        if len(name) > _MAX_KNOWN_LENGTH:
            return
        if len(self) >= _MAX_KNOWN_NAMES:
            self.clear()
        self[name] = spelling


class _ValidSpellings(_Spellings):
    """The same for names that have passed the check; raises `HTTPInputError` for others."""

    def __missing__(self, name: Any) -> str:
        if not Grammar.field_name.fullmatch(name):
            raise HTTPInputError(f"Invalid header name {name!r}")
        spelling = _SPELLINGS[name]
        self._keep(name, spelling)
        return spelling


_SPELLINGS = _Spellings()
_VALID_SPELLINGS = _ValidSpellings()


def normalize_header(name: str) -> str:
    """Return ``name`` in ``Http-Header-Case``.

    >>> normalize_header("coNtent-TYPE")
    'Content-Type'
    """
    return _SPELLINGS[name]


class _Values(list[str]):
    """The values of a header that has several: told apart from a value by its type."""

    __slots__ = ()


class HTTPHeaders(MutableMapping[str, str]):
    r"""Headers: a dictionary whose keys have no case, with several values per key.

    The dictionary's own methods see one value, with several joined by a comma; `add`,
    `get_list` and `get_all` see each.  Names come back in ``Http-Header-Case``, in the
    order of their first occurrence.

    >>> h = HTTPHeaders({"content-type": "text/html"})
    >>> list(h.keys())
    ['Content-Type']
    >>> h["Content-Type"]
    'text/html'
    >>> h.add("Set-Cookie", "A=B")
    >>> h.add("Set-Cookie", "C=D")
    >>> h["set-cookie"]
    'A=B,C=D'
    >>> h.get_list("set-cookie")
    ['A=B', 'C=D']

    `add` and the parsers check what they take and raise `HTTPInputError`; an assignment
    takes everything, and a connection checks it when it is written.  Assigning a list
    assigns several values.  Every generation of Tornado.
    """

    __slots__ = ("__weakref__", "_several", "_store")

    _store: dict[str, Any]
    _several: bool  # False: no header has, or had, several values

    def __init__(self, *args: Any, **kwargs: str) -> None:
        if len(args) == 1 and not kwargs and isinstance(args[0], HTTPHeaders):
            self._take(args[0])
            return
        self._store = {}
        self._several = False
        if len(args) == 1 and not kwargs and type(args[0]) is dict:
            for name, value in args[0].items():
                self[name] = value
        elif args or kwargs:
            self.update(*args, **kwargs)

    @classmethod
    def from_pairs(cls, pairs: list[tuple[str, str]]) -> Self:
        """Take over ``(name, value)`` pairs that have been checked already; ours.

        Nothing is checked here: this is for a parser that has refused bad names and
        values itself.  A name that occurs again adds a value.
        """
        self = cls.__new__(cls)
        self._several = False
        self._store = store = {_SPELLINGS[name]: value for name, value in pairs}
        if len(store) != len(pairs):
            store.clear()
            for name, value in pairs:
                self._append(_SPELLINGS[name], value)
        return self

    # -- several values ----------------------------------------------------------------

    def add(self, name: str, value: str, *, _chars_are_bytes: bool = True) -> None:
        """Add a value to those that ``name`` has.

        Raises:
            HTTPInputError: when ``name`` is no token, or ``value`` has control characters,
                characters beyond latin-1 or white space at an end (RFC 9110, section 5.5).
        """
        spelling = _VALID_SPELLINGS[name]
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if _chars_are_bytes:
            if not Grammar.field_value.fullmatch(value):
                raise HTTPInputError(f"Invalid header value {value!r}")
        elif _FORBIDDEN.search(value):
            raise HTTPInputError(f"Invalid header value {value!r}")
        self._append(spelling, value)

    def _append(self, spelling: str, value: str) -> None:
        store = self._store
        if spelling not in store:
            store[spelling] = value
        elif type(old := store[spelling]) is _Values:
            old.append(value)
        else:
            store[spelling] = _Values((old, value))
            self._several = True

    def get_list(self, name: str) -> list[str]:
        """Return all values of ``name`` in a new list, empty when there are none."""
        value = self._store.get(_SPELLINGS[name], self)
        if value is self:
            return []
        return list(value) if type(value) is _Values else [value]

    def get_all(self) -> Iterable[tuple[str, str]]:
        """Return all ``(name, value)`` pairs; a name with several values occurs as often."""
        if not self._several:
            return list(self._store.items())
        pairs = []
        for name, value in self._store.items():
            if type(value) is _Values:
                pairs += [(name, each) for each in value]
            else:
                pairs.append((name, value))
        return pairs

    # -- parsing -----------------------------------------------------------------------

    def parse_line(self, line: str, *, _chars_are_bytes: bool = True) -> None:
        r"""Add the header of one line, with or without the line end.

        An empty line adds nothing, so that what a client's ``header_callback`` gets can be
        handed on here.

        >>> h = HTTPHeaders()
        >>> h.parse_line("Content-Type: text/html\r\n")
        >>> h.get('content-type')
        'text/html'

        Raises:
            HTTPInputError: for a malformed line.  Folded lines (RFC 9112, section 5.2) are
                refused, as Tornado has done since 6.6.
        """
        if line.endswith("\n"):
            line = line[:-2] if line.endswith("\r\n") else line[:-1]
        if not line:
            return
        name, colon, value = line.partition(":")
        if line[0] in HTTP_WHITESPACE:
            raise HTTPInputError("Folded header lines are not supported")
        if not colon:
            raise HTTPInputError("no colon in header line")
        self.add(name, value.strip(HTTP_WHITESPACE), _chars_are_bytes=_chars_are_bytes)

    @classmethod
    def parse(cls, headers: str, *, _chars_are_bytes: bool = True) -> Self:
        r"""Parse a block of header lines that end with CRLF or LF.

        >>> h = HTTPHeaders.parse("Content-Type: text/html\r\nContent-Length: 42\r\n")
        >>> sorted(h.items())
        [('Content-Length', '42'), ('Content-Type', 'text/html')]

        Raises:
            HTTPInputError: for a malformed line.
        """
        self = cls()
        start, size = 0, len(headers)
        while start < size:
            end = headers.find("\n", start) + 1 or size
            self.parse_line(headers[start:end], _chars_are_bytes=_chars_are_bytes)
            start = end
        return self

    # -- the dictionary ----------------------------------------------------------------

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, (list, tuple)):
            value = _Values(value)
            self._several = True
        self._store[_SPELLINGS[name]] = value

    def __getitem__(self, name: str) -> str:
        value = self._store[_SPELLINGS[name]]
        return ",".join(value) if type(value) is _Values else value

    @overload
    def get(self, key: str, /) -> str | None: ...

    @overload
    def get(self, key: str, /, default: str | _T) -> str | _T: ...

    def get(self, key: str, /, default: Any = None) -> Any:
        """Return the value of ``key``, or ``default`` when there is none."""
        value = self._store.get(_SPELLINGS[key], default)
        return ",".join(value) if type(value) is _Values else value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of ``key``, which becomes ``default`` when there is none."""
        if key in self:
            return self[key]
        self[key] = default
        return default

    def __delitem__(self, name: str) -> None:
        del self._store[_SPELLINGS[name]]

    def __contains__(self, name: object) -> bool:
        return _SPELLINGS[name] in self._store

    def __len__(self) -> int:
        return len(self._store)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._store)

    def clear(self) -> None:
        """Remove all headers."""
        self._store.clear()

    def copy(self) -> Self:
        """Return a copy that shares nothing with this."""
        other = type(self).__new__(type(self))
        if self._several:
            other._take(self)
        else:
            other._store = self._store.copy()
            other._several = False
        return other

    __copy__ = copy

    def _take(self, other: HTTPHeaders) -> None:
        self._store = store = other._store.copy()
        self._several = other._several
        if self._several:
            for name, value in store.items():
                if type(value) is _Values:
                    store[name] = _Values(value)

    def __str__(self) -> str:
        return "".join([f"{name}: {value}\n" for name, value in self.get_all()])

    __unicode__ = __str__
