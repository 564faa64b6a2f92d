"""The short way from a path to a handler: it says what the routers say."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado.httputil import HTTPServerRequest
from txtornado.routing import HostMatches, PathMatches, Rule
from txtornado.web import Application, RequestHandler
from txtornado.web._routes import Routes

from .support import begin, request


class Echo(RequestHandler):
    """Answers with what the route gave it."""

    def initialize(self, word: str = "echo") -> None:
        self.word = word

    def get(self, *args: str, **kwargs: str) -> None:
        self.write(" ".join([self.word, *map(repr, args), *map(repr, kwargs.items())]))


class Other(Echo):
    pass


def routes(*handlers: Any, **settings: Any) -> Routes:
    app = Application(list(handlers), **settings)
    return Routes(app.default_router, app.wildcard_router)


class RoutesTests(SynchronousTestCase):
    """`Routes`."""

    def test_answers(self) -> None:
        """The first rule that matches counts, with its groups unquoted and its arguments."""
        found = routes(
            ("/", Echo), (r"/a/([^/]*)/(.*)", Echo, {"word": "a"}), (r"/(?P<x>.*)", Other)
        )
        for path, target, args, kwargs in (
            ("/", Echo, (), {}),
            ("/a/b%20c/", Echo, (b"b c", b""), {}),
            ("/a/b", Other, (), {"x": b"a/b"}),
        ):
            rule, *rest = found.find(path) or self.fail(path)
            self.assertIs(rule.target, target)
            self.assertEqual(rest, [args, kwargs])
            self.assertEqual(found.known[path], (rule, *rest))
        self.assertIsNone(found.find("no slash"))
        self.assertNotIn("no slash", found.known)

    def test_more_than_the_path_decides(self) -> None:
        """There is no answer where a host, a matcher, or another router may have a say."""

        class Own(PathMatches):
            pass

        hosts = Application([("/", Echo)])
        hosts.add_handlers("example.com", [("/", Other)])
        self.assertIsNone(Routes(hosts.default_router, hosts.wildcard_router).find("/"))
        for first in (
            Rule(HostMatches("example.com"), Other),
            Rule(Own("/"), Other),
            Rule(PathMatches("/.*"), [("/", Other)]),
            Rule(PathMatches("/"), lambda request: None),
        ):
            self.assertIsNone(routes(first, ("/", Echo)).find("/"), first)

    def test_bounds(self) -> None:
        """Many and long paths are answered, but not all of them remembered."""
        found = routes((r"/(.*)", Echo))
        for number in range(3000):
            self.assertIsNotNone(found.find(f"/{number}"))
        self.assertTrue(0 < len(found.known) <= 1024)
        long = "/" + 300 * "x"
        self.assertIsNotNone(found.find(long))
        self.assertNotIn(long, found.known)


class ApplicationTests(SynchronousTestCase):
    """What an application makes of it."""

    def test_changed_rules(self) -> None:
        """Rules that are added, removed or put in the place of others count from then on."""
        app = Application([("/", Echo)])
        self.assertEqual(request(app).text, "echo")
        app.add_handlers("example.com", [("/", Echo, {"word": "host"})])
        self.assertEqual(request(app).text, "host")
        app.default_router.rules.pop(0)
        self.assertEqual(request(app).text, "echo")
        app.wildcard_router.rules.insert(0, Rule(PathMatches("/"), Echo, {"word": "first"}))
        self.assertEqual(request(app).text, "first")
        app.wildcard_router.rules = [Rule(PathMatches("/"), Echo, {"word": "only"})]
        self.assertEqual(request(app).text, "only")

    def test_arguments_are_not_shared(self) -> None:
        """A handler that changes its arguments changes no other's."""

        class Greedy(RequestHandler):
            def get(self, *args: str, **kwargs: str) -> None:
                self.write(f"{self.path_args} {self.path_kwargs} {args} {sorted(kwargs)}")
                self.path_args.clear()
                self.path_kwargs.clear()
                kwargs.clear()

        app = Application([(r"/a/(.*)", Greedy), (r"/b/(?P<x>.*)", Greedy)])
        for uri, text in (("/a/1", "['1'] {} ('1',) []"), ("/b/1", "[] {'x': '1'} () ['x']")):
            for _ in range(2):
                self.assertEqual(request(app, uri).text, text)

    def test_own_delegate(self) -> None:
        """`get_handler_delegate` can be overridden, and is asked each time."""
        asked: list[HTTPServerRequest] = []

        class Asking(Application):
            def get_handler_delegate(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                asked.append(request)
                return super().get_handler_delegate(request, *args, **kwargs)

        app = Asking([("/", Echo)])
        for count in (1, 2):
            self.assertEqual(request(app).text, "echo")
            self.assertEqual(len(asked), count)

    def test_client_goes(self) -> None:
        """Whoever routing finds hears that the client has gone, after the head or before."""
        gone: list[str] = []

        class Target(Application):
            def find_handler(self, request: Any, **kwargs: Any) -> Any:
                delegate = super().find_handler(request, **kwargs)
                delegate.on_connection_close = lambda: gone.append(request.path)
                return delegate

        app = Application([Rule(HostMatches("example.com"), Target([("/.*", Echo)]))])
        begin(app, "/routed").delegate.on_connection_close()
        self.assertEqual(gone, ["/routed"])
        for application in (app, Application()):
            application.start_request(object(), object()).on_connection_close()  # type: ignore[arg-type]
        begin(Application([("/", Echo)])).delegate.on_connection_close()
        self.assertEqual(gone, ["/routed"])
