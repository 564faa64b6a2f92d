"""A server on a real socket that says what it was told to say, whatever it is asked."""

from collections.abc import Callable

from twisted.internet import defer, endpoints, reactor
from twisted.internet.protocol import Factory, Protocol, connectionDone


class Scripted(Protocol):
    """Collects bytes and hands them to the server's script."""

    def __init__(self, server: "ScriptedServer") -> None:
        self.server = server
        self.data = b""
        self.lost: defer.Deferred[None] = defer.Deferred()

    def connectionMade(self) -> None:
        self.server.connections.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.server.script(self)

    def connectionLost(self, reason=connectionDone) -> None:
        self.lost.callback(None)

    def has_head(self) -> bool:
        return b"\r\n\r\n" in self.data

    def reply(self, data: bytes, close: bool = False) -> None:
        self.transport.write(data)
        if close:
            self.transport.loseConnection()


class ScriptedServer(Factory):
    """Listens on a free port of the local host until the test is over."""

    noisy = False

    def __init__(self, script: Callable[[Scripted], object]) -> None:
        self.script = script
        self.connections: list[Scripted] = []

    def buildProtocol(self, addr) -> Scripted:
        return Scripted(self)

    async def start(self, test) -> str:
        endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port = await endpoint.listen(self)

        async def stop() -> None:
            await defer.maybeDeferred(port.stopListening)
            for connection in self.connections:
                if not connection.lost.called:
                    connection.transport.abortConnection()
                await connection.lost

        test.addCleanup(stop)
        return f"http://127.0.0.1:{port.getHost().port}"


def answer(data: bytes, close: bool = False) -> Callable[[Scripted], object]:
    """A script that gives this answer to every request head."""

    def script(connection: Scripted) -> None:
        if connection.has_head():
            connection.data = connection.data.partition(b"\r\n\r\n")[2]
            connection.reply(data, close)

    return script
