"""What a request leaves behind: nothing that the garbage collector has to find."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado import gen
from txtornado.template import DictLoader
from txtornado.testing import MemoryServer
from txtornado.web import Application, HTTPError, RequestHandler, UIModule


class Entry(UIModule):
    def render(self) -> str:
        return self.request.path


class Plain(RequestHandler):
    def get(self) -> None:
        self.set_cookie("a", self.get_argument("a", "b"))
        self.write("x")


class Native(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write("x")
        await self.flush()
        self.write("y")


class Generator(RequestHandler):
    @gen.coroutine
    def get(self) -> Any:
        yield gen.moment
        self.write("x")


class Failing(RequestHandler):
    def get(self) -> None:
        raise HTTPError(403)


class Rendering(RequestHandler):
    def get(self) -> None:
        self.render("page.html")


class CycleTests(SynchronousTestCase):
    """Requests are freed by reference counting alone."""

    def test_no_cycles(self) -> None:
        """No kind of handler leaves a reference cycle."""
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        handlers = (Plain, Native, Generator, Failing, Rendering)
        app = Application(
            [(f"/{handler.__name__}", handler) for handler in handlers],
            template_loader=DictLoader({"page.html": "{% module Entry() %}"}),
            ui_modules={"Entry": Entry},
        )
        # What is there already, other tests say, need not be looked through again and again.
        gc.collect()
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        with MemoryServer(app) as server:
            connection = server.connect()
            for name in [handler.__name__ for handler in handlers] + ["nowhere"]:
                request = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % name.encode()
                self.addCleanup(gc.enable)
                for _ in range(3):  # the first one fills caches
                    gc.collect()
                    gc.disable()
                    for _ in range(10):
                        connection.send(request)
                        self.assertTrue(connection.received())
                    found = gc.collect()
                    gc.enable()
                self.assertEqual(found, 0, name)
