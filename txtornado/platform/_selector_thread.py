"""``add_reader`` and ``add_writer`` for asyncio loops that lack them.

A proactor loop (the default on Windows) cannot wait for descriptors to become ready.
`SelectorThread` runs ``select`` in a thread and calls back on the loop; one select is under
way at a time, and it is handed back to the thread only once its events were dealt with, so
that the sets are never touched by both sides at once.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import select
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from contextvars import copy_context
from typing import Any, TypeVarTuple

__all__ = ["AddThreadSelectorEventLoop", "SelectorThread"]

_Ts = TypeVarTuple("_Ts")

#: Threads that are not closed yet: the interpreter's exit closes them.
_selector_loops: set[SelectorThread] = set()


def _atexit_callback() -> None:
    for selector in list(_selector_loops):
        selector.close()


atexit.register(_atexit_callback)


class SelectorThread:
    """Waits for descriptors in a thread, on behalf of ``real_loop`` (Tornado 6.1).

    Args:
        real_loop: the callbacks run on it.  The thread starts with the loop's first turn and
            ends with `close`, or with the loop's ``shutdown_asyncgens``, which
            ``asyncio.run`` calls.
    """

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._real_loop = real_loop
        self._main_context = copy_context()
        self._readers: dict[Any, Callable[[], None]] = {}
        self._writers: dict[Any, Callable[[], None]] = {}
        self._job: tuple[list[Any], list[Any]] | None = None
        self._condition = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._thread_manager_task: asyncio.Task[None] | None = None
        self._waker_r, self._waker_w = socket.socketpair()
        self._waker_r.setblocking(False)
        self._waker_w.setblocking(False)
        self._lifetime = self._live()
        self._begin_handle = real_loop.call_soon(self._begin, context=self._main_context)
        _selector_loops.add(self)
        self.add_reader(self._waker_r, self._drain_waker)

    # The generator is registered with the loop when it is first advanced, and closed by
    # shutdown_asyncgens: that is the only hook a loop offers for its own end.
    async def _live(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.close()

    async def _start(self) -> None:
        await self._lifetime.__anext__()
        self._thread = threading.Thread(
            target=self._select_forever, name="txtornado-selector", daemon=True
        )
        self._thread.start()
        self._ask()

    def _begin(self) -> None:
        if not self._closed:
            self._thread_manager_task = self._real_loop.create_task(self._start())

    def close(self) -> None:
        """End the thread and wait for that; again is no error."""
        if self._closed:
            return
        self._closed = True
        with self._condition:
            self._job = None
            self._condition.notify()
        self._wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        _selector_loops.discard(self)
        self._begin_handle.cancel()
        self._forget_task()
        self._waker_r.close()
        self._waker_w.close()

    def _forget_task(self) -> None:
        task, self._thread_manager_task = self._thread_manager_task, None
        if task is None or task.done() or self._real_loop.is_closed():
            return
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        coroutine = task.get_coro()
        task.cancel()
        if coroutine is not None:
            with contextlib.suppress(RuntimeError, ValueError):
                coroutine.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker_w.send(b"x")

    def _drain_waker(self) -> None:
        with contextlib.suppress(OSError):
            self._waker_r.recv(1024)

    # -- on the loop --------------------------------------------------------------------

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        """As asyncio's ``loop.add_reader``."""
        self._readers[fd] = functools.partial(callback, *args)
        self._wake()

    def add_writer(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        """As asyncio's ``loop.add_writer``."""
        self._writers[fd] = functools.partial(callback, *args)
        self._wake()

    def remove_reader(self, fd: Any) -> bool:
        """As asyncio's ``loop.remove_reader``."""
        return self._remove(self._readers, fd)

    def remove_writer(self, fd: Any) -> bool:
        """As asyncio's ``loop.remove_writer``."""
        return self._remove(self._writers, fd)

    def _remove(self, watched: dict[Any, Callable[[], None]], fd: Any) -> bool:
        found = watched.pop(fd, None) is not None
        self._wake()
        return found

    def _ask(self) -> None:
        with self._condition:
            self._job = (list(self._readers), list(self._writers))
            self._condition.notify()

    def _deliver(self, readable: list[Any], writable: list[Any]) -> None:
        for ready, watched in ((readable, self._readers), (writable, self._writers)):
            for fd in ready:
                callback = watched.get(fd)
                if callback is not None:
                    callback()
        if not self._closed:
            self._ask()

    # -- in the thread ------------------------------------------------------------------

    def _select_forever(self) -> None:
        while True:
            with self._condition:
                while self._job is None and not self._closed:
                    self._condition.wait()
                if self._closed or self._job is None:
                    return
                readers, writers = self._job
                self._job = None
            try:
                # On Windows a refused connect is reported as exceptional only.
                readable, writable, exceptional = select.select(readers, writers, writers)
            except (OSError, ValueError):
                # A descriptor was closed meanwhile: look again, with the sets of today.
                readable, writable, exceptional = [], [], []
                if self._closed:
                    return
            try:
                self._real_loop.call_soon_threadsafe(
                    self._deliver, readable, writable + exceptional, context=self._main_context
                )
            except RuntimeError:
                return  # the loop is closed


class AddThreadSelectorEventLoop(asyncio.AbstractEventLoop):
    """Any asyncio loop, with ``add_reader`` and its kin by a `SelectorThread` (Tornado 6.0).

    Args:
        real_loop: does everything else.
    """

    MY_ATTRIBUTES = frozenset(
        {
            "_real_loop",
            "_selector",
            "add_reader",
            "add_writer",
            "close",
            "remove_reader",
            "remove_writer",
        }
    )

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._real_loop = real_loop
        self._selector = SelectorThread(real_loop)

    def __getattribute__(self, name: str) -> Any:
        # AbstractEventLoop has every method, as a stub: those are not to be found.
        if name in AddThreadSelectorEventLoop.MY_ATTRIBUTES:
            return super().__getattribute__(name)
        return getattr(super().__getattribute__("_real_loop"), name)

    def close(self) -> None:
        """End the thread and close the loop below."""
        self._selector.close()
        self._real_loop.close()

    def add_reader(self, fd: Any, callback: Callable[[*_Ts], Any], *args: *_Ts) -> None:
        """As asyncio's ``loop.add_reader``."""
        self._selector.add_reader(fd, callback, *args)

    def add_writer(self, fd: Any, callback: Callable[[*_Ts], Any], *args: *_Ts) -> None:
        """As asyncio's ``loop.add_writer``."""
        self._selector.add_writer(fd, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        """As asyncio's ``loop.remove_reader``."""
        return self._selector.remove_reader(fd)

    def remove_writer(self, fd: Any) -> bool:
        """As asyncio's ``loop.remove_writer``."""
        return self._selector.remove_writer(fd)
