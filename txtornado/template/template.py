"""The compiled template."""

from __future__ import annotations

import ast
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from txtornado.template.codegen import build, compile_file
from txtornado.template.parser import parse
from txtornado.template.runtime import DEFAULT_NAMESPACE, HELPERS, bind_escaper, join
from txtornado.template.source import Source, decode
from txtornado.template.whitespace import check_mode, default_mode

if TYPE_CHECKING:
    from txtornado.template.loader import BaseLoader

__all__ = ["DEFAULT_AUTOESCAPE", "Template"]

#: What expressions are escaped with where nobody says otherwise (Tornado 2.0).
DEFAULT_AUTOESCAPE = "xhtml_escape"


class _Unset:
    def __repr__(self) -> str:
        return "<unset>"


_UNSET: Final = _Unset()


def _whitespace_mode(
    name: str, loader: BaseLoader | None, compress: bool | _Unset | None, whitespace: str | None
) -> str:
    """The mode a template starts in, from what its constructor was given."""
    if not (compress is None or isinstance(compress, _Unset)):
        if whitespace is not None:
            raise ValueError("cannot set both whitespace and compress_whitespace")
        return "single" if compress else "all"
    if whitespace is None and loader is not None:
        whitespace = loader.whitespace
    return default_mode(name) if whitespace is None else check_mode(whitespace)


class Template:
    """A compiled template (Tornado 0.2).

    >>> Template("<html>{{ myvalue }}</html>").generate(myvalue="<XXX>")
    b'<html>&lt;XXX&gt;</html>'

    Args:
        template_string: The template; bytes are UTF-8.
        name: What to call it in errors, and what relative names in it are relative to.
        loader: Where templates come from that it includes or extends.
        compress_whitespace: Tornado 0.2 to 4.2's form of ``whitespace``: true is ``"single"``,
            false ``"all"``, None not given.
        autoescape: The name of a function in the namespace, None to escape nothing; not given,
            the loader's, and without one ``"xhtml_escape"``.
        whitespace: A mode of `filter_whitespace` (Tornado 4.3); None for the loader's, and
            without one ``"single"`` when ``name`` ends in .html or .js and ``"all"`` if not.

    Raises:
        ParseError: The template, or one that it names, is not valid.
        ValueError: An unknown ``whitespace``, or both forms of it.

    Attributes:
        name: As given.
        namespace: The loader's additions to the namespace.
        loader: As given.
        autoescape: The name of the function that expressions are escaped with, unless the
            template's own ``{% autoescape %}`` names another.
        file: The template's syntax tree.
        compiled: The code of its function.
    """

    def __init__(
        self,
        template_string: str | bytes,
        name: str = "<string>",
        loader: BaseLoader | None = None,
        compress_whitespace: bool | _Unset | None = _UNSET,
        autoescape: str | _Unset | None = _UNSET,
        whitespace: str | None = None,
    ) -> None:
        if isinstance(autoescape, _Unset):
            autoescape = DEFAULT_AUTOESCAPE if loader is None else loader.autoescape
        self.name = name
        self.loader = loader
        self.namespace: dict[str, Any] = {} if loader is None else loader.namespace
        self.autoescape = autoescape or None
        self.file = parse(
            Source(name, decode(template_string, name)),
            whitespace=_whitespace_mode(name, loader, compress_whitespace, whitespace),
            autoescape=self.autoescape,
        )
        program = compile_file(self.file, loader)
        self.compiled: CodeType = program.code
        self._escapers = program.escapers
        self._listing = program.listing
        self._globals: dict[str, Any] = {
            **DEFAULT_NAMESPACE,
            # For imports and for linecache; a dot would make it a module of a package.
            "__name__": name.replace(".", "_"),
            "__loader__": program.listing.loader(),
        }

    @property
    def code(self) -> str:
        """The Python that the template is compiled from, made for reading, whenever asked for."""
        return ast.unparse(build(self.file, self.loader)[0])

    def generate(self, **kwargs: Any) -> bytes:
        """Render the template, with the arguments as its variables; the result is UTF-8.

        An argument goes before an entry of the loader's namespace, and that before the names every
        template has: ``escape`` and ``xhtml_escape``, ``url_escape``, ``json_encode``,
        ``squeeze``, ``linkify``, and the module ``datetime``.

        Raises:
            Exception: Whatever the template's Python raises, with a traceback that shows the
                template's lines.
        """
        namespace = {**self._globals, **self.namespace, **kwargs}
        arguments: list[Any] = []
        for name in self._escapers:
            arguments += bind_escaper(namespace[name])
        run = FunctionType(self.compiled, namespace, "template", _HELPERS)
        try:
            return join(run(*arguments))
        except BaseException:
            self._listing.forget_cached()
            raise


_HELPERS = tuple(HELPERS.values())
