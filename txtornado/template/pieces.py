"""How output is written into a template's function.

Text and escaped expressions that follow each other are gathered into one f-string, which is
appended to the list of pieces by one call.
"""

from __future__ import annotations

import ast

__all__ = ["Pieces", "apply_function", "call", "escaped", "function", "load", "raw"]

#: An f-string's parts all lie on the interpreter's stack at once.
_MOST_PARTS = 128


def load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _keep(name: str, value: ast.expr) -> ast.expr:
    return ast.NamedExpr(ast.Name(name, ast.Store()), value)


def _is(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [ast.Is()], [right])


def call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(load(name), list(arguments), [])


def _when_text(value: ast.expr, then: ast.expr, other: ast.expr) -> ast.expr:
    """``then if type(_tt_v := value) is str else other``."""
    return ast.IfExp(_is(call("_tt_type", _keep("_tt_v", value)), load("_tt_str")), then, other)


def escaped(value: ast.expr, escaper: int) -> ast.expr:
    """``value`` through the escaper of that number: always a str (see `runtime.Escaper`)."""
    first = _keep("_tt_r", call(f"_tt_first{escaper}", load("_tt_v")))
    text = ast.IfExp(
        _is(first, load("_tt_v")), load("_tt_r"), call(f"_tt_then{escaper}", load("_tt_r"))
    )
    return _when_text(value, text, call(f"_tt_other{escaper}", load("_tt_v")))


def raw(value: ast.expr) -> ast.expr:
    """``value`` as it is: a str, or bytes."""
    return _when_text(value, load("_tt_v"), call("_tt_raw", load("_tt_v")))


def function(name: str, parameters: list[str], body: list[ast.stmt]) -> ast.FunctionDef:
    """A function that runs ``body`` and returns the pieces it put out."""
    tree = ast.parse(
        f"def {name}({', '.join(parameters)}):\n"
        " _tt_pieces = []\n"
        " _tt_append = _tt_pieces.append\n"
        " return _tt_pieces\n"
    )
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    for node in ast.walk(definition):
        for attribute in ("lineno", "end_lineno", "col_offset", "end_col_offset"):
            if hasattr(node, attribute):
                delattr(node, attribute)
    definition.body[-1:-1] = body
    return definition


def apply_function(name: str, method: ast.expr) -> ast.expr:
    """What ``method`` makes of the pieces that the function called ``name`` returns."""
    return call("_tt_applied", method, call(name))


class Pieces:
    """The statements of one body of a template.

    Args:
        careful: Append each piece by itself, for an error in one must not lose those before it.
    """

    def __init__(self, careful: bool) -> None:
        self.careful = careful
        self.statements: list[ast.stmt] = []
        self._parts: list[ast.expr] = []

    def text(self, value: str) -> None:
        """Put out ``value``."""
        if not value:
            return
        last = self._parts[-1] if self._parts else None
        if isinstance(last, ast.Constant) and isinstance(last.value, str):
            last.value += value
        else:
            self._parts.append(ast.Constant(value))

    def string(self, value: ast.expr) -> None:
        """Put out the result of ``value``, which is a str."""
        if self.careful or len(self._parts) >= _MOST_PARTS:
            self.flush()
        part = ast.copy_location(ast.FormattedValue(value, -1, None), value)
        self._parts.append(part)
        if self.careful:
            self.flush()

    def any(self, value: ast.expr) -> None:
        """Put out the result of ``value``, which is a str or bytes."""
        self.flush()
        self._append(value)

    def statement(self, statement: ast.stmt) -> None:
        """Run ``statement``."""
        self.flush()
        self.statements.append(statement)

    def done(self) -> list[ast.stmt]:
        """All of it, as a body that Python takes."""
        self.flush()
        return self.statements or [ast.Pass()]

    def flush(self) -> None:
        """Append what has been gathered."""
        match self._parts:
            case []:
                return
            case [ast.Constant() as only] | [ast.FormattedValue(value=only)]:
                self._append(only)
            case parts:
                self._append(ast.JoinedStr(parts))
        self._parts = []

    def _append(self, value: ast.expr) -> None:
        statement = ast.Expr(call("_tt_append", value))
        where = value.values[-1] if isinstance(value, ast.JoinedStr) else value
        if hasattr(where, "lineno"):
            ast.copy_location(statement, where)
        self.statements.append(statement)
