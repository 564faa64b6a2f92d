"""What coroutines raise, and `Return`, with which old ones return."""

from __future__ import annotations

import builtins
from typing import Any

from txtornado.concurrent import ReturnValueIgnoredError

__all__ = [
    "BadYieldError",
    "KeyReuseError",
    "LeakedCallbackError",
    "Return",
    "ReturnValueIgnoredError",
    "TimeoutError",
    "UnknownKeyError",
]

TimeoutError = builtins.TimeoutError  # since Tornado 6.2 the built-in one


class BadYieldError(Exception):
    """A coroutine yielded something that cannot be waited for."""


class KeyReuseError(Exception):
    """`Callback` was given a key that is still outstanding in the same coroutine (Tornado 2.1)."""


class UnknownKeyError(Exception):
    """`Wait` was given a key that no `Callback` of the same coroutine has (Tornado 2.1)."""


class LeakedCallbackError(Exception):
    """A coroutine ended without waiting for a key it had given to `Callback` (Tornado 2.1)."""


class Return(Exception):
    """``raise gen.Return(value)``: end a coroutine with a result, as ``return value`` does.

    From the time of Python 2, whose generators could not return values (Tornado 3.0).
    """

    def __init__(self, value: Any = None) -> None:
        super().__init__(value)
        self.value = value
