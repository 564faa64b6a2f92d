"""Several processes: forking a server, and children that the loop looks after.

`fork_processes` is for servers that use every core.  `Subprocess` is `subprocess.Popen` with
streams in place of files and an exit that can be awaited.

How children are reaped: each one is watched by itself, through a process descriptor
(``pidfd_open``, Linux 5.3) that its loop polls like any other, and where there is none by a
thread that waits for that child alone.  No signal handler is involved and nothing waits for
children in general, so this goes with every reactor, in every thread, beside Twisted's
``spawnProcess``, asyncio's subprocesses and the program's own `subprocess.Popen`; neither side
can take the other's exit status.  Every child is watched from its start: none stays a zombie
because nobody asked for its exit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from subprocess import CalledProcessError
from typing import Any

from txtornado._reactors import installed_reactor
from txtornado.concurrent import Future
from txtornado.ioloop import IOLoop
from txtornado.iostream import PipeIOStream
from txtornado.log import gen_log
from txtornado.stack_context import wrap

__all__ = ["CalledProcessError", "Subprocess", "cpu_count", "fork_processes", "task_id"]

_task_id: int | None = None


def cpu_count() -> int:
    """The number of processors of this machine; 1 if it cannot be told."""
    return os.cpu_count() or 1


def task_id() -> int | None:
    """The number that `fork_processes` gave this process; None in any other process."""
    return _task_id


def fork_processes(num_processes: int | None, max_restarts: int | None = None) -> int:
    """Forks worker processes and supervises them (Tornado 2.0; Unix).

    Returns in the workers only.  The parent stays in this call: it restarts workers that end
    abnormally (by a signal or with a status other than 0), each under its old number, and ends
    with ``sys.exit(0)`` when all have ended normally.  SIGTERM in the parent ends the workers,
    and then the parent.

    Call it before there is an IOLoop or a reactor, for these cannot be shared; sockets can.  It
    does not go together with `txtornado.autoreload`.

    Args:
        num_processes: how many; None or 0 for one per processor.
        max_restarts: restarts, of all workers together, before the parent gives up; 100 when
            None.

    Returns:
        The worker's number, from 0 on; see `task_id`.

    Raises:
        RuntimeError: there is a loop or reactor already, this is a worker, or (in the parent,
            when the workers have been ended) there were too many restarts.
    """
    _check_may_fork()
    count = num_processes if num_processes is not None and num_processes > 0 else cpu_count()
    gen_log.info("Starting %d processes", count)
    supervisor = _Supervisor(100 if max_restarts is None else max_restarts)
    try:
        with supervisor.sigterm_raises():
            number = supervisor.run(count)
    except BaseException as error:
        supervisor.end_workers()
        if isinstance(error, _Terminated):
            os.kill(os.getpid(), signal.SIGTERM)
        raise
    if number is None:
        sys.exit(0)
    return number


def _check_may_fork() -> None:
    if _task_id is not None:
        raise RuntimeError(f"fork_processes() was called in a worker (number {_task_id})")
    reactor = installed_reactor()
    if IOLoop.current(instance=False) is not None:
        what = "an IOLoop"
    elif reactor is not None and getattr(reactor, "waker", reactor) is not None:
        what = "a Twisted reactor"  # installed by an import, most likely
    else:
        return
    raise RuntimeError(
        f"Cannot fork: there is {what} already, which several processes cannot share."
        " Call fork_processes() (or start() of a server with several processes) before"
        " IOLoop.current() and before anything that imports twisted.internet.reactor"
    )


class _Terminated(BaseException):
    """SIGTERM came, to the parent."""


class _Supervisor:
    """The parent's side of `fork_processes`."""

    def __init__(self, max_restarts: int) -> None:
        self.restarts_left = max_restarts
        self.workers: dict[int, int] = {}  # process id to number; empty in a worker
        self.handles_sigterm = False

    @contextlib.contextmanager
    def sigterm_raises(self) -> Iterator[None]:
        """Has SIGTERM raise `_Terminated`, unless the program has a handler of its own for it."""
        self.handles_sigterm = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if self.handles_sigterm:
            signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            yield
        finally:
            self._reset_sigterm()

    def _reset_sigterm(self) -> None:
        if self.handles_sigterm:
            self.handles_sigterm = False
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @staticmethod
    def _on_sigterm(number: int, frame: Any) -> None:
        raise _Terminated

    def run(self, count: int) -> int | None:
        """The worker's number in a worker; None in the parent when all have ended."""
        for number in range(count):
            if self._fork(number):
                return number
        while self.workers:
            process, status = os.wait()
            number_ended = self.workers.pop(process, None)
            if number_ended is None:
                continue  # a child from before
            if self._is_normal(number_ended, process, status):
                continue
            if self.restarts_left <= 0:
                raise RuntimeError("Too many child restarts, giving up")
            self.restarts_left -= 1
            if self._fork(number_ended):
                return number_ended
        return None

    def _fork(self, number: int) -> bool:
        """Whether this is the worker."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # absent, closed, broken
                stream.flush()  # or every worker writes what is buffered
        # A signal must not come between a worker's start and its entry in the list.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            process = os.fork()
            if process:
                self.workers[process] = number
            else:
                self._become_worker(number)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return not process

    def _become_worker(self, number: int) -> None:
        global _task_id
        _task_id = number
        self.workers.clear()
        self._reset_sigterm()

    @staticmethod
    def _is_normal(number: int, process: int, status: int) -> bool:
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            gen_log.info("child %d (pid %d) exited normally", number, process)
            return True
        if code < 0:
            gen_log.warning(
                "child %d (pid %d) killed by signal %d, restarting", number, process, -code
            )
        else:
            gen_log.warning(
                "child %d (pid %d) exited with status %d, restarting", number, process, code
            )
        return False

    def end_workers(self) -> None:
        """Terminates the workers and waits for them."""
        for process in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        for process in self.workers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, 0)
        self.workers.clear()


class Subprocess:
    """A child process whose pipes are streams and whose exit is an event (Tornado 3.1; Unix).

    Takes what `subprocess.Popen` takes; ``stdin``, ``stdout`` and ``stderr`` may also be
    `STREAM`, which makes the attribute of that name a `~txtornado.iostream.PipeIOStream`.
    Whoever asks for a stream closes it.

    Args:
        io_loop: the loop to use, in Tornado before 5.0; the current one when not given.

    Attributes:
        proc: the `subprocess.Popen`.
        pid: the process id.
        stdin, stdout, stderr: the streams, or what ``proc`` has under these names.
        io_loop: the loop that watches the process.
    """

    STREAM: Any = object()

    stdin: Any
    stdout: Any
    stderr: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.io_loop: IOLoop = kwargs.pop("io_loop", None) or IOLoop.current()
        with _Pipes(self.STREAM, kwargs) as pipes:
            self.proc: subprocess.Popen[Any] = subprocess.Popen(*args, **kwargs)
        self.pid = self.proc.pid
        streams = pipes.streams(self.io_loop)
        for name in ("stdin", "stdout", "stderr"):
            setattr(self, name, streams.get(name) or getattr(self.proc, name))
        self._exit = _Exit(self.proc, self.io_loop)

    @property
    def returncode(self) -> int | None:
        """The exit status, minus the number of the signal that ended it, or None as yet."""
        return self.proc.returncode

    def set_exit_callback(self, callback: Callable[[int], Any]) -> None:
        """Has ``callback(returncode)`` called on the loop when the process has exited.

        At once (on the loop's next turn) if that has happened.  Several callbacks may be set.
        """
        self._exit.add_callback(wrap(callback))

    def wait_for_exit(self, raise_error: bool = True) -> Future[int]:
        """Resolves with the exit status when the process has exited (Tornado 4.2).

        Args:
            raise_error: whether a status other than 0 raises `CalledProcessError`.
        """
        future: Future[int] = Future(loop=self.io_loop.asyncio_loop)

        def resolve(code: int) -> None:
            if future.cancelled():
                return
            if code and raise_error:
                future.set_exception(CalledProcessError(code, self.proc.args))
            else:
                future.set_result(code)

        self.set_exit_callback(resolve)
        return future

    @classmethod
    def initialize(cls, io_loop: IOLoop | None = None) -> None:
        """Does nothing: no signal handler is needed here.  Tornado's programs call it."""

    @classmethod
    def uninitialize(cls) -> None:
        """Does nothing, see `initialize`."""


class _Pipes:
    """The pipes of a child under way: both ends while it starts, then ours as streams."""

    def __init__(self, wanted: object, kwargs: dict[str, Any]) -> None:
        self._ours: dict[str, int] = {}
        self._theirs: list[int] = []
        try:
            for name in ("stdin", "stdout", "stderr"):
                if kwargs.get(name) is wanted:
                    kwargs[name] = self._open(name)
        except BaseException:
            self._close([*self._theirs, *self._ours.values()])
            raise

    def _open(self, name: str) -> int:
        reading, writing = os.pipe()
        ours, theirs = (writing, reading) if name == "stdin" else (reading, writing)
        self._ours[name] = ours
        self._theirs.append(theirs)
        return theirs

    def __enter__(self) -> _Pipes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._close(self._theirs)
        if kind is not None:
            self._close(list(self._ours.values()))

    @staticmethod
    def _close(descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    def streams(self, io_loop: IOLoop) -> dict[str, PipeIOStream]:
        return {name: PipeIOStream(fd, io_loop=io_loop) for name, fd in self._ours.items()}


class _Exit:
    """Waits for the exit of one child, reaps it and tells.

    The loop (or a thread) holds this object while the child lives, not the `Subprocess`.
    """

    def __init__(self, proc: subprocess.Popen[Any], io_loop: IOLoop) -> None:
        self._proc = proc
        self._loop = io_loop
        self._callbacks: list[Callable[[int], Any]] = []
        self._exited = False
        try:
            descriptor = _ProcessDescriptor(proc.pid)
        except (AttributeError, OSError):  # not on this system, or no descriptor left
            threading.Thread(
                target=self._wait_in_thread, name=f"wait-for-{proc.pid}", daemon=True
            ).start()
        else:
            io_loop.add_handler(descriptor, self._on_readable, IOLoop.READ)

    def add_callback(self, callback: Callable[[int], Any]) -> None:
        if self._exited:
            self._loop.add_callback(callback, self._proc.returncode)
        else:
            self._callbacks.append(callback)

    def _on_readable(self, descriptor: _ProcessDescriptor, events: int) -> None:
        if self._proc.poll() is None:
            return  # not our kind of event; the descriptor tells again
        self._loop.remove_handler(descriptor)
        descriptor.close()
        self._tell()

    def _wait_in_thread(self) -> None:
        self._proc.wait()
        self._loop.add_callback(self._tell)

    def _tell(self) -> None:
        self._exited = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._loop.add_callback(callback, self._proc.returncode)


class _ProcessDescriptor:
    """A descriptor that is readable when the process has exited; closed with this object."""

    def __init__(self, pid: int) -> None:
        self._fd = -1
        self._fd = os.pidfd_open(pid)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd != -1:
            os.close(fd)

    def __del__(self) -> None:
        self.close()
