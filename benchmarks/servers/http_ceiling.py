"""What any HTTP server on Twisted must do: a protocol with a fixed response to whatever comes."""

from twisted.internet import asyncioreactor

asyncioreactor.install()

from twisted.internet import protocol, reactor  # noqa: E402

RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: ceiling\r\nContent-Type: text/html; charset=UTF-8\r\n"
    b"Content-Length: 12\r\n\r\nHello, world"
)


class Fixed(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.writeSomeData(RESPONSE)


factory = protocol.Factory.forProtocol(Fixed)
port = reactor.listenTCP(0, factory, interface="127.0.0.1", backlog=1024)
print(port.getHost().port, flush=True)
reactor.run()
