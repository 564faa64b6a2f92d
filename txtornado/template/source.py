"""A template's text, and where in it things stand.

Every piece of Python cut out of a template remembers its line and its column, so that what is
compiled from it points back at the template itself.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from txtornado.template.errors import ParseError

__all__ = ["Code", "Source", "decode"]


def decode(text: str | bytes, name: str) -> str:
    """A template's text as `str`: bytes are UTF-8.

    Raises:
        ParseError: they are not.
    """
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ParseError(
            f"Template is not UTF-8 (byte 0x{text[error.start]:02x} at offset {error.start})",
            name,
            line,
        ) from error


@dataclass(frozen=True, slots=True)
class Code:
    """Python text cut out of a template.

    Attributes:
        text: The text, without white space at its ends.
        line: The template's line it starts on, counted from 1.
        column: The column it starts in, in bytes of UTF-8, counted from 0.
    """

    text: str
    line: int
    column: int

    @property
    def last_line(self) -> int:
        return self.line + self.text.count("\n")


class Source:
    """The text of one template, under its loader's name for it."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._column_at = (0, 0)

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines, without line ends; the last may be empty."""
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts[:-1]

    def line_at(self, offset: int) -> int:
        """The number of the line, from 1, that the character at ``offset`` stands on."""
        return bisect_right(self._starts, offset)

    def cut(self, start: int, end: int) -> Code:
        """The text between two offsets, trimmed, with its position."""
        raw = self.text[start:end]
        text = raw.strip()
        start += len(raw) - len(raw.lstrip())
        return Code(text, self.line_at(start), self._column(start))

    def _column(self, offset: int) -> int:
        """The column of the character at ``offset``, in bytes.

        Text is cut from front to back, so each column is counted on from the one before, or a
        template that is one long line would take time in proportion to the square of its length.
        """
        known, column = self._column_at
        start = self._starts[self.line_at(offset) - 1]
        if not start <= known <= offset:
            known, column = start, 0
        column += len(self.text[known:offset].encode("utf-8", "surrogatepass"))
        self._column_at = (offset, column)
        return column
