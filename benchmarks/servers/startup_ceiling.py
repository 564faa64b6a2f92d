"""The least that Twisted takes to start: ``startup_ceiling.py PORT [twistd]``.

A fixed response on asyncio's reactor, from this script or by way of ``twistd -n``.
"""

import os
import sys

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello, world"
PORT = "STARTUP_CEILING_PORT"


def factory():
    from twisted.internet import protocol

    class Fixed(protocol.Protocol):
        def dataReceived(self, data):
            self.transport.write(RESPONSE)

    return protocol.Factory.forProtocol(Fixed)


def by_script(port):
    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    from twisted.internet import reactor

    reactor.listenTCP(port, factory(), interface="127.0.0.1")
    reactor.run()


def by_twistd(port):
    from twisted.scripts.twistd import run

    os.environ[PORT] = str(port)
    sys.argv = ["twistd", "-n", "--pidfile=", "--reactor=asyncio", "-y", os.path.abspath(__file__)]
    run()


def make_application():
    from twisted.application import internet, service

    application = service.Application("ceiling")
    port = int(os.environ[PORT])
    internet.TCPServer(port, factory(), interface="127.0.0.1").setServiceParent(application)
    return application


if __name__ == "__main__":
    (by_twistd if sys.argv[2:] else by_script)(int(sys.argv[1]))
else:
    application = make_application()  # twistd asks this file for it
