"""How output is written into a template's function.

Text and escaped expressions that follow each other are gathered into one f-string, which is
appended to the list of pieces by one call.
"""

from __future__ import annotations

import ast

__all__ = ["Pieces", "Where", "applied", "escaped", "escaped_with", "function", "raw", "where"]

#: An f-string's parts all lie on the interpreter's stack at once.
_MOST_PARTS = 128

#: Where a node stands, as the constructors of `ast` take it.
Where = dict[str, int]

#: For what cannot fail, and is therefore never seen in a traceback.
_ANYWHERE: Where = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}

_LOAD = ast.Load()
_STORE = ast.Store()


def where(node: ast.expr) -> Where:
    """Where ``node`` stands."""
    return {
        "lineno": node.lineno,
        "col_offset": node.col_offset,
        "end_lineno": node.end_lineno or node.lineno,
        "end_col_offset": node.end_col_offset or node.col_offset,
    }


class _Builder:
    """Makes nodes that all stand in one place."""

    def __init__(self, place: Where) -> None:
        self.place = place

    def load(self, name: str) -> ast.expr:
        return ast.Name(name, _LOAD, **self.place)

    def keep(self, name: str, value: ast.expr) -> ast.expr:
        """``(name := value)``."""
        return ast.NamedExpr(ast.Name(name, _STORE, **self.place), value, **self.place)

    def call(self, name: str, *arguments: ast.expr) -> ast.expr:
        return ast.Call(self.load(name), list(arguments), [], **self.place)

    def choose(self, left: ast.expr, right: str, then: ast.expr, other: ast.expr) -> ast.expr:
        """``then if left is right else other``."""
        test = ast.Compare(left, [ast.Is()], [self.load(right)], **self.place)
        return ast.IfExp(test, then, other, **self.place)

    def when_text(self, value: ast.expr, then: ast.expr, other: str) -> ast.expr:
        """``then if type(_tt_v := value) is str else other(_tt_v)``."""
        kind = self.call("_tt_type", self.keep("_tt_v", value))
        return self.choose(kind, "_tt_str", then, self.call(other, self.load("_tt_v")))


def escaped(value: ast.expr, escaper: int) -> ast.expr:
    """``value`` through the escaper of that number: always a str (see `runtime.Escaper`)."""
    make = _Builder(where(value))
    text = make.choose(
        make.keep("_tt_r", make.call(f"_tt_first{escaper}", make.load("_tt_v"))),
        "_tt_v",
        make.load("_tt_r"),
        make.call(f"_tt_then{escaper}", make.load("_tt_r")),
    )
    return make.when_text(value, text, f"_tt_other{escaper}")


def escaped_with(value: ast.expr, method: ast.expr) -> ast.expr:
    """``value`` through the function that ``method`` is: a str, or bytes."""
    return _Builder(where(value)).call("_tt_escape_with", value, method)


def raw(value: ast.expr) -> ast.expr:
    """``value`` as it is: a str, or bytes."""
    make = _Builder(where(value))
    return make.when_text(value, make.load("_tt_v"), "_tt_raw")


def applied(method: ast.expr, name: str) -> ast.expr:
    """What ``method`` makes of the pieces that the function called ``name`` returns."""
    make = _Builder(where(method))
    return make.call("_tt_applied", method, make.call(name))


def function(
    name: str, parameters: list[str], body: list[ast.stmt], place: Where = _ANYWHERE
) -> ast.FunctionDef:
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
        if hasattr(node, "lineno"):
            vars(node).update(place)
    definition.body[-1:-1] = body
    return definition


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
            self._parts.append(ast.Constant(value, None, **_ANYWHERE))

    def string(self, value: ast.expr) -> None:
        """Put out the result of ``value``, which is a str."""
        if self.careful or len(self._parts) >= _MOST_PARTS:
            self.flush()
        self._parts.append(ast.FormattedValue(value, -1, None, **where(value)))
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
        return self.statements or [ast.Pass(**_ANYWHERE)]

    def flush(self) -> None:
        """Append what has been gathered."""
        match self._parts:
            case []:
                return
            case [ast.Constant() as only] | [ast.FormattedValue(value=only)]:
                self._append(only)
            case parts:
                self._append(ast.JoinedStr(parts, **where(parts[-1])))
        self._parts = []

    def _append(self, value: ast.expr) -> None:
        place = where(value)
        call = _Builder(place).call("_tt_append", value)
        self.statements.append(ast.Expr(call, **place))
