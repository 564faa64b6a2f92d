"""Lines that come back, and bulk on demand, over IOStream: ``stream_tornado.py PACKAGE [CERT KEY]``.

``PACKAGE`` is txtornado or tornado.  The line ``bulk SIZE PIECE`` is answered with so many bytes,
in pieces; any other line with itself.
"""

import asyncio
import importlib
import ssl
import sys

package, *files = sys.argv[1:]
iostream = importlib.import_module(package + ".iostream")
netutil = importlib.import_module(package + ".netutil")
tcpserver = importlib.import_module(package + ".tcpserver")


class Server(tcpserver.TCPServer):
    async def handle_stream(self, stream, address):
        stream.set_nodelay(True)
        try:
            while True:
                line = await stream.read_until(b"\r\n")
                if line.startswith(b"bulk "):
                    size, piece = map(int, line.split()[1:])
                    data = b"y" * piece
                    for _ in range(size // piece):
                        await stream.write(data)
                else:
                    await stream.write(line)
        except iostream.StreamClosedError:
            pass


async def main():
    context = None
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    server = Server(ssl_options=context)
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
