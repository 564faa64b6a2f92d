"""From a template's text to its tokens.

The rules, all of them:

* ``{{``, ``{%`` and ``{#`` open an expression, a directive and a comment; ``}}``, ``%}`` and ``#}``
  close them, wherever they first occur after it (a string within the tag does not hide them).
* Of more than two opening braces in a row the innermost two count, for languages with braces of
  their own: ``{{{ x }}}`` is the value of x in braces.
* An opening followed by ``!`` is itself, as text, without the ``!``.
* A comment is nothing, and everything else is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from txtornado.template.errors import ParseError
from txtornado.template.source import Source

__all__ = ["Kind", "Token", "tokenize"]

_OPENING = re.compile(r"\{\{(?!\{)|\{[%#]")


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    EXPRESSION = auto()
    DIRECTIVE = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch of a template: its kind, and where its content starts and ends.

    For text the content is all of it; for a tag, what stands between the braces.
    """

    kind: Kind
    start: int
    end: int


#: Opening -> (closing, the kind of the tag, its name in errors).
_TAGS: dict[str, tuple[str, Kind | None, str]] = {
    "{{": ("}}", Kind.EXPRESSION, "expression"),
    "{%": ("%}", Kind.DIRECTIVE, "block"),
    "{#": ("#}", None, "comment"),
}


def tokenize(source: Source) -> Iterator[Token]:
    """The tokens of ``source``, in order; text is cut at every tag.

    Raises:
        ParseError: a tag is not closed.
    """
    text = source.text
    position = 0
    while opening := _OPENING.search(text, position):
        start, inside = opening.span()
        if start > position:
            yield Token(Kind.TEXT, position, start)
        if text.startswith("!", inside):
            yield Token(Kind.TEXT, start, inside)
            position = inside + 1
            continue
        closing, kind, what = _TAGS[opening.group()]
        end = text.find(closing, inside)
        if end < 0:
            raise ParseError(f"Missing end {what} {closing}", source.name, source.line_at(start))
        if kind is not None:
            yield Token(kind, inside, end)
        position = end + len(closing)
    if position < len(text):
        yield Token(Kind.TEXT, position, len(text))
