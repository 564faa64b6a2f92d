"""Matchers: whether a request is a rule's, and what is taken from it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from txtornado.httputil import HTTPServerRequest
from txtornado.routing.patterns import PatternFacts, analyze

__all__ = ["AnyMatches", "DefaultHostMatches", "HostMatches", "Matcher", "PathMatches"]


class Matcher:
    """Decides whether a request matches.  Since Tornado 4.5."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return parameters for the rule's target, perhaps none, if the request matches.

        ``path_args`` (a list) and ``path_kwargs`` (a dictionary) are what handlers get.
        None when the request does not match.
        """
        raise NotImplementedError(f"{type(self).__name__} must define match")

    def reverse(self, *args: Any) -> str | None:
        """Return a URL that matches with ``args`` for its groups, None if there is none."""
        return None


class AnyMatches(Matcher):
    """Matches every request.  Since Tornado 4.5."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {}


class HostMatches(Matcher):
    """Matches requests to a host.  Since Tornado 4.5.

    Args:
        host_pattern: a regular expression for the whole of `HTTPServerRequest.host_name`;
            a compiled one is used as it is and need not match to the end.
    """

    def __init__(self, host_pattern: str | re.Pattern[str]) -> None:
        if isinstance(host_pattern, str):
            if not host_pattern.endswith("$"):
                host_pattern += "$"
            self.host_pattern = re.compile(host_pattern)
        else:
            self.host_pattern = host_pattern

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {} if self.host_pattern.match(request.host_name) else None


class DefaultHostMatches(Matcher):
    """Matches when the application's default host does.  Since Tornado 4.5.

    Never when a proxy is in between (``X-Real-Ip``), for then the host may be internal.

    Args:
        application: has the attribute ``default_host``.
        host_pattern: compiled.
    """

    def __init__(self, application: Any, host_pattern: re.Pattern[str]) -> None:
        self.application = application
        self.host_pattern = host_pattern

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        if "X-Real-Ip" in request.headers:
            return None
        return {} if self.host_pattern.match(self.application.default_host) else None


class PathMatches(Matcher):
    """Matches requests whose path matches a regular expression.  Since Tornado 4.5.

    Its groups become the handler's arguments: all by position, or all by name.  Their
    values are URL-unescaped bytes, None for a group that took no part.

    Args:
        path_pattern: a regular expression for the whole path; a compiled one is used as it
            is and need not match to the end.

    Raises:
        ValueError: when it has groups with and groups without a name.
    """

    def __init__(self, path_pattern: str | re.Pattern[str]) -> None:
        if isinstance(path_pattern, str):
            if not path_pattern.endswith("$"):
                path_pattern += "$"
            self.regex = re.compile(path_pattern)
            self._match = self.regex.fullmatch
        else:
            self.regex = path_pattern
            self._match = path_pattern.match
        self._is_whole = isinstance(path_pattern, str)
        names = self.regex.groupindex
        if names and len(names) != self.regex.groups:
            raise ValueError(
                "groups in url regexes must either be all named or all positional: "
                f"{self.regex.pattern!r}"
            )
        self._names = tuple(names)
        self._has_groups = self.regex.groups > 0
        self._facts: PatternFacts | None = None

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return self.match_path(request.path)

    def match_path(self, path: str) -> dict[str, Any] | None:
        """Return the same for the path of a request; ours."""
        match = self._match(path)
        if match is None:
            return None
        if not self._has_groups:
            return {}
        if self._names:
            return {
                "path_args": [],
                "path_kwargs": {name: _unquote(match[name]) for name in self._names},
            }
        return {"path_args": [_unquote(group) for group in match.groups()], "path_kwargs": {}}

    def reverse(self, *args: Any) -> str | None:
        """Return a path that matches, with ``args`` escaped in place of the groups.

        Raises:
            ValueError: for a wrong number of arguments, and for a pattern that has more
                than groups and literal text in it.
        """
        literals = self.facts.literals
        if literals is None:
            raise ValueError(f"Cannot reverse url regex {self.regex.pattern!r}")
        if len(args) != len(literals) - 1:
            raise ValueError(
                f"url regex {self.regex.pattern!r} takes {len(literals) - 1} arguments "
                f"to be reversed, {len(args)} were given"
            )
        url = literals[0]
        for arg, literal in zip(args, literals[1:], strict=True):
            url += quote(arg if isinstance(arg, (str, bytes)) else str(arg)) + literal
        return url

    @property
    def facts(self) -> PatternFacts:
        """What is known about the pattern without matching; ours."""
        if self._facts is None:
            self._facts = analyze(self.regex)
            if not self._is_whole:
                self._facts = self._facts._replace(is_literal=False)
        return self._facts


def _unquote(group: str | None) -> bytes | None:
    if group is None:
        return None
    return unquote_to_bytes(group) if "%" in group else group.encode("utf-8")
