"""Tests for `txtornado.routing`."""

import asyncio
import re
import warnings
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
)
from txtornado.ioloop import IOLoop
from txtornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    Matcher,
    PathMatches,
    ReversibleRouter,
    ReversibleRuleRouter,
    Router,
    Rule,
    RuleRouter,
    URLSpec,
)
from txtornado.routing.index import RuleIndex
from txtornado.routing.patterns import analyze
from txtornado.routing.rules import RuleList


def request(path: str = "/", host: str = "example.com", **kwargs: Any) -> HTTPServerRequest:
    """Make a request for ``path``."""
    return HTTPServerRequest(
        start_line=RequestStartLine("GET", path, "HTTP/1.1"),
        headers=HTTPHeaders({"Host": host, **kwargs.pop("headers", {})}),
        **kwargs,
    )


class Connection(HTTPConnection):
    """Remembers what was written."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    def write_headers(self, start_line: Any, headers: Any, chunk: Any = None) -> Any:
        self.written.append((start_line.code, dict(headers), chunk))

    def finish(self) -> None:
        self.written.append("finish")


class Recorder(HTTPMessageDelegate):
    """Remembers what it was told."""

    def __init__(self, *made_of: Any) -> None:
        self.made_of = made_of
        self.calls: list[Any] = []

    def headers_received(self, start_line: Any, headers: Any) -> Any:
        self.calls.append(("headers", start_line.path))
        return "headers' awaitable"

    def data_received(self, chunk: bytes) -> Any:
        self.calls.append(("data", chunk))
        return "data's awaitable"

    def finish(self) -> None:
        self.calls.append("finish")

    def on_connection_close(self) -> None:
        self.calls.append("close")


class Targets(RuleRouter):
    """Takes any target, and returns it with its parameters as the delegate."""

    def get_target_delegate(self, target: Any, request: Any, **params: Any) -> Any:
        return None if target is None else Recorder(target, params)

    def find(self, path: str, **kwargs: Any) -> Any:
        """Return target and parameters for a request."""
        found: Any = self.find_handler(request(path, **kwargs))
        return found and found.made_of


class MatcherTests(SynchronousTestCase):
    """The matchers."""

    def match(self, pattern: Any, path: str) -> Any:
        return PathMatches(pattern).match(request(path))

    def test_whole_path(self) -> None:
        """A pattern matches the whole path or not at all."""
        self.assertEqual(self.match("/a", "/a"), {})
        self.assertEqual(self.match("^/a$", "/a?b"), {})
        for pattern in ("/a", "/a|/ab"):
            for path in ("/", "/a/", "/abc", "x/a", "/a\n"):
                self.assertIsNone(self.match(pattern, path))

    def test_compiled(self) -> None:
        """A compiled pattern is used as it is."""
        self.assertEqual(self.match(re.compile("/a", re.IGNORECASE), "/Abc"), {})
        self.assertIsNone(self.match(re.compile("/a$"), "/ab"))

    def test_groups(self) -> None:
        """Groups are unescaped bytes, by position or by name; None where they took no part."""
        for pattern, path, args, kwargs in [
            ("/(.*)", "/a%20b+%e9", [b"a b+\xe9"], {}),
            ("/(a)?b", "/b", [None], {}),
            ("/(?P<x>.)(?P<y>z)?", "/a", [], {"x": b"a", "y": None}),
            ("/(.*)", "/\xe9", ["\xe9".encode()], {}),
        ]:
            found = self.match(pattern, path)
            self.assertEqual(found, {"path_args": args, "path_kwargs": kwargs}, pattern)

    def test_mixed_groups(self) -> None:
        """Groups with and without names are not mixed; the error shows the pattern."""
        with self.assertRaisesRegex(ValueError, re.escape(repr("/(?P<a>.)(b)$"))):
            PathMatches("/(?P<a>.)(b)")

    def test_host(self) -> None:
        """A host pattern matches the whole name, whatever its case and port."""
        matcher = HostMatches(r"(www\.)?example\.com")
        self.assertEqual(matcher.match(request(host="WWW.Example.com:80")), {})
        self.assertIsNone(matcher.match(request(host="example.com.evil")))
        self.assertEqual(HostMatches(re.compile("ex")).match(request()), {})

    def test_default_host(self) -> None:
        """The default host counts, unless a proxy is in between."""

        class Application:
            default_host = "example.com"

        matcher = DefaultHostMatches(Application, re.compile(r"example\.com$"))
        self.assertEqual(matcher.match(request(host="10.0.0.1")), {})
        self.assertIsNone(matcher.match(request(headers={"X-Real-Ip": "10.0.0.1"})))
        Application.default_host = "other"
        self.assertIsNone(matcher.match(request()))

    def test_other(self) -> None:
        """AnyMatches takes all; Matcher must be subclassed, and cannot be reversed."""
        self.assertEqual(AnyMatches().match(request()), {})
        self.assertRaises(NotImplementedError, Matcher().match, request())
        self.assertIsNone(Matcher().reverse(1))


class ReverseTests(SynchronousTestCase):
    """URLs from patterns."""

    def test_reversible(self) -> None:
        """Arguments, escaped, take the places of the groups."""
        for pattern, args, expected in [
            ("/a", (), "/a"),
            (r"^/a\.b\$\-$", (), "/a.b$-"),
            ("/(.*)", ("b c/d?e",), "/b%20c/d%3Fe"),
            ("/(.*)", ("\xe9",), "/%C3%A9"),
            ("/(.*)", (b"\xe9",), "/%E9"),
            (r"/(\d+)\.html", (5,), "/5.html"),
            (r"/([)(\]]*)x", ("b",), "/bx"),
            (r"/([]x)]*)/([^]]*)", ("b", "c"), "/b/c"),
            (r"/(\)a)", ("b",), "/b"),
            ("/100%/%28(.*)", ("b",), "/100%/%28b"),
            ("/a/?", (), "/a/"),
            ("/index.html", (), "/index.html"),
            ("/(?P<a>.)/(?P<b>.)", ("x", "y"), "/x/y"),
            ("/(a)?", ("b",), "/b"),
            (r"/\(x\)", (), "/(x)"),
        ]:
            self.assertEqual(PathMatches(pattern).reverse(*args), expected, pattern)

    def test_irreversible(self) -> None:
        """A pattern with more than literal text and groups names itself in the error."""
        for pattern in (
            r"/\d",
            "/[ab]",
            "/(?:a|b)",
            "/(a(b))",
            "/a|/b",
            "/a{2}",
            "/(?=a)(.)",
            "/a$b",
        ):
            matcher = PathMatches(pattern)
            with self.assertRaisesRegex(ValueError, re.escape(repr(matcher.regex.pattern))):
                matcher.reverse(*["x"] * matcher.regex.groups)

    def test_wrong_number(self) -> None:
        """Too few and too many arguments are an error that shows the pattern."""
        for args in ((), ("a", "b")):
            with self.assertRaisesRegex(ValueError, re.escape("'/(.)$' takes 1")):
                PathMatches("/(.)").reverse(*args)

    @given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=3))
    def test_round_trip(self, args: list[str]) -> None:
        """What was reversed matches, with the same arguments."""
        matcher = PathMatches("/" + "".join(r"a\.b/([^/]+)/" for _ in args))
        args = [arg.replace("/", "") or "x" for arg in args]
        path = matcher.reverse(*args)
        assert path is not None
        found = matcher.match(request(path))
        assert found is not None
        self.assertEqual(found.get("path_args", []), [arg.encode() for arg in args])


class PatternTests(SynchronousTestCase):
    """What is known of a pattern without matching."""

    def test_prefixes(self) -> None:
        """The prefix ends before the first character that may be another."""
        for pattern, prefix, is_literal in [
            ("/a/b$", "/a/b", True),
            ("/a-b_c~%20,;=@:!", "/a-b_c~%20,;=@:!", True),
            (r"/a\.b$", "/a.b", True),
            (r"/a\\$", "/a\\", True),
            (r"/a\$", "/a$", True),
            ("/a.b", "/a", False),
            ("/ab?c", "/a", False),
            ("/ab*", "/a", False),
            ("/ab+", "/a", False),
            ("/ab{0}c", "/a", False),
            ("/a(b)?", "/a", False),
            ("/a[b]", "/a", False),
            (r"/a\d", "/a", False),
            ("/a|/b", "", False),
            ("/a(b|c)", "/a", False),
            ("(?i)/a", "", False),
            ("(/a)?", "", False),
            ("", "", True),
        ]:
            facts = analyze(re.compile(pattern))
            self.assertEqual((facts.prefix, facts.is_literal), (prefix, is_literal), pattern)
        self.assertEqual(analyze(re.compile("/a", re.IGNORECASE))[:2], ("", False))

    def test_unknown_syntax(self) -> None:
        """Where the syntax is not understood, nothing is said."""
        for pattern in ("/a(?#()b", "/a(?#[)"):
            self.assertEqual(analyze(re.compile(pattern)), ("", False, None))
        verbose = analyze(re.compile("/a b", re.VERBOSE))
        self.assertEqual(verbose, ("", False, None))

    @given(
        st.lists(
            st.sampled_from(
                list("/abc.*+?|()[]^$\\-{}1,") + ["\\d", "(?:", "(?P<n>", "\\.", "[^a]"]
            ),
            max_size=12,
        ).map("".join),
        st.text("/abc.1,-", max_size=5),
    )
    def test_any_pattern(self, pattern: str, path: str) -> None:
        """Whatever the pattern, what it matches starts with its prefix."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                regex = re.compile(pattern)
        except (re.error, OverflowError):
            return
        facts = analyze(regex)
        if facts.is_literal:
            self.assertTrue(regex.fullmatch(facts.prefix), facts)
        if regex.fullmatch(path):
            self.assertTrue(path.startswith(facts.prefix), facts)
            if facts.is_literal:
                self.assertEqual(path, facts.prefix)


class RuleTests(SynchronousTestCase):
    """Rules."""

    def test_dotted_name(self) -> None:
        """A string is the name of the target."""
        self.assertIs(Rule(AnyMatches(), "txtornado.routing.RuleRouter").target, RuleRouter)
        self.assertIs(URLSpec("/", "txtornado.routing.Rule").handler_class, Rule)
        self.assertRaises(ImportError, Rule, AnyMatches(), "txtornado.nothing.Here")

    def test_attributes(self) -> None:
        """Rules and URLSpecs keep what they were made of."""
        rule = Rule(AnyMatches(), len, {"a": 1}, "n")
        self.assertEqual((rule.target, rule.target_kwargs, rule.name), (len, {"a": 1}, "n"))
        self.assertIsNone(rule.reverse())
        spec = URLSpec("/a(.*)", len, name="n")
        self.assertEqual(
            (spec.regex.pattern, spec.kwargs, spec.target_kwargs), ("/a(.*)$", None, {})
        )
        self.assertEqual(spec.reverse("b"), "/ab")
        self.assertIn("'/a(.*)$'", repr(spec))
        self.assertIn("name='n'", repr(rule))

    def test_tuples(self) -> None:
        """Tuples and lists are taken for rules; anything else is an error that shows it."""
        router = RuleRouter([("/a", len), ["/b", len, {"c": 1}], (AnyMatches(), len, {}, "n")])
        router.add_rules([Rule(AnyMatches(), len), (re.compile("/d"), len)])
        self.assertEqual([rule.name for rule in router.rules], [None, None, "n", None, None])
        for bad in (5, "/a", ("/a",), ("/a", len, {}, "n", "m"), (5, len)):
            with self.assertRaisesRegex(TypeError, "routing rule"):
                router.add_rules([bad])


class RuleRouterTests(SynchronousTestCase):
    """Which rule counts."""

    def test_first_match(self) -> None:
        """The first rule that matches counts, literal or not."""
        router = Targets([("/a", 1), ("/.*", 2), ("/a", 3), ("/b", 4)])
        self.assertEqual([router.find(path)[0] for path in ("/a", "/b", "/c/d")], [1, 2, 2])

    def test_no_delegate(self) -> None:
        """A rule whose target has no delegate is passed over."""
        router = Targets([("/a", None), ("/(.)", None), ("/a", 3)])
        self.assertEqual(router.find("/a"), (3, {}))
        self.assertIsNone(router.find("/b"))

    def test_parameters(self) -> None:
        """A target gets what the matcher found, and the rule's arguments where there are some."""
        router = Targets([("/a", 1, {"k": 1}), ("/(.)", 2, {"k": 2}), ("/(?P<n>.*)", 3)])
        self.assertEqual(router.find("/a"), (1, {"target_kwargs": {"k": 1}}))
        self.assertEqual(
            router.find("/b"),
            (2, {"path_args": [b"b"], "path_kwargs": {}, "target_kwargs": {"k": 2}}),
        )
        self.assertEqual(router.find("/cd"), (3, {"path_args": [], "path_kwargs": {"n": b"cd"}}))

    def test_parameters_are_not_shared(self) -> None:
        """What one request's target does to its parameters is no other's business."""
        router = Targets([("/a", 1)])
        router.find("/a")[1]["x"] = 1
        self.assertEqual(router.find("/a"), (1, {}))

    def test_changes(self) -> None:
        """Every way to change the list of rules is noticed."""
        router = Targets([("/a", 1)])

        def rule(target: int) -> Rule:
            return Rule(PathMatches("/a"), target)

        def targets() -> Any:
            return router.find("/a") and router.find("/a")[0]

        rules = router.rules
        for change, expected in [
            (lambda: rules.insert(0, rule(2)), 2),
            (lambda: rules.pop(0), 1),
            (lambda: rules.append(rule(3)), 1),
            (lambda: rules.reverse(), 3),
            (lambda: rules.__setitem__(0, rule(4)), 4),
            (lambda: rules.__delitem__(0), 1),
            (lambda: rules.extend([rule(5)]), 1),
            (lambda: rules.remove(rules[0]), 5),
            (lambda: rules.__iadd__([rule(0)]), 5),
            (lambda: rules.sort(key=lambda rule: rule.target), 0),
            (lambda: rules.__imul__(2), 0),
            (lambda: rules.clear(), None),
            (lambda: router.add_rules([("/a", 6)]), 6),
            (lambda: setattr(router, "rules", [rule(7)]), 7),
        ]:
            change()
            self.assertEqual(targets(), expected)

    def test_rules_set_before_the_constructor(self) -> None:
        """A subclass that sets its rules itself needs no constructor."""

        class Own(Targets):
            def __init__(self) -> None:
                self.rules = [Rule(AnyMatches(), 1)]

        self.assertEqual(Own().find("/"), (1, {}))

    def test_process_rule(self) -> None:
        """What process_rule returns is added."""

        class Doubling(Targets):
            def process_rule(self, rule: Rule) -> Rule:
                return Rule(rule.matcher, rule.target * 2)

        self.assertEqual(Doubling([("/", 2)]).find("/"), (4, {}))

    def test_hosts(self) -> None:
        """A rule about hosts counts at its place."""
        router = Targets([("/a", 1), (HostMatches("b.com"), 2), ("/.*", 3), ("/d/(.*)", 4)])
        self.assertEqual(router.find("/a", host="b.com")[0], 1)
        self.assertEqual(router.find("/c", host="b.com")[0], 2)
        self.assertEqual(router.find("/d/e", host="b.com")[0], 2)
        self.assertEqual(router.find("/d/e")[0], 3)

    @given(
        st.lists(
            st.sampled_from(
                ["/", "/a", "/a/", "/a/b", "/a/(.*)", "/a/b/(.*)", "/(.*)", ".*", "/a/?", "/a/.b"]
                + ["/ab?", "/a|/b", "/a/b/c", r"/a\.b", "", "/b/(a|/)", "(?i)/A"]
            ),
            max_size=8,
        ),
        st.lists(st.text("/abc.A", max_size=6), min_size=1, max_size=5),
    )
    def test_index_keeps_the_order(self, patterns: list[str], paths: list[str]) -> None:
        """The index finds what going through the list would find."""
        router = Targets([(pattern, number) for number, pattern in enumerate(patterns, 1)])
        for path in [*paths, *patterns]:
            expected = None
            for rule in router.rules:
                if rule.matcher.match(request(path)) is not None:
                    expected = rule.target
                    break
            found = router.find(path.partition("?")[0]) if "?" in path else router.find(path)
            if "?" not in path:
                self.assertEqual(found and found[0], expected, path)

    def test_answers_are_bounded(self) -> None:
        """However many paths are asked for, the index does not grow beyond its rules."""
        router = Targets([("/a", 1), ("/b/(.*)", 2), ("/.*", 3)])
        for number in range(100):
            self.assertEqual(router.find(f"/b/{number}")[0], 2)
            self.assertEqual(router.find(f"/{number}/{number}")[0], 3)
        assert router._index is not None
        self.assertLessEqual(len(router._index._answers), 3)

    def test_index_is_selective(self) -> None:
        """Of many rules, only those that may match are tried."""
        rules = RuleList(URLSpec(f"/{number}/(.*)", len) for number in range(500))
        rules += [URLSpec(f"/{number}", len) for number in range(500)]
        rules.append(URLSpec(".*", len))
        index = RuleIndex(rules)
        for path, count in [("/7/a", 2), ("/7", 2), ("/x", 1), ("/7/" + "/" * 10_000, 2)]:
            self.assertEqual(len(index.find(path)), count, path[:9])

    def test_subclassed_matcher(self) -> None:
        """A subclass of PathMatches decides for itself."""

        class Reversed(PathMatches):
            def match(self, request: HTTPServerRequest) -> Any:
                return {} if request.path != "/a" else None

        self.assertEqual(Targets([(Reversed("/a"), 1)]).find("/b"), (1, {}))


class TargetTests(SynchronousTestCase):
    """What a rule's target may be."""

    def test_router(self) -> None:
        """A nested router gets the request and what was found."""
        calls = []

        class Inner(Router):
            def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
                calls.append((request.path, kwargs))

        router = RuleRouter([("/(a)", Inner()), (AnyMatches(), Targets([("/a", 1)]))])
        found: Any = router.find_handler(request("/a"))
        self.assertEqual(calls, [("/a", {"path_args": [b"a"], "path_kwargs": {}})])
        self.assertEqual(found.made_of, (1, {}))

    def test_connection_delegate(self) -> None:
        """A connection delegate starts a request on the connections."""

        class Delegate(HTTPServerConnectionDelegate):
            def start_request(self, server_conn: object, request_conn: Any) -> Any:
                return Recorder(server_conn, request_conn)

        connection, server = Connection(), object()
        found: Any = RuleRouter([("/a", Delegate())]).find_handler(
            request("/a", connection=connection, server_connection=server)
        )
        self.assertEqual(found.made_of, (server, connection))

    def test_function(self) -> None:
        """A function is called with the complete request, and what was found."""
        calls: list[Any] = []

        def function(request: HTTPServerRequest, **kwargs: Any) -> None:
            calls.append((request.body, request.arguments, kwargs))

        router = RuleRouter([("/(a)", function), ("/b", function)])
        for path in ("/a?x=1", "/b"):
            delegate = router.start_request(object(), Connection())
            headers = HTTPHeaders(
                {"Host": "a", "Content-Type": "application/x-www-form-urlencoded"}
            )
            delegate.headers_received(RequestStartLine("POST", path, "HTTP/1.1"), headers)
            delegate.data_received(b"x=2")
            delegate.data_received(b"&y=3")
            self.assertEqual(calls, [])
            delegate.finish()
            calls, seen = [], calls
            expected = {"x": [b"1", b"2"], "y": [b"3"]}
            kwargs: dict[str, Any] = {"path_args": [b"a"], "path_kwargs": {}}
            if path == "/b":
                expected, kwargs = {"x": [b"2"], "y": [b"3"]}, {}
            self.assertEqual(seen, [(b"x=2&y=3", expected, kwargs)])

    def test_coroutine_function(self) -> None:
        """A coroutine that a function returns is run on the loop."""
        calls = []

        async def function(request: HTTPServerRequest) -> None:
            calls.append(request.path)

        async def main() -> None:
            delegate = RuleRouter([("/a", function)]).start_request(object(), Connection())
            start_line = RequestStartLine("GET", "/a", "HTTP/1.0")
            delegate.headers_received(start_line, HTTPHeaders())
            delegate.finish()
            await asyncio.sleep(0)

        loop = IOLoop(make_current=False)
        self.addCleanup(loop.close)
        loop.run_sync(main)
        self.assertEqual(calls, ["/a"])

    def test_function_and_malformed_form(self) -> None:
        """A function does not see a request whose form is malformed."""
        delegate = RuleRouter([("/", self.fail)]).start_request(object(), Connection())
        headers = HTTPHeaders({"Host": "a", "Content-Type": "multipart/form-data; boundary=B"})
        delegate.headers_received(RequestStartLine("POST", "/", "HTTP/1.1"), headers)
        self.assertRaises(HTTPInputError, delegate.finish)

    def test_function_and_lost_connection(self) -> None:
        """A function does not see a request that was not completed."""
        delegate = RuleRouter([("/", self.fail)]).start_request(object(), Connection())
        headers = HTTPHeaders({"Host": "a"})
        delegate.headers_received(RequestStartLine("POST", "/", "HTTP/1.1"), headers)
        delegate.data_received(b"x")
        delegate.on_connection_close()

    def test_unknown(self) -> None:
        """A target that is nothing of that serves nothing."""
        self.assertIsNone(RuleRouter([("/", 5)]).find_handler(request("/")))


class StartRequestTests(SynchronousTestCase):
    """A router as a server's delegate."""

    def test_hands_on(self) -> None:
        """Everything is handed on, and what the delegate returns is returned."""
        recorder = Recorder()

        class Found(Router):
            def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
                recorder.made_of = (request.server_connection, request.connection)
                return recorder

        server, connection = object(), Connection()
        delegate = Found().start_request(server, connection)
        start_line = RequestStartLine("GET", "/a", "HTTP/1.1")
        self.assertEqual(
            delegate.headers_received(start_line, HTTPHeaders(Host="a")), "headers' awaitable"
        )
        self.assertEqual(recorder.made_of, (server, connection))
        self.assertEqual(delegate.data_received(b"x"), "data's awaitable")
        delegate.finish()
        self.assertEqual(recorder.calls, [("headers", "/a"), ("data", b"x"), "finish"])

    def test_hands_on_the_end(self) -> None:
        """A lost connection is handed on, once."""
        recorder = Recorder()

        class Found(Router):
            def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
                return recorder

        delegate = Found().start_request(object(), Connection())
        start_line = RequestStartLine("GET", "/a", "HTTP/1.1")
        delegate.headers_received(start_line, HTTPHeaders(Host="a"))
        delegate.on_connection_close()
        delegate.on_connection_close()
        self.assertEqual(recorder.calls, [("headers", "/a"), "close"])

    def test_not_found(self) -> None:
        """A request that nobody serves is answered with 404 and an empty body."""
        connection = Connection()
        delegate = RuleRouter().start_request(object(), connection)
        delegate.headers_received(RequestStartLine("POST", "/", "HTTP/1.1"), HTTPHeaders(Host="a"))
        self.assertIsNone(delegate.data_received(b"x"))
        delegate.finish()
        self.assertEqual(connection.written, [(404, {"Content-Length": "0"}, None), "finish"])

    def test_bad_head(self) -> None:
        """A head that makes no request is refused."""
        delegate = RuleRouter().start_request(object(), Connection())
        start_line = RequestStartLine("GET", "/", "HTTP/1.1")
        self.assertRaises(HTTPInputError, delegate.headers_received, start_line, HTTPHeaders())
        delegate.on_connection_close()

    def test_abstract(self) -> None:
        """What a router must define says so."""
        for call in (
            lambda: Router().find_handler(request()),
            lambda: ReversibleRouter().reverse_url("a"),
        ):
            with self.assertRaisesRegex(NotImplementedError, "must define"):
                call()


class ReversibleRuleRouterTests(SynchronousTestCase):
    """URLs by name."""

    def test_reverse_url(self) -> None:
        """Names are found here and in nested reversible routers; others are None."""
        inner = ReversibleRuleRouter([("/inner/(.)", len, {}, "in")])
        router = ReversibleRuleRouter(
            [("/a/(.*)", len, {}, "out"), ("/x", RuleRouter()), (AnyMatches(), inner)]
        )
        self.assertEqual(router.reverse_url("out", "b c"), "/a/b%20c")
        self.assertEqual(router.reverse_url("in", 5), "/inner/5")
        self.assertIsNone(router.reverse_url("none"))
        self.assertRaises(ValueError, router.reverse_url, "in")

    def test_duplicates(self) -> None:
        """Of two rules with one name the later counts, and a warning is logged."""
        with self.assertLogs("tornado.application", "WARNING") as logs:
            router = ReversibleRuleRouter([("/a", len, {}, "n"), ("/b", len, {}, "n")])
        self.assertIn("Multiple handlers named n", logs.output[0])
        self.assertEqual(router.reverse_url("n"), "/b")
