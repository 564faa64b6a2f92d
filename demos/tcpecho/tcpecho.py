"""A TCP server that sends each line back: ``python tcpecho.py``, then ``nc localhost 8888``."""

import asyncio
import logging
import os

from txtornado.iostream import StreamClosedError
from txtornado.log import enable_pretty_logging
from txtornado.tcpserver import TCPServer

PORT = int(os.environ.get("PORT", "8888"))
LONGEST_LINE = 65536


class EchoServer(TCPServer):
    async def handle_stream(self, stream, address):
        try:
            while True:
                line = await stream.read_until(b"\n", max_bytes=LONGEST_LINE)
                await stream.write(line)
        except StreamClosedError:
            logging.info("%s has left", address[0])


async def main():
    EchoServer().listen(PORT)
    await asyncio.Event().wait()


if __name__ == "__main__":
    enable_pretty_logging()
    asyncio.run(main())
