"""Coroutines on generators, and tools for coroutines of either kind.

``@gen.coroutine`` turns a generator function into one that returns a Future at once and goes
on whenever what it yielded is done.  It may yield Futures, Deferreds, native coroutines and
other awaitables, `concurrent.futures` Futures, lists and dicts of these, None (to let
the loop run once) and whatever `convert_yielded` is taught.  `multi`, `sleep`,
`WaitIterator` and `with_timeout` serve native coroutines as well.

The modules behind this one:

- ``errors``: what goes wrong, and `Return`;
- ``convert``: from anything yielded to a Future;
- ``coroutine``: the decorator and the `Runner` that drives a generator;
- ``waiting``: waiting for several things, or for a limited time;
- ``legacy``: the forms of Tornado 2 (`engine`, `Task`, `Callback`, `Wait` …).
"""

from txtornado.concurrent import Future
from txtornado.gen.convert import convert_yielded, moment
from txtornado.gen.coroutine import Runner, coroutine, is_coroutine_function
from txtornado.gen.errors import (
    BadYieldError,
    KeyReuseError,
    LeakedCallbackError,
    Return,
    ReturnValueIgnoredError,
    TimeoutError,
    UnknownKeyError,
)
from txtornado.gen.legacy import (
    Arguments,
    Callback,
    MultiYieldPoint,
    Task,
    Wait,
    WaitAll,
    YieldPoint,
    engine,
)
from txtornado.gen.waiting import (
    Multi,
    WaitIterator,
    maybe_future,
    multi,
    multi_future,
    sleep,
    with_timeout,
)

__all__ = [
    "Arguments",
    "BadYieldError",
    "Callback",
    "Future",
    "KeyReuseError",
    "LeakedCallbackError",
    "Multi",
    "MultiYieldPoint",
    "Return",
    "ReturnValueIgnoredError",
    "Runner",
    "Task",
    "TimeoutError",
    "UnknownKeyError",
    "Wait",
    "WaitAll",
    "WaitIterator",
    "YieldPoint",
    "convert_yielded",
    "coroutine",
    "engine",
    "is_coroutine_function",
    "maybe_future",
    "moment",
    "multi",
    "multi_future",
    "sleep",
    "with_timeout",
]
