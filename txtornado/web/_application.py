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
    ReversibleRouter,
    Rule,
)
from txtornado.util import import_object
from txtornado.web._delegate import ApplicationDelegate, HandlerDelegate
from txtornado.web._handler import RequestHandler
from txtornado.web._handlers import ErrorHandler
from txtornado.web._routes import ApplicationRouter, Route, Routes
from txtornado.web._static import StaticFileHandler
from txtornado.web._transforms import GZipContentEncoding, OutputTransform
from txtornado.web._uimodules import Linkify, TemplateModule, UIModule, XSRFFormHTML

if TYPE_CHECKING:
    from txtornado.httpserver import HTTPServer

__all__ = ["Application", "ApplicationRouter"]


class Application(ReversibleRouter):
    """A web application: routes to handlers, and settings.

    ``handlers`` is a list of `Rule` objects or of tuples ``(pattern, handler, kwargs,
    name)``, the last two optional; a handler is a `RequestHandler` class, its dotted name,
    a router, or a list of further rules. The first rule that matches counts.
    ``default_host`` is tried where no host matches. All other keyword arguments become
    ``settings``.
    """

    _routes: Routes | None = None

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
        route = self._route(request.path)
        if route is not None:
            rule, args, kwargs = route
            return self.get_handler_delegate(request, rule.target, rule.target_kwargs, args, kwargs)
        delegate = self.default_router.find_handler(request)
        return self._no_handler(request) if delegate is None else delegate

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """See `~txtornado.httputil.HTTPServerConnectionDelegate`."""
        cls = type(self)
        if (
            cls.find_handler is not _our_find_handler
            or cls.get_handler_delegate is not _our_get_handler_delegate
        ):
            return super().start_request(server_conn, request_conn)
        return ApplicationDelegate(self, server_conn, request_conn)

    def _route(self, path: str) -> Route | None:
        """Where ``path`` leads, if that alone decides; see `Routes`."""
        routes = self._routes
        if (
            routes is None
            or routes.outer is not self.default_router._rules
            or routes.inner is not self.wildcard_router._rules
            or routes.outer_version != routes.outer.version
            or routes.inner_version != routes.inner.version
        ):
            routes = self._routes = Routes(self.default_router, self.wildcard_router)
        return routes.known.get(path) or routes.find(path)

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
        path_args: Iterable[Any] | None = None,
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


_our_find_handler = Application.find_handler
_our_get_handler_delegate = Application.get_handler_delegate


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
