"""From a template's tree to compiled Python.

A template becomes one function, whose globals are the namespace it is rendered with.  What
``extends`` and ``include`` name is written in place, so that it shares the template's variables.
The function is built as Python's own syntax tree, which lets every expression keep the position it
has in its template.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

from txtornado.template.blocks import BlockTable, FileLoader, lineage, referred
from txtornado.template.errors import ParseError, PythonError
from txtornado.template.listing import Listing, Via
from txtornado.template.nodes import (
    Apply,
    Block,
    Body,
    Clause,
    Compound,
    Expression,
    File,
    Include,
    Jump,
    Module,
    Node,
    Statement,
    Text,
)
from txtornado.template.pieces import (
    Pieces,
    Where,
    applied,
    escaped,
    escaped_with,
    function,
    raw,
    where,
)
from txtornado.template.python import NOT_COMPILABLE, PythonReader, bound_names, explain
from txtornado.template.runtime import ESCAPER_NAMES, HELPERS
from txtornado.template.source import Code

__all__ = ["Program", "build", "compile_file"]

#: The name of a template's function, which tracebacks show.
_FUNCTION = "template"


@dataclass(frozen=True)
class Program:
    """A template, compiled.

    Attributes:
        code: The code of its function.  Its arguments: first, then and other of each escaper (see
            `runtime.bind_escaper`), in order, and then the values of `runtime.HELPERS`.
        escapers: Those of `runtime.ESCAPER_NAMES` that it escapes with.
        listing: What its line numbers mean.
    """

    code: CodeType
    escapers: tuple[str, ...]
    listing: Listing


@dataclass(frozen=True)
class _Place:
    """The file that is being written out, and how it came into the template."""

    file: File
    via: Via = ()

    def enter(self, file: File, line: int) -> _Place:
        """The place within ``file``, which is named or replaced on ``line`` of this one."""
        return _Place(file, (f"{self.file.source.name}:{line}", *self.via))


class _Generator:
    """Writes one template.

    Args:
        file: The template's own file.
        loader: Where files that it names come from.
        bound: Names that the template's Python binds, and that can therefore not be looked up
            before it runs.
    """

    def __init__(self, file: File, loader: FileLoader | None, bound: frozenset[str]) -> None:
        self.loader = loader
        self.listing = Listing(file.source)
        files = lineage(file, loader)
        self.blocks = BlockTable(files, loader)
        self.place = _Place(files[-1])
        self.careful = False
        self.bound = bound
        self.binding: set[str] = set()
        self.escapers: list[str] = []
        self.functions = 0

    def run(self) -> ast.Module:
        body = self.body(self.place.file.body)
        parameters = [
            f"_tt_{part}{number}"
            for number in range(len(self.escapers))
            for part in ("first", "then", "other")
        ]
        definition = function(_FUNCTION, [*parameters, *HELPERS], body)
        return ast.Module([definition], [])

    # Python

    def read(self, how: Callable[..., Any], node: Node | Clause, code: Code, **more: str) -> Any:
        """Parse ``code`` of ``node`` with a method of `PythonReader`, and enter its lines."""
        source = self.place.file.source
        shift = self.listing.place(source, node.line, code.last_line, self.place.via)
        tree = how(PythonReader(source), code, shift, **more)
        if any(name in code.text for name in ESCAPER_NAMES):
            for each in tree if isinstance(tree, list) else [tree]:
                self.binding.update(bound_names(each))
        return tree

    def where(self, line: int) -> Where:
        """The start of a line of the current file, for what has no text of its own."""
        shift = self.listing.place(self.place.file.source, line, line, self.place.via)
        place = line + shift
        return {"lineno": place, "col_offset": 0, "end_lineno": place, "end_col_offset": 0}

    # Bodies

    def body(self, nodes: Body) -> list[ast.stmt]:
        pieces = Pieces(self.careful)
        self.nodes(nodes, pieces)
        return pieces.done()

    def nodes(self, nodes: Body, pieces: Pieces) -> None:
        for node in nodes:
            _WRITERS[type(node)](self, node, pieces)

    def elsewhere(self, place: _Place, nodes: Body, pieces: Pieces) -> None:
        """Write nodes of another file."""
        here, self.place = self.place, place
        self.nodes(nodes, pieces)
        self.place = here

    # Nodes

    def text(self, node: Text, pieces: Pieces) -> None:
        pieces.text(node.value)

    def expression(self, node: Expression, pieces: Pieces) -> None:
        value = self.read(PythonReader.expression, node, node.code)
        escape = None if node.raw else self.place.file.autoescape
        if escape is None:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                pieces.text(value.value)
            else:
                pieces.any(raw(value))
        elif escape in ESCAPER_NAMES and escape not in self.bound:
            if escape not in self.escapers:
                self.escapers.append(escape)
            pieces.string(escaped(value, self.escapers.index(escape)))
        else:
            named = self.read(PythonReader.expression, node, Code(escape, node.line, 0))
            pieces.any(escaped_with(value, named))

    def module(self, node: Module, pieces: Pieces) -> None:
        value = self.read(PythonReader.expression, node, node.code, prefix="_tt_modules.")
        pieces.any(raw(value))

    def statement(self, node: Statement, pieces: Pieces) -> None:
        for statement in self.read(PythonReader.statements, node, node.code):
            pieces.statement(statement)

    def jump(self, node: Jump, pieces: Pieces) -> None:
        kind = ast.Break if node.keyword == "break" else ast.Continue
        pieces.statement(kind(**self.where(node.line)))

    def include(self, node: Include, pieces: Pieces) -> None:
        file = referred(node, self.place.file, self.loader)
        self.elsewhere(self.place.enter(file, node.line), file.body, pieces)

    def block(self, node: Block, pieces: Pieces) -> None:
        block, file = self.blocks[node.name]
        place = self.place
        if block is not node:
            place = place.enter(file, node.line)
        self.elsewhere(place, block.body, pieces)

    def apply(self, node: Apply, pieces: Pieces) -> None:
        method = self.read(PythonReader.expression, node, node.code)
        name = f"_tt_apply{self.functions}"
        self.functions += 1
        careful, self.careful = self.careful, False
        body = self.body(node.body)
        self.careful = careful
        pieces.statement(function(name, [], body, self.where(node.line)))
        pieces.any(applied(method, name))

    # Compound statements

    def compound(self, node: Compound, pieces: Pieces) -> None:
        pieces.statement(_COMPOUNDS[node.keyword](self, node))

    def conditional(self, node: Compound) -> ast.stmt:
        rest: list[ast.stmt] = []
        # From the last clause to the first; Python nests an elif in what precedes it.
        for clause in reversed(node.clauses):
            body = self.body(clause.body)
            if clause.keyword == "else":
                rest = body
                continue
            test = self.read(PythonReader.expression, clause, clause.code)
            rest = [ast.If(test, body, rest, **where(test))]
        return rest[0]

    def for_loop(self, node: Compound) -> ast.stmt:
        head = node.clauses[0]
        loop: ast.For = self.read(PythonReader.loop, head, head.code)
        loop.body = self.body(head.body)
        loop.orelse = self.otherwise(node)
        return loop

    def while_loop(self, node: Compound) -> ast.stmt:
        head = node.clauses[0]
        test = self.read(PythonReader.expression, head, head.code)
        return ast.While(test, self.body(head.body), self.otherwise(node), **where(test))

    def attempt(self, node: Compound) -> ast.stmt:
        careful, self.careful = self.careful, True
        head = node.clauses[0]
        result = ast.Try(self.body(head.body), [], [], [], **self.where(node.line))
        for clause in node.clauses[1:]:
            body = self.body(clause.body)
            if clause.keyword == "finally":
                result.finalbody = body
            elif clause.keyword == "else":
                result.orelse = body
            else:
                handler = self.read(PythonReader.handler, clause, clause.code)
                handler.body = body
                result.handlers.append(handler)
        self.careful = careful
        if not (result.handlers or result.finalbody):
            raise ParseError(
                "try without except or finally", self.place.file.source.name, node.line
            )
        if result.orelse and not result.handlers:
            raise ParseError(
                "try with else, but without except", self.place.file.source.name, node.line
            )
        return result

    def otherwise(self, node: Compound) -> list[ast.stmt]:
        """The body of the ``else`` of a loop."""
        return self.body(node.clauses[1].body) if len(node.clauses) > 1 else []


_WRITERS: dict[type[Node], Callable[[_Generator, Any, Pieces], None]] = {
    Apply: _Generator.apply,
    Block: _Generator.block,
    Compound: _Generator.compound,
    Expression: _Generator.expression,
    Include: _Generator.include,
    Jump: _Generator.jump,
    Module: _Generator.module,
    Statement: _Generator.statement,
    Text: _Generator.text,
}

_COMPOUNDS: dict[str, Callable[[_Generator, Compound], ast.stmt]] = {
    "if": _Generator.conditional,
    "for": _Generator.for_loop,
    "while": _Generator.while_loop,
    "try": _Generator.attempt,
}


def build(file: File, loader: FileLoader | None) -> tuple[ast.Module, tuple[str, ...], Listing]:
    """The syntax tree of a template, the names of its escape functions, and its listing.

    Raises:
        ParseError: a part of the template is not valid.
    """
    generator = _Generator(file, loader, frozenset())
    tree = generator.run()
    bound = generator.binding.intersection(generator.escapers)
    if bound:  # Rare: the template itself makes the function that it escapes with.
        generator = _Generator(file, loader, frozenset(bound))
        tree = generator.run()
    return tree, tuple(generator.escapers), generator.listing


def compile_file(file: File, loader: FileLoader | None) -> Program:
    """Compile the template whose own file is ``file``.

    Raises:
        ParseError: a part of the template is not valid.
    """
    try:
        tree, escapers, listing = build(file, loader)
    except RecursionError as error:
        raise ParseError(explain(error), file.source.name, 1) from error
    try:
        module = compile(tree, listing.filename, "exec", dont_inherit=True)
    except NOT_COMPILABLE as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        raise PythonError(explain(error), *listing.locate(line or 1)) from error
    for constant in module.co_consts:
        if isinstance(constant, CodeType):
            return Program(constant, escapers, listing)
    raise AssertionError("a template's module holds its function")
