"""The examples in this package's docstrings, as a test suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import unittest

__all__ = ["doctests"]


def doctests() -> unittest.TestSuite:
    """Return the examples of this package's docstrings as tests."""
    # Servers need none of these.
    import doctest
    import importlib
    import pkgutil
    import unittest

    package = importlib.import_module(__package__)
    suite = unittest.TestSuite()
    for info in pkgutil.iter_modules(package.__path__):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{__package__}.{info.name}")
            suite.addTests(doctest.DocTestSuite(module))
    return suite
