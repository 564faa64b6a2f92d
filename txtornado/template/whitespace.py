"""White space between a template's tags: kept, collapsed, or flattened to one line."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["check_mode", "default_mode", "filter_whitespace"]

_BLANKS = re.compile(r"[ \t]+")
_AROUND_NEWLINE = re.compile(r"\s*\n\s*")
_ANY = re.compile(r"\s+")


def _keep(text: str) -> str:
    return text


def _collapse(text: str) -> str:
    return _AROUND_NEWLINE.sub("\n", _BLANKS.sub(" ", text))


def _flatten(text: str) -> str:
    return _ANY.sub(" ", text)


_MODES: dict[str, Callable[[str], str]] = {
    "all": _keep,
    "single": _collapse,
    "oneline": _flatten,
}


def check_mode(mode: str) -> str:
    """``mode`` itself, when there is such a mode.

    Raises:
        ValueError: there is none.
    """
    if mode not in _MODES:
        raise ValueError(f"invalid whitespace mode {mode!r}: use one of {', '.join(_MODES)}")
    return mode


def filter_whitespace(mode: str, text: str) -> str:
    r"""``text`` with its white space treated as ``mode`` says (Tornado 4.3).

    Args:
        mode: ``"all"`` keeps everything; ``"single"`` makes every run of blanks one blank, and
            every run with a line end in it one line end; ``"oneline"`` makes every run one blank.
        text: What to filter.

    Raises:
        ValueError: there is no such mode.

    >>> filter_whitespace("single", "a \t b\n\n  c")
    'a b\nc'
    >>> filter_whitespace("oneline", "a \t b\n\n  c")
    'a b c'
    """
    return _MODES[check_mode(mode)](text)


def default_mode(name: str) -> str:
    """The mode of a template nobody set one for: ``"single"`` for .html and .js, else ``"all"``."""
    return "single" if name.endswith((".html", ".js")) else "all"
