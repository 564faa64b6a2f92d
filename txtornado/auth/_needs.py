"""The optional libraries, imported when they are first needed."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["need"]


def need(module: str) -> Any:
    """Import ``module`` of the extra ``auth``.

    Raises:
        ImportError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this login needs the package of {module!r}: pip install txtornado[auth]"
        ) from error
