"""Rules: a matcher, a target, and what belongs to them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, SupportsIndex

from txtornado.routing.matchers import Matcher, PathMatches
from txtornado.util import import_object

__all__ = ["Rule", "RuleList", "URLSpec", "make_rule"]


class Rule:
    """Says which target the requests go to that a matcher matches.  Since Tornado 4.5.

    Args:
        matcher: decides.
        target: a router, a connection delegate, a function of the request; in an
            `Application` also a ``RequestHandler`` class.  A string is a dotted name,
            imported here.
        target_kwargs: keyword arguments for the target (a handler's ``initialize``).
        name: for ``reverse_url``.
    """

    def __init__(
        self,
        matcher: Matcher,
        target: Any,
        target_kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        if isinstance(target, str):
            target = import_object(target)
        self.matcher = matcher
        self.target = target
        self.target_kwargs = target_kwargs or {}
        self.name = name

    def reverse(self, *args: Any) -> str | None:
        """Return the URL of this rule with ``args`` for its groups."""
        return self.matcher.reverse(*args)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.matcher!r}, {self.target}, "
            f"kwargs={self.target_kwargs!r}, name={self.name!r})"
        )


class URLSpec(Rule):
    """A rule for paths, ``tornado.web.url``.  Every generation of Tornado.

    Args:
        pattern: a regular expression for the whole path; see `PathMatches`.
        handler: the target, usually a ``RequestHandler`` class.
        kwargs: keyword arguments for the target.
        name: for ``reverse_url``.
    """

    def __init__(
        self,
        pattern: str | re.Pattern[str],
        handler: Any,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        matcher = PathMatches(pattern)
        super().__init__(matcher, handler, kwargs, name)
        self.regex = matcher.regex
        self.handler_class = self.target
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.regex.pattern!r}, {self.handler_class}, "
            f"kwargs={self.kwargs!r}, name={self.name!r})"
        )


def make_rule(rule: Any) -> Rule:
    """Return ``rule``, or make one of a tuple of a rule's arguments.

    A string or compiled expression in place of the matcher is a `PathMatches`.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, (tuple, list)) or not 2 <= len(rule) <= 4:
        raise TypeError(
            "a routing rule must be a Rule or a tuple of two to four of its arguments "
            f"(matcher, target, target_kwargs, name), not {rule!r}"
        )
    matcher, *rest = rule
    if isinstance(matcher, (str, re.Pattern)):
        matcher = PathMatches(matcher)
    elif not isinstance(matcher, Matcher):
        raise TypeError(f"a routing rule starts with a pattern or a Matcher, not {matcher!r}")
    return Rule(matcher, *rest)


class RuleList(list[Rule]):
    """A list that counts its changes, so that an index knows when it is out of date."""

    version = 0

    def __setitem__(self, index: Any, value: Any) -> None:
        self.version += 1
        super().__setitem__(index, value)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        self.version += 1
        super().__delitem__(index)

    def __iadd__(self, values: Iterable[Rule]) -> RuleList:  # type: ignore[misc,override]
        self.extend(values)
        return self

    def __imul__(self, value: SupportsIndex) -> RuleList:
        self.version += 1
        super().__imul__(value)
        return self

    def append(self, rule: Rule) -> None:
        self.version += 1
        super().append(rule)

    def extend(self, rules: Iterable[Rule]) -> None:
        self.version += 1
        super().extend(rules)

    def insert(self, index: SupportsIndex, rule: Rule) -> None:
        self.version += 1
        super().insert(index, rule)

    def pop(self, index: SupportsIndex = -1) -> Rule:
        self.version += 1
        return super().pop(index)

    def remove(self, rule: Rule) -> None:
        self.version += 1
        super().remove(rule)

    def clear(self) -> None:
        self.version += 1
        super().clear()

    def reverse(self) -> None:
        self.version += 1
        super().reverse()

    def sort(self, **kwargs: Any) -> None:
        self.version += 1
        super().sort(**kwargs)
