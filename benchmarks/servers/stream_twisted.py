"""Lines that come back, and bulk on demand, in Twisted's own way: ``stream_twisted.py [CERT KEY]``.

The line ``bulk SIZE PIECE`` is answered with so many bytes, in pieces; any other line with itself.
"""

import sys

from twisted.internet import endpoints, protocol, reactor
from twisted.internet.interfaces import IPushProducer
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

files = sys.argv[1:]


@implementer(IPushProducer)
class Bulk:
    """Writes as fast as the transport takes it."""

    def __init__(self, transport, size, piece):
        self.transport, self.left, self.data = transport, size, b"y" * piece
        self.paused = False

    def start(self):
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self):
        self.paused = False
        while self.left and not self.paused:
            self.left -= len(self.data)
            self.transport.write(self.data)
        if not self.left:
            self.transport.unregisterProducer()

    def pauseProducing(self):
        self.paused = True

    def stopProducing(self):
        self.left, self.paused = 0, True


class Lines(LineReceiver):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def lineReceived(self, line):
        if line.startswith(b"bulk "):
            size, piece = map(int, line.split()[1:])
            Bulk(self.transport, size, piece).start()
        else:
            self.sendLine(line)


kind = "ssl:0:certKey={}:privateKey={}".format(*files) if files else "tcp:0"
endpoint = endpoints.serverFromString(reactor, kind + ":interface=127.0.0.1")
listening = endpoint.listen(protocol.Factory.forProtocol(Lines))
listening.addCallback(lambda port: print(port.getHost().port, flush=True))
reactor.run()
