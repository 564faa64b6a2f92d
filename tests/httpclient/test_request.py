"""Tests for `HTTPRequest`, `_RequestProxy`, `HTTPResponse` and `HTTPClientError`."""

import copy
import datetime
import gc
import pickle
import unittest
from io import BytesIO

from txtornado.httpclient import (
    HTTPClientError,
    HTTPError,
    HTTPRequest,
    HTTPResponse,
    _RequestProxy,
)
from txtornado.httputil import HTTPHeaders, format_timestamp
from txtornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError
from txtornado.stack_context import StackContext

URL = "http://example.com/"


class RequestTests(unittest.TestCase):
    def test_body(self) -> None:
        """Text becomes UTF-8, whether it is given or set; bytes and None stay."""
        request = HTTPRequest(URL, body="é")
        self.assertEqual(request.body, b"\xc3\xa9")
        request.body = "ü"
        self.assertEqual(request.body, b"\xc3\xbc")
        self.assertIsNone(HTTPRequest(URL).body)
        self.assertEqual(HTTPRequest(URL, body=b"\xff").body, b"\xff")

    def test_headers(self) -> None:
        """Headers are what is given, and empty when that is None."""
        request = HTTPRequest(URL, headers={"a": "b"})
        self.assertEqual(request.headers, {"a": "b"})
        request.headers = None
        self.assertEqual(dict(request.headers), {})

    def test_if_modified_since(self) -> None:
        """The header is added to a copy; the user's own headers stay as they were."""
        mine = {"a": "b"}
        now = datetime.datetime.now(datetime.UTC)
        request = HTTPRequest(URL, headers=mine, if_modified_since=now)
        self.assertEqual(request.headers["If-Modified-Since"], format_timestamp(now))
        self.assertEqual(request.headers["A"], "b")
        self.assertEqual(mine, {"a": "b"})

    def test_use_gzip(self) -> None:
        """The name of 2.3 is another name of decompress_response, which wins."""
        self.assertIs(HTTPRequest(URL, use_gzip=False).decompress_response, False)
        self.assertIs(HTTPRequest(URL, decompress_response=False).use_gzip, False)
        self.assertIs(
            HTTPRequest(URL, use_gzip=True, decompress_response=False).decompress_response, False
        )
        request = HTTPRequest(URL)
        request.use_gzip = True
        self.assertIs(request.decompress_response, True)

    def test_positional_order_of_2_3(self) -> None:
        """A number in auth_mode's place is 2.3's connect_timeout, and what follows moves along."""
        when = datetime.datetime(2012, 5, 31)
        request = HTTPRequest(URL, "GET", None, None, "me", "secret", 1.5, 2.5, when)
        self.assertEqual((request.connect_timeout, request.request_timeout), (1.5, 2.5))
        self.assertIsNone(request.auth_mode)
        self.assertEqual(request.headers["If-Modified-Since"], format_timestamp(when))
        request = HTTPRequest(URL, "GET", None, None, None, None, 1.5, request_timeout=9)
        self.assertEqual((request.connect_timeout, request.request_timeout), (1.5, 9))

    def test_positional_order_of_6(self) -> None:
        """Text in that place is the authentication mode."""
        request = HTTPRequest(URL, "GET", None, None, "me", "secret", "basic", 1.5, 2.5)
        self.assertEqual(request.auth_mode, "basic")
        self.assertEqual((request.connect_timeout, request.request_timeout), (1.5, 2.5))

    def test_callbacks_keep_stack_contexts(self) -> None:
        """Callbacks run in the stack context they were given in, and are untouched without."""
        entered = []

        class Context:
            def __enter__(self):
                entered.append(True)

            def __exit__(self, *exc_info):
                pass

        self.assertIs(HTTPRequest(URL, streaming_callback=print).streaming_callback, print)
        with StackContext(Context):
            request = HTTPRequest(URL, header_callback=lambda line: None)
        entered.clear()
        request.header_callback("x")
        self.assertEqual(entered, [True])


class ProxyTests(unittest.TestCase):
    def test_precedence(self) -> None:
        """The request's own values win over the client's; unset ones are None."""
        request = HTTPRequest(URL, user_agent="mine")
        proxy = _RequestProxy(request, {"user_agent": "theirs", "max_redirects": 3})
        self.assertEqual(proxy.user_agent, "mine")
        self.assertEqual(proxy.max_redirects, 3)
        self.assertIsNone(proxy.auth_username)
        self.assertIsNone(_RequestProxy(request, None).max_redirects)

    def test_false_is_a_value(self) -> None:
        """Only None is replaced, not False and not 0."""
        request = HTTPRequest(URL, follow_redirects=False, connect_timeout=0)
        proxy = _RequestProxy(request, HTTPRequest._DEFAULTS)
        self.assertIs(proxy.follow_redirects, False)
        self.assertEqual(proxy.connect_timeout, 0)

    def test_unknown(self) -> None:
        """An attribute that no request has is an AttributeError, default or not."""
        with self.assertRaises(AttributeError):
            _RequestProxy(HTTPRequest(URL), {"colour": "red"}).colour


class ResponseTests(unittest.TestCase):
    def test_defaults(self) -> None:
        """What is left out has sensible values."""
        request = HTTPRequest(URL)
        response = HTTPResponse(request, 200)
        self.assertIs(response.request, request)
        self.assertEqual(response.reason, "OK")
        self.assertEqual(response.effective_url, URL)
        self.assertEqual(response.body, b"")
        self.assertEqual(response.time_info, {})
        self.assertIsInstance(response.headers, HTTPHeaders)
        self.assertIsNone(response.error)
        response.rethrow()

    def test_body_from_buffer(self) -> None:
        """The body is what the buffer has."""
        response = HTTPResponse(HTTPRequest(URL), 200, buffer=BytesIO(b"abc"))
        self.assertEqual(response.body, b"abc")
        self.assertIs(response.body, response.body)

    def test_error_of_the_status(self) -> None:
        """A status that is not 2xx is an error, which knows its response."""
        for code in (100, 304, 404, 500):
            response = HTTPResponse(HTTPRequest(URL), code)
            with self.assertRaises(HTTPClientError) as caught:
                response.rethrow()
            self.assertEqual(caught.exception.code, code)
            self.assertIs(caught.exception.response, response)
        self.assertEqual(HTTPResponse(HTTPRequest(URL), 777).reason, "Unknown")

    def test_given_error(self) -> None:
        """An error that is given is the one raised."""
        response = HTTPResponse(HTTPRequest(URL), 599, error=ZeroDivisionError("x"))
        with self.assertRaises(ZeroDivisionError):
            response.rethrow()

    def test_of_a_proxy(self) -> None:
        """A response to a request seen through defaults refers to the request itself."""
        request = HTTPRequest(URL)
        self.assertIs(HTTPResponse(_RequestProxy(request, {}), 200).request, request)

    def test_repr(self) -> None:
        """The repr shows the status and does not recurse through the error."""
        text = repr(HTTPResponse(HTTPRequest(URL), 404))
        self.assertTrue(text.startswith("HTTPResponse(code=404,"))
        self.assertIn("error=HTTP 404: Not Found", text)

    def test_no_cycle(self) -> None:
        """A response nobody asked for its error is freed without the garbage collector."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        HTTPResponse(HTTPRequest(URL), 404, buffer=BytesIO(b"x"))
        self.assertEqual(gc.collect(), 0)


class ErrorTests(unittest.TestCase):
    def test_text(self) -> None:
        """An error says its code and its message, or the code's usual reason."""
        self.assertEqual(str(HTTPError(403)), "HTTP 403: Forbidden")
        self.assertEqual(repr(HTTPError(403)), "HTTP 403: Forbidden")
        self.assertEqual(str(HTTPError(599)), "HTTP 599: Unknown")
        self.assertEqual(str(HTTPError(403, "no entry")), "HTTP 403: no entry")
        self.assertIs(HTTPError, HTTPClientError)

    def test_copies(self) -> None:
        """Errors can be copied and pickled."""
        for error in (HTTPError(403, "x"), HTTPTimeoutError("late"), HTTPStreamClosedError("shut")):
            for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
                self.assertEqual((type(again), str(again)), (type(error), str(error)))
                self.assertEqual(again.code, error.code)

    def test_no_response(self) -> None:
        """The errors of a client without a response have the code 599 and a text of their own."""
        self.assertEqual(HTTPTimeoutError("late").code, 599)
        self.assertEqual(str(HTTPTimeoutError("late")), "late")
        self.assertEqual(str(HTTPTimeoutError("")), "Unknown")
        self.assertEqual(str(HTTPStreamClosedError("shut")), "shut")
