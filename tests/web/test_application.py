"""`Application`: routes, settings, ready-made handlers, decorators, streamed bodies."""

from __future__ import annotations

import asyncio
import copy
import pickle
import types
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado import log, web
from txtornado.httputil import HTTPHeaders, ResponseStartLine
from txtornado.log import app_log, gen_log
from txtornado.routing import HostMatches, RuleRouter
from txtornado.testing import ExpectLog, ReactorTestCase
from txtornado.web import (
    Application,
    ErrorHandler,
    FallbackHandler,
    GZipContentEncoding,
    HTTPError,
    MissingArgumentError,
    RedirectHandler,
    RequestHandler,
    StaticFileHandler,
    UIModule,
    addslash,
    authenticated,
    removeslash,
    stream_request_body,
    url,
)
from txtornado.web import _urls as urls

from .support import app_of, begin, request


class Echo(RequestHandler):
    """Answers with what the route gave it."""

    def initialize(self, word: str = "echo") -> None:
        self.word = word

    def get(self, *args: str, **kwargs: str) -> None:
        self.write(" ".join([self.word, *args, *kwargs.values()]))


class NameTests(SynchronousTestCase):
    """What the module hands on."""

    def test_loggers(self) -> None:
        """The loggers are there too, where programs that were written for Tornado patch them."""
        for name in ("access_log", "app_log", "gen_log"):
            self.assertIs(getattr(web, name), getattr(log, name))


class RoutingTests(SynchronousTestCase):
    """How requests find handlers."""

    def test_first_match_counts(self) -> None:
        """Rules are tried in order; groups become arguments."""
        app = Application(
            [
                ("/", Echo, {"word": "root"}),
                ("/a/([0-9]+)", Echo, {"word": "number"}),
                ("/a/(?P<name>.*)", Echo, {"word": "name"}),
                (r"/a/.*", Echo, {"word": "never"}),
            ]
        )
        self.assertEqual(request(app).text, "root")
        self.assertEqual(request(app, "/a/12").text, "number 12")
        self.assertEqual(request(app, "/a/x%20y").text, "name x y")
        self.assertEqual(request(app, "/b").code, 404)

    def test_dotted_name(self) -> None:
        """A handler may be given by its dotted name."""
        app = Application([("/", f"{__name__}.Echo"), url("/u", f"{__name__}.Echo")])
        self.assertEqual(request(app).text, "echo")
        self.assertEqual(request(app, "/u").text, "echo")

    def test_nested(self) -> None:
        """A target may be a list of rules, or another router or application."""
        inner = Application([("/in/app", Echo)])
        app = Application(
            [
                (HostMatches("other.example"), [("/", Echo, {"word": "host"})]),
                ("/in/list.*", [("/in/list/(.*)", Echo)]),
                ("/in/app", inner),
                ("/in/router", RuleRouter([("/in/router", inner)])),
            ]
        )
        self.assertEqual(request(app, headers={"Host": "other.example"}).text, "host")
        self.assertEqual(request(app).code, 404)
        self.assertEqual(request(app, "/in/list/x").text, "echo x")
        self.assertEqual(request(app, "/in/app").text, "echo")

    def test_hosts(self) -> None:
        """Handlers may be added for hosts, before those of all hosts."""
        app = Application([("/", Echo, {"word": "any"})])
        app.add_handlers(r"www\.example\.com", [("/", Echo, {"word": "www"})])
        app.add_handlers(r".*\.example\.com", [("/x", Echo, {"word": "star"})])
        self.assertEqual(request(app).text, "any")
        self.assertEqual(request(app, headers={"Host": "www.example.com:80"}).text, "www")
        self.assertEqual(request(app, "/x", headers={"Host": "www.example.com"}).text, "star")
        self.assertEqual(request(app, "/x", headers={"Host": "wwwxexample.com"}).code, 404)

    def test_default_host(self) -> None:
        """A request for no known host gets the default host's handlers, not behind a proxy."""
        app = Application(default_host="www.example.com")
        app.add_handlers(r"www\.example\.com", [("/", Echo)])
        unknown = {"Host": "192.0.2.9"}
        self.assertEqual(request(app, headers=unknown).text, "echo")
        self.assertEqual(request(app, headers={**unknown, "X-Real-Ip": "192.0.2.1"}).code, 404)

    def test_reverse_url(self) -> None:
        """A named route's path is found again, also in nested rules, from handlers too."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write(self.reverse_url("story", "a b", 3))

        app = Application(
            [url("/", Handler), ("/n/.*", [url("/n/([^/]*)/([0-9]+)", Echo, name="story")])]
        )
        self.assertEqual(request(app).text, "/n/a%20b/3")
        self.assertRaises(KeyError, app.reverse_url, "nothing")

    def test_default_handler(self) -> None:
        """What no rule matches goes to the default handler, with its arguments."""
        app = Application(default_handler_class=Echo, default_handler_args={"word": "default"})
        self.assertEqual(request(app, "/anything").text, "default")

    def test_rules_can_be_walked(self) -> None:
        """Rules can be found and added from outside."""
        app = Application([("/", Echo)])
        self.assertIs(app.wildcard_router.rules[0].target, Echo)
        self.assertIs(app.default_router.rules[-1].target, app.wildcard_router)
        app.wildcard_router.add_rules([("/added", Echo)])
        self.assertEqual(request(app, "/added").text, "echo")

    def test_own_router(self) -> None:
        """`get_handler_delegate` lets a router of one's own choose the handler."""
        app = Application()

        class ByMethod(Application):
            def find_handler(self, request: Any, **kwargs: Any) -> Any:
                return app.get_handler_delegate(request, Echo, path_args=[b"by", b"router"])

        self.assertEqual(request(ByMethod()).text, "echo by router")

    def test_function(self) -> None:
        """A rule's target may be a function of the request."""

        def answer(request: Any) -> None:
            line = ResponseStartLine("HTTP/1.1", 200, "OK")
            request.connection.write_headers(line, HTTPHeaders(), b"function")
            request.connection.finish()

        self.assertEqual(request(Application([("/", answer)])).text, "function")


class SettingsTests(SynchronousTestCase):
    """What the settings of an application do."""

    def test_debug(self) -> None:
        """``debug`` turns four other settings on, unless they are given."""
        app = Application(debug=True, autoreload=False, static_hash_cache=True)
        self.assertEqual(
            app.settings,
            {
                "debug": True,
                "autoreload": False,
                "compiled_template_cache": False,
                "static_hash_cache": True,
                "serve_traceback": True,
            },
        )

    def test_static_path(self) -> None:
        """``static_path`` adds three rules in front of all others."""
        app = Application(
            [("/", Echo)],
            static_path="/srv",
            static_url_prefix="/s/",
            static_handler_args={"default_filename": "x"},
        )
        rules = app.wildcard_router.rules
        self.assertEqual([rule.target for rule in rules], [StaticFileHandler] * 3 + [Echo])
        self.assertEqual(rules[0].target_kwargs, {"path": "/srv", "default_filename": "x"})
        matched = [r.matcher.regex.pattern for r in rules[:3]]  # type: ignore[attr-defined]
        self.assertIn("/s/(.*)$", matched)

    def test_settings_are_not_changed(self) -> None:
        """The caller's ``static_handler_args`` stay as they were."""
        arguments = {"default_filename": "x"}
        Application(static_path="/srv", static_handler_args=arguments)
        self.assertEqual(arguments, {"default_filename": "x"})

    def test_compression(self) -> None:
        """``compress_response``, or ``gzip`` in older words, compresses."""
        for setting in ("compress_response", "gzip"):
            self.assertEqual(Application(**{setting: True}).transforms, [GZipContentEncoding])
        self.assertEqual(Application().transforms, [])
        self.assertEqual(Application(transforms=[], gzip=True).transforms, [])

    def test_ui(self) -> None:
        """UI modules and methods come from modules, dicts or lists of them."""
        module = types.ModuleType("ui")
        module.Entry = type("Entry", (UIModule,), {})  # type: ignore[attr-defined]
        module.linkedin = lambda handler: ""  # type: ignore[attr-defined]
        module._private = lambda handler: ""  # type: ignore[attr-defined]
        more = {"Other": type("Other", (UIModule,), {})}
        app = Application(ui_modules=[module, more], ui_methods=[module, {"m": len}])
        self.assertIn("Entry", app.ui_modules)
        self.assertIn("Other", app.ui_modules)
        self.assertEqual(set(app.ui_methods), {"linkedin", "m"})

    def test_missing_setting(self) -> None:
        """A missing setting is named, and what it is needed for."""

        class Handler(RequestHandler):
            def get(self) -> None:
                try:
                    self.static_url("x")
                except Exception as error:
                    self.write(str(error))

        self.assertEqual(
            request(app_of(Handler)).text,
            "You must define the 'static_path' setting in your application to use static_url",
        )


class RedirectHandlerTests(SynchronousTestCase):
    """`RedirectHandler`, and the ways in which it must not be led astray."""

    def location(self, pattern: str, target: str, path: str) -> str | int:
        app = Application([(pattern, RedirectHandler, {"url": target})])
        exchange = request(app, path)
        return exchange.headers["Location"] if exchange.code == 301 else exchange.code

    def test_redirect(self) -> None:
        """The target is filled in from the groups, and gets the query."""
        self.assertEqual(self.location("/a", "/b", "/a"), "/b")
        self.assertEqual(self.location("/(.*)/(.*)", "/{1}/{0}", "/a/b?x=1"), "/b/a?x=1")
        self.assertEqual(
            self.location("/(?P<n>.*)", "/n/{n}?y=2", "/a?x=%C3%A9"), "/n/a?y=2&x=%C3%A9"
        )

    def test_status(self) -> None:
        """It is permanent unless told otherwise."""
        arguments = {"url": "/b", "permanent": False}
        self.assertEqual(request(Application([("/", RedirectHandler, arguments)])).code, 302)

    def test_open_redirects(self) -> None:
        """No request can choose the host, however a browser may read it."""
        with ExpectLog(gen_log, ".*Redirect URL"):
            for target, path in (
                ("/{0}/x", "/%2Fevil.example"),
                ("/{0}/x", "/%5Cevil.example"),
                ("/{0}/x", "/%09/evil.example"),
                ("{0}", "/%2F%2Fevil.example"),
                ("{0}", "/https:evil.example"),
                ("{0}", "/javascript:alert(1)"),
                ("https://{0}", "/evil.example"),
                ("https:{0}", "/%2F%2F%2F%2Fevil.example"),
                ("https://example.com{0}", "/.evil.example"),
                ("https://example.com{0}", "/@evil.example"),
                ("https://example.com{0}/x", "/:80"),
                ("/{0}", "/a%0D%0ASet-Cookie:x"),
                ("/{0}", "/a%00b"),
                ("{0}", "/%2F%2F%5B"),
            ):
                self.assertEqual(self.location("/(.*)", target, path), 400, (target, path))

    def test_browser_reading(self) -> None:
        """URLs are read as browsers do."""
        self.assertEqual(urls.normalize_like_browser(" \x01/\ta\\b\n "), "/a/b")
        self.assertTrue(urls.is_protocol_relative("/\t/a"))
        self.assertFalse(urls.is_protocol_relative("/a//b"))
        self.assertEqual(urls.scheme_and_netloc("https:////u@a:1/b"), ("https", "u@a:1"))
        self.assertEqual(urls.scheme_and_netloc("a/b:c"), ("", ""))


class OtherHandlersTests(SynchronousTestCase):
    """`ErrorHandler` and `FallbackHandler`."""

    def test_error(self) -> None:
        """`ErrorHandler` answers every method with its status."""
        app = Application([("/", ErrorHandler, {"status_code": 410})])
        for method in ("GET", "POST", "PUT"):
            self.assertEqual(request(app, method=method).code, 410)

    def test_fallback(self) -> None:
        """`FallbackHandler` hands the request to a function, and writes nothing itself."""
        requests: list[Any] = []
        app = Application([("/.*", FallbackHandler, {"fallback": requests.append})])
        exchange = request(app, "/x", "POST", body=b"body")
        self.assertEqual((requests[0].path, requests[0].body), ("/x", b"body"))
        self.assertEqual(exchange.calls, [])

    def test_error_objects(self) -> None:
        """Errors can be copied and pickled, and tell what they are."""
        for error in (HTTPError(403, "no %s", "way", reason="R"), MissingArgumentError("a")):
            for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
                self.assertEqual(str(other), str(error))
                self.assertEqual(other.__dict__, error.__dict__)
        self.assertEqual(str(HTTPError(403, "no %s", "way")), "HTTP 403: Forbidden (no way)")
        self.assertEqual(HTTPError(400, "50%").log_message, "50%%")


class DecoratorTests(SynchronousTestCase):
    """`authenticated`, `addslash`, `removeslash`."""

    class Private(RequestHandler):
        def get_current_user(self) -> str | None:
            return self.get_cookie("user")

        @authenticated
        def get(self) -> None:
            self.write("welcome " + self.current_user)

        post = get

    def test_authenticated(self) -> None:
        """Visitors are sent to the login page, which is told the way back."""
        app = app_of(self.Private, login_url="/login")
        self.assertEqual(request(app, headers={"Cookie": "user=ann"}).text, "welcome ann")
        self.assertEqual(request(app, "/a?b=c").headers["Location"], "/login?next=%2Fa%3Fb%3Dc")
        self.assertEqual(request(app, method="POST").code, 403)

    def test_login_elsewhere(self) -> None:
        """A login page on another host gets a complete URL; one with a query gets none."""
        app = app_of(self.Private, login_url="https://login.example/")
        back = "https://login.example/?next=http%3A%2F%2Fexample.com%2Fa"
        self.assertEqual(request(app, "/a").headers["Location"], back)
        app = app_of(self.Private, login_url="/login?x=1")
        self.assertEqual(request(app, "/a").headers["Location"], "/login?x=1")

    def test_slashes(self) -> None:
        """A slash is added or removed by a permanent redirect that keeps the query."""

        class Add(RequestHandler):
            @addslash
            def get(self) -> None:
                self.write("added")

            post = get

        class Remove(RequestHandler):
            @removeslash
            def get(self) -> None:
                self.write("removed")

        add, remove = app_of(Add), app_of(Remove)
        self.assertEqual(request(add, "/a/").text, "added")
        self.assertEqual(request(add, "/a?b=c").headers["Location"], "/a/?b=c")
        self.assertEqual(request(add, "/a", "POST").code, 404)
        self.assertEqual(request(remove, "/a").text, "removed")
        self.assertEqual(request(remove, "/").text, "removed")
        self.assertEqual(request(remove, "/a//").headers["Location"], "/a")
        for app, path in ((add, "//evil.example"), (remove, "//evil.example/")):
            with ExpectLog(gen_log, ".*cannot redirect path"):
                self.assertEqual(request(app, path).code, 403)


class StreamedBodyTests(ReactorTestCase):
    """`stream_request_body`."""

    async def test_pieces(self) -> None:
        """``prepare`` comes with the head, ``data_received`` with each piece, then the method."""
        order: list[Any] = []

        @stream_request_body
        class Handler(RequestHandler):
            def prepare(self) -> None:
                order.append("prepare")

            def data_received(self, chunk: bytes) -> None:
                order.append(chunk)

            def put(self) -> None:
                order.append("put")

        exchange = begin(app_of(Handler), method="PUT")
        self.assertEqual(order, ["prepare"])
        self.assertIsNone(exchange.awaited)  # type: ignore[attr-defined]
        exchange.delegate.data_received(b"a")
        exchange.delegate.data_received(b"b")
        exchange.delegate.finish()
        await exchange.done()
        self.assertEqual(order, ["prepare", b"a", b"b", "put"])

    async def test_prepare_holds_the_body_back(self) -> None:
        """The body is not read until a ``prepare`` that waits is through."""
        gate = asyncio.get_running_loop().create_future()

        @stream_request_body
        class Handler(RequestHandler):
            async def prepare(self) -> None:
                await gate

            async def data_received(self, chunk: bytes) -> None:
                await asyncio.sleep(0)

            def put(self) -> None:
                self.write("put")

        exchange = begin(app_of(Handler), method="PUT")
        awaited: Any = exchange.awaited  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        self.assertFalse(awaited.done())
        gate.set_result(None)
        await awaited
        await exchange.delegate.data_received(b"a")
        exchange.delegate.finish()
        self.assertEqual((await exchange.done()).text, "put")

    async def test_early_answer(self) -> None:
        """A response in ``prepare`` is not followed by data or the method."""

        @stream_request_body
        class Handler(RequestHandler):
            def prepare(self) -> None:
                raise HTTPError(401)

            def data_received(self, chunk: bytes) -> None:
                raise AssertionError

        exchange = begin(app_of(Handler), method="PUT")
        self.assertEqual(exchange.code, 401)
        exchange.delegate.data_received(b"late")
        exchange.delegate.finish()

    async def test_data_refused(self) -> None:
        """An error while taking the body is a response, too."""

        @stream_request_body
        class Plain(RequestHandler):
            def data_received(self, chunk: bytes) -> Any:
                raise HTTPError(413)

            def put(self) -> None:
                raise AssertionError

        @stream_request_body
        class Native(Plain):
            async def data_received(self, chunk: bytes) -> None:
                await asyncio.sleep(0)
                raise HTTPError(413)

        for handler in (Plain, Native):
            exchange = begin(app_of(handler), method="PUT")
            waiting = exchange.delegate.data_received(b"much")
            if waiting is not None:
                await waiting
            self.assertEqual(exchange.code, 413)
            exchange.delegate.on_connection_close()

    async def test_broken_off(self) -> None:
        """A body that breaks off ends the handler without a response."""
        events: list[str] = []

        @stream_request_body
        class Handler(RequestHandler):
            def data_received(self, chunk: bytes) -> None:
                pass

            def put(self) -> None:
                events.append("put")

            def on_connection_close(self) -> None:
                events.append("closed")

        exchange = begin(app_of(Handler), method="PUT")
        exchange.delegate.on_connection_close()
        await asyncio.sleep(0)
        self.assertEqual((events, exchange.calls), (["closed"], []))

    async def test_prepare_fails(self) -> None:
        """A ``prepare`` that fails while waiting answers, and lets the body go."""

        @stream_request_body
        class Handler(RequestHandler):
            async def prepare(self) -> None:
                raise ValueError

        with ExpectLog(app_log, "Uncaught exception"):
            exchange = begin(app_of(Handler), method="PUT")
            await exchange.awaited  # type: ignore[attr-defined]
            self.assertEqual((await exchange.done()).code, 500)

    def test_only_for_handlers(self) -> None:
        """Other classes are refused."""
        self.assertRaises(TypeError, stream_request_body, object)


class BodyTests(SynchronousTestCase):
    """Bodies that are collected."""

    class Handler(RequestHandler):
        def post(self) -> None:
            self.write({"body": len(self.request.body), "files": list(self.request.files)})

    def test_upload(self) -> None:
        """Files of a form are in ``request.files``."""
        body = (
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
            b"Content-Type: text/plain\r\n\r\ncontent\r\n--x--\r\n"
        )
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = request(app_of(self.Handler), "/", "POST", headers, body).json
        self.assertEqual(answer, {"body": len(body), "files": ["f"]})

    def test_malformed(self) -> None:
        """A malformed form is a 400, of whichever kind."""
        for content_type, body in (
            ("multipart/form-data", b"a=1"),
            ("multipart/form-data; boundary=x", b"a=1"),
            ("multipart/form-data; boundary=x", b"--x\r\nno headers--x--"),
            ("multipart/form-data; boundary=" + "x" * 300, b"--x--"),
            ("application/x-www-form-urlencoded", b"a=1&" * 5000),
        ):
            with ExpectLog(gen_log, ".*Invalid body", required=False):
                headers = {"Content-Type": content_type}
                answer = request(app_of(self.Handler), "/", "POST", headers, body)
            self.assertIn(answer.code, (200, 400))
            self.assertEqual(answer.code, 400, content_type)
