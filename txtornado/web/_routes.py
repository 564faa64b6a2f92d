"""From a path to a handler: the router of an application, and the short way through it."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isclass
from typing import TYPE_CHECKING, Any

from txtornado import httputil
from txtornado.routing import AnyMatches, PathMatches, ReversibleRuleRouter, Rule
from txtornado.routing.index import RuleIndex
from txtornado.web._handler import RequestHandler

if TYPE_CHECKING:
    from txtornado.routing.rules import RuleList
    from txtornado.web._application import Application

__all__ = ["ApplicationRouter", "Route", "Routes"]

#: A rule that leads to a handler, and the arguments for its method.
Route = tuple[Rule, tuple[Any, ...], dict[str, Any]]

#: So many paths are remembered, of so many characters at most.
_MAX_KNOWN = 1024
_MAX_LENGTH = 256


class ApplicationRouter(ReversibleRuleRouter):
    """Routes to the handlers of an application, and to lists of further rules."""

    def __init__(self, application: Application, rules: Iterable[Any] | None = None) -> None:
        self.application = application
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        rule = super().process_rule(rule)
        if isinstance(rule.target, list | tuple):
            rule.target = ApplicationRouter(self.application, rule.target)
        return rule

    def get_target_delegate(
        self, target: Any, request: httputil.HTTPServerRequest, **target_params: Any
    ) -> httputil.HTTPMessageDelegate | None:
        if isclass(target) and issubclass(target, RequestHandler):
            return self.application.get_handler_delegate(request, target, **target_params)
        return super().get_target_delegate(target, request, **target_params)


class Routes:
    """Which handler is behind a path, where nothing but the path decides.

    Routing asks the routers; this answers the commonest question without them, and remembers the
    answers: which rule of the wildcard router leads to a handler, when there are no rules about
    hosts, and none before that one that might look at anything but the path.  It holds for one
    state of the rules.
    """

    __slots__ = ("_index", "inner", "inner_version", "known", "outer", "outer_version")

    def __init__(self, default: ReversibleRuleRouter, wildcard: ReversibleRuleRouter) -> None:
        self.outer: RuleList = default._rules
        self.inner: RuleList = wildcard._rules
        self.outer_version = self.outer.version
        self.inner_version = self.inner.version
        #: The answers so far; some of them, when there are many.
        self.known: dict[str, Route] = {}
        self._index: RuleIndex | None = None
        if (
            type(default) is type(wildcard) is ApplicationRouter
            and len(self.outer) == 1
            and type(self.outer[0].matcher) is AnyMatches
            and self.outer[0].target is wildcard
        ):
            self._index = RuleIndex(self.inner)

    def find(self, path: str) -> Route | None:
        """The route of ``path``; None if there is none, or more decides than the path."""
        if self._index is None:
            return None
        for rule, match, prefix in self._index.find(path):
            if not _is_plain(rule):
                return None
            if match is None:
                params: dict[str, Any] | None = {}
            elif path.startswith(prefix):
                params = rule.matcher.match_path(path)  # type: ignore[attr-defined]
            else:
                continue
            if params is not None:
                args, kwargs = params.get("path_args", ()), params.get("path_kwargs", {})
                route = (rule, tuple(args), kwargs)
                if len(path) <= _MAX_LENGTH:
                    if len(self.known) >= _MAX_KNOWN:
                        self.known.clear()
                    self.known[path] = route
                return route
        return None


def _is_plain(rule: Rule) -> bool:
    """Whether a rule leads from a path to a handler."""
    target = rule.target
    is_handler = isclass(target) and issubclass(target, RequestHandler)
    return is_handler and type(rule.matcher) is PathMatches
