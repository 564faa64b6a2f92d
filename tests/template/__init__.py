"""Tests for `txtornado.template`."""

from __future__ import annotations

from typing import Any

from txtornado.template import DictLoader, Template


def render(text: str | bytes, /, **variables: Any) -> bytes:
    """What a template without a loader, and without a name that means anything, puts out."""
    return Template(text).generate(**variables)


def render_files(files: dict[str, str], name: str, /, **variables: Any) -> bytes:
    """What the template ``name`` of ``files`` puts out."""
    return DictLoader(files).load(name).generate(**variables)
