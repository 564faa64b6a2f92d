"""Waking a coroutine without a detour through the event loop.

``Future.set_result`` has the loop wake the task that awaits it in its next turn.  When bytes have
just come in from the selector, nothing else is running, and that turn is pure cost: a handle, a
system call, and a round through everybody who is ready.  `wake` lets the task go on at once.

This may only be done where no task is running: `DirectTransport.on_top` tells.
"""

from __future__ import annotations

from asyncio import Future, Task
from typing import Any

__all__ = ["wake"]


def wake(future: Future[Any], result: Any) -> None:
    """Resolve a Future, and run the task that awaits it; others are told in the next turn.

    ``_callbacks`` is asyncio's own; where it is missing, or anybody but a single task waits,
    this is ``future.set_result(result)``.
    """
    try:
        ((callback, context),) = future._callbacks
        waiting = callback.__self__  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        waiting = None
    if isinstance(waiting, Task):
        future.remove_done_callback(callback)
        future.set_result(result)
        context.run(callback, future)
    else:
        future.set_result(result)
