"""Waking a coroutine without a detour through the event loop.

``Future.set_result`` has the loop wake the task that awaits it in its next turn.  When bytes have
just come in from the selector, nothing else is running, and that turn is pure cost: a handle, a
system call, and a round through everybody who is ready.  `wake` lets the task go on at once.

This may only be done where no task is running: `DirectTransport.on_top` tells.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["wake"]


def wake(future: asyncio.Future[Any], result: Any) -> None:
    """Resolve a Future, and run the task that awaits it; others are told in the next turn.

    ``_callbacks`` is asyncio's own; where it is missing, or anybody but a single task waits,
    this is ``future.set_result(result)``.
    """
    try:
        ((callback, context),) = future._callbacks
        waits = isinstance(callback.__self__, asyncio.Task)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        waits = False
    if not waits:
        future.set_result(result)
        return
    future.remove_done_callback(callback)
    future.set_result(result)
    context.run(callback, future)
