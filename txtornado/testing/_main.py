"""The test runner, ``python -m txtornado.testing``."""

import signal
import sys
import unittest
from typing import Any

from txtornado.options import define, options, parse_command_line

__all__ = ["main"]

_FLAGS = {
    "verbose": "v",
    "quiet": "q",
    "failfast": "f",
    "catch": "c",
    "buffer": "b",
}


def main(**kwargs: Any) -> None:
    """Run tests with ``unittest.main``, with Tornado's command line options and log format.

    ``python -m txtornado.testing package.module`` runs the tests named; a script of a project
    that has a function ``all()`` which returns a suite may call ``main()`` as well, and runs
    that suite when no test is named.  No test needs this runner.

    Args:
        kwargs: for `unittest.main`.
    """
    define(
        "exception_on_interrupt",
        type=bool,
        default=True,
        help=(
            "If true, ctrl-c raises KeyboardInterrupt, with a traceback. If false, it ends the "
            "process at once, whatever that is doing"
        ),
    )
    for name in _FLAGS:
        define(name, type=bool)
    names = parse_command_line([sys.argv[0], *_as_options(sys.argv[1:])])
    if not options.exception_on_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name in _FLAGS:
        chosen = getattr(options, name)
        if chosen is not None:
            _choose(kwargs, name, chosen)
    argv = [sys.argv[0], *names]
    if names:
        unittest.main(module=None, argv=argv, **kwargs)
    elif hasattr(sys.modules["__main__"], "all"):
        unittest.main(defaultTest="all", argv=argv, **kwargs)
    else:
        unittest.main(argv=argv, **kwargs)


def _as_options(arguments: list[str]) -> list[str]:
    """``-v`` and its family in their long form, which `options` understands."""
    long = {f"-{short}": f"--{name}" for name, short in _FLAGS.items()}
    return [long.get(argument, argument) for argument in arguments]


def _choose(kwargs: dict[str, Any], name: str, chosen: bool) -> None:
    if name == "verbose":
        if chosen:
            kwargs["verbosity"] = 2
    elif name == "quiet":
        if chosen:
            kwargs["verbosity"] = 0
    else:
        kwargs[f"{name}break" if name == "catch" else name] = chosen
