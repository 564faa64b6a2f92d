"""Where templates come from."""

from __future__ import annotations

import os
import posixpath
import threading
from typing import Any

from txtornado.template.errors import ParseError
from txtornado.template.template import DEFAULT_AUTOESCAPE, Template

__all__ = ["BaseLoader", "DictLoader", "Loader"]


def _is_relative(name: str, parent_path: str | None) -> bool:
    """Whether ``name`` is to be read from where the template ``parent_path`` is."""
    return (
        bool(parent_path)
        and not name.startswith("/")
        and not str(parent_path).startswith(("/", "<"))
    )


class BaseLoader:
    """What loaders have in common: a cache of compiled templates, and their defaults.

    A loader of one's own overrides ``resolve_path`` and ``_create_template``.

    Args:
        autoescape: The name of the function in the namespace that expressions are escaped with;
            None to escape nothing (Tornado 2.0).
        namespace: What to add to every template's namespace (Tornado 2.1).
        whitespace: A mode of `filter_whitespace` for all templates; None to choose by their name
            (Tornado 4.3).

    Attributes:
        templates: The compiled templates by resolved name.
        lock: Held while a template is compiled; loaders can be used from several threads.
    """

    def __init__(
        self,
        autoescape: str | None = DEFAULT_AUTOESCAPE,
        namespace: dict[str, Any] | None = None,
        whitespace: str | None = None,
    ) -> None:
        self.autoescape = autoescape
        self.namespace: dict[str, Any] = namespace or {}
        self.whitespace = whitespace
        self.templates: dict[str, Template] = {}
        self.lock = threading.RLock()
        self._under_way: list[str] = []

    def reset(self) -> None:
        """Forget the compiled templates, so that they are read again (Tornado 0.2)."""
        with self.lock:
            self.templates = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """The name under which a template is kept.

        Args:
            name: The template, as it is asked for.
            parent_path: The resolved name of the template that asks for it, if one does.
        """
        raise NotImplementedError

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """The compiled template ``name``; the second time the same object (Tornado 0.2).

        Raises:
            ParseError: It is not valid, or includes or extends itself.
            OSError, KeyError: It is not there (from `Loader` and `DictLoader`).
        """
        name = self.resolve_path(name, parent_path=parent_path)
        template = self.templates.get(name)
        return self._compile(name) if template is None else template

    def _compile(self, name: str) -> Template:
        with self.lock:
            template = self.templates.get(name)
            if template is not None:
                return template
            if name in self._under_way:
                circle = " -> ".join([*self._under_way[self._under_way.index(name) :], name])
                raise ParseError(f"Template includes or extends itself ({circle})")
            self._under_way.append(name)
            try:
                template = self._create_template(name)
            finally:
                self._under_way.pop()
            self.templates[name] = template
            return template

    def _create_template(self, name: str) -> Template:
        """Read and compile the template of that resolved name."""
        raise NotImplementedError


class Loader(BaseLoader):
    """Loads templates from files below a directory (Tornado 0.2).

    Within a template, a relative name is relative to that template's folder; to `load`, to the
    root.  The root is where names start, not a fence: an absolute name, or one that leads out with
    ``..``, is opened where it leads, as in Tornado.  Do not pass a name that comes from a request.

    Args:
        root_directory: The directory.
        kwargs: As of `BaseLoader`.

    Attributes:
        root: The directory's absolute path.
    """

    def __init__(self, root_directory: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = os.path.abspath(root_directory)

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        if parent_path is None or not _is_relative(name, parent_path):
            return name
        folder = os.path.dirname(os.path.join(self.root, parent_path))
        path = os.path.abspath(os.path.join(folder, name))
        inside = os.path.join(self.root, "")
        return path[len(inside) :] if path.startswith(inside) else name

    def _create_template(self, name: str) -> Template:
        with open(os.path.join(self.root, name), "rb") as file:
            return Template(file.read(), name=name, loader=self)


class DictLoader(BaseLoader):
    """Loads templates from a dict of name and text, for tests and small programs (Tornado 0.2).

    Relative names are resolved as by `Loader`, with ``/`` between folders.

    Args:
        dict: The templates.
        kwargs: As of `BaseLoader`.
    """

    def __init__(self, dict: dict[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dict = dict

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        if parent_path is None or not _is_relative(name, parent_path):
            return name
        return posixpath.normpath(posixpath.join(posixpath.dirname(parent_path), name))

    def _create_template(self, name: str) -> Template:
        return Template(self.dict[name], name=name, loader=self)
