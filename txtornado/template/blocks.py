"""Templates that are made of several files: ancestors, inclusions, and whose block counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from txtornado.template.errors import ParseError
from txtornado.template.nodes import (
    Apply,
    Block,
    Body,
    Compound,
    Extends,
    File,
    Include,
)

__all__ = ["BlockTable", "FileLoader", "lineage", "referred"]


class _Parsed(Protocol):
    file: File


class FileLoader(Protocol):
    """Of a template loader, what composing templates takes."""

    def load(self, name: str, parent_path: str | None = None) -> _Parsed: ...


def referred(node: Include | Extends, file: File, loader: FileLoader | None) -> File:
    """The file that a node of ``file`` names.

    Raises:
        ParseError: there is no loader, or the file cannot be compiled.  What a loader raises for
            a file it does not find (`OSError`, `KeyError`) is passed on.
    """
    directive = "include" if isinstance(node, Include) else "extends"
    if loader is None:
        raise ParseError(
            f"{{% {directive} %}} block found, but no template loader", file.source.name, node.line
        )
    try:
        found = loader.load(node.name, file.source.name).file
    except ParseError as error:
        if error.filename is not None:
            raise
        raise ParseError(error.message, file.source.name, node.line) from error
    if isinstance(node, Include) and found.extends is not None:
        raise ParseError(
            f"Cannot include {node.name!r}, which extends {found.extends.name!r}: "
            "use {% module Template(...) %}",
            file.source.name,
            node.line,
        )
    return found


def lineage(file: File, loader: FileLoader | None) -> list[File]:
    """``file``, the file it extends, the one that extends, and so on."""
    files = [file]
    while files[-1].extends is not None:
        files.append(referred(files[-1].extends, files[-1], loader))
    return files


class BlockTable:
    """Which block is put out where a block of some name stands.

    The most derived file wins; within one file, the last block of that name, with blocks of
    included files counted where the inclusion stands.
    """

    def __init__(self, files: list[File], loader: FileLoader | None) -> None:
        self._loader = loader
        self._blocks: dict[str, tuple[Block, File]] = {}
        for file in reversed(files):
            for block, owner in self._find(file.body, file):
                self._blocks[block.name] = block, owner

    def __getitem__(self, name: str) -> tuple[Block, File]:
        return self._blocks[name]

    def _find(self, body: Body, file: File) -> Iterator[tuple[Block, File]]:
        for node in body:
            if isinstance(node, Block):
                yield node, file
                yield from self._find(node.body, file)
            elif isinstance(node, Apply):
                yield from self._find(node.body, file)
            elif isinstance(node, Compound):
                for clause in node.clauses:
                    yield from self._find(clause.body, file)
            elif isinstance(node, Include):
                other = referred(node, file, self._loader)
                yield from self._find(other.body, other)
