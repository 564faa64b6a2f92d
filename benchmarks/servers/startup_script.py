"""A script of its own on Tornado's API: ``startup_script.py PACKAGE PORT``."""

import asyncio
import importlib
import sys

package, port = sys.argv[1:]
web = importlib.import_module(package + ".web")


class HelloHandler(web.RequestHandler):
    def get(self):
        self.write("Hello, world")


async def main():
    web.Application([(r"/", HelloHandler)]).listen(int(port), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
