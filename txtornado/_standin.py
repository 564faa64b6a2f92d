"""txtornado under Tornado's name, for programs that say ``import tornado.web``.

A finder at the front of ``sys.meta_path`` answers for ``tornado`` and everything below.  What it
gives out are our own modules, not copies: ``tornado.web is txtornado.web``, so that an
application may use both names, and replacing an attribute of a module replaces it for both.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, cast

from txtornado._version import tornado_version, tornado_version_info

if TYPE_CHECKING:
    from importlib.abc import Loader

__all__ = ["install_as_tornado"]

THEIRS = "tornado"
OURS = "txtornado"


class _Finder:
    """Finds ``tornado.x`` as ``txtornado.x``."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if fullname != THEIRS and not fullname.startswith(THEIRS + "."):
            return None
        ours = OURS + fullname[len(THEIRS) :]
        found = importlib.util.find_spec(ours)
        if found is None:
            return None
        spec = ModuleSpec(fullname, cast("Loader", _Alias(ours)), origin=found.origin)
        if found.submodule_search_locations is not None:
            spec.submodule_search_locations = []  # whoever looks there finds nothing but us
        return spec


class _Alias:
    """Loads a module by handing out another."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """See `importlib.abc.Loader`."""
        module = importlib.import_module(self.name)
        # The import system writes its own spec and loader into what it gets: not into ours.
        self._kept = {
            key: value
            for key, value in vars(module).items()
            if key in ("__spec__", "__loader__", "__package__", "__path__", "__file__")
        }
        return module

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        vars(module).update(self._kept)

    def get_code(self, fullname: str) -> object:
        """The module's code, for ``python -m tornado.x`` and `runpy`."""
        spec = importlib.util.find_spec(self.name)
        get_code = getattr(None if spec is None else spec.loader, "get_code", None)
        return None if get_code is None else get_code(self.name)


def install_as_tornado() -> None:
    """Have ``import tornado`` and ``import tornado.web`` reach txtornado from here on; ours.

    As ``pymysql.install_as_MySQLdb`` does for its peer: a program written for Tornado runs
    unchanged when this is called before its first import of it.  Whether Tornado is installed
    does not matter.  A second call does nothing.

    Programs compare ``tornado.version_info`` with what they need: from here on it and
    ``tornado.version``, and ``txtornado``'s, for they are the same, tell the newest Tornado
    whose API this is.

    Raises:
        RuntimeError: Tornado itself has been imported already.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    real = [name for name in sys.modules if name == THEIRS or name.startswith(THEIRS + ".")]
    if real:
        where = getattr(sys.modules[real[0]], "__file__", None) or "unknown"
        raise RuntimeError(
            f"tornado itself is imported already (from {where}): call "
            "txtornado.install_as_tornado() before anything imports it, or start the program "
            "with python -m txtornado run"
        )
    sys.meta_path.insert(0, _Finder())
    vars(importlib.import_module(OURS)).update(
        version=tornado_version, version_info=tornado_version_info
    )
