"""Twisted's side of the bridge, under the name that Tornado gave it.

Deferreds can be yielded and awaited whether or not this module is imported.
"""

from __future__ import annotations

from typing import Any

__all__ = ["install"]


def install(io_loop: Any = None) -> None:
    """Install Twisted's asyncio reactor as the global one, as Tornado 5.0 and later do.

    Args:
        io_loop: an `IOLoop` on whose asyncio loop it is to run; by default a new one.

    Raises:
        twisted.internet.error.ReactorAlreadyInstalledError: another reactor is there.
    """
    from twisted.internet import asyncioreactor

    loop = None if io_loop is None else io_loop.asyncio_loop
    asyncioreactor.install(loop)
