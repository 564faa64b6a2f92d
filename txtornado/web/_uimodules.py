"""UI modules: reusable parts of pages that bring their own CSS and JavaScript.

A module is made once per request and rendered as often as the page asks; `_rendering.Page`
collects what it wants embedded. In templates ``{% module Entry(e) %}`` (Tornado 1.1) and
``{{ modules.Entry(e) }}`` (0.2) call it through `UINamespace`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from txtornado import escape
from txtornado.util import ObjectDict

if TYPE_CHECKING:
    from txtornado import httputil
    from txtornado.locale import Locale
    from txtornado.web._handler import RequestHandler

__all__ = ["Linkify", "TemplateModule", "UIModule", "UINamespace", "XSRFFormHTML", "bind_ui"]


class UIModule:
    """Base class of UI modules: override `render`, and the rest as needed."""

    def __init__(self, handler: RequestHandler) -> None:
        self.handler = handler
        self.request: httputil.HTTPServerRequest = handler.request
        self.ui: ObjectDict = handler.ui
        self.locale: Locale = handler.locale

    @property
    def current_user(self) -> Any:
        """The user of the handler."""
        return self.handler.current_user

    def render(self, *args: Any, **kwargs: Any) -> str | bytes:
        """Override to return the HTML of the module."""
        raise NotImplementedError

    def embedded_javascript(self) -> str | None:
        """Override to return JavaScript to embed at the end of the page."""
        return None

    def javascript_files(self) -> str | Iterable[str] | None:
        """Override to name JavaScript files; relative ones go through ``static_url``."""
        return None

    def embedded_css(self) -> str | None:
        """Override to return CSS to embed in the head of the page."""
        return None

    def css_files(self) -> str | Iterable[str] | None:
        """Override to name CSS files; relative ones go through ``static_url``."""
        return None

    def html_head(self) -> str | None:
        """Override to return HTML for the end of the head."""
        return None

    def html_body(self) -> str | None:
        """Override to return HTML for the end of the body."""
        return None

    def render_string(self, path: str, **kwargs: Any) -> bytes:
        """Render a template as `RequestHandler.render_string` does."""
        return self.handler.render_string(path, **kwargs)


class Linkify(UIModule):
    """``{% module linkify(text) %}``: `escape.linkify`, which escapes on its own."""

    def render(self, text: str, **kwargs: Any) -> str:
        return escape.linkify(text, **kwargs)


class XSRFFormHTML(UIModule):
    """``{% module xsrf_form_html() %}``: the field, unescaped."""

    def render(self) -> str:
        return self.handler.xsrf_form_html()


class TemplateModule(UIModule):
    """``{% module Template("entry.html", entry=e) %}``: a template as a module.

    The template sees only the keyword arguments and the global names. With
    ``{{ set_resources(embedded_css="…") }}`` it names what a `UIModule` would return from
    its methods; that counts once per template, so it must not depend on the arguments.
    """

    def __init__(self, handler: RequestHandler) -> None:
        super().__init__(handler)
        self._resources: dict[str, dict[str, Any]] = {}

    def render(self, path: str, **kwargs: Any) -> bytes:
        def set_resources(**resources: Any) -> str:
            if self._resources.setdefault(path, resources) != resources:
                raise ValueError(
                    f"set_resources called with different resources for the same template {path!r}"
                )
            return ""

        return self.render_string(path, set_resources=set_resources, **kwargs)

    def _get_resources(self, key: str) -> Iterator[Any]:
        return (found[key] for found in self._resources.values() if key in found)

    def _files(self, key: str) -> list[str]:
        files: list[str] = []
        for found in self._get_resources(key):
            files += [found] if isinstance(found, str) else found
        return files

    def embedded_javascript(self) -> str:
        return "\n".join(self._get_resources("embedded_javascript"))

    def javascript_files(self) -> list[str]:
        return self._files("javascript_files")

    def embedded_css(self) -> str:
        return "\n".join(self._get_resources("embedded_css"))

    def css_files(self) -> list[str]:
        return self._files("css_files")

    def html_head(self) -> str:
        return "".join(self._get_resources("html_head"))

    def html_body(self) -> str:
        return "".join(self._get_resources("html_body"))


class UINamespace:
    """The application's UI modules as callables, by attribute or by key, made on demand."""

    def __init__(self, handler: RequestHandler, ui_modules: Mapping[str, type[UIModule]]) -> None:
        self.handler = handler
        self.ui_modules = ui_modules

    def __getitem__(self, key: str) -> Callable[..., Any]:
        return functools.partial(_render_module, self.handler, key, self.ui_modules[key])

    def __getattr__(self, key: str) -> Callable[..., Any]:
        try:
            return self[key]
        except KeyError as error:
            raise AttributeError(f"no UI module named {key!r}") from error


def _render_module(
    handler: RequestHandler, name: str, module: type[UIModule], *args: Any, **kwargs: Any
) -> Any:
    active = handler._active_modules
    if active is None:
        active = handler._active_modules = {}
    if name not in active:
        active[name] = module(handler)
    return active[name].render(*args, **kwargs)


def bind_ui(handler: RequestHandler) -> ObjectDict:
    """The UI methods bound to ``handler``, and its modules, as templates see them."""
    application = handler.application
    ui = ObjectDict(
        (name, functools.partial(method, handler))
        for name, method in application.ui_methods.items()
    )
    # "_tt_modules" is what a {% module %} directive is compiled to; "modules" is the
    # name of Tornado 0.2, which a keyword argument of the page may hide.
    ui["_tt_modules"] = ui["modules"] = UINamespace(handler, application.ui_modules)
    return ui
