"""The forms of Tornado 2: `engine`, `Task`, and the `Callback` and `Wait` pair.

See chapter 5.2 of the documentation of Tornado 2.3.  They are adapters: each yield point gives
a Future to the ordinary `Runner`, so everything here mixes with what newer coroutines yield.
The names given to `Callback` are kept in a `_CallbackTable` which a coroutine
gets when it yields its first yield point.
"""

from __future__ import annotations

import functools
from asyncio import Future
from collections.abc import Callable as CallableType
from collections.abc import Hashable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from txtornado.concurrent import new_future
from txtornado.gen.convert import RunnerYieldable, convert_yielded
from txtornado.gen.coroutine import wrap_function
from txtornado.gen.errors import (
    KeyReuseError,
    LeakedCallbackError,
    ReturnValueIgnoredError,
    UnknownKeyError,
)
from txtornado.gen.waiting import multi_future
from txtornado.stack_context import ExceptionStackContext

if TYPE_CHECKING:
    from txtornado.gen.coroutine import Runner

__all__ = [
    "Arguments",
    "Callback",
    "MultiYieldPoint",
    "Task",
    "Wait",
    "WaitAll",
    "YieldPoint",
    "engine",
]


class Arguments(NamedTuple):
    """What a callback was called with, when that was more than one positional argument."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _result_of_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if kwargs or len(args) > 1:
        return Arguments(args, kwargs)
    return args[0] if args else None


def engine(func: CallableType[..., Any]) -> CallableType[..., None]:
    """Decorator for generators in callback style (Tornado 2.1).

    As `coroutine`, but nothing is returned: an exception goes to the caller, or, once the
    generator has waited, into the stack context it was started in.  A ``callback`` argument
    is the function's own.

    Raises:
        ReturnValueIgnoredError: the generator returned something else than None.
    """
    start = wrap_function(func, adapt_callback=False)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        future = start(*args, **kwargs)
        if future.done():
            _check_end(future)
        else:
            from txtornado.ioloop import IOLoop

            IOLoop.current().add_future(future, _check_end)

    return wrapper


def _check_end(future: Future[Any]) -> None:
    value = future.result()
    if value is not None:
        raise ReturnValueIgnoredError(f"a gen.engine function must not return a value: {value!r}")


def Task(func: CallableType[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    """Call ``func(*args, callback=…, **kwargs)``; a Future of what its callback gets.

    An exception of ``func``, or of a callback it schedules, is the Future's.  Without an argument
    for the callback the result is None, with more than one it is `Arguments`. (Tornado 2.1)
    """
    future = new_future()

    def callback(*args: Any, **kwargs: Any) -> None:
        if not future.done():
            future.set_result(_result_of_call(args, kwargs))

    def fail(
        typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> bool:
        if future.done() or not isinstance(value, Exception):
            return False
        future.set_exception(value)
        return True

    with ExceptionStackContext(fail):
        func(*args, callback=callback, **kwargs)
    return future


class YieldPoint(RunnerYieldable):
    """Base class for what the coroutines of Tornado 2 yield; applications may add their own.

    ``runner`` is an object with the methods ``register_callback(key)``, ``is_ready(key)``,
    ``set_result(key, result)``, ``pop_result(key)`` and ``result_callback(key)``.
    """

    def start(self, runner: Any) -> None:
        """Called once, after the generator has yielded this object."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether there is a result; asked again whenever a callback has been called."""
        raise NotImplementedError

    def get_result(self) -> Any:
        """The value of the ``yield`` expression; called once."""
        raise NotImplementedError

    def future_in(self, runner: Runner) -> Future[Any]:
        """This yield point as a Future."""
        return _table_of(runner).wait(self)


def _table_of(runner: Runner) -> _CallbackTable:
    if runner.legacy is None:
        runner.legacy = _CallbackTable(runner)
    table: _CallbackTable = runner.legacy
    return table


class _CallbackTable:
    """The outstanding callbacks of one coroutine, by key: the runner as a `YieldPoint` sees it."""

    def __init__(self, runner: Runner) -> None:
        self._pending: set[Hashable] = set()
        self._results: dict[Hashable, Any] = {}
        self._waiting: list[tuple[YieldPoint, Future[Any]]] = []
        self.failed = False
        """Whether the coroutine has met an exception, which may excuse a forgotten callback."""
        self._runner = runner
        # What fails in operations that the coroutine starts from now on comes back to it.
        self._deactivate = ExceptionStackContext(self._handle_exception).stay()

    def _handle_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> bool:
        return self._runner.handle_exception(typ, value, tb)

    def register_callback(self, key: Hashable) -> None:
        """Note that ``key`` is outstanding."""
        if key in self._pending:
            raise KeyReuseError(f"key {key!r} is already pending")
        self._pending.add(key)

    def is_ready(self, key: Hashable) -> bool:
        """Whether the callback of ``key`` has been called."""
        if key not in self._pending:
            raise UnknownKeyError(f"key {key!r} is not pending")
        return key in self._results

    def set_result(self, key: Hashable, result: Any) -> None:
        """Take the result for ``key``; who waits for it goes on."""
        self._results[key] = result
        waiting, self._waiting = self._waiting, []
        for point, future in waiting:
            if not future.done():
                self._try(point, future)

    def pop_result(self, key: Hashable) -> Any:
        """The result for ``key``, which is free for use again."""
        self._pending.remove(key)
        return self._results.pop(key)

    def result_callback(self, key: Hashable) -> CallableType[..., None]:
        """The function whose call is the result for ``key``."""

        def callback(*args: Any, **kwargs: Any) -> None:
            self.set_result(key, _result_of_call(args, kwargs))

        return callback

    def wait(self, point: YieldPoint) -> Future[Any]:
        """Start ``point``; a Future of its result."""
        future = new_future()
        try:
            point.start(self)
        except Exception as error:
            _fail(future, error)
        else:
            self._try(point, future)
        return future

    def _try(self, point: YieldPoint, future: Future[Any]) -> None:
        try:
            if point.is_ready():
                future.set_result(point.get_result())
            else:
                self._waiting.append((point, future))
        except Exception as error:
            _fail(future, error)

    def close(self) -> LeakedCallbackError | None:
        """End of the coroutine; the error it made when it forgot a callback."""
        self._deactivate()
        self._waiting.clear()
        if self._pending and not self.failed:
            keys = ", ".join(sorted(map(repr, self._pending)))
            return LeakedCallbackError(f"finished without waiting for callbacks {keys}")
        return None


def _fail(future: Future[Any], error: BaseException) -> None:
    future.set_exception(error)


class Callback(YieldPoint):
    """``callback = yield gen.Callback(key)``: a function for whose call `Wait` waits.

    Args:
        key: anything hashable that is not outstanding in this coroutine.

    Raises:
        KeyReuseError: the key is outstanding.
        LeakedCallbackError: in the end, when the coroutine has not waited for the key.
    """

    def __init__(self, key: Hashable) -> None:
        self.key = key

    def start(self, runner: Any) -> None:
        self._runner = runner
        runner.register_callback(self.key)

    def is_ready(self) -> bool:
        return True

    def get_result(self) -> Any:
        return self._runner.result_callback(self.key)


class Wait(YieldPoint):
    """``result = yield gen.Wait(key)``: what the callback of ``key`` was called with.

    Raises:
        UnknownKeyError: there is no such callback in this coroutine.
    """

    def __init__(self, key: Hashable) -> None:
        self.key = key

    def start(self, runner: Any) -> None:
        self._runner = runner

    def is_ready(self) -> bool:
        return bool(self._runner.is_ready(self.key))

    def get_result(self) -> Any:
        return self._runner.pop_result(self.key)


class WaitAll(YieldPoint):
    """``results = yield gen.WaitAll(keys)``: the results of several callbacks, in order."""

    def __init__(self, keys: Iterable[Hashable]) -> None:
        self.keys = list(keys)

    def start(self, runner: Any) -> None:
        self._runner = runner

    def is_ready(self) -> bool:
        ready = [self._runner.is_ready(key) for key in self.keys]  # all: each key must be known
        return all(ready)

    def get_result(self) -> Any:
        return [self._runner.pop_result(key) for key in self.keys]


class MultiYieldPoint(YieldPoint):
    """Several yieldables at once, yield points among them; yielding a list or dict does the same.

    Args:
        children: a list or dict of anything that may be yielded.
        quiet_exceptions: as in `multi`.
    """

    def __init__(self, children: Any, quiet_exceptions: Any = ()) -> None:
        self.children = children
        self.quiet_exceptions = quiet_exceptions

    def future_in(self, runner: Runner) -> Future[Any]:
        children = self.children
        if isinstance(children, dict):
            children = {key: _bind(child, runner) for key, child in children.items()}
        else:
            children = [_bind(child, runner) for child in children]
        return multi_future(children, self.quiet_exceptions)


def _bind(child: Any, runner: Runner) -> Any:
    if isinstance(child, RunnerYieldable):
        return child.future_in(runner)
    return convert_yielded(child)
