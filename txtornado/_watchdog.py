"""Tells when a loop's thread is blocked.

A thread asks the loop for a sign of life, over and over.  When none comes in time it calls
the action with the frame that the loop's thread is in.  Unlike a timer signal this works for
loops in any thread and takes no process-wide resource.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Watchdog"]


class Watchdog:
    """Watches ``loop``, from now until `stop`.

    Args:
        loop: only watched while it runs.
        seconds: how long one turn may take.
        action: called once for each block with the number of SIGALRM and the frame; None
            kills the process by SIGALRM, as that signal does by default.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        seconds: float,
        action: Callable[[int, FrameType | None], Any] | None,
    ) -> None:
        if seconds <= 0:
            raise ValueError(f"the limit must be positive, not {seconds!r}")
        self.seconds = seconds
        self._loop = loop
        self._action = action
        self._alive = threading.Event()
        self._stopped = threading.Event()
        self._ident: int | None = None
        self._thread = threading.Thread(target=self._watch, name="txtornado-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch; returns at once."""
        self._stopped.set()
        self._alive.set()

    def _sign_of_life(self) -> None:
        self._ident = threading.get_ident()
        self._alive.set()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self._alive.clear()
            try:
                self._loop.call_soon_threadsafe(self._sign_of_life)
            except RuntimeError:
                return  # closed
            if not self._alive.wait(self.seconds) and self._loop.is_running():
                self._report()
            self._alive.wait()
            self._stopped.wait(self.seconds / 2)

    def _report(self) -> None:
        if self._action is None:
            os.kill(os.getpid(), signal.SIGALRM)
            return
        frame = sys._current_frames().get(self._ident) if self._ident is not None else None
        with contextlib.suppress(Exception):
            self._action(signal.SIGALRM, frame)
