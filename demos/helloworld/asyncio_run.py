"""Hello, world, as Tornado 6 has it: ``python asyncio_run.py``."""

import asyncio
import os

import txtornado

PORT = int(os.environ.get("PORT", "8888"))


class MainHandler(txtornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")


def make_app():
    return txtornado.web.Application([
        (r"/", MainHandler),
    ])


async def main():
    app = make_app()
    app.listen(PORT)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
