"""Lines that come back, and bulk on demand, over asyncio's streams: ``stream_asyncio.py [CERT KEY]``.

The line ``bulk SIZE PIECE`` is answered with so many bytes, in pieces; any other line with itself.
"""

import asyncio
import ssl
import sys

files = sys.argv[1:]


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            if line.startswith(b"bulk "):
                size, piece = map(int, line.split()[1:])
                data = b"y" * piece
                for _ in range(size // piece):
                    writer.write(data)
                    await writer.drain()
            else:
                writer.write(line)
                await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    context = None
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
