"""Pages from templates: finding the loader, and placing what UI modules want embedded."""

from __future__ import annotations

import os.path
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from txtornado.escape import utf8, xhtml_escape

if TYPE_CHECKING:
    from txtornado import template
    from txtornado.web._application import Application
    from txtornado.web._handler import RequestHandler
    from txtornado.web._uimodules import UIModule

__all__ = [
    "Page",
    "embedded_css",
    "embedded_javascript",
    "generate",
    "is_absolute",
    "linked_css",
    "linked_javascript",
    "new_loader",
]

_OURS = os.path.join(os.path.dirname(__file__), "")
_loader_lock = threading.Lock()


def is_absolute(path: str) -> bool:
    """Whether ``path`` is complete, or is to be passed through ``static_url``."""
    return path.startswith(("/", "http:", "https:"))


def generate(handler: RequestHandler, template_name: str, arguments: dict[str, Any]) -> bytes:
    """Render a template of ``handler`` with its namespace and ``arguments``."""
    path = handler.get_template_path()
    if not path:
        path = _calling_folder()
    namespace = handler.get_template_namespace()
    namespace.update(arguments)
    return _loader(handler, path).load(template_name).generate(**namespace)


def new_loader(settings: dict[str, Any], template_path: str) -> template.BaseLoader:
    """The loader that the settings ask for."""
    if "template_loader" in settings:
        loader: template.BaseLoader = settings["template_loader"]
        return loader
    options: dict[str, Any] = {}
    if "autoescape" in settings:
        # None is a choice too: no escaping.
        options["autoescape"] = settings["autoescape"]
    if "template_whitespace" in settings:
        options["whitespace"] = settings["template_whitespace"]
    from txtornado import template  # much, and not every application has any

    return template.Loader(template_path, **options)


def reset_loaders(handler_class: type[RequestHandler], application: Application) -> None:
    """Have the templates of an application read again (debug mode)."""
    with _loader_lock:
        for loader in handler_class._template_loaders.get(application, {}).values():
            loader.reset()


def _loader(handler: RequestHandler, template_path: str) -> template.BaseLoader:
    """The application's loader for a path, shared by its handlers."""
    key = template_path, type(handler).create_template_loader
    with _loader_lock:  # templates may be rendered in threads
        loaders = handler._template_loaders.setdefault(handler.application, {})
        loader = loaders.get(key)
        if loader is None:
            loader = loaders[key] = handler.create_template_loader(template_path)
        return loader


def _calling_folder() -> str:
    """The folder of the code that asked for a template, where it lies by default."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return os.path.dirname(frame.f_code.co_filename)


def linked_javascript(files: Iterable[str]) -> str:
    """Script elements that load ``files``."""
    return "".join(
        f'<script src="{xhtml_escape(path)}" type="text/javascript"></script>' for path in files
    )


def linked_css(files: Iterable[str]) -> str:
    """Link elements that load ``files``."""
    return "".join(
        f'<link href="{xhtml_escape(path)}" type="text/css" rel="stylesheet"/>' for path in files
    )


def embedded_javascript(scripts: Iterable[bytes]) -> bytes:
    """One script element that holds ``scripts``."""
    return (
        b'<script type="text/javascript">\n//<![CDATA[\n'
        + b"\n".join(scripts)
        + b"\n//]]>\n</script>"
    )


def embedded_css(sheets: Iterable[bytes]) -> bytes:
    """One style element that holds ``sheets``."""
    return b'<style type="text/css">\n' + b"\n".join(sheets) + b"\n</style>"


class Page:
    """What the UI modules of a page want in its head and at the end of its body."""

    def __init__(self, modules: Iterable[UIModule]) -> None:
        self.scripts: list[bytes] = []
        self.script_files: list[str] = []
        self.sheets: list[bytes] = []
        self.sheet_files: list[str] = []
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        for module in modules:
            _add(self.scripts, module.embedded_javascript())
            _add_files(self.script_files, module.javascript_files())
            _add(self.sheets, module.embedded_css())
            _add_files(self.sheet_files, module.css_files())
            _add(self.heads, module.html_head())
            _add(self.bodies, module.html_body())

    def place(self, handler: RequestHandler, html: bytes) -> bytes:
        """Put everything into ``html``, before ``</head>`` and the last ``</body>``."""
        head, body = self._head(handler), self._body(handler)
        if body:
            html = _insert(html, html.rfind(b"</body>"), body, missing=len(html))
        if head:
            html = _insert(html, html.find(b"</head>"), head, missing=0)
        return html

    def _head(self, handler: RequestHandler) -> bytes:
        parts = []
        if self.sheet_files:
            files = _resolve(self.sheet_files, handler.static_url)
            parts.append(utf8(handler.render_linked_css(files)) + b"\n")
        if self.sheets:
            parts.append(handler.render_embed_css(self.sheets) + b"\n")
        if self.heads:
            parts.append(b"".join(self.heads) + b"\n")
        return b"".join(parts)

    def _body(self, handler: RequestHandler) -> bytes:
        parts = []
        if self.script_files:
            files = _resolve(self.script_files, handler.static_url)
            parts.append(utf8(handler.render_linked_js(files)) + b"\n")
        if self.scripts:
            parts.append(handler.render_embed_js(self.scripts) + b"\n")
        if self.bodies:
            parts.append(b"".join(self.bodies) + b"\n")
        return b"".join(parts)


def _add(found: list[bytes], part: str | bytes | None) -> None:
    if part:
        found.append(utf8(part))


def _add_files(found: list[str], files: str | bytes | Iterable[str] | None) -> None:
    if not files:
        return
    if isinstance(files, bytes):
        files = files.decode("utf-8")
    found.extend([files] if isinstance(files, str) else files)


def _resolve(files: Iterable[str], static_url: Callable[[str], str]) -> list[str]:
    """Complete the paths, and drop those that were named before."""
    return list(dict.fromkeys(path if is_absolute(path) else static_url(path) for path in files))


def _insert(html: bytes, position: int, part: bytes, missing: int) -> bytes:
    if position < 0:
        position = missing
    return html[:position] + part + html[position:]
