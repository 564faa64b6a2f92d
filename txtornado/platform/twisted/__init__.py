"""The bridge between Tornado's loop and Twisted's reactor, both ways.

A reactor on an IOLoop, so that code written for Twisted runs in a Tornado application::

    from txtornado.platform.twisted import install

    install()  # before anything imports twisted.internet.reactor
    from twisted.internet import reactor

    ...
    IOLoop.current().start()  # or reactor.run()

An IOLoop on a reactor, so that code written for Tornado runs in a Twisted application::

    from twisted.internet import reactor
    from txtornado.platform.twisted import TwistedIOLoop

    TwistedIOLoop(reactor).install()
    ...
    reactor.run()

Neither is needed for the two to meet: every `~txtornado.ioloop.IOLoop` has a reactor, and
Deferreds can be yielded and awaited whether or not this module is imported.

Sources: Tornado 2.3's documentation, chapter 4.3; Tornado 3.0's for `TwistedIOLoop` and
`TwistedResolver`.
"""

from txtornado.netutil import TwistedResolver
from txtornado.platform.twisted._loop import TwistedIOLoop
from txtornado.platform.twisted._reactor import TornadoReactor, install

__all__ = ["TornadoReactor", "TwistedIOLoop", "TwistedResolver", "install"]
