"""Futures, and the ways between them and everything else one can wait for.

`Future` is `asyncio.Future`.  Besides Tornado's documented helpers this module holds the
bridges: `as_future` makes a Future of a Deferred, a coroutine, a
`concurrent.futures.Future` or a list or dict of these, `as_deferred` a Deferred of any of
them.  Results, failures (with their traceback) and cancellation cross both ways.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import sys
from asyncio import Future
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from twisted.internet import defer
from twisted.python.failure import Failure

from txtornado.log import app_log
from txtornado.stack_context import ExceptionStackContext, active_chain, last_resort

if TYPE_CHECKING:
    from txtornado.ioloop import IOLoop

__all__ = [
    "FUTURES",
    "DummyExecutor",
    "Future",
    "ReturnValueIgnoredError",
    "TracebackFuture",
    "as_deferred",
    "as_future",
    "cancel_work",
    "chain_future",
    "current_loop",
    "done_future",
    "dummy_executor",
    "future_add_done_callback",
    "future_set_exc_info",
    "future_set_exception_unless_cancelled",
    "future_set_result_unless_cancelled",
    "is_future",
    "new_future",
    "return_future",
    "run_on_executor",
    "with_callback",
]

_T = TypeVar("_T")
_AnyFuture = concurrent.futures.Future[_T] | Future[_T]
_ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

FUTURES = (concurrent.futures.Future, Future)
"""The classes for which `is_future` is true."""

TracebackFuture = Future
"""`Future` under the name it had for internal use in Tornado 3.0 to 4.5."""

_get_running_loop = asyncio._get_running_loop
_failure: Callable[..., Failure] = Failure


class ReturnValueIgnoredError(Exception):
    """A function of `return_future` returned a value instead of calling its callback."""


def is_future(x: Any) -> bool:
    """Whether ``x`` is an asyncio or a `concurrent.futures` Future."""
    return isinstance(x, FUTURES)


def _current_ioloop() -> IOLoop:
    from txtornado.ioloop import IOLoop  # below us in the import order, above us at run time

    return IOLoop.current()


def current_loop() -> asyncio.AbstractEventLoop:
    """The asyncio loop of the current `IOLoop`, running or not; ours."""
    loop = _get_running_loop()
    return _current_ioloop().asyncio_loop if loop is None else loop


def new_future() -> Future[Any]:
    """A new Future of the current loop, running or not."""
    loop = _get_running_loop()
    if loop is None:
        loop = _current_ioloop().asyncio_loop
    return Future(loop=loop)


def done_future() -> Future[None]:
    """The current loop's shared Future that is already resolved, to None.

    For answers of "nothing to wait for" without an allocation.  It stays with its loop.
    """
    loop: Any = _get_running_loop()
    if loop is None:
        loop = _current_ioloop().asyncio_loop
    try:
        # An attribute of the loop and no weak dictionary: the Future refers to its loop,
        # so that an entry of such a dictionary would keep itself alive.
        return loop._txtornado_done_future  # type: ignore[no-any-return]
    except AttributeError:
        future: Future[None] = Future(loop=loop)
        future.set_result(None)
        try:
            loop._txtornado_done_future = future
        except AttributeError:
            pass  # a loop with slots: a new one each time
        return future


class DummyExecutor(concurrent.futures.Executor):
    """An executor that runs each call at once, in the calling thread."""

    def submit(  # type: ignore[override]
        self, fn: Callable[..., _T], *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[_T]:
        """Call ``fn`` now and return a finished future of its outcome."""
        future: concurrent.futures.Future[_T] = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """Nothing is pending, so nothing is to be done."""


dummy_executor = DummyExecutor()


def run_on_executor(*args: Any, **kwargs: Any) -> Callable[..., Any]:
    """Decorator: run a blocking method on an executor and return a Future of its result.

    The executor is the attribute ``executor`` of the object, or another one named in
    ``@run_on_executor(executor="_pool")``.  Up to Tornado 5.1 the method also took a
    ``callback`` argument, which is still understood.  `IOLoop.run_in_executor` at the place
    of the call is usually better.
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        attribute = kwargs.get("executor", "executor")

        @functools.wraps(method)
        def submit(self: Any, *args: Any, **kwargs: Any) -> Future[Any] | None:
            callback = kwargs.pop("callback", None)
            future = new_future()
            chain_future(getattr(self, attribute).submit(method, self, *args, **kwargs), future)
            return future if callback is None else with_callback(future, callback)

        return submit

    if args and kwargs:
        raise ValueError("run_on_executor takes a method or keyword arguments, not both")
    if len(args) > 1:
        raise ValueError(f"run_on_executor decorates one method, not {len(args)}")
    return decorate(args[0]) if args else decorate


def return_future(f: Callable[..., Any]) -> Callable[..., Future[Any]]:
    """Decorator: let a function that takes ``callback`` return a Future (Tornado 3.0 to 5.1).

    ``f`` calls its ``callback`` keyword argument with at most one argument when it is done.  An
    exception of ``f``, or of a callback it scheduled, fails the Future.  A caller may still give a
    ``callback``, which gets the result; failures then go to the caller's stack context.

    Raises:
        ReturnValueIgnoredError: in the Future, when ``f`` returns anything but None.
    """

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Future[Any]:
        future = new_future()
        callback = kwargs.pop("callback", None)
        kwargs["callback"] = functools.partial(_first_result, future)
        if callback is not None:
            with_callback(future, callback)
        with ExceptionStackContext(functools.partial(_first_failure, future)):
            if f(*args, **kwargs) is not None:
                raise ReturnValueIgnoredError(
                    f"{f!r} is decorated with return_future: it must call its callback, "
                    "not return a value"
                )
        return future

    return wrapper


def _first_result(future: Future[Any], result: Any = None) -> None:
    if not future.done():
        future.set_result(result)


def _first_failure(
    future: Future[Any],
    typ: type[BaseException] | None,
    value: BaseException | None,
    traceback: TracebackType | None,
) -> bool:
    if future.done() or not isinstance(value, Exception):
        return False
    future.set_exception(value)
    return True


def with_callback(future: Future[_T], callback: Callable[..., Any] | None) -> Future[_T] | None:
    """Serve the ``callback`` argument that asynchronous functions took before Tornado 6.

    With None, ``future`` is returned as it is.  Otherwise ``callback`` runs on the loop in the
    stack context of this call, with the result, or with no argument when that is None.  A failure
    of ``future`` is raised there instead: a stack context may take it, else the loop logs it.

    Returns:
        ``future``, which may be waited for as well.
    """
    if callback is not None:
        _current_ioloop().add_future(future, functools.partial(_call_back, callback))
    return future


def _call_back(callback: Callable[..., Any], future: Future[Any]) -> Any:
    try:
        result = future.result()
        return callback() if result is None else callback(result)
    except Exception:
        handler = None if active_chain() else last_resort.get()
        if handler is None or not handler(*sys.exc_info()):
            raise


# Setting, chaining and watching futures


def chain_future(a: _AnyFuture[_T], b: _AnyFuture[_T]) -> None:
    """Give ``b`` the outcome of ``a`` as soon as there is one, unless ``b`` is done by then.

    Both may be asyncio or `concurrent.futures` Futures.  A cancelled ``a`` cancels ``b``.
    """
    if isinstance(a, concurrent.futures.Future) and not isinstance(b, concurrent.futures.Future):
        a.add_done_callback(functools.partial(_copy_in_loop, b))
    else:
        future_add_done_callback(a, functools.partial(_copy_outcome, b))


def _copy_in_loop(target: Future[Any], source: concurrent.futures.Future[Any]) -> None:
    """Called in any thread: copy in the thread of the target's loop."""
    loop = target.get_loop()
    try:
        loop.call_soon_threadsafe(_copy_outcome, target, source)
    except RuntimeError:
        if not loop.is_closed():
            raise


def _copy_outcome(target: _AnyFuture[Any], source: _AnyFuture[Any]) -> None:
    if target.done():
        return
    if source.cancelled():
        target.cancel()
        return
    error = source.exception()
    if error is not None:
        target.set_exception(error)
    else:
        target.set_result(source.result())


def future_set_result_unless_cancelled(future: _AnyFuture[_T], value: _T) -> None:
    """Set the result of ``future``, which may have been cancelled meanwhile."""
    if not future.cancelled():
        future.set_result(value)


def future_set_exception_unless_cancelled(future: _AnyFuture[Any], exc: BaseException) -> None:
    """Set the exception of ``future``, or log it when that has been cancelled meanwhile."""
    if not future.cancelled():
        future.set_exception(exc)
    else:
        app_log.error("Exception after Future was cancelled", exc_info=exc)


def future_set_exc_info(future: _AnyFuture[Any], exc_info: _ExcInfo) -> None:
    """Set the exception of an ``(type, value, traceback)`` triple, as `sys.exc_info` gives it.

    Raises:
        ValueError: the triple holds no exception.
    """
    if exc_info[1] is None:
        raise ValueError("future_set_exc_info called without an exception")
    future_set_exception_unless_cancelled(future, exc_info[1])


def future_add_done_callback(future: _AnyFuture[_T], callback: Callable[..., Any]) -> None:
    """Call ``callback(future)`` when ``future`` is done, at once if it is done already."""
    if future.done():
        callback(future)
    else:
        future.add_done_callback(callback)


# Deferreds


def as_future(thing: Any) -> Future[Any]:
    """A Future of anything that a coroutine may yield.

    That is a Future (returned as it is), a Deferred, a coroutine or other awaitable, a
    `concurrent.futures.Future`, a list or dict of these, and what
    `txtornado.gen.convert_yielded` was taught.  Cancelling the Future cancels the Deferred, the
    native coroutine or the executor's future that it was made of.

    Raises:
        txtornado.gen.BadYieldError: ``thing`` is nothing to wait for.
    """
    if isinstance(thing, Future):
        return thing
    if isinstance(thing, defer.Deferred):
        return future_of_deferred(thing)
    if isinstance(thing, concurrent.futures.Future):
        return future_of_concurrent(thing)
    from txtornado.gen.convert import convert_yielded, moment, moment_future

    future = convert_yielded(thing)
    return moment_future() if future is moment else cast("Future[Any]", future)


def future_of_concurrent(source: concurrent.futures.Future[_T]) -> Future[_T]:
    """A Future of the current loop with the outcome of ``source``; cancellation goes both ways."""
    future: Future[_T] = new_future()
    chain_future(source, future)
    if not future.done():
        future.add_done_callback(functools.partial(_cancel_with, source))
    return future


def future_of_deferred(deferred: defer.Deferred[_T]) -> Future[_T]:
    """A Future with the outcome of ``deferred``, whose result is consumed."""
    future: Future[_T] = new_future()
    deferred.addCallbacks(_resolve, _fail, callbackArgs=(future,), errbackArgs=(future,))
    if not future.done():
        future.add_done_callback(functools.partial(_cancel_with, deferred))
    return future


def _cancel_with(source: Any, future: Future[Any]) -> None:
    if future.cancelled():
        source.cancel()


def _resolve(result: Any, future: Future[Any]) -> None:
    if not future.done():
        future.set_result(result)


def _fail(failure: Any, future: Future[Any]) -> None:
    if future.done():
        return
    error: BaseException = failure.value
    if failure.check(defer.CancelledError, asyncio.CancelledError):
        future.cancel()
        return
    if isinstance(error, StopIteration):  # asyncio refuses it: it would end the awaiting coroutine
        replacement = RuntimeError("Deferred failed with StopIteration")
        replacement.__cause__ = error
        error = replacement
    elif error.__traceback__ is None:
        error.__traceback__ = failure.getTracebackObject()
    future.set_exception(error)


def as_deferred(awaitable: Any) -> defer.Deferred[Any]:
    """A Deferred of anything that `as_future` takes.

    Cancelling it cancels the Future, task or coroutine behind it, and a cancelled Future is
    a `twisted.internet.defer.CancelledError`.  A Deferred is returned as it is.
    """
    if isinstance(awaitable, defer.Deferred):
        return awaitable
    future = as_future(awaitable)
    deferred: defer.Deferred[Any]
    if future.done():
        deferred = defer.Deferred()
        _fire(deferred, future)
    else:
        deferred = defer.Deferred(functools.partial(_cancel_source, future))
        future.add_done_callback(functools.partial(_fire, deferred))
    return deferred


def _cancel_source(future: Future[Any], deferred: defer.Deferred[Any]) -> None:
    cancel_work(future)


def cancel_work(future: Future[Any]) -> None:
    """Cancel what ``future`` is the result of, and by that ``future`` itself.

    Cancelling the Future of a decorated coroutine only means that nobody wants the result; the
    coroutine goes on.  This ends what it waits for, however deep.
    """
    work = getattr(future, "_work", None)
    if work is not None and not future.done():
        work.cancel()
    else:
        future.cancel()


def _fire(deferred: defer.Deferred[Any], future: Future[Any]) -> None:
    if future.cancelled():
        if not deferred.called:
            deferred.errback(defer.CancelledError())
        return
    error = future.exception()
    if deferred.called:  # cancelled from Twisted's side, and told so already
        return
    if isinstance(error, asyncio.CancelledError):
        deferred.errback(defer.CancelledError())
    elif error is not None:
        deferred.errback(_failure(error, type(error), error.__traceback__))
    else:
        deferred.callback(future.result())
