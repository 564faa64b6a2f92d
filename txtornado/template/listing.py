"""What a traceback shows of a template: its own lines, with where they come from.

A template is compiled from one or more files.  The compiled code's line numbers count the lines of
a *listing*: the files one below the other, the template's own file first, so that its lines have
their own numbers.  The lines that hold code end in a remark such as
``# sub.html:4 (via base.html:1)``.
"""

from __future__ import annotations

import linecache
from bisect import bisect_right
from dataclasses import dataclass, field
from types import SimpleNamespace

from txtornado.template.source import Source

__all__ = ["Listing", "Via"]

#: The places, innermost first, through which a file came into a template.
Via = tuple[str, ...]


@dataclass(slots=True)
class _Copy:
    """A file's lines in the listing; a line can carry one remark, so a file may need several."""

    source: Source
    base: int
    remarks: dict[int, Via] = field(default_factory=dict)

    def lines(self) -> list[str]:
        result = []
        for number, text in enumerate(self.source.lines, 1):
            # No other line end than ours, or the numbers would not hold.
            line = " ".join(text.splitlines())
            via = self.remarks.get(number)
            if via is not None:
                through = f" (via {', '.join(via)})" if via else ""
                line = f"{line}  # {self.source.name}:{number}{through}"
            result.append(line)
        return result


class Listing:
    """The lines that a compiled template's line numbers speak of.

    Args:
        source: The template's own file.
    """

    def __init__(self, source: Source) -> None:
        #: A name that no file has, so that nobody looks there for the lines.
        self.filename = f"{source.name} (template)"
        self._copies: list[_Copy] = []
        self._copies_of: dict[Source, list[_Copy]] = {}
        self._length = 0
        self._add(source)

    def _add(self, source: Source) -> _Copy:
        copy = _Copy(source, self._length)
        self._length += len(source.lines)
        self._copies.append(copy)
        self._copies_of.setdefault(source, []).append(copy)
        return copy

    def place(self, source: Source, first: int, last: int, via: Via) -> int:
        """Enter lines of a file; what to add to its line numbers for the listing's."""
        numbers = range(first, last + 1)
        for copy in self._copies_of.get(source, ()):
            if all(copy.remarks.get(number, via) == via for number in numbers):
                break
        else:
            copy = self._add(source)
        copy.remarks.update(dict.fromkeys(numbers, via))
        return copy.base

    def locate(self, lineno: int) -> tuple[str, int]:
        """The file and the line in it that a line of the listing comes from."""
        lineno = min(max(lineno, 1), self._length)
        copy = self._copies[bisect_right(self._copies, lineno - 1, key=lambda each: each.base) - 1]
        return copy.source.name, lineno - copy.base

    def text(self) -> str:
        """The whole listing."""
        return "\n".join(line for copy in self._copies for line in copy.lines()) + "\n"

    def loader(self) -> SimpleNamespace:
        """What `linecache` asks for the lines: a PEP 302 loader's ``get_source``."""
        return SimpleNamespace(get_source=lambda fullname: self.text())

    def forget_cached(self) -> None:
        """Make `linecache` ask again: another template of this name may have been there."""
        linecache.cache.pop(self.filename, None)
