"""The examples of chapters 1.12, 5.2 and 5.6 of the documentation of Tornado 2.3.

They are as they stand there but for the address: what they fetch is served by the test.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from txtornado import escape, gen, httpclient, web
from txtornado.httpclient import AsyncHTTPClient
from txtornado.stack_context import StackContext
from txtornado.testing import AsyncHTTPTestCase, ExpectLog
from txtornado.web import RequestHandler, asynchronous


class FeedHandler(RequestHandler):
    """Stands for the service that the examples fetch from."""

    def get(self) -> None:
        if self.get_argument("fail", None):
            raise web.HTTPError(503)
        self.finish({"entries": [1, 2, 3]})


class Address:
    def address(self) -> str:
        query = "?fail=1" if self.get_argument("fail", None) else ""
        return f"{self.request.protocol}://{self.request.host}/feed{query}"


class HelloHandler(RequestHandler):
    @asynchronous
    def get(self) -> None:
        self.write("Hello, world")
        self.finish()


class FriendFeedHandler(Address, RequestHandler):
    @asynchronous
    def get(self) -> None:
        http = httpclient.AsyncHTTPClient()
        http.fetch(self.address(), callback=self.on_response)

    def on_response(self, response: Any) -> None:
        if response.error:
            raise web.HTTPError(500)
        json = escape.json_decode(response.body)
        self.write("Fetched " + str(len(json["entries"])) + " entries from the FriendFeed API")
        self.finish()


def entries(response: Any) -> str:
    return str(len(escape.json_decode(response.body)["entries"]))


class AsyncHandler(Address, RequestHandler):
    @asynchronous
    def get(self) -> None:
        http_client = AsyncHTTPClient()
        http_client.fetch(self.address(), callback=self.on_fetch)

    def on_fetch(self, response: Any) -> None:
        self.finish(entries(response))


class GenAsyncHandler(Address, RequestHandler):
    @asynchronous
    @gen.engine
    def get(self) -> Any:
        http_client = AsyncHTTPClient()
        response = yield gen.Task(http_client.fetch, self.address())
        self.finish(entries(response))


class GenTwoHandler(Address, RequestHandler):
    @asynchronous
    @gen.engine
    def get(self) -> Any:
        http_client = AsyncHTTPClient()
        response1, response2 = yield [
            gen.Task(http_client.fetch, self.address()),
            gen.Task(http_client.fetch, self.address()),
        ]
        self.finish(entries(response1) + entries(response2))


class GenAsyncHandler2(Address, RequestHandler):
    @asynchronous
    @gen.engine
    def get(self) -> Any:
        http_client = AsyncHTTPClient()
        http_client.fetch(self.address(), callback=(yield gen.Callback("key")))
        response = yield gen.Wait("key")
        self.finish(entries(response))


class GenSeveralHandler(Address, RequestHandler):
    """Several operations at once, with different keys."""

    @asynchronous
    @gen.engine
    def get(self) -> Any:
        http_client = AsyncHTTPClient()
        keys = ["one", "two"]
        for key in keys:
            http_client.fetch(self.address(), callback=(yield gen.Callback(key)))
        responses = yield gen.WaitAll(keys)
        self.finish("".join(map(entries, responses)))


class DocumentedExamples(AsyncHTTPTestCase):
    """Each example answers over HTTP."""

    def get_app(self) -> web.Application:
        return web.Application(
            [
                ("/feed", FeedHandler),
                ("/hello", HelloHandler),
                ("/friendfeed", FriendFeedHandler),
                ("/async", AsyncHandler),
                ("/gen", GenAsyncHandler),
                ("/gen_two", GenTwoHandler),
                ("/gen2", GenAsyncHandler2),
                ("/gen_several", GenSeveralHandler),
            ]
        )

    def body(self, path: str) -> bytes:
        response = self.fetch(path)
        self.assertEqual(response.code, 200)
        return response.body

    def test_asynchronous(self) -> None:
        """Chapter 1.12: an asynchronous handler ends the request with finish."""
        self.assertEqual(self.body("/hello"), b"Hello, world")

    def test_friendfeed(self) -> None:
        """Chapter 1.12: a handler goes on in the callback of a fetch."""
        self.assertEqual(self.body("/friendfeed"), b"Fetched 3 entries from the FriendFeed API")

    def test_friendfeed_error(self) -> None:
        """Chapter 1.12: an HTTPError that is raised in the callback is the response."""
        with ExpectLog("tornado.access", "50[03] GET"):
            self.assertEqual(self.fetch("/friendfeed?fail=1").code, 500)

    def test_gen_handlers(self) -> None:
        """Chapter 5.2: the handlers in callback style and in generator style answer alike."""
        for path in ("/async", "/gen", "/gen2"):
            self.assertEqual(self.body(path), b"3")

    def test_in_parallel(self) -> None:
        """Chapter 5.2: a list of tasks, and callbacks with several keys, run in parallel."""
        for path in ("/gen_two", "/gen_several"):
            self.assertEqual(self.body(path), b"33")

    def test_exception_in_gen_handler(self) -> None:
        """Chapter 5.2: an exception after the wait is the handler's, and so a response."""
        uncaught = ExpectLog("tornado.application", "Uncaught exception")
        with uncaught, ExpectLog("tornado.access", "50[03] GET"):
            self.assertEqual(self.fetch("/gen?fail=1").code, 500)

    def test_die_on_error(self) -> None:
        """Chapter 5.6: an error in the callback of a fetch reaches the context it was started in."""
        exits: list[int] = []

        @contextlib.contextmanager
        def die_on_error() -> Iterator[None]:
            try:
                yield
            except Exception:
                logging.error("exception in asynchronous operation", exc_info=True)
                exits.append(1)
                self.stop()

        def callback(response: Any) -> None:
            raise ValueError(response.code)

        with StackContext(die_on_error):
            self.http_client.fetch(self.get_url("/hello"), callback)
        with ExpectLog("", "exception in asynchronous operation"):
            self.wait()
        self.assertEqual(exits, [1])
