"""Hello, world for clients that stay: ``idle.py CONTESTANT``.

Where a server closes connections that are idle for some seconds, it is told not to.
"""

import asyncio
import sys

HELLO = "Hello, world"
#: Seconds that nobody waits for.
LONG = 3600


def tornado(package):
    import importlib

    netutil = importlib.import_module(package + ".netutil")
    web = importlib.import_module(package + ".web")

    class Hello(web.RequestHandler):
        def get(self):
            self.write(HELLO)

    async def main():
        httpserver = importlib.import_module(package + ".httpserver")
        sockets = netutil.bind_sockets(0, "127.0.0.1", backlog=1024)
        httpserver.HTTPServer(web.Application([("/", Hello)])).add_sockets(sockets)
        print(sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


def aiohttp(_):
    from aiohttp import web

    async def hello(request):
        return web.Response(text=HELLO)

    async def main():
        app = web.Application()
        app.add_routes([web.get("/", hello)])
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=LONG)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


def starlette(_):
    import uvicorn
    from _common import listener
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(request):
        return PlainTextResponse(HELLO)

    app = Starlette(routes=[Route("/", hello)])
    sock = listener()
    print(sock.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="httptools",
        log_level="error",
        access_log=False,
        timeout_keep_alive=LONG,
    )
    uvicorn.Server(config).run(sockets=[sock])


def twisted_web(_):
    from twisted.internet import reactor
    from twisted.web.resource import Resource
    from twisted.web.server import Site

    class Hello(Resource):
        isLeaf = True

        def render_GET(self, request):
            return HELLO.encode()

    port = reactor.listenTCP(0, Site(Hello(), timeout=LONG), 1024, "127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


SERVERS = {
    "txtornado": tornado,
    "tornado": tornado,
    "aiohttp": aiohttp,
    "starlette": starlette,
    "twisted.web": twisted_web,
}

SERVERS[sys.argv[1]](sys.argv[1])
