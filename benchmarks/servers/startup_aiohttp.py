"""For ``python -m aiohttp.web startup_aiohttp:make_app``."""

from aiohttp import web


async def hello(request):
    return web.Response(text="Hello, world")


def make_app(arguments):
    app = web.Application()
    app.router.add_get("/", hello)
    return app
