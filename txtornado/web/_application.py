"""`Application`: routes, settings and what all requests share."""

from __future__ import annotations

import logging
import re
import socket
import types
from collections.abc import Awaitable, Iterable
from inspect import isclass
from typing import TYPE_CHECKING, Any

from txtornado import httputil
from txtornado.log import access_log
from txtornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    PathMatches,
    ReversibleRouter,
    ReversibleRuleRouter,
    Rule,
)
from txtornado.routing.index import RuleIndex
from txtornado.util import import_object
from txtornado.web._delegate import HandlerDelegate
from txtornado.web._handler import RequestHandler
from txtornado.web._handlers import ErrorHandler
from txtornado.web._static import StaticFileHandler
from txtornado.web._transforms import GZipContentEncoding, OutputTransform
from txtornado.web._uimodules import Linkify, TemplateModule, UIModule, XSRFFormHTML

if TYPE_CHECKING:
    from txtornado.httpserver import HTTPServer

__all__ = ["Application", "ApplicationRouter"]


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


class DirectRoutes:
    """The handlers of an application's literal paths, where nothing can come between.

    Routing asks the routers; this answers the commonest question without them: which handler
    is behind a literal path, when there are no rules about hosts and no rule before that one
    could match.  It is made anew when the rules change.
    """

    __slots__ = ("_index", "_lists", "targets", "wildcard_only")

    def __init__(self, application: Application) -> None:
        outer, inner = application.default_router, application.wildcard_router
        self._lists = [(rules, rules.version) for rules in (outer._rules, inner._rules)]
        self.targets: dict[str, tuple[type[RequestHandler], dict[str, Any]]] = {}
        #: No rules about hosts: the wildcard router alone decides.
        self.wildcard_only = (
            type(outer) is type(inner) is ApplicationRouter
            and len(outer._rules) == 1
            and type(outer._rules[0].matcher) is AnyMatches
            and outer._rules[0].target is inner
        )
        #: Of the wildcard router, when it has nothing but paths that lead to handlers.
        self._index: RuleIndex | None = None
        if self.wildcard_only:
            self._fill(inner)
            if all(_is_plain(rule) for rule in inner._rules):
                self._index = RuleIndex(inner._rules)

    def _fill(self, router: ApplicationRouter) -> None:
        for path, rule in router.literal_rules():
            if _is_plain(rule):
                self.targets[path] = (rule.target, rule.target_kwargs)

    def find(
        self, application: Application, request: httputil.HTTPServerRequest
    ) -> httputil.HTTPMessageDelegate | None:
        """What the wildcard router finds, which alone decides."""
        if self._index is None:
            return application.wildcard_router.find_handler(request)
        path = request.path
        for rule, match, prefix in self._index.find(path):
            if match is None:
                params: dict[str, Any] | None = {}
            else:
                params = match(request) if path.startswith(prefix) else None
            if params is not None:
                return application.get_handler_delegate(
                    request, rule.target, rule.target_kwargs, **params
                )
        return None

    def current(self, application: Application) -> bool:
        """Whether the rules are still those that this was made from."""
        (outer, outer_version), (inner, inner_version) = self._lists
        return (
            outer.version == outer_version
            and inner.version == inner_version
            and application.default_router._rules is outer
            and application.wildcard_router._rules is inner
        )


def _is_plain(rule: Rule) -> bool:
    """Whether a rule leads from a path to a handler."""
    target = rule.target
    is_handler = isclass(target) and issubclass(target, RequestHandler)
    return is_handler and type(rule.matcher) is PathMatches


class Application(ReversibleRouter):
    """A web application: routes to handlers, and settings.

    ``handlers`` is a list of `Rule` objects or of tuples ``(pattern, handler, kwargs,
    name)``, the last two optional; a handler is a `RequestHandler` class, its dotted name,
    a router, or a list of further rules. The first rule that matches counts.
    ``default_host`` is tried where no host matches. All other keyword arguments become
    ``settings``.
    """

    _direct: DirectRoutes | None = None

    def __init__(
        self,
        handlers: Iterable[Any] | None = None,
        default_host: str | None = None,
        transforms: list[type[OutputTransform]] | None = None,
        **settings: Any,
    ) -> None:
        self.default_host = default_host
        self.settings = settings
        self.transforms: list[type[OutputTransform]] = (
            _default_transforms(settings) if transforms is None else transforms
        )
        self.ui_modules: dict[str, type[UIModule]] = {
            "linkify": Linkify,
            "xsrf_form_html": XSRFFormHTML,
            "Template": TemplateModule,
        }
        self.ui_methods: dict[str, Any] = {}
        self._load_ui_modules(settings.get("ui_modules", {}))
        self._load_ui_methods(settings.get("ui_methods", {}))
        if settings.get("debug"):
            settings.setdefault("autoreload", True)
            settings.setdefault("compiled_template_cache", False)
            settings.setdefault("static_hash_cache", False)
            settings.setdefault("serve_traceback", True)
        rules = [*_static_rules(settings), *(handlers or ())]
        self.wildcard_router = ApplicationRouter(self, rules)
        self.default_router = ApplicationRouter(self, [Rule(AnyMatches(), self.wildcard_router)])
        if settings.get("autoreload"):
            import_object("txtornado.autoreload").start()  # lives on a floor above

    def listen(
        self,
        port: int,
        address: str | None = None,
        *,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = 128,
        flags: int | None = None,
        reuse_port: bool = False,
        **kwargs: Any,
    ) -> HTTPServer:
        """Serve this application, and return the server (since Tornado 4.3).

        The named arguments (since 6.2) are those of `TCPServer.listen`, the others those of
        `HTTPServer`.
        """
        from txtornado.httpserver import HTTPServer

        server = HTTPServer(self, **kwargs)
        server.listen(
            port, address, family=family, backlog=backlog, flags=flags, reuse_port=reuse_port
        )
        return server

    def add_handlers(self, host_pattern: str, host_handlers: Iterable[Any]) -> None:
        """Add rules for hosts that match the regular expression ``host_pattern``."""
        matcher = HostMatches(host_pattern)
        rules = list(host_handlers)
        rule = Rule(matcher, ApplicationRouter(self, rules))
        self.default_router.rules.insert(-1, self.default_router.process_rule(rule))
        if self.default_host:
            self.wildcard_router.add_rules(
                [(DefaultHostMatches(self, matcher.host_pattern), rules)]
            )

    def add_transform(self, transform_class: type[OutputTransform]) -> None:
        """Have ``transform_class`` applied to all responses, after those before it."""
        self.transforms.append(transform_class)

    def find_handler(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> Any:
        """The delegate of the first rule that matches; of a 404 if none does."""
        direct = self._direct
        if direct is None or not direct.current(self):
            direct = self._direct = DirectRoutes(self)
        target = direct.targets.get(request.path)
        if target is not None:
            return self.get_handler_delegate(request, *target)
        if direct.wildcard_only:
            delegate = direct.find(self, request)
            return self._no_handler(request) if delegate is None else delegate
        delegate = self.default_router.find_handler(request)
        return self._no_handler(request) if delegate is None else delegate

    def _no_handler(self, request: httputil.HTTPServerRequest) -> HandlerDelegate:
        if default_class := self.settings.get("default_handler_class"):
            arguments = self.settings.get("default_handler_args", {})
            return self.get_handler_delegate(request, default_class, arguments)
        return self.get_handler_delegate(request, ErrorHandler, {"status_code": 404})

    def get_handler_delegate(
        self,
        request: httputil.HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[Any] | None = None,
        path_kwargs: dict[str, Any] | None = None,
    ) -> HandlerDelegate:
        """The delegate that serves ``request`` with ``target_class`` (since 4.5)."""
        return HandlerDelegate(self, request, target_class, target_kwargs, path_args, path_kwargs)

    def reverse_url(self, name: str, *args: Any) -> str:
        """The path of the rule named ``name``, with ``args`` in place of its groups.

        Raises:
            KeyError: no rule has that name.
        """
        path = self.default_router.reverse_url(name, *args)
        if path is None:
            raise KeyError(f"{name} not found in named urls")
        return path

    def log_request(self, handler: RequestHandler) -> None:
        """Log a finished request, by the setting ``log_function`` if there is one.

        By default the level goes by the status: below 400, below 500, or an error.
        """
        if "log_function" in self.settings:
            self.settings["log_function"](handler)
            return
        status = handler.get_status()
        if status < 400:
            level = logging.INFO
        else:
            level = logging.WARNING if status < 500 else logging.ERROR
        if access_log.isEnabledFor(level):
            milliseconds = 1000.0 * handler.request.request_time()
            summary = handler._request_summary()
            access_log.log(level, "%d %s %.2fms", status, summary, milliseconds)

    def __call__(self, request: httputil.HTTPServerRequest) -> Awaitable[None] | None:
        """Serve a complete request, as servers before Tornado 4 called it."""
        awaitable: Awaitable[None] | None = self.find_handler(request).execute()
        return awaitable

    def _load_ui_methods(self, methods: Any) -> None:
        for name, method in _named(methods):
            if not name.startswith("_") and callable(method) and name[0].lower() == name[0]:
                self.ui_methods[name] = method

    def _load_ui_modules(self, modules: Any) -> None:
        for name, module in _named(modules):
            if isclass(module) and issubclass(module, UIModule):
                self.ui_modules[name] = module


def _named(things: Any) -> Iterable[tuple[str, Any]]:
    """The names in a module, a dict, or a list of them."""
    if isinstance(things, types.ModuleType):
        yield from ((name, getattr(things, name)) for name in dir(things))
    elif isinstance(things, dict):
        yield from things.items()
    else:
        for thing in things:
            yield from _named(thing)


def _default_transforms(settings: dict[str, Any]) -> list[type[OutputTransform]]:
    compress = settings.get("compress_response") or settings.get("gzip")
    return [GZipContentEncoding] if compress else []


def _static_rules(settings: dict[str, Any]) -> list[tuple[str, Any, dict[str, Any]]]:
    """The rules of the setting ``static_path``, which come before all others."""
    if not settings.get("static_path"):
        return []
    prefix = settings.get("static_url_prefix", "/static/")
    handler_class = settings.get("static_handler_class", StaticFileHandler)
    arguments = {**settings.get("static_handler_args", {}), "path": settings["static_path"]}
    patterns = (r"/(robots\.txt)", r"/(favicon\.ico)", re.escape(prefix) + r"(.*)")
    return [(pattern, handler_class, arguments) for pattern in patterns]
