"""Context that follows a chain of callbacks (Tornado 1.1 to 5.1).

A `StackContext` is a context manager that stays with the operations started inside it:
every callback scheduled under it runs inside a fresh instance of the same manager, and so
do the callbacks which that one schedules.  See chapter 5.6 of the documentation of
Tornado 2.3 for the uses; new code is better served by `contextvars` and coroutines.

How it works: one `contextvars.ContextVar` holds the tuple of the contexts that are active,
outermost first.  `wrap` remembers that tuple beside the function and `_Wrapped.__call__`
enters all of it again.  Because the variable is an ordinary context variable, asyncio's
own callbacks and tasks carry the tuple along too: what they schedule through `wrap` is in
the contexts they were created under.  A context is *entered* only around wrapped calls.

While no context is active, `wrap` returns its argument: code that never uses this module
pays one `ContextVar.get` per callback.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = [
    "ExceptionStackContext",
    "NullContext",
    "StackContext",
    "StackContextInconsistentError",
    "run_with_stack_context",
    "wrap",
]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_F = TypeVar("_F", bound="Callable[..., Any] | None")

ExceptionHandler = Callable[
    [type[BaseException] | None, BaseException | None, TracebackType | None], object
]


class StackContextInconsistentError(Exception):
    """A ``with StackContext`` block was left in another state than it was entered in.

    Usually a coroutine yielded inside the block.  Use `run_with_stack_context` there.
    (Tornado 3.0)
    """


class _Context(Protocol):
    """What a chain is made of."""

    active: bool

    def reenter(self) -> AbstractContextManager[Any]: ...


_Chain = tuple[_Context, ...]

_active: ContextVar[_Chain] = ContextVar("txtornado.stack_context", default=())

last_resort: ContextVar[ExceptionHandler | None] = ContextVar(
    "txtornado.stack_context.last_resort", default=None
)
"""Takes the errors of ``callback=`` arguments and engines that no stack context takes; a test
case sets it, so that such an error ends the test."""

active_chain: Callable[[], _Chain] = _active.get
"""The chain of contexts that is active here; the same object as long as none comes or goes."""

set_active_chain: Callable[[_Chain], object] = _active.set


class _ChainLink:
    """The part that `StackContext` and `ExceptionStackContext` share: being on the chain."""

    def __init__(self) -> None:
        self.active = True
        self._outer: list[tuple[_Chain, _Chain]] = []  # (chain outside, chain inside)

    def reenter(self) -> AbstractContextManager[Any]:
        raise NotImplementedError

    def _deactivate(self) -> None:
        self.active = False

    def stay(self) -> Callable[[], None]:
        """Be on the chain for the rest of this `contextvars.Context`; return the deactivation."""
        self.active = True
        _active.set((*_active.get(), self))
        return self._deactivate

    def _push(self) -> Callable[[], None]:
        outside = _active.get()
        inside = (*outside, self)
        self.active = True
        self._outer.append((outside, inside))
        _active.set(inside)
        return self._deactivate

    def _pop(self) -> bool:
        """Restore the chain of before; say whether it was still the one that we left."""
        outside, inside = self._outer.pop()
        consistent = _active.get() is inside
        _active.set(outside)
        return consistent


def _complain() -> None:
    raise StackContextInconsistentError(
        "the stack context changed inside a 'with StackContext' block, probably by a yield "
        "in it; use run_with_stack_context() instead"
    )


class StackContext(_ChainLink):
    """Keeps a context manager around everything that is started in the ``with`` block.

    ``with StackContext(factory) as deactivate:`` calls ``factory()``, enters what it returns,
    and does so again around each callback that is scheduled inside.  ``deactivate()`` ends
    that for callbacks scheduled from then on; those already scheduled keep the context.

    Args:
        context_factory: returns a new context manager whenever it is called.
    """

    def __init__(self, context_factory: Callable[[], AbstractContextManager[Any]]) -> None:
        super().__init__()
        self.context_factory = context_factory
        self._managers: list[AbstractContextManager[Any]] = []

    def reenter(self) -> AbstractContextManager[Any]:
        """A new instance of the context."""
        return self.context_factory()

    def __enter__(self) -> Callable[[], None]:
        manager = self.context_factory()
        manager.__enter__()
        self._managers.append(manager)
        return self._push()

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        consistent = self._pop()
        swallowed = self._managers.pop().__exit__(typ, value, traceback)
        if not consistent:
            _complain()
        return swallowed


class ExceptionStackContext(_ChainLink):
    """Hands uncaught exceptions of a chain of callbacks to a function.

    Args:
        exception_handler: called with ``(type, value, traceback)``.  When it returns a true
            value the exception is consumed, else the next handler outwards gets it.
    """

    def __init__(self, exception_handler: ExceptionHandler) -> None:
        super().__init__()
        self.exception_handler = exception_handler

    def reenter(self) -> AbstractContextManager[Any]:
        """A context manager that has the same handler."""
        return _Handler(self.exception_handler)

    def __enter__(self) -> Callable[[], None]:
        return self._push()

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        consistent = self._pop()
        swallowed = typ is not None and bool(self.exception_handler(typ, value, traceback))
        if not consistent:
            _complain()
        return swallowed


class _Handler(AbstractContextManager[None]):
    """An exception handler as a context manager of its own, for one call."""

    __slots__ = ("_handler",)

    def __init__(self, handler: ExceptionHandler) -> None:
        self._handler = handler

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return typ is not None and bool(self._handler(typ, value, traceback))


class NullContext:
    """A ``with`` block that no context of outside reaches into.

    For shared resources which are created on demand and outlive the request that asked.
    """

    def __init__(self) -> None:
        self._outer: list[_Chain] = []

    def __enter__(self) -> None:
        self._outer.append(_active.get())
        _active.set(())

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _active.set(self._outer.pop())


def run_inside(
    chain: _Chain, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
) -> Any:
    """Call ``function`` with all contexts of ``chain`` newly entered, outermost first.

    The chain of the caller is active again afterwards.  Returns the result, or None when
    one of the contexts consumed an exception.
    """
    before = _active.get()
    try:
        return _descend(chain, 0, function, args, kwargs)
    finally:
        _active.set(before)


def _descend(
    chain: _Chain,
    depth: int,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    # A context's own enter and exit (an exception handler, say) run under the contexts
    # outside of it: what a handler schedules must not come back to the same handler.
    outside = chain[:depth]
    _active.set(outside)
    with chain[depth].reenter():
        try:
            if depth + 1 < len(chain):
                return _descend(chain, depth + 1, function, args, kwargs)
            _active.set(chain)
            return function(*args, **kwargs)
        finally:
            _active.set(outside)
    return None  # type: ignore[unreachable, unused-ignore]


class _Wrapped:
    """A function that takes the contexts it was wrapped under to wherever it is called."""

    __slots__ = ("__wrapped__", "_chain")

    def __init__(self, function: Callable[..., Any], chain: _Chain) -> None:
        self.__wrapped__ = function
        self._chain = chain

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return run_inside(self._chain, self.__wrapped__, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self.__wrapped__!r} in {len(self._chain)} stack contexts>"


def wrap(fn: _F) -> _F:
    """Return a callable that runs ``fn`` in the contexts which are active now.

    Call it on every callback that is kept for later, in this thread or in another.  With no
    context active, for None, and for what is wrapped already, ``fn`` itself comes back.
    """
    chain = _active.get()
    if not chain or fn is None or type(fn) is _Wrapped:
        return fn
    for context in chain:
        if not context.active:
            chain = tuple(c for c in chain if c.active)
            if not chain:
                return fn
            break
    return _Wrapped(fn, chain)  # type: ignore[return-value]


def run_with_stack_context(context: AbstractContextManager[Any], func: Callable[[], _T]) -> _T:
    """Call ``func`` (usually a coroutine function) inside ``context``; return its result.

    Yielding inside ``with StackContext`` is an error; yield this call instead:
    ``yield run_with_stack_context(StackContext(ctx), lambda: work(1, 2))``.  (Tornado 3.1)
    """
    with context:
        return func()
