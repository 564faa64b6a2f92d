"""Which rules a path can match, without trying all of them.

The rules of an application are an ordered list, and the first that matches counts.  Most
are about a path that is literal, or starts with literal directories.  The index keeps that
order: it maps a literal path, and each literal directory, to the rules that are left when
those are dropped which cannot match there.  Rules that it knows nothing about (hosts,
other matchers, patterns that start with a group) are in every answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txtornado.httputil import HTTPServerRequest
from txtornado.routing.matchers import PathMatches
from txtornado.routing.rules import Rule, RuleList

__all__ = ["Candidate", "RuleIndex"]

#: A rule, the ``match`` of its matcher (None: the index has proven the match), and text that
#: the path must start with for it to match.
Candidate = tuple[Rule, Callable[[HTTPServerRequest], dict[str, Any] | None] | None, str]


class RuleIndex:
    """The index of one `RuleList` in one state.

    The answers are put together when they are first needed: one for each literal path and
    directory among the rules at most, whatever the requests ask for.
    """

    __slots__ = ("_answers", "_directories", "_entries", "_longest", "_paths", "rules", "version")

    def __init__(self, rules: RuleList) -> None:
        self.rules = rules
        self.version = rules.version
        # Of each rule: is its path literal, and the text that it is or starts with.
        self._entries = [(rule, *_literal_of(rule)) for rule in rules]
        self._paths = {prefix for _, is_literal, prefix in self._entries if is_literal}
        self._directories = {
            _directory_of(prefix) for _, is_literal, prefix in self._entries if not is_literal
        }
        self._longest = max(map(len, self._directories), default=0)
        # Keys are (path,) for literal paths, and directories.
        self._answers: dict[str | tuple[str], tuple[Candidate, ...]] = {}

    def find(self, path: str) -> tuple[Candidate, ...]:
        """Return the rules that may match ``path``, in order."""
        key: str | tuple[str] = (path,) if path in self._paths else self._place_of(path)
        found = self._answers.get(key)
        if found is None:
            self._answers[key] = found = self._answer(key)
        return found

    def _place_of(self, path: str) -> str:
        """Return the deepest directory of ``path`` that rules start with."""
        longest = self._longest
        if longest:
            end = path.rfind("/", 0, longest) + 1
            while end:
                directory = path[:end]
                if directory in self._directories:
                    return directory
                end = path.rfind("/", 0, end - 1) + 1
        return ""

    def _answer(self, key: str | tuple[str]) -> tuple[Candidate, ...]:
        found: list[Candidate] = []
        path, place = (None, key) if isinstance(key, str) else (key[0], key[0])
        for rule, is_literal, prefix in self._entries:
            if not is_literal:
                if place.startswith(_directory_of(prefix)):
                    found.append((rule, rule.matcher.match, prefix))
            elif prefix == path:
                found.append((rule, None, prefix))
        return tuple(found)


def _directory_of(prefix: str) -> str:
    return prefix[: prefix.rfind("/") + 1]


def _literal_of(rule: Rule) -> tuple[bool, str]:
    """Return whether the rule's path is literal, and the text that it is or starts with."""
    matcher = rule.matcher
    if type(matcher) is not PathMatches:
        return False, ""
    facts = matcher.facts
    return facts.is_literal, facts.prefix
