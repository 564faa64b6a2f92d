"""The `coroutine` decorator and the `Runner` that drives a generator.

A coroutine runs at once, in the caller's stack, as far as it gets.  Many never have to wait: for
them there is neither a `Runner` nor a task, only a Future that is done.  The others get a `Runner`
when they first yield something unresolved; it is itself the done callback of what is waited
for, so that each wait costs one callback of the loop.

Every coroutine has a `contextvars.Context` of its own, a copy of its caller's, in which all of
its steps run.  Stack contexts (see `txtornado.stack_context`) are entered anew around each step.
"""

from __future__ import annotations

import functools
import inspect
from asyncio import CancelledError, Future, _get_running_loop
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from txtornado.concurrent import (
    cancel_work,
    current_loop,
    future_set_exception_unless_cancelled,
    with_callback,
)
from txtornado.gen.convert import (
    RunnerYieldable,
    convert_yielded,
    moment,
    without_head,
)
from txtornado.gen.errors import Return
from txtornado.stack_context import (
    StackContextInconsistentError,
    active_chain,
    run_inside,
    set_active_chain,
)

if TYPE_CHECKING:
    from txtornado.ioloop import IOLoop

__all__ = ["Runner", "coroutine", "is_coroutine_function", "wrap_function"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_MARK = "__txtornado_coroutine__"


@overload
def coroutine(func: Callable[_P, Generator[Any, Any, _T]]) -> Callable[_P, Future[_T]]: ...
@overload
def coroutine(func: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, Future[_T]]: ...
@overload
def coroutine(func: Callable[_P, _T]) -> Callable[_P, Future[_T]]: ...


def coroutine(func: Callable[..., Any]) -> Callable[..., Future[Any]]:
    """Decorator: a generator function becomes a function that returns a Future (Tornado 3.0).

    Whatever the generator yields is waited for, and the ``yield`` expression has its result, or
    raises its exception.  The Future has what the generator returns (or raises with `Return`).
    Functions without a ``yield`` are fine too.

    Exceptions, those of the arguments included, are in the Future and not raised from the call.

    As in Tornado 3 to 5 the function may be called with ``callback=``, which then gets the result,
    unless it has a parameter of that name (or ``**kwargs``) itself.
    """
    return wrap_function(func, adapt_callback=not _takes_callback(func))


def is_coroutine_function(func: Any) -> bool:
    """Whether ``func`` is decorated with `coroutine` (Tornado 4.5)."""
    return getattr(func, _MARK, False) is True


def _takes_callback(func: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(func).parameters
    except (TypeError, ValueError):
        return True
    return "callback" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def wrap_function(func: Callable[..., Any], *, adapt_callback: bool) -> Callable[..., Future[Any]]:
    """The work of `coroutine`; ``adapt_callback``: keep a ``callback`` argument from ``func``."""
    start: Callable[..., Any] = func if inspect.isgeneratorfunction(func) else _generator_of(func)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Future[Any]:
        if kwargs and adapt_callback and "callback" in kwargs:
            callback = kwargs.pop("callback")
            future = wrapper(*args, **kwargs)
            with_callback(future, callback)
            return future
        context = copy_context()
        try:
            generator = start(*args, **kwargs)
            yielded = context.run(_advance, generator)
        except (StopIteration, Return) as stop:
            value = stop.value
        except (Exception, CancelledError) as error:
            return _failed_start(error)
        else:
            future = _pending(2)
            # The Runner must live as long as somebody waits for its result, even when
            # what it waits for is weakly referenced only.
            future._work = Runner(context.run, generator, future, yielded)  # type: ignore[attr-defined]
            return future
        future = Future(loop=_get_running_loop() or current_loop())
        future.set_result(value)
        return future

    setattr(wrapper, _MARK, True)
    return wrapper


def _generator_of(func: Callable[..., Any]) -> Callable[..., Generator[Any, Any, Any]]:
    """A generator function for ``func``, which is none but may return a generator or coroutine."""

    def start(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        try:
            result = func(*args, **kwargs)
        except StopIteration as stop:  # must not cross a generator's border
            return stop.value
        if isinstance(result, Generator):
            return (yield from result)
        if inspect.iscoroutine(result):
            return (yield result)
        return result
        yield

    return start


def _advance(generator: Generator[Any, Any, Any]) -> Any:
    """Run a new generator up to the first thing it has to wait for, and return that."""
    chain = active_chain()
    yielded = next(generator)
    while True:
        if active_chain() is not chain:
            yielded = generator.throw(_inconsistent())
        elif yielded.__class__ is Future and yielded.done() and not _unsuccessful(yielded):
            yielded = generator.send(yielded.result())
        else:
            return yielded


def _unsuccessful(future: Future[Any]) -> bool:
    return future.cancelled() or future.exception() is not None


def _inconsistent() -> StackContextInconsistentError:
    return StackContextInconsistentError(
        "a coroutine yielded inside a 'with StackContext' block; use run_with_stack_context()"
    )


# The frames of this module are taken off the head of tracebacks.  They tell the reader nothing,
# and each of them leads (by f_back, to the frames of the loop and of the caller) to the Future
# that holds the error, which would be a reference cycle.


def _failed_start(error: BaseException) -> Future[Any]:
    """`_failed` for an error that came by way of a wrapper and, mostly, of `_advance`."""
    trace = error.__traceback__
    if trace is not None and trace.tb_next is not None:  # else a TypeError of the arguments
        error.__traceback__ = trace.tb_next.tb_next or trace.tb_next
    return _failed(error, 3)


def _pending(depth: int) -> Future[Any]:
    """A new Future, said (in asyncio's debug mode) to be created ``depth`` frames above."""
    future: Future[Any] = Future(loop=_get_running_loop() or current_loop())
    if future._source_traceback:  # type: ignore[attr-defined]
        del future._source_traceback[-depth:]  # type: ignore[attr-defined]
    return future


def _failed(error: BaseException, depth: int = 1) -> Future[Any]:
    # A frame of its own: the traceback of the error refers to the frames that it passed,
    # and a Future among their variables would make a reference cycle.
    future: Future[Any] = Future(loop=_get_running_loop() or current_loop())
    if future._source_traceback:  # type: ignore[attr-defined]
        del future._source_traceback[-depth:]  # type: ignore[attr-defined]
    if isinstance(error, CancelledError):
        future.cancel()
    else:
        future.set_exception(error)
    return future


class Runner:
    """Drives a generator from the first thing on that it has to wait for.

    Part of Tornado's documented names; applications have no use for it.

    Args:
        ctx_run: the ``run`` method of the coroutine's `contextvars.Context`.
        gen: the generator, suspended at its first ``yield``.
        result_future: gets the generator's result.
        first_yielded: what that ``yield`` gave.
    """

    __slots__ = (
        "__weakref__",
        "_chain",
        "_context",
        "ctx_run",
        "finished",
        "future",
        "gen",
        "legacy",
        "result_future",
        "running",
    )

    def __init__(
        self,
        ctx_run: Callable[..., Any],
        gen: Generator[Any, Any, Any],
        result_future: Future[Any],
        first_yielded: Any,
    ) -> None:
        self.ctx_run = ctx_run
        self.gen: Generator[Any, Any, Any] | None = gen
        self.result_future: Future[Any] | None = result_future
        self.future: Any = None
        """What is waited for, None while the generator runs."""
        self.running = False
        self.finished = False
        self.legacy: Any = None
        """The callbacks of Tornado 2's yield points, see `txtornado.gen.legacy`."""
        self._chain: tuple[Any, ...] | None = None
        context = getattr(ctx_run, "__self__", None)
        self._context: Context = context if isinstance(context, Context) else copy_context()
        if first_yielded.__class__ is Future and not first_yielded.done():
            self.future = first_yielded
            first_yielded.add_done_callback(self.run, context=self._context)
        elif ctx_run(self.handle_yield, first_yielded):
            ctx_run(self._run)

    @property
    def io_loop(self) -> IOLoop:
        """The current `IOLoop`."""
        from txtornado.ioloop import IOLoop

        return IOLoop.current()

    def run(self, woken: Any = None) -> None:
        """Go on with the generator, whose ``future`` is done, until it waits again or ends.

        Called in the context of the coroutine.  ``woken`` is given by the loop: the Future
        that is done, possibly one that is not waited for any more.
        """
        if woken is not None and woken is not self.future:
            return
        if active_chain():
            self._run_inside()
        else:
            self._run()

    def _run(self) -> None:
        if self.running or self.finished:
            return
        future = self.future
        generator: Any = self.gen
        chain = active_chain()
        error: BaseException | None = None
        self.running = True
        try:
            while True:
                self.future = None
                try:
                    value = future.result()
                except (Exception, CancelledError) as failure:
                    error = without_head(failure)
                # While the generator runs nothing here may refer to what it waited for.
                future = None
                try:
                    if error is None:
                        yielded = generator.send(value)
                    else:
                        value = None
                        if self.legacy is not None:
                            self.legacy.failed = True
                        try:
                            yielded = generator.throw(error)
                        finally:
                            error = None
                    while active_chain() is not chain:
                        yielded = generator.throw(_inconsistent())
                except (StopIteration, Return) as stop:
                    self._finish(stop.value)
                    return
                except (Exception, CancelledError) as failure:
                    self._fail(without_head(failure))
                    return
                except BaseException as failure:
                    self._fail(failure)
                    raise
                if yielded.__class__ is Future:
                    if not yielded.done():
                        self.future = yielded
                        yielded.add_done_callback(self.run, context=self._context)
                        return
                    future = yielded
                elif self.handle_yield(yielded):
                    future = self.future
                    chain = active_chain()
                else:
                    return
                yielded = None
        finally:
            self.running = False

    def _run_inside(self) -> None:
        """`_run`, with the stack contexts of this coroutine entered around it."""
        error: BaseException | None = None
        try:
            run_inside(active_chain(), self._run_and_note)
        except Exception as failure:  # of a context itself: those of the generator stay in _run
            error = failure
        if self._chain is not None:
            set_active_chain(self._chain)
            self._chain = None
        if error is not None:
            self._interrupt(error)

    def _run_and_note(self) -> None:
        try:
            self._run()
        finally:
            self._chain = active_chain()  # an old yield point may have added a context to it

    def _interrupt(self, error: BaseException) -> None:
        if not self.finished:
            self.future = _failed(error)
            self._run()

    def handle_yield(self, yielded: Any) -> bool:
        """Take what the generator yielded; say whether it can go on at once."""
        if yielded is None or yielded is moment:
            self.future = moment
            moment.add_done_callback(self.run, context=self._context)
            return False
        if isinstance(yielded, Future):
            self.future = yielded
        else:
            try:
                self.future = self._convert(yielded)
            except Exception as error:
                self.future = _failed(error)
        if self.future is not moment and self.future.done():
            return True
        self.future.add_done_callback(self.run, context=self._context)
        return False

    def _convert(self, yielded: Any) -> Any:
        if isinstance(yielded, RunnerYieldable):
            return yielded.future_in(self)
        if isinstance(yielded, list):
            if any(isinstance(child, RunnerYieldable) for child in yielded):
                yielded = [self._bound(child) for child in yielded]
        elif isinstance(yielded, dict) and any(
            isinstance(child, RunnerYieldable) for child in yielded.values()
        ):
            yielded = {key: self._bound(child) for key, child in yielded.items()}
        return convert_yielded(yielded)

    def _bound(self, child: Any) -> Any:
        return child.future_in(self) if isinstance(child, RunnerYieldable) else child

    def handle_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        """Raise an exception in the generator instead of what it waits for.

        Returns:
            False when it does not wait: the exception is not taken then.
        """
        if self.running or self.finished or value is None:
            return False
        self.future = _failed(value)
        self.ctx_run(self.run)
        return True

    def cancel(self) -> None:
        """Cancel what the generator waits for, so that it gets a `CancelledError`."""
        waiting_for = self.future
        if isinstance(waiting_for, Future):
            cancel_work(waiting_for)
        else:
            self.handle_exception(CancelledError, CancelledError(), None)

    def _finish(self, value: Any) -> None:
        self.finished = True
        self.gen = None
        future, self.result_future = self.result_future, None
        if self.legacy is not None:
            leak, self.legacy = self.legacy.close(), None
            if leak is not None and future is not None:
                future_set_exception_unless_cancelled(future, leak)
                return
        if future is not None and not future.done():
            future.set_result(value)

    def _fail(self, error: BaseException) -> None:
        self.finished = True
        self.gen = None
        future, self.result_future = self.result_future, None
        if self.legacy is not None:
            self.legacy.close()
            self.legacy = None
        if future is None:
            return
        if isinstance(error, CancelledError):
            future.cancel()
        else:
            future_set_exception_unless_cancelled(future, error)
