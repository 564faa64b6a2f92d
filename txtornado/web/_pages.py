"""How a handler makes pages from templates.

`Pages` holds those methods of `RequestHandler`; the work is in `_rendering` and
`_uimodules`.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from txtornado.web import _rendering
from txtornado.web._uimodules import UIModule, bind_ui

if TYPE_CHECKING:
    from txtornado import httputil, template
    from txtornado.locale import Locale
    from txtornado.util import ObjectDict
    from txtornado.web._application import Application
    from txtornado.web._handler import RequestHandler

__all__ = ["Pages"]


class Pages:
    """The methods of `RequestHandler` that concern templates and UI modules."""

    application: Application
    request: httputil.HTTPServerRequest
    # The loaders of each application, by path and by the function that made them.
    _template_loaders: WeakKeyDictionary[Application, dict[Any, template.BaseLoader]] = (
        WeakKeyDictionary()
    )
    _active_modules: dict[str, UIModule] | None = None
    _finished = False
    _ui: ObjectDict | None = None

    if TYPE_CHECKING:
        current_user: Any
        locale: Locale

        def finish(self, chunk: Any = None) -> Future[None]: ...

        def static_url(self, path: str, include_host: bool | None = None) -> str: ...

        def xsrf_form_html(self) -> str: ...

        def reverse_url(self, name: str, *args: Any) -> str: ...

    # --- Pages (_rendering, _uimodules) ----------------------------------------------

    def render(self, template_name: str, **kwargs: Any) -> Future[None]:
        """Render a template, place what its UI modules embed, and finish with it."""
        if self._finished:
            raise RuntimeError("Cannot render() after finish()")
        html = self.render_string(template_name, **kwargs)
        if self._active_modules:
            html = _rendering.Page(self._active_modules.values()).place(
                cast("RequestHandler", self), html
            )
        return self.finish(html)

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        """Render a template and return it, encoded as UTF-8."""
        return _rendering.generate(cast("RequestHandler", self), template_name, kwargs)

    def render_linked_js(self, js_files: Iterable[str]) -> str:
        """Override to link JavaScript files of UI modules otherwise (since 4.3)."""
        return _rendering.linked_javascript(js_files)

    def render_embed_js(self, js_embed: Iterable[bytes]) -> bytes:
        """Override to embed JavaScript of UI modules otherwise (since 4.3)."""
        return _rendering.embedded_javascript(js_embed)

    def render_linked_css(self, css_files: Iterable[str]) -> str:
        """Override to link CSS files of UI modules otherwise (since 4.3)."""
        return _rendering.linked_css(css_files)

    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes:
        """Override to embed CSS of UI modules otherwise (since 4.3)."""
        return _rendering.embedded_css(css_embed)

    def get_template_namespace(self) -> dict[str, Any]:
        """Override to add names for templates (since 3.1)."""
        return {
            "handler": self,
            "request": self.request,
            "current_user": self.current_user,
            "locale": self.locale,
            "_": self.locale.translate,
            "pgettext": self.locale.pgettext,
            "static_url": self.static_url,
            "xsrf_form_html": self.xsrf_form_html,
            "reverse_url": self.reverse_url,
            **self.ui,
        }

    def create_template_loader(self, template_path: str) -> template.BaseLoader:
        """Override to load templates from elsewhere; called once per path."""
        return _rendering.new_loader(self.application.settings, template_path)

    def get_template_path(self) -> str | None:
        """Override: where templates lie; None means beside the calling file."""
        return self.application.settings.get("template_path")

    @property
    def ui(self) -> ObjectDict:
        """The UI methods, and UI modules under ``modules``, bound to this handler."""
        if self._ui is None:
            self._ui = bind_ui(cast("RequestHandler", self))
        return self._ui

    def _break_cycles(self) -> None:
        """Let go of what refers back to the handler, so that it needs no garbage collection."""
        self._ui = None
        self._active_modules = None
