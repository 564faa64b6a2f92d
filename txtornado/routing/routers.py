"""Routers: from a request to the delegate that serves it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from txtornado.httputil import (
    HTTPConnection,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
)
from txtornado.log import app_log
from txtornado.routing.delegates import CallableDelegate, RoutingDelegate
from txtornado.routing.index import RuleIndex
from txtornado.routing.rules import Rule, RuleList, make_rule

__all__ = ["ReversibleRouter", "ReversibleRuleRouter", "Router", "RuleRouter"]


class Router(HTTPServerConnectionDelegate):
    """Finds the delegate for a request.  Since Tornado 4.5.

    A router is a connection delegate, so that an ``HTTPServer`` takes it as it is.
    """

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Return the delegate that shall serve ``request``; None: not mine.

        Args:
            request: its head is complete, its body is not there yet.
            kwargs: what a router above has taken from the request.
        """
        raise NotImplementedError(f"{type(self).__name__} must define find_handler")

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        return RoutingDelegate(self, server_conn, request_conn)


class ReversibleRouter(Router):
    """A router that finds the URL of a route by its name.  Since Tornado 4.5."""

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """Return the URL of the route ``name``, None if there is no such route.

        Args:
            name: of the route.
            args: take the places of the groups in its pattern; they are escaped.
        """
        raise NotImplementedError(f"{type(self).__name__} must define reverse_url")


class RuleRouter(Router):
    """Goes by a list of rules, of which the first that matches and has a delegate counts.

    Since Tornado 4.5.

    Args:
        rules: `Rule`, or tuples of its arguments, where a string in place of the matcher
            is a `PathMatches`.
    """

    _rules: RuleList
    _index: RuleIndex | None = None

    def __init__(self, rules: Iterable[Any] | None = None) -> None:
        self._rules = RuleList()
        if rules:
            self.add_rules(rules)

    @property
    def rules(self) -> list[Rule]:
        """The rules in order; may be changed at any time."""
        return self._rules

    @rules.setter
    def rules(self, rules: Iterable[Rule]) -> None:
        self._rules = rules if isinstance(rules, RuleList) else RuleList(rules)

    def add_rules(self, rules: Iterable[Any]) -> None:
        """Append rules, or tuples of their arguments."""
        for rule in rules:
            self._rules.append(self.process_rule(make_rule(rule)))

    def process_rule(self, rule: Rule) -> Rule:
        """Return ``rule``, or another to be added in its place; to be overridden."""
        return rule

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        index, rules = self._index, self._rules
        if index is None or index.rules is not rules or index.version != rules.version:
            self._index = index = RuleIndex(rules)
        path = request.path
        for rule, match, prefix in index.find(path):
            if match is None:
                params: dict[str, Any] | None = {}
            elif path.startswith(prefix):
                params = match(request)
            else:
                continue
            if params is None:
                continue
            if rule.target_kwargs:
                params["target_kwargs"] = rule.target_kwargs
            delegate = self.get_target_delegate(rule.target, request, **params)
            if delegate is not None:
                return delegate
        return None

    def get_target_delegate(
        self, target: Any, request: HTTPServerRequest, **target_params: Any
    ) -> HTTPMessageDelegate | None:
        """Return the delegate for a rule's target; to be extended for other targets.

        Args:
            target: a router, a connection delegate, or a function of the request.
            request: the request.
            target_params: what the matcher has taken from the request, and
                ``target_kwargs``.  Routers and functions get them as keyword arguments.
        """
        if isinstance(target, Router):
            return target.find_handler(request, **target_params)
        if isinstance(target, HTTPServerConnectionDelegate):
            connection = request.connection
            assert connection is not None
            return target.start_request(request.server_connection, connection)
        if callable(target):
            return CallableDelegate(
                partial(target, **target_params) if target_params else target, request
            )
        return None


class ReversibleRuleRouter(ReversibleRouter, RuleRouter):
    """A rule router whose rules may have names.  Since Tornado 4.5.

    ``reverse_url`` looks into the reversible routers among its targets as well.
    """

    def __init__(self, rules: Iterable[Any] | None = None) -> None:
        self.named_rules: dict[str, Rule] = {}
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        rule = super().process_rule(rule)
        if rule.name:
            if rule.name in self.named_rules:
                app_log.warning("Multiple handlers named %s; replacing previous value", rule.name)
            self.named_rules[rule.name] = rule
        return rule

    def reverse_url(self, name: str, *args: Any) -> str | None:
        if name in self.named_rules:
            return self.named_rules[name].reverse(*args)
        for rule in self._rules:
            if isinstance(rule.target, ReversibleRouter):
                url = rule.target.reverse_url(name, *args)
                if url is not None:
                    return url
        return None
