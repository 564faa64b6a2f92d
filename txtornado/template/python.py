"""The Python in a template's tags, parsed with the template's own positions.

Python is read as it stands.  Where that fails and the text has several lines, it is read again
with its lines joined, for tags may span lines even where Python would want brackets.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from txtornado.template.errors import PythonError
from txtornado.template.source import Code, Source

__all__ = [
    "NOT_COMPILABLE",
    "PythonReader",
    "bound_names",
    "explain",
]

#: Everything that Python's parser and compiler raise for input they cannot take.
NOT_COMPILABLE = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


def explain(error: BaseException) -> str:
    """What an error of Python's parser or compiler means, in one line."""
    if isinstance(error, SyntaxError):
        return f"Invalid Python: {error.msg}"
    if isinstance(error, RecursionError | MemoryError):
        return "Nested too deeply"
    return f"Invalid Python: {error}"


def _own_nodes(root: ast.AST) -> Iterator[ast.AST]:
    """``root`` and the nodes below it that run in the same function."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))


def bound_names(root: ast.AST) -> Iterator[str]:
    """Every name that the Python in ``root`` may bind, in any scope."""
    for node in ast.walk(root):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)):
                yield name
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names


_PLACED = (
    ast.stmt,
    ast.expr,
    ast.excepthandler,
    ast.keyword,
    ast.arg,
    ast.alias,
    ast.pattern,
)


class PythonReader:
    """Parses the Python of one template file.

    Its methods take the code, and what to add to the lines of what is parsed.

    Args:
        source: The template's text, for errors.
    """

    def __init__(self, source: Source) -> None:
        self.source = source

    def expression(self, code: Code, shift: int = 0, prefix: str = "") -> ast.expr:
        """``code`` as one expression, with ``prefix`` directly before it."""
        node = self._read(code, shift, "eval", prefix, "")
        assert isinstance(node, ast.Expression)
        return node.body

    def statements(self, code: Code, shift: int = 0) -> list[ast.stmt]:
        """``code`` as whatever statements it is."""
        node = self._read(code, shift, "exec", "", "")
        assert isinstance(node, ast.Module)
        return node.body

    def loop(self, code: Code, shift: int = 0) -> ast.For:
        """``code`` as what stands between ``for`` and the colon."""
        node = self._read(code, shift, "exec", "for ", ": pass")
        match node:
            case ast.Module(body=[ast.For() as loop]):
                return loop
        raise self._error("Invalid Python: not the head of a for loop", code.line)

    def handler(self, code: Code, shift: int = 0) -> ast.ExceptHandler:
        """``code`` as what stands between ``except`` and the colon; it may be empty."""
        node = self._read(code, shift, "exec", "try: pass\nexcept ", ": pass")
        match node:
            case ast.Module(body=[ast.Try(handlers=[handler], orelse=[], finalbody=[])]):
                return handler
        raise self._error("Invalid Python: not the head of an except clause", code.line)

    def _error(self, message: str, line: int) -> PythonError:
        error = PythonError(message, self.source.name, line)
        error.text = self.source.lines[line - 1]
        return error

    def _read(self, code: Code, shift: int, mode: str, prefix: str, suffix: str) -> ast.AST:
        """Parse ``prefix + code + suffix`` and move its nodes to where ``code`` stands."""
        before = prefix.count("\n")
        try:
            node = self._parse(code.text, mode, prefix, suffix)
        except NOT_COMPILABLE as error:
            line = code.line
            if isinstance(error, SyntaxError) and error.lineno is not None:
                line = min(max(line, line + error.lineno - before - 1), code.last_line)
            raise self._error(explain(error), line) from None
        self._check(node, code)
        indent = code.column - len(prefix.rpartition("\n")[2])
        self._move(node, code.line + shift - before - 1, before + 1, indent, code.last_line + shift)
        return node

    def _parse(self, text: str, mode: str, prefix: str, suffix: str) -> ast.AST:
        try:
            return ast.parse(prefix + text + suffix, self.source.name, mode)
        except SyntaxError:
            joined = text.replace("\n", "\\\n")
            if joined == text:
                raise
            try:
                return ast.parse(prefix + joined + suffix, self.source.name, mode)
            except NOT_COMPILABLE:
                pass
            raise

    def _check(self, root: ast.AST, code: Code) -> None:
        if not ("return" in code.text or "yield" in code.text):
            return
        for node in _own_nodes(root):
            if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom):
                word = "return" if isinstance(node, ast.Return) else "yield"
                raise self._error(f"A template cannot {word}", code.line)

    @staticmethod
    def _move(root: ast.AST, lines: int, first: int, indent: int, last: int) -> None:
        """Shift positions by ``lines``, and by ``indent`` on the line numbered ``first``."""
        for node in ast.walk(root):
            if not isinstance(node, _PLACED):
                continue
            if node.lineno == first:
                node.col_offset = max(node.col_offset + indent, 0)
            if node.end_lineno == first and node.end_col_offset is not None:
                node.end_col_offset = max(node.end_col_offset + indent, 0)
            # A stray carriage return is a line end to Python, and none to a template.
            node.lineno = min(max(node.lineno + lines, 1), last)
            if node.end_lineno is not None:
                node.end_lineno = min(max(node.end_lineno + lines, 1), last)
