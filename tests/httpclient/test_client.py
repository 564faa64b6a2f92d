"""Tests for `AsyncHTTPClient`: the shared instance, configuration, and the old callback form."""

import asyncio
import gc
import subprocess
import sys
import unittest
import weakref

from tests.processes import environment
from txtornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from txtornado.httpclient._client import close_clients_of
from txtornado.ioloop import IOLoop
from txtornado.log import app_log
from txtornado.simple_httpclient import HTTPStreamClosedError, SimpleAsyncHTTPClient
from txtornado.stack_context import ExceptionStackContext
from txtornado.testing import AsyncTestCase, ExpectLog, gen_test

URL = "http://example.com/"


class EchoClient(AsyncHTTPClient):
    """Answers by itself: the status that the URL ends in, or what an error says."""

    def initialize(self, colour="red", defaults=None):
        super().initialize(defaults=defaults)
        self.colour = colour
        self.requests: list[HTTPRequest] = []
        self.aborted: list[str] = []

    def fetch_impl(self, request, callback):
        self.requests.append(request)
        ending = request.url.rpartition("/")[2]
        if ending.isdigit():
            callback(HTTPResponse(request, int(ending)))
        elif ending == "fail":
            callback(HTTPResponse(request, 599, error=ZeroDivisionError("no luck")))
        return lambda: self.aborted.append(ending)


class ClientTestCase(AsyncTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(
            AsyncHTTPClient._restore_configuration, AsyncHTTPClient._save_configuration()
        )

    def client(self, **kwargs) -> EchoClient:
        return EchoClient(force_instance=True, **kwargs)


class InstanceTests(ClientTestCase):
    def test_shared(self) -> None:
        """A class has one instance per loop, AsyncHTTPClient that of the configured class."""
        self.assertIs(SimpleAsyncHTTPClient(), SimpleAsyncHTTPClient())
        self.assertIs(EchoClient(), EchoClient())
        self.assertIsNot(EchoClient(), SimpleAsyncHTTPClient())
        self.assertIs(AsyncHTTPClient(), AsyncHTTPClient())
        self.assertIs(EchoClient().io_loop, self.io_loop)

    def test_of_ones_own(self) -> None:
        """force_instance makes a new one, with the arguments given."""
        one = EchoClient(force_instance=True, colour="blue")
        self.assertIsNot(one, EchoClient(force_instance=True))
        self.assertIsNot(one, EchoClient())
        self.assertEqual(one.colour, "blue")
        self.assertIsNot(EchoClient(True), EchoClient(True))

    def test_several_loops(self) -> None:
        """Each loop has its own, and one with a closed loop does not keep it alive."""
        other = IOLoop(make_current=False)

        async def make():
            return EchoClient()

        client = other.run_sync(make)
        self.assertIs(client.io_loop, other)
        self.assertIsNot(client, EchoClient())
        other.close()
        gone = weakref.ref(other)
        del other, client
        gc.collect()
        self.assertIsNone(gone())

    def test_loop_as_argument(self) -> None:
        """Tornado before 5 was given the loop, first or by name, and max_clients after it."""
        other = IOLoop(make_current=False)
        self.addCleanup(other.close)
        for client in (EchoClient(other), EchoClient(io_loop=other)):
            self.assertIs(client.io_loop, other)
        self.assertIs(EchoClient(other), EchoClient(io_loop=other))
        self.assertIs(EchoClient(None).io_loop, self.io_loop)
        own = SimpleAsyncHTTPClient(other, 5, True)
        self.assertEqual((own.io_loop, own.max_clients), (other, 5))
        self.assertIsNot(own, SimpleAsyncHTTPClient(other))
        with self.assertRaises(TypeError):
            EchoClient(True, 5)

    def test_configure(self) -> None:
        """configure() chooses the class, by name as well, and its arguments."""
        AsyncHTTPClient.configure(EchoClient, colour="green")
        client = AsyncHTTPClient()
        self.assertIsInstance(client, EchoClient)
        self.assertEqual(client.colour, "green")
        self.assertEqual(AsyncHTTPClient(force_instance=True, colour="blue").colour, "blue")
        AsyncHTTPClient.configure(
            "txtornado.simple_httpclient.SimpleAsyncHTTPClient", max_clients=3
        )
        with AsyncHTTPClient(force_instance=True) as client:
            self.assertEqual(client.max_clients, 3)
        AsyncHTTPClient.configure("tornado.simple_httpclient.SimpleAsyncHTTPClient")
        self.assertIs(AsyncHTTPClient.configured_class(), SimpleAsyncHTTPClient)
        with self.assertRaises(ValueError):
            AsyncHTTPClient.configure(dict)

    def test_close(self) -> None:
        """A closed client is forgotten and refuses to work; closing twice is no error."""
        client = EchoClient()
        client.close()
        client.close()
        with self.assertRaises(RuntimeError):
            client.fetch(URL)
        self.assertIsNot(EchoClient(), client)

    def test_close_of_ones_own(self) -> None:
        """Closing one's own client leaves the shared one."""
        shared = EchoClient()
        self.client().close()
        self.assertIs(EchoClient(), shared)

    def test_close_all(self) -> None:
        """All shared clients of a loop can be closed."""
        clients = [EchoClient(), SimpleAsyncHTTPClient()]
        close_clients_of(self.io_loop)
        self.assertTrue(all(client._closed for client in clients))

    def test_close_all_aborts(self) -> None:
        """They abort what is under way."""
        future = SimpleAsyncHTTPClient().fetch("http://127.0.0.1:1/")
        close_clients_of(self.io_loop)
        with self.assertRaises(HTTPStreamClosedError):
            self.io_loop.run_sync(lambda: future)

    @gen_test
    async def test_context_managers(self) -> None:
        """``with`` and ``async with`` close the client."""
        with self.client() as first:
            pass
        async with self.client() as second:
            self.assertFalse(second._closed)
        self.assertTrue(first._closed and second._closed)


class FetchTests(ClientTestCase):
    @gen_test
    async def test_parameters(self) -> None:
        """Parameters make a request of a URL; beside a request they are an error."""
        client = self.client()
        response = await client.fetch(URL + "200", method="PUT", body="x")
        self.assertEqual((response.request.method, response.request.body), ("PUT", b"x"))
        with self.assertRaisesRegex(ValueError, "body, method"):
            client.fetch(HTTPRequest(URL), method="PUT", body="x")
        with self.assertRaises(TypeError):
            client.fetch(URL, colour="red")

    @gen_test
    async def test_defaults(self) -> None:
        """The client's defaults fill in what a request leaves open."""
        client = self.client(defaults={"user_agent": "me", "connect_timeout": 1})
        await client.fetch(URL + "200", connect_timeout=2)
        (request,) = client.requests
        self.assertEqual((request.user_agent, request.connect_timeout), ("me", 2))
        self.assertEqual((request.request_timeout, request.max_redirects), (20, 5))
        self.assertTrue(request.validate_cert)

    @gen_test
    async def test_raise_error(self) -> None:
        """raise_error is about the status only."""
        client = self.client()
        with self.assertRaises(HTTPClientError):
            await client.fetch(URL + "404")
        self.assertEqual((await client.fetch(URL + "404", raise_error=False)).code, 404)
        self.assertEqual((await client.fetch(URL + "404", False)).code, 404)
        with self.assertRaises(ZeroDivisionError):
            await client.fetch(URL + "fail", raise_error=False)

    @gen_test
    async def test_headers_are_copied(self) -> None:
        """What an implementation adds to the headers does not reach the user's dict."""
        mine = {"X": "1"}
        client = self.client()
        await client.fetch(URL + "200", headers=mine)
        client.requests[0].headers["Y"] = "2"
        self.assertEqual(mine, {"X": "1"})

    @gen_test
    async def test_cancel(self) -> None:
        """Cancelling the Future aborts the request; one that is answered is left alone."""
        client = self.client()
        client.fetch(URL + "pending").cancel()
        await client.fetch(URL + "200")
        await asyncio.sleep(0)
        self.assertEqual(client.aborted, ["pending"])

    def test_abstract(self) -> None:
        """A client that defines no fetch_impl says so."""

        class Client(AsyncHTTPClient):
            pass

        with self.assertRaisesRegex(NotImplementedError, "fetch_impl"):
            Client(force_instance=True).fetch(URL)


class CallbackFormTests(ClientTestCase):
    """``fetch(url, callback)``, Tornado before 6."""

    def fetch(self, url, *args, **kwargs) -> HTTPResponse:
        self.client().fetch(URL + url, *args, **kwargs)
        return self.wait()

    def test_success(self) -> None:
        """The callback has the response, named or in second place."""
        self.assertEqual(self.fetch("200", self.stop).code, 200)
        self.assertEqual(self.fetch("200", callback=self.stop).code, 200)
        self.assertEqual(self.fetch("200", None, callback=self.stop).code, 200)
        response = self.fetch("200", self.stop, method="POST")
        self.assertEqual(response.request.method, "POST")

    def test_bad_status(self) -> None:
        """A bad status is in the response, and raised by rethrow()."""
        for response in (self.fetch("404", self.stop), self.fetch("404", self.stop, False)):
            self.assertEqual((response.code, response.error.code), (404, 404))
            with self.assertRaises(HTTPClientError):
                response.rethrow()

    def test_other_errors(self) -> None:
        """Any other error is a response with code 599."""
        response = self.fetch("fail", self.stop)
        self.assertEqual(response.code, 599)
        self.assertIsInstance(response.error, ZeroDivisionError)
        with self.assertRaises(ZeroDivisionError):
            response.rethrow()

    def test_callback_fails(self) -> None:
        """An exception of the callback goes to the stack context it was given in."""

        def take(typ, value, traceback):
            self.stop(value)
            return True

        with ExceptionStackContext(take):
            self.client().fetch(URL + "200", lambda response: 1 / 0)
        self.assertIsInstance(self.wait(), ZeroDivisionError)

    def test_callback_fails_outside(self) -> None:
        """Without one it fails the test it happens in."""
        self.client().fetch(URL + "200", lambda response: 1 / 0)
        with self.assertRaises(ZeroDivisionError):
            self.wait()

    def test_handle_callback_exception(self) -> None:
        """A client may see to the exceptions of callbacks itself."""
        case = self

        class Client(EchoClient):
            def handle_callback_exception(self, callback):
                case.stop(callback)

        def fail(response):
            raise ZeroDivisionError

        Client(force_instance=True).fetch(URL + "200", fail)
        self.assertIs(self.wait(), fail)

    def test_default_handler(self) -> None:
        """The default one logs."""
        with ExpectLog(app_log, "Exception in callback"):
            try:
                raise ZeroDivisionError
            except ZeroDivisionError:
                self.client().handle_callback_exception(print)

    def test_future_as_well(self) -> None:
        """The Future is there in any case."""
        seen = []
        future = self.client().fetch(URL + "200", seen.append)
        self.assertEqual(self.io_loop.run_sync(lambda: future).code, 200)
        self.io_loop.add_callback(self.stop)
        self.wait()
        self.assertEqual([response.code for response in seen], [200])


class ShutdownTests(unittest.TestCase):
    def test_no_loop_is_made(self) -> None:
        """Importing the clients makes no loop and installs no reactor."""
        import subprocess
        import sys

        program = (
            "import sys, txtornado.httpclient, txtornado.simple_httpclient\n"
            "from txtornado.ioloop import IOLoop\n"
            "assert 'twisted.internet.reactor' not in sys.modules\n"
            "assert IOLoop.current(instance=False) is None\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


class ImportTests(unittest.TestCase):
    def test_light(self) -> None:
        """Importing the interface loads neither a reactor nor the clients behind it."""
        program = (
            "import sys, txtornado.httpclient\n"
            "print([name for name in ('twisted.internet.reactor', 'twisted.web.client', 'treq')"
            " if name in sys.modules])\n"
            "import txtornado.treq_httpclient\n"
            "print('twisted.internet.reactor' in sys.modules)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment(), capture_output=True, text=True
        )
        self.assertEqual((done.stdout.split("\n")[:2], done.stderr), (["[]", "False"], ""))
