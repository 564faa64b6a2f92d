"""An IOLoop on any reactor, under Tornado's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from txtornado.platform.asyncio import ReactorIOLoop

__all__ = ["TwistedIOLoop"]


class TwistedIOLoop(ReactorIOLoop):
    """The IOLoop of a Twisted reactor (Tornado 3.0 to 5.1).

    `IOLoop.current` makes one by itself for the installed reactor; this is for other reactors,
    and for code that says so explicitly.

    Args:
        reactor: any reactor; by default ``twisted.internet.reactor``, which is installed if
            there is none.  It stays its owner's, see `~txtornado.platform.asyncio.ReactorIOLoop`.
        make_current: as for `IOLoop`.

    Raises:
        RuntimeError: the reactor has an IOLoop already.
    """

    if TYPE_CHECKING:

        def __init__(self, reactor: Any = None, make_current: bool = False) -> None: ...

    def initialize(  # type: ignore[override]
        self, reactor: Any = None, make_current: bool = False
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        super().initialize(reactor, make_current=make_current)
