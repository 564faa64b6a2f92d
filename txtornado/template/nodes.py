"""The tree that a template's text is parsed into.

Nodes are plain data: they know their place in their own file and nothing of other files.  Python
within them is kept as text (`Code`), for one file may be compiled into many templates (by
``extends`` and ``include``), and each needs its own copy of the Python with its own positions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txtornado.template.source import Code, Source

__all__ = [
    "Apply",
    "Block",
    "Body",
    "Clause",
    "Compound",
    "Expression",
    "Extends",
    "File",
    "Include",
    "Jump",
    "Module",
    "Node",
    "Statement",
    "Text",
]


@dataclass(slots=True)
class Node:
    """Anything in a template; ``line`` is where it starts, counted from 1."""

    line: int


Body = list[Node]


@dataclass(slots=True)
class Text(Node):
    """Text for the output, its white space already filtered."""

    value: str


@dataclass(slots=True)
class Expression(Node):
    """``{{ code }}``, or ``{% raw code %}`` when ``raw``."""

    code: Code
    raw: bool = False


@dataclass(slots=True)
class Module(Node):
    """``{% module code %}``."""

    code: Code


@dataclass(slots=True)
class Statement(Node):
    """Python to run: ``set``, ``import``, ``from``."""

    code: Code


@dataclass(slots=True)
class Jump(Node):
    """``break`` or ``continue``."""

    keyword: str


@dataclass(slots=True)
class Include(Node):
    """``{% include name %}``."""

    name: str


@dataclass(slots=True)
class Extends(Node):
    """``{% extends name %}``."""

    name: str


@dataclass(slots=True)
class Clause:
    """One part of a compound statement: ``elif code`` and the body below it."""

    keyword: str
    line: int
    code: Code
    body: Body = field(default_factory=list)


@dataclass(slots=True)
class Compound(Node):
    """``if``, ``for``, ``while`` or ``try`` with its clauses; the first one names it."""

    clauses: list[Clause]

    @property
    def keyword(self) -> str:
        return self.clauses[0].keyword


@dataclass(slots=True)
class Apply(Node):
    """``{% apply code %}``: what ``body`` puts out goes through a function."""

    code: Code
    body: Body = field(default_factory=list)


@dataclass(slots=True)
class Block(Node):
    """``{% block name %}``: a body that an extending template may replace."""

    name: str
    body: Body = field(default_factory=list)


@dataclass(slots=True)
class File:
    """One template file, parsed.

    Attributes:
        source: Its text and name.
        body: Its nodes, outermost first.
        autoescape: The Python (nearly always a name) of the function that expressions of this
            file are escaped with, None for none.
        extends: The node that names the template this one inherits from, if any.
    """

    source: Source
    body: Body
    autoescape: str | None
    extends: Extends | None = None
