"""What can be wrong with a template before it runs."""

from __future__ import annotations

__all__ = ["ParseError", "PythonError"]


class ParseError(Exception):
    """A template that cannot be compiled (Tornado 0.2; position since 4.3).

    Attributes:
        message: What is wrong, without the position.
        filename: The name of the template (as its loader knows it), None when unknown.
        lineno: The line in that template, counted from 1; 0 when unknown.
    """

    def __init__(self, message: str, filename: str | None = None, lineno: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.filename = filename
        self.lineno = lineno

    def __str__(self) -> str:
        return f"{self.message} at {self.filename}:{self.lineno}"


class PythonError(ParseError, SyntaxError):  # type: ignore[misc]
    """The Python within a template's tags is not valid.

    Tornado raises a plain `SyntaxError` with a position in its generated code here.  This one is
    that as well, for applications that catch it, but names the template's own line.
    """
