"""What can be said about a URL pattern without matching it.

A pattern is a regular expression, but most are a literal path with groups in it.
`analyze` walks over it once and finds what the router's index wants (the literal text that
every match starts with) and what reversing wants (the literal text between the groups).
It knows just enough of the syntax for that and says so where it does not.
"""

import re
from typing import NamedTuple

__all__ = ["PatternFacts", "analyze"]


class PatternFacts(NamedTuple):
    """What `analyze` has found out."""

    #: The text that every match starts with.
    prefix: str
    #: Whether `prefix` is all that the pattern matches.
    is_literal: bool
    #: The literal text before, between and behind the groups; None: cannot be reversed.
    literals: tuple[str, ...] | None


def analyze(regex: re.Pattern[str]) -> PatternFacts:
    """Return the facts of ``regex``, as used with ``fullmatch``."""
    walk = _Walk(regex.pattern)
    try:
        walk.run()
    except IndexError:  # syntax that this does not know, such as comments
        return PatternFacts("", False, None)
    if regex.flags & ~re.UNICODE or walk.has_alternatives:
        # Case or white space may not count, or the prefix belongs to one branch only.
        walk.prefix, walk.prefix_is_open = "", False
    literals: tuple[str, ...] | None = tuple(walk.literals)
    if not walk.reversible or regex.flags & re.VERBOSE or len(walk.literals) != regex.groups + 1:
        literals = None
    return PatternFacts(walk.prefix, walk.prefix_is_open, literals)


class _Walk:
    """One pass over a pattern's text."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern.removeprefix("^")
        if self.pattern.endswith("$") and not self._is_escaped(len(self.pattern) - 1):
            self.pattern = self.pattern[:-1]
        self.position = 0
        self.prefix = ""
        self.prefix_is_open = True
        self.literals = [""]
        self.reversible = True
        self.has_alternatives = False

    def _is_escaped(self, position: int) -> bool:
        before = self.pattern[:position]
        return (len(before) - len(before.rstrip("\\"))) % 2 == 1

    def run(self) -> None:
        pattern = self.pattern
        while self.position < len(pattern):
            char = pattern[self.position]
            step = _STEPS.get(char)
            if step is None:
                self._literal(char)
                self.position += 1
            else:
                step(self)

    def _literal(self, char: str) -> None:
        self.literals[-1] += char
        if self.prefix_is_open:
            self.prefix += char

    def _end_prefix(self) -> None:
        self.prefix_is_open = False

    def _irreversible(self) -> None:
        self.reversible = False
        self._end_prefix()

    # Each of these stands at its character and moves the position past what it means.

    def _escape(self) -> None:
        char = self.pattern[self.position + 1]
        if char.isalnum():
            self._irreversible()
        else:
            self._literal(char)
        self.position += 2

    def _dot(self) -> None:
        # A dot matches a dot, which is what most who write "/index.html" mean.
        self._end_prefix()
        self.literals[-1] += "."
        self.position += 1

    def _repeat(self) -> None:
        # The character in front stays in the reversed URL: one occurrence matches always.
        if self.prefix_is_open:
            self.prefix = self.prefix[:-1]
        if self.pattern[self.position] == "{":
            self._irreversible()
        self._end_prefix()
        self.position += 1

    def _other(self) -> None:
        self._irreversible()
        self.position += 1

    def _alternative(self) -> None:
        self.has_alternatives = True
        self._other()

    def _set(self) -> None:
        self._irreversible()
        self.position = self._end_of_set(self.position)

    def _group(self) -> None:
        self._end_prefix()
        start = self.position
        if self.pattern.startswith("(?", start) and not self.pattern.startswith("(?P<", start):
            self.reversible = False
        else:
            self.literals.append("")
        depth, position = 0, start
        while True:
            char = self.pattern[position]
            if char == "\\":
                position += 1
            elif char == "[":
                position = self._end_of_set(position)
                continue
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
            position += 1
            if depth == 0:
                break
        self.position = position

    def _end_of_set(self, start: int) -> int:
        position = start + 1
        if self.pattern.startswith("^", position):
            position += 1
        if self.pattern.startswith("]", position):
            position += 1
        while self.pattern[position] != "]":
            position += 2 if self.pattern[position] == "\\" else 1
        return position + 1


_STEPS = {
    "\\": _Walk._escape,
    ".": _Walk._dot,
    "*": _Walk._repeat,
    "+": _Walk._repeat,
    "?": _Walk._repeat,
    "{": _Walk._repeat,
    "|": _Walk._alternative,
    "^": _Walk._other,
    "$": _Walk._other,
    "[": _Walk._set,
    "(": _Walk._group,
}
