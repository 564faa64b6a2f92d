"""Deferreds and coroutines of every kind as request handlers."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from txtornado import gen, web
from txtornado.ioloop import IOLoop
from txtornado.testing import AsyncHTTPTestCase, ExpectLog


def later(value: str) -> defer.Deferred[str]:
    """A Deferred that fires in another turn of the loop."""
    deferred: defer.Deferred[str] = defer.Deferred()
    IOLoop.current().add_callback(deferred.callback, value)
    return deferred


class InlineCallbacksHandler(web.RequestHandler):
    @defer.inlineCallbacks
    def get(self) -> Any:
        self.write((yield defer.succeed("at once ")))
        self.write((yield later("later")))

    @defer.inlineCallbacks
    def post(self) -> Any:
        yield later("")
        raise web.HTTPError(418)


class DeferredHandler(web.RequestHandler):
    def get(self) -> Any:
        return later("later").addCallback(self.write)


class CoroutineHandler(web.RequestHandler):
    @gen.coroutine
    def get(self) -> Any:
        self.write((yield later("one ")))
        self.write("".join((yield [later("two "), defer.succeed("three")])))


class NativeHandler(web.RequestHandler):
    async def prepare(self) -> None:
        self.prepared = await later("prepared ")

    async def get(self) -> None:
        self.write(self.prepared)
        self.write(await self.deeper())

    async def deeper(self) -> str:
        return await later("deep")

    async def post(self) -> None:
        await defer.fail(web.HTTPError(418))


class DeferredHandlerTests(AsyncHTTPTestCase):
    """What a handler may be made of."""

    def get_app(self) -> web.Application:
        return web.Application(
            [
                ("/inline", InlineCallbacksHandler),
                ("/deferred", DeferredHandler),
                ("/coroutine", CoroutineHandler),
                ("/native", NativeHandler),
            ]
        )

    def test_inline_callbacks(self) -> None:
        """A method decorated with inlineCallbacks is a handler."""
        self.assertEqual(self.fetch("/inline").body, b"at once later")

    def test_deferred(self) -> None:
        """A handler may return a Deferred."""
        self.assertEqual(self.fetch("/deferred").body, b"later")

    def test_coroutine(self) -> None:
        """A decorated coroutine yields Deferreds, also in a list."""
        self.assertEqual(self.fetch("/coroutine").body, b"one two three")

    def test_native(self) -> None:
        """A native coroutine awaits Deferreds, in ``prepare`` and in what it calls too."""
        self.assertEqual(self.fetch("/native").body, b"prepared deep")

    def test_failure(self) -> None:
        """The failure of a Deferred is the handler's exception."""
        for path in ("/inline", "/native"):
            with ExpectLog("tornado.access", "418 POST"):
                self.assertEqual(self.fetch(path, method="POST", body=b"").code, 418)
