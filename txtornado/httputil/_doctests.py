"""The examples in this package's docstrings, as a test suite."""

import doctest
import importlib
import pkgutil
import unittest

__all__ = ["doctests"]


def doctests() -> unittest.TestSuite:
    """Return the examples of this package's docstrings as tests."""
    package = importlib.import_module(__package__)
    suite = unittest.TestSuite()
    for info in pkgutil.iter_modules(package.__path__):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{__package__}.{info.name}")
            suite.addTests(doctest.DocTestSuite(module))
    return suite
