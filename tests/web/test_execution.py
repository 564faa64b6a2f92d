"""The course of a request: hooks, kinds of handlers, exceptions, the end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from twisted.internet import defer

from txtornado import gen
from txtornado.log import access_log, app_log, gen_log
from txtornado.testing import ExpectLog, ReactorTestCase
from txtornado.web import Application, Finish, HTTPError, RequestHandler, asynchronous

from .support import Context, DocumentedExchange, Exchange, app_of, begin, request


class KindsOfHandlersTests(ReactorTestCase):
    """A method may be anything that one can wait for."""

    async def answer(self, method: Any) -> Exchange:
        handler = type("Handler", (RequestHandler,), {"get": method})
        return await request(app_of(handler)).done()

    async def test_plain(self) -> None:
        """A plain method is through when it returns, in the turn in which the request came."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write("plain")

        exchange = request(app_of(Handler))
        self.assertEqual(exchange.text, "plain")
        self.assertEqual(exchange.calls, ["write_response"])

    async def test_plain_makes_no_task(self) -> None:
        """Nothing is scheduled on the loop for a plain handler."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write("plain")

        app = app_of(Handler)
        before = asyncio.all_tasks()
        request(app)
        self.assertEqual(asyncio.all_tasks(), before)

    async def test_native_coroutine(self) -> None:
        """An ``async def`` method is awaited."""

        async def get(self: RequestHandler) -> None:
            await asyncio.sleep(0)
            self.write("native")

        self.assertEqual((await self.answer(get)).text, "native")

    async def test_generator_coroutine(self) -> None:
        """A `gen.coroutine` method is awaited, and one that never waits ends at once."""

        @gen.coroutine
        def get(self: RequestHandler) -> Any:
            yield gen.moment
            self.write("gen")

        self.assertEqual((await self.answer(get)).text, "gen")

    async def test_deferred(self) -> None:
        """A method may return a Deferred, or be one of `inlineCallbacks`."""

        def get(self: RequestHandler) -> Any:
            deferred: defer.Deferred[str] = defer.Deferred()
            self_loop = asyncio.get_running_loop()
            self_loop.call_soon(deferred.callback, "deferred")
            return deferred.addCallback(self.write)

        self.assertEqual((await self.answer(get)).text, "deferred")

        @defer.inlineCallbacks
        def get_inline(self: RequestHandler) -> Any:
            result = yield defer.succeed("inline")
            self.write(result)

        self.assertEqual((await self.answer(get_inline)).text, "inline")

    async def test_asynchronous(self) -> None:
        """Under `asynchronous` the request stays open until ``finish`` is called."""
        handlers = []

        @asynchronous
        def get(self: RequestHandler) -> None:
            handlers.append(self)
            self.write("later")

        exchange = request(app_of(type("H", (RequestHandler,), {"get": get})))
        await asyncio.sleep(0)
        self.assertFalse(exchange.is_done)
        handlers[0].finish()
        self.assertEqual(exchange.text, "later")

    async def test_asynchronous_coroutine(self) -> None:
        """`asynchronous` around a coroutine finishes when the coroutine is through."""

        @asynchronous
        @gen.coroutine
        def get(self: RequestHandler) -> Any:
            yield gen.moment
            self.write("both")

        self.assertEqual((await self.answer(get)).text, "both")

    async def test_asynchronous_callback_fails(self) -> None:
        """An exception in a callback that the method started ends the request."""
        loop = self.io_loop

        @asynchronous
        def get(self: RequestHandler) -> None:
            loop.add_callback(lambda: 1 / 0)

        with ExpectLog(app_log, "Uncaught exception GET /"):
            self.assertEqual((await self.answer(get)).code, 500)

    async def test_async_callback(self) -> None:
        """A callback bound with ``async_callback`` ends the request if it fails."""
        loop = self.io_loop

        @asynchronous
        def get(self: RequestHandler) -> None:
            def fail(what: str) -> None:
                raise HTTPError(418, what)

            loop.add_callback(self.async_callback(fail, "teapot"))

        with ExpectLog(gen_log, ".*teapot"):
            self.assertEqual((await self.answer(get)).code, 418)

    async def test_nothing_to_wait_for(self) -> None:
        """A value that cannot be awaited is an error that names method and type."""

        def get(self: RequestHandler) -> str:
            return "text"

        with self.assertLogs(app_log, logging.ERROR) as logs:
            self.assertEqual((await self.answer(get)).code, 500)
        self.assertIn("Handler.get() returned str", logs.output[0])

    async def test_failures(self) -> None:
        """A failure is a 500 and logged with its traceback, however late it comes."""

        def plain(self: RequestHandler) -> None:
            raise ValueError("early")

        async def native(self: RequestHandler) -> None:
            await asyncio.sleep(0)
            raise ValueError("late")

        def deferred(self: RequestHandler) -> Any:
            return defer.fail(ValueError("deferred"))

        for method in (plain, native, deferred):
            with self.assertLogs(app_log, logging.ERROR) as logs:
                self.assertEqual((await self.answer(method)).code, 500)
            self.assertIn("Uncaught exception GET / (192.0.2.1)", logs.output[0])
            self.assertIn("ValueError", logs.output[0])


class HooksTests(ReactorTestCase):
    """``initialize``, ``prepare``, the method, ``on_finish``: in that order."""

    async def test_order(self) -> None:
        """The hooks run in the documented order, each once."""
        order: list[str] = []

        class Handler(RequestHandler):
            def initialize(self, word: str) -> None:
                order.append(word)

            def set_default_headers(self) -> None:
                order.append("headers")

            def prepare(self) -> None:
                order.append("prepare")

            def get(self) -> None:
                order.append("get")

            def on_finish(self) -> None:
                order.append("on_finish")

        request(Application([("/", Handler, {"word": "initialize"})]))
        self.assertEqual(order, ["headers", "initialize", "prepare", "get", "on_finish"])

    async def test_prepare_may_wait(self) -> None:
        """A coroutine as ``prepare`` is awaited before the method."""

        class Handler(RequestHandler):
            async def prepare(self) -> None:
                await asyncio.sleep(0)
                self.current_user = "ann"

            def get(self) -> None:
                self.write(self.current_user)

        self.assertEqual((await request(app_of(Handler)).done()).text, "ann")

    async def test_prepare_may_finish(self) -> None:
        """When ``prepare`` finishes the request the method is not called."""

        class Handler(RequestHandler):
            def prepare(self) -> Any:
                self.finish("enough")

            def get(self) -> None:
                raise AssertionError("called")

        class Later(Handler):
            async def prepare(self) -> Any:
                await asyncio.sleep(0)
                self.finish("enough")

        for handler in (Handler, Later):
            self.assertEqual((await request(app_of(handler)).done()).text, "enough")

    async def test_initialize_fails(self) -> None:
        """An exception in ``initialize`` is an error response, not a closed connection."""

        class Handler(RequestHandler):
            def initialize(self) -> None:
                raise HTTPError(403, "not here")

        with ExpectLog(gen_log, "403 GET / .*not here"):
            self.assertEqual(request(app_of(Handler)).code, 403)

    async def test_unexpected_arguments(self) -> None:
        """Arguments that ``initialize`` does not take are an error that names them."""
        app = Application([("/", RequestHandler, {"word": 1})])
        with self.assertLogs(app_log, logging.ERROR) as logs:
            self.assertEqual(request(app).code, 500)
        self.assertIn("unexpected arguments: word", logs.output[0])

    async def test_on_finish_fails(self) -> None:
        """An exception after the response is logged; the response stays."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write("fine")

            def on_finish(self) -> None:
                raise ValueError

        with ExpectLog(app_log, "Uncaught exception"):
            self.assertEqual(request(app_of(Handler)).text, "fine")

    async def test_connection_close(self) -> None:
        """``on_connection_close`` is called while a request is open, and only then."""
        closed: list[str] = []

        class Handler(RequestHandler):
            async def get(self) -> None:
                await asyncio.sleep(3600)

            def post(self) -> None:
                pass

            def on_connection_close(self) -> None:
                closed.append("closed")

        app = app_of(Handler)
        self.assertIsNone(request(app, method="POST").close_callback)
        exchange = request(app)
        await asyncio.sleep(0)
        exchange.close_callback()
        self.assertEqual(closed, ["closed"])

    async def test_own_close_callback(self) -> None:
        """A close callback that the handler has set itself is left alone."""

        class Handler(RequestHandler):
            async def get(self) -> None:
                connection: Any = self.request.connection
                connection._close_callback = "mine"
                connection.set_close_callback("mine")
                await asyncio.sleep(0)

        exchange = await request(app_of(Handler)).done()
        self.assertEqual(exchange.close_callback, "mine")


class ExecuteOverrideTests(ReactorTestCase):
    """Applications override ``_execute`` to wrap a whole request."""

    async def test_coroutine(self) -> None:
        """An override may be a coroutine that awaits ours, of either kind."""
        order: list[str] = []

        class Native(RequestHandler):
            async def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
                order.append("before")
                await super()._execute(transforms, *args, **kwargs)
                order.append("after")

            async def get(self, word: str) -> None:
                await asyncio.sleep(0)
                order.append(word)

        class Generator(Native):
            @gen.coroutine
            def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> Any:
                order.append("before")
                yield RequestHandler._execute(self, transforms, *args, **kwargs)
                order.append("after")

        for handler in (Native, Generator):
            order.clear()
            await request(app_of(handler, "/(.*)"), "/word").done()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.assertEqual(order, ["before", "word", "after"])

    async def test_plain(self) -> None:
        """A plain override that calls ours and drops the result works, too."""

        class Handler(RequestHandler):
            def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> Any:
                super()._execute(transforms, *args, **kwargs)

            async def get(self) -> None:
                await asyncio.sleep(0)
                self.write("through")

        self.assertEqual((await request(app_of(Handler)).done()).text, "through")

    async def test_fails(self) -> None:
        """An override that fails makes a 500."""

        class Handler(RequestHandler):
            def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> Any:
                raise ValueError

        with ExpectLog(app_log, "Uncaught exception"):
            self.assertEqual(request(app_of(Handler)).code, 500)

    async def test_replaced_on_the_class(self) -> None:
        """A coroutine put in the place of ``_execute`` from outside is used."""

        class Handler(RequestHandler):
            pass

        async def execute(self: RequestHandler, transforms: Any) -> None:
            await asyncio.sleep(0)
            self._transforms = transforms
            self.finish("replaced")

        Handler._execute = execute  # type: ignore[method-assign,assignment]
        self.assertEqual((await request(app_of(Handler)).done()).text, "replaced")


class ExceptionTests(ReactorTestCase):
    """How exceptions become responses."""

    def answer(self, error: BaseException, **settings: Any) -> Exchange:
        class Handler(RequestHandler):
            def get(self) -> None:
                self.write("discarded")
                self.set_header("X-Discarded", "yes")
                raise error

        return request(app_of(Handler, **settings))

    async def test_http_error(self) -> None:
        """An `HTTPError` is a response of its status; what was written is discarded."""
        exchange = self.answer(HTTPError(409))
        self.assertEqual((exchange.code, exchange.reason), (409, "Conflict"))
        page = "<html><title>409: Conflict</title><body>409: Conflict</body></html>"
        self.assertEqual(exchange.text, page)
        self.assertNotIn("X-Discarded", exchange.headers)

    async def test_message_goes_to_the_log_only(self) -> None:
        """The message of an error is for the log, not for the client."""
        with ExpectLog(gen_log, r"403 GET / \(192.0.2.1\): 100% of ann's"):
            exchange = self.answer(HTTPError(403, "100% of ann's"))
        self.assertNotIn("ann", exchange.text)

    async def test_serve_traceback(self) -> None:
        """``serve_traceback`` shows the traceback as plain text."""
        with ExpectLog(app_log, "Uncaught exception"):
            exchange = self.answer(ValueError("the cause"), serve_traceback=True)
        self.assertIn("the cause", exchange.text)
        self.assertEqual(exchange.headers["Content-Type"], "text/plain")

    async def test_finish(self) -> None:
        """`Finish` ends a request quietly, with what was written or with its argument."""
        self.assertEqual(self.answer(Finish()).text, "discarded")
        exchange = self.answer(Finish("!"))
        self.assertEqual((exchange.code, exchange.text), (200, "discarded!"))

    async def test_reason(self) -> None:
        """A reason of one's own stands in status line and page, unless it is unsafe."""
        self.assertEqual(self.answer(HTTPError(499, reason="Odd")).reason, "Odd")
        self.assertIn("499: Odd", self.answer(HTTPError(499, reason="Odd")).text)
        for reason in ("a\r\nX-Evil: 1", "<script>", "\u20ac", "tab\t"):
            exchange = self.answer(HTTPError(400, reason=reason))
            self.assertEqual(exchange.reason, "Unknown")
            self.assertIn("400: Unknown", exchange.text)

    async def test_no_body(self) -> None:
        """An error of a status without a body has none."""
        for status in (204, 304):
            exchange = self.answer(HTTPError(status))
            self.assertEqual((exchange.code, exchange.body), (status, b""))
            self.assertNotIn("Content-Length", exchange.headers)

    async def test_write_error(self) -> None:
        """``write_error`` makes the page, with the exception; if it fails the page is empty."""

        class Handler(RequestHandler):
            def get(self) -> None:
                raise KeyError("k")

            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.write(f"{status_code} {kwargs['exc_info'][0].__name__}")

        class Broken(Handler):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                raise ValueError

        with ExpectLog(app_log, "Uncaught exception"):
            self.assertEqual(request(app_of(Handler)).text, "500 KeyError")
        with ExpectLog(app_log, "Uncaught exception"):
            exchange = request(app_of(Broken))
        self.assertEqual((exchange.code, exchange.body), (500, b""))

    async def test_get_error_html(self) -> None:
        """Tornado 2.0's ``get_error_html`` returns the page, with the exception being raised."""

        class Handler(RequestHandler):
            def get(self) -> None:
                raise KeyError("k")

            def post(self) -> None:
                self.send_error(503, note="busy")

            def get_error_html(self, status_code: int, **kwargs: Any) -> str:
                return f"{status_code} {kwargs!r}"

        with ExpectLog(app_log, "Uncaught exception"):
            self.assertEqual(request(app_of(Handler)).text, "500 {'exception': KeyError('k')}")
        self.assertEqual(request(app_of(Handler), method="POST").text, "503 {'note': 'busy'}")

    async def test_log_exception(self) -> None:
        """``log_exception`` decides what is logged; if it fails, that is."""

        class Handler(RequestHandler):
            def get(self) -> None:
                raise KeyError

            def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
                app_log.warning("my own words")

        class Broken(Handler):
            def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
                raise ValueError

        with ExpectLog(app_log, "my own words"):
            request(app_of(Handler))
        with ExpectLog(app_log, "Error in exception logger"):
            self.assertEqual(request(app_of(Broken)).code, 500)

    async def test_after_flush(self) -> None:
        """When the head is gone an error can only end the response."""

        class Handler(RequestHandler):
            async def get(self) -> None:
                self.write("begun")
                await self.flush()
                raise ValueError

        with ExpectLog(app_log, "Uncaught"), ExpectLog(gen_log, "Cannot send error response"):
            exchange = await request(app_of(Handler)).done()
        self.assertEqual((exchange.code, exchange.text), (200, "begun"))

    async def test_cancelled_future(self) -> None:
        """Something awaited that was cancelled is an error as any other."""

        class Handler(RequestHandler):
            async def get(self) -> None:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                future.cancel()
                await future

        with ExpectLog(app_log, "Uncaught exception"):
            self.assertEqual((await request(app_of(Handler)).done()).code, 500)

    async def test_cancelled_task(self) -> None:
        """A handler whose task is cancelled answers 500 and ends cancelled, without a log."""
        tasks: list[asyncio.Task[Any]] = []

        class Handler(RequestHandler):
            async def get(self) -> None:
                task = asyncio.current_task()
                assert task is not None
                tasks.append(task)
                await asyncio.sleep(3600)

        exchange = request(app_of(Handler))
        await asyncio.sleep(0)
        tasks[0].cancel()
        self.assertEqual((await exchange.done()).code, 500)
        with self.assertRaises(asyncio.CancelledError):
            await tasks[0]

    async def test_stop_iteration_of_the_world(self) -> None:
        """SystemExit is not an error of a handler; it ends the process."""
        self.assertRaises(SystemExit, self.answer, SystemExit())


class MethodTests(ReactorTestCase):
    """Which method of a handler is called."""

    async def test_all(self) -> None:
        """Each HTTP method has its own; those not defined are a 405."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write(self.request.method)

            post = put = delete = patch = options = get

        app = app_of(Handler)
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            self.assertEqual(request(app, method=method).text, method)
        for method in ("HEAD", "BREW", "get"):
            self.assertEqual(request(app, method=method).code, 405)

    async def test_more_methods(self) -> None:
        """A method listed in ``SUPPORTED_METHODS`` is called by its name."""

        class Handler(RequestHandler):
            SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "PROPFIND")

            def propfind(self) -> None:
                self.write("found")

        self.assertEqual(request(app_of(Handler), method="PROPFIND").text, "found")

    async def test_unimplemented_by_identity(self) -> None:
        """What a handler does not implement is ``_unimplemented_method`` itself."""

        class Handler(RequestHandler):
            def get(self) -> None:
                pass

        self.assertIs(Handler.post, RequestHandler._unimplemented_method)
        self.assertIsNot(Handler.get, RequestHandler._unimplemented_method)


class LoggingTests(ReactorTestCase):
    """The access log."""

    async def test_levels(self) -> None:
        """A request is logged by its status: information, warning or error."""

        class Handler(RequestHandler):
            def get(self, status: str) -> None:
                self.set_status(int(status))

        app = app_of(Handler, "/(.*)")
        with self.assertLogs(access_log, logging.INFO) as logs:
            for status in (200, 404, 503):
                request(app, f"/{status}")
        levels = [record.levelname for record in logs.records]
        self.assertEqual(levels, ["INFO", "WARNING", "ERROR"])
        self.assertRegex(logs.output[0], r"200 GET /200 \(192\.0\.2\.1\) \d+\.\d\dms$")

    async def test_log_function(self) -> None:
        """The setting ``log_function`` gets the finished handler instead."""
        logged: list[Any] = []
        app = app_of(RequestHandler, log_function=lambda h: logged.append(h.get_status()))
        request(app)
        self.assertEqual(logged, [405])

    async def test_no_address(self) -> None:
        """A connection without an address does not break the log."""
        self.patch(Context, "remote_ip", None)

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write(self._request_summary())

        self.assertEqual(request(app_of(Handler)).text, "GET / (None)")


class OutsideTests(ReactorTestCase):
    """Other ways into a handler."""

    async def test_called_with_a_request(self) -> None:
        """An application may be called with a complete request, as before Tornado 4."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write("called")

        exchange = begin(app_of(Handler))
        self.assertIsNone(app_of(Handler)(exchange.delegate.request))
        self.assertEqual(exchange.text, "called")

    async def test_documented_connection(self) -> None:
        """A connection with only the documented methods is written to by them."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write("old")

        exchange = request(app_of(Handler), exchange=DocumentedExchange())
        self.assertEqual(exchange.text, "old")
        self.assertEqual(exchange.calls, ["write_headers", "finish"])

    async def test_detach(self) -> None:
        """``detach`` gives the stream away, and nothing is written any more."""
        streams: list[Any] = []

        class Handler(RequestHandler):
            def get(self) -> None:
                streams.append(self.detach())

        exchange = request(app_of(Handler))
        self.assertEqual((streams, exchange.calls), (["the stream"], []))
