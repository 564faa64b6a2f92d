"""From tokens to the tree, by one table of directives.

The parser keeps its own stack of open tags, so that nesting costs no recursion here.  It checks
what can be seen within one file: that tags are closed, that a clause follows a statement it
belongs to, that ``break`` stands in a loop.  The Python in the tags is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from txtornado.template.errors import ParseError
from txtornado.template.lexer import Kind, Token, tokenize
from txtornado.template.nodes import (
    Apply,
    Block,
    Body,
    Clause,
    Compound,
    Expression,
    Extends,
    File,
    Include,
    Jump,
    Module,
    Statement,
    Text,
)
from txtornado.template.source import Code, Source
from txtornado.template.whitespace import check_mode, filter_whitespace

__all__ = ["parse"]

_WORD = re.compile(r"\S+")

#: A compound statement -> the clauses that may follow in it.
_CLAUSES: dict[str, frozenset[str]] = {
    "if": frozenset({"elif", "else"}),
    "for": frozenset({"else"}),
    "while": frozenset({"else"}),
    "try": frozenset({"except", "else", "finally"}),
}

#: A clause -> the clauses of the same statement it cannot come after.
_NOT_AFTER: dict[str, frozenset[str]] = {
    "elif": frozenset({"else"}),
    "except": frozenset({"else", "finally"}),
    "else": frozenset({"else", "finally"}),
    "finally": frozenset({"finally"}),
}

#: What takes nothing behind its name, and what needs something there, with what that is called.
_BARE = frozenset({"try", "finally"})
_NEEDS: dict[str, str] = {
    "apply": "method name",
    "autoescape": "function name, or None",
    "block": "name",
    "elif": "condition",
    "extends": "file path",
    "for": "variable and iterable",
    "from": "statement",
    "if": "condition",
    "import": "statement",
    "include": "file path",
    "module": "expression",
    "raw": "expression",
    "set": "statement",
    "while": "condition",
    "whitespace": "mode",
}


@dataclass(slots=True)
class _Open:
    """A tag that waits for its ``{% end %}``."""

    keyword: str
    line: int
    node: Compound | Apply | Block
    body: Body
    "Where nodes go until the end, or until the next clause."


def _unquoted(code: Code) -> str:
    return code.text.strip("\"'")


class _Parser:
    def __init__(self, source: Source, whitespace: str, autoescape: str | None) -> None:
        self.source = source
        self.whitespace = whitespace
        self.file = File(source, [], autoescape)
        self.body = self.file.body
        self.open: list[_Open] = []

    def error(self, message: str, line: int) -> ParseError:
        return ParseError(message, self.source.name, line)

    def run(self) -> File:
        for token in tokenize(self.source):
            _TOKENS[token.kind](self, token)
        if self.open:
            last = self.open[-1]
            raise self.error(f"Missing {{% end %}} block for {last.keyword}", last.line)
        return self.file

    # Tokens

    def text(self, token: Token) -> None:
        value = self.source.text[token.start : token.end]
        if "<pre>" not in value:
            value = filter_whitespace(self.whitespace, value)
        self.body.append(Text(self.source.line_at(token.start), value))

    def expression(self, token: Token) -> None:
        code = self.source.cut(token.start, token.end)
        line = self.source.line_at(token.start)
        if not code.text:
            raise self.error("Empty expression", line)
        self.body.append(Expression(line, code))

    def directive(self, token: Token) -> None:
        line = self.source.line_at(token.start)
        word = _WORD.search(self.source.text, token.start, token.end)
        if word is None:
            raise self.error("Empty block tag ({% %})", line)
        keyword = word.group()
        handler = _DIRECTIVES.get(keyword)
        if handler is None:
            raise self.error(f"unknown operator: {keyword!r}", line)
        # An import is Python as it stands, its keyword included.
        start = word.start() if keyword in ("import", "from") else word.end()
        code = self.source.cut(start, token.end)
        if keyword in _NEEDS and code.text in ("", "import", "from"):
            raise self.error(f"{keyword} missing {_NEEDS[keyword]}", line)
        if keyword in _BARE and code.text:
            raise self.error(f"{keyword} takes nothing behind it, but has {code.text!r}", line)
        handler(self, keyword, line, code)

    # Directives that stand alone

    def comment(self, keyword: str, line: int, code: Code) -> None:
        pass

    def raw(self, keyword: str, line: int, code: Code) -> None:
        self.body.append(Expression(line, code, raw=True))

    def module(self, keyword: str, line: int, code: Code) -> None:
        self.body.append(Module(line, code))

    def statement(self, keyword: str, line: int, code: Code) -> None:
        self.body.append(Statement(line, code))

    def include(self, keyword: str, line: int, code: Code) -> None:
        self.body.append(Include(line, _unquoted(code)))

    def extends(self, keyword: str, line: int, code: Code) -> None:
        if self.open:
            raise self.error(f"extends cannot stand within {self.open[-1].keyword}", line)
        if self.file.extends is not None:
            first = self.file.extends
            raise self.error(f"Already extends {first.name!r} (line {first.line})", line)
        self.file.extends = Extends(line, _unquoted(code))

    def autoescape(self, keyword: str, line: int, code: Code) -> None:
        self.file.autoescape = None if code.text == "None" else code.text

    def set_whitespace(self, keyword: str, line: int, code: Code) -> None:
        try:
            self.whitespace = check_mode(code.text)
        except ValueError as error:
            raise self.error(str(error), line) from None

    def jump(self, keyword: str, line: int, code: Code) -> None:
        if code.text:
            raise self.error(f"{keyword} takes nothing behind it, but has {code.text!r}", line)
        for outer in reversed(self.open):
            if outer.keyword in ("for", "while"):
                self.body.append(Jump(line, keyword))
                return
            if outer.keyword == "apply":  # a function of its own
                break
        raise self.error(f"{keyword} outside a for or while block", line)

    # Directives that open, divide and close

    def compound(self, keyword: str, line: int, code: Code) -> None:
        clause = Clause(keyword, line, code)
        self.push(keyword, Compound(line, [clause]), clause.body)

    def apply(self, keyword: str, line: int, code: Code) -> None:
        node = Apply(line, code)
        self.push(keyword, node, node.body)

    def block(self, keyword: str, line: int, code: Code) -> None:
        node = Block(line, code.text)
        self.push(keyword, node, node.body)

    def push(self, keyword: str, node: Compound | Apply | Block, body: Body) -> None:
        self.body.append(node)
        self.open.append(_Open(keyword, node.line, node, body))
        self.body = body

    def clause(self, keyword: str, line: int, code: Code) -> None:
        owners = ", ".join(owner for owner in _CLAUSES if keyword in _CLAUSES[owner])
        if not self.open:
            raise self.error(f"{keyword} outside a block that takes it ({owners})", line)
        innermost = self.open[-1]
        if not isinstance(innermost.node, Compound) or keyword not in _CLAUSES[innermost.keyword]:
            raise self.error(
                f"{keyword} cannot be attached to a {innermost.keyword} block, only to: {owners}",
                line,
            )
        for earlier in innermost.node.clauses[1:]:
            if earlier.keyword in _NOT_AFTER[keyword]:
                raise self.error(
                    f"{keyword} after {earlier.keyword} (line {earlier.line}) of the same block",
                    line,
                )
        if keyword == "else" and code.text:
            raise self.error(f"else takes nothing behind it, but has {code.text!r}", line)
        clause = Clause(keyword, line, code)
        innermost.node.clauses.append(clause)
        innermost.body = self.body = clause.body

    def end(self, keyword: str, line: int, code: Code) -> None:
        if not self.open:
            raise self.error("Extra {% end %} block", line)
        self.open.pop()
        self.body = self.open[-1].body if self.open else self.file.body


_TOKENS: dict[Kind, Callable[[_Parser, Token], None]] = {
    Kind.TEXT: _Parser.text,
    Kind.EXPRESSION: _Parser.expression,
    Kind.DIRECTIVE: _Parser.directive,
}

_DIRECTIVES: dict[str, Callable[[_Parser, str, int, Code], None]] = {
    "apply": _Parser.apply,
    "autoescape": _Parser.autoescape,
    "block": _Parser.block,
    "break": _Parser.jump,
    "comment": _Parser.comment,
    "continue": _Parser.jump,
    "elif": _Parser.clause,
    "else": _Parser.clause,
    "end": _Parser.end,
    "except": _Parser.clause,
    "extends": _Parser.extends,
    "finally": _Parser.clause,
    "for": _Parser.compound,
    "from": _Parser.statement,
    "if": _Parser.compound,
    "import": _Parser.statement,
    "include": _Parser.include,
    "module": _Parser.module,
    "raw": _Parser.raw,
    "set": _Parser.statement,
    "try": _Parser.compound,
    "while": _Parser.compound,
    "whitespace": _Parser.set_whitespace,
}


def parse(source: Source, *, whitespace: str, autoescape: str | None) -> File:
    """The tree of one file.

    Args:
        source: The file.
        whitespace: The mode its text starts in.
        autoescape: The function its expressions go through, unless it names one itself.

    Raises:
        ParseError: the file is not a template.
    """
    return _Parser(source, whitespace, autoescape).run()
