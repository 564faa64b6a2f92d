"""Pages: templates, UI modules and methods, and what they embed; gzip."""

from __future__ import annotations

import gzip
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado.template import DictLoader, Loader
from txtornado.testing import ReactorTestCase
from txtornado.web import GZipContentEncoding, RequestHandler, UIModule
from txtornado.web._rendering import is_absolute

from .support import Exchange, app_of, request


class Page(RequestHandler):
    """Renders ``page.html``."""

    def get(self) -> None:
        self.render("page.html", items=[1, 2])


def page(text: str, more: dict[str, str] | None = None, **settings: Any) -> Exchange:
    loader = DictLoader({"page.html": text, **(more or {})})
    return request(app_of(Page, template_loader=loader, **settings))


class Entry(UIModule):
    """A module with everything a module can have."""

    def render(self, number: int) -> str:
        return f"<p>{number}</p>"

    def embedded_css(self) -> str:
        return "p { color: red }"

    def css_files(self) -> list[str]:
        return ["/a.css", "https://cdn.example/b.css"]

    def embedded_javascript(self) -> str:
        return "run()"

    def javascript_files(self) -> str:
        return "/a.js"

    def html_head(self) -> str:
        return "<meta>"

    def html_body(self) -> str:
        return "<hr>"


class Other(UIModule):
    def render(self) -> bytes:
        return b"other"

    def css_files(self) -> list[str]:
        return ["/c.css", "/a.css"]

    def embedded_css(self) -> str:
        return "b {}"


EXPECTED = """<html><head>\
<link href="/a.css" type="text/css" rel="stylesheet"/>\
<link href="https://cdn.example/b.css" type="text/css" rel="stylesheet"/>
<style type="text/css">
p { color: red }
</style>
<meta>
</head><body><p>1</p><p>2</p>\
<script src="/a.js" type="text/javascript"></script>
<script type="text/javascript">
//<![CDATA[
run()
//]]>
</script>
<hr>
</body></html>"""


class UIModuleTests(SynchronousTestCase):
    """UI modules on pages."""

    def test_everything_in_its_place(self) -> None:
        """CSS goes to the head, JavaScript to the end of the body, each once."""
        text = (
            "<html><head></head><body>"
            "{% for i in items %}{% module Entry(i) %}{% end %}</body></html>"
        )
        self.assertEqual(page(text, ui_modules={"Entry": Entry}).text, EXPECTED)

    def test_old_spelling(self) -> None:
        """``modules.Entry(…)`` of Tornado 0.2 does the same."""
        text = (
            "<html><head></head><body>{% autoescape None %}"
            "{% for i in items %}{{ modules.Entry(i) }}{% end %}</body></html>"
        )
        self.assertEqual(page(text, ui_modules={"Entry": Entry}).text, EXPECTED)

    def test_several(self) -> None:
        """Files named by several modules are linked once."""
        text = "<head></head><body>{% module Entry(1) %}{% module Other() %}</body>"
        body = page(text, ui_modules={"Entry": Entry, "Other": Other}).text
        self.assertEqual(body.count('"/a.css"'), 1)
        self.assertIn("p { color: red }\nb {}", body)

    def test_missing_tags(self) -> None:
        """A page without head or body gets them at its ends."""
        body = page("{% module Entry(1) %}", ui_modules={"Entry": Entry}).text
        self.assertTrue(body.startswith('<link href="/a.css"'))
        self.assertTrue(body.endswith("<hr>\n"))

    def test_unknown(self) -> None:
        """A module that does not exist is an error that names it."""
        with self.assertLogs("tornado.application") as logs:
            self.assertEqual(page("{% module Nothing() %}").code, 500)
        self.assertIn("no UI module named 'Nothing'", logs.output[0])

    def test_relative_files(self) -> None:
        """Relative files go through ``static_url``; absolute ones do not."""

        class Relative(Other):
            def css_files(self) -> list[str]:
                return ["style.css"]

        folder = self.mktemp()
        os.mkdir(folder)
        with open(os.path.join(folder, "style.css"), "w"):
            pass
        text = "<head></head>{% module Relative() %}"
        body = page(text, ui_modules={"Relative": Relative}, static_path=folder).text
        self.assertIn('<link href="/static/style.css?v=', body)
        self.assertTrue(is_absolute("/a") and is_absolute("http://a") and not is_absolute("a"))

    def test_handler_renders_links(self) -> None:
        """A handler can write the elements otherwise."""

        class Handler(Page):
            def render_linked_css(self, css_files: Any) -> str:
                return "".join(f"[{name}]" for name in css_files)

            def render_embed_css(self, css_embed: Any) -> bytes:
                return b"".join(css_embed)

        loader = DictLoader({"page.html": "<head></head>{% module Other() %}"})
        app = app_of(Handler, template_loader=loader, ui_modules={"Other": Other})
        self.assertEqual(request(app).text, "<head>[/c.css][/a.css]\nb {}\n</head>other")

    def test_what_modules_know(self) -> None:
        """A module knows its handler, request, user and locale, and renders templates."""

        class Knows(UIModule):
            def render(self) -> bytes:
                return self.render_string(
                    "m.html",
                    all=[
                        self.handler.request is self.request,
                        self.current_user,
                        self.locale.code,
                        self.ui.shout("x"),
                    ],
                )

        body = page(
            "{% module Knows() %}",
            {"m.html": "{{ all }}"},
            ui_modules={"Knows": Knows},
            ui_methods={"shout": lambda handler, word: word.upper()},
        ).text
        self.assertEqual(
            body, "[True, None, &#39;en_US&#39;, &#39;X&#39;]".replace("&#39;", "&#x27;")
        )

    def test_modules_not_used(self) -> None:
        """A module that is not on the page is never made."""

        class Never(UIModule):
            def __init__(self, handler: RequestHandler) -> None:
                raise AssertionError

        self.assertEqual(page("x", ui_modules={"Never": Never}).text, "x")


class TemplateModuleTests(SynchronousTestCase):
    """Templates as modules."""

    def test_resources(self) -> None:
        """``set_resources`` says once per template what to embed."""
        entry = (
            '{{ set_resources(embedded_css="p {}", javascript_files="/a.js", '
            'css_files=["/a.css"], html_head="<meta>") }}<p>{{ n }}</p>'
        )
        text = (
            "<head></head><body>{% for i in items %}"
            '{% module Template("entry.html", n=i) %}{% end %}</body>'
        )
        self.assertEqual(
            page(text, {"entry.html": entry}).text,
            '<head><link href="/a.css" type="text/css" rel="stylesheet"/>\n'
            '<style type="text/css">\np {}\n</style>\n<meta>\n</head><body>'
            '<p>1</p><p>2</p><script src="/a.js" type="text/javascript"></script>\n</body>',
        )

    def test_resources_must_agree(self) -> None:
        """Resources that depend on the arguments are an error."""
        entry = "{{ set_resources(embedded_css=str(n)) }}"
        text = '{% for i in items %}{% module Template("entry.html", n=i) %}{% end %}'
        with self.assertLogs("tornado.application") as logs:
            self.assertEqual(page(text, {"entry.html": entry}).code, 500)
        self.assertIn("different resources for the same template", logs.output[0])

    def test_namespace(self) -> None:
        """The template does not see the names of the page."""
        more = {"entry.html": "{{ 'items' in globals() or 'items' in locals() }}"}
        self.assertEqual(page('{% module Template("entry.html") %}', more).text, "False")


class NamespaceTests(SynchronousTestCase):
    """What templates see."""

    def test_documented_names(self) -> None:
        """Every name that chapter 1.5 of the 2.3 documentation lists is there."""
        names = [
            "escape",
            "xhtml_escape",
            "url_escape",
            "json_encode",
            "squeeze",
            "linkify",
            "datetime",
            "handler",
            "request",
            "current_user",
            "locale",
            "_",
            "static_url",
            "xsrf_form_html",
            "reverse_url",
        ]
        self.assertEqual(page("{{ [" + ",".join(names) + "] and 'all' }}").text, "all")

    def test_ui_methods(self) -> None:
        """UI methods get the handler as their first argument."""
        methods = {"where": lambda handler, x: f"{handler.request.path}{x}"}
        self.assertEqual(page("{{ where(1) }}", ui_methods=methods).text, "/1")

    def test_arguments_win(self) -> None:
        """An argument of ``render`` hides a name of the namespace."""

        class Handler(RequestHandler):
            def get(self) -> None:
                self.render("page.html", request="mine", modules="my own")

        loader = DictLoader({"page.html": "{{ request }} {{ modules }} {% module Other() %}"})
        app = app_of(Handler, template_loader=loader, ui_modules={"Other": Other})
        self.assertTrue(request(app).text.endswith("mine my own other"))

    def test_own_namespace(self) -> None:
        """A handler adds names."""

        class Handler(Page):
            def get_template_namespace(self) -> dict[str, Any]:
                return {**super().get_template_namespace(), "mine": 5}

        app = app_of(Handler, template_loader=DictLoader({"page.html": "{{ mine }}"}))
        self.assertEqual(request(app).text, "5")

    def test_forms(self) -> None:
        """``xsrf_form_html`` and ``linkify`` are modules, unescaped."""
        body = page('{% module xsrf_form_html() %}{% module linkify("www.a.b") %}').text
        self.assertRegex(body, '^<input type="hidden" name="_xsrf" value="2[^"]+"/><a href=')


class LoaderTests(SynchronousTestCase):
    """Where templates come from."""

    def setUp(self) -> None:
        RequestHandler._template_loaders.clear()
        self.addCleanup(RequestHandler._template_loaders.clear)
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.put("one")

    def put(self, text: str) -> None:
        with open(os.path.join(self.folder, "page.html"), "w") as file:
            file.write(text)

    def test_template_path(self) -> None:
        """The setting names the folder; escaping and white space can be set, too."""
        self.put("{{ '<' }}  x")
        app = app_of(
            Page, template_path=self.folder, autoescape=None, template_whitespace="oneline"
        )
        self.assertEqual(request(app).text, "< x")

    def test_beside_the_caller(self) -> None:
        """Without the setting templates lie beside the code that renders them."""
        path = os.path.join(os.path.dirname(__file__), "page_of_this_test.html")
        with open(path, "w") as file:
            file.write("beside")
        self.addCleanup(os.remove, path)

        class Handler(RequestHandler):
            def get(self) -> None:
                self.render("page_of_this_test.html")

        self.assertEqual(request(app_of(Handler)).text, "beside")

    def test_compiled_once(self) -> None:
        """Templates are read once, or for every request in debug mode."""
        kept = app_of(Page, template_path=self.folder)
        fresh = app_of(Page, template_path=self.folder, debug=True, autoreload=False)
        self.assertEqual(request(kept).text, "one")
        self.put("two")
        self.assertEqual(request(kept).text, "one")
        self.assertEqual(request(fresh).text, "two")

    def test_own_loader(self) -> None:
        """A handler makes its loader itself, once per path."""
        made: list[str] = []

        class Handler(Page):
            def create_template_loader(self, template_path: str) -> Any:
                made.append(template_path)
                return Loader(template_path)

        app = app_of(Handler, template_path=self.folder)
        for _ in range(2):
            self.assertEqual(request(app).text, "one")
        self.assertEqual(made, [self.folder])

    def test_loaders_of_two_applications(self) -> None:
        """The loader of one application is not used by another in the process."""
        apps = [
            app_of(Page, template_loader=DictLoader({"page.html": text}), template_path="x")
            for text in ("first", "second")
        ]
        self.assertEqual([request(app).text for app in apps], ["first", "second"])


class GZipTests(ReactorTestCase):
    """`GZipContentEncoding`."""

    LONG = "x" * GZipContentEncoding.MIN_LENGTH

    def answer(self, function: Any, **headers: str) -> Exchange:
        app = app_of(type("H", (RequestHandler,), {"get": function}), compress_response=True)
        return request(app, headers={"Accept-Encoding": "gzip", **headers})

    async def test_whole(self) -> None:
        """A long text is compressed, and its length is the compressed one."""
        exchange = self.answer(lambda self: self.write(GZipTests.LONG))
        self.assertEqual(gzip.decompress(exchange.body).decode(), self.LONG)
        self.assertEqual(exchange.headers["Content-Length"], str(len(exchange.body)))
        self.assertEqual(exchange.headers["Vary"], "Accept-Encoding")

    async def test_pieces(self) -> None:
        """A flushed response is compressed piece by piece, so that each can be read at once."""

        async def get(self: RequestHandler) -> None:
            self.write("a")
            await self.flush()
            self.write("b")

        exchange = await self.answer(get).done()
        self.assertEqual(gzip.decompress(exchange.body), b"ab")
        self.assertTrue(len(exchange.chunks) > 1)
        self.assertNotIn("Content-Length", exchange.headers)

    async def test_left_alone(self) -> None:
        """What is short, not text, coded already, or not wanted so stays as it is."""

        def image(self: RequestHandler) -> None:
            self.set_header("Content-Type", "image/png")
            self.write(GZipTests.LONG)

        def coded(self: RequestHandler) -> None:
            self.set_header("Content-Encoding", "br")
            self.write(GZipTests.LONG)

        for function in (lambda self: self.write("short"), image, coded):
            self.assertNotEqual(self.answer(function).headers.get("Content-Encoding"), "gzip")
        plain = {"Accept-Encoding": "identity"}
        exchange = self.answer(lambda self: self.write(GZipTests.LONG), **plain)
        self.assertNotIn("Content-Encoding", exchange.headers)
        self.assertEqual(exchange.headers["Vary"], "Accept-Encoding")

    async def test_types(self) -> None:
        """All text is compressed, and some other types."""

        def json(self: RequestHandler) -> None:
            self.write({"x": GZipTests.LONG})

        self.assertEqual(self.answer(json).headers["Content-Encoding"], "gzip")

    async def test_vary_is_kept(self) -> None:
        """Other headers that the response varies with stay."""

        def get(self: RequestHandler) -> None:
            self.add_header("Vary", "Cookie")
            self.add_header("Vary", "Accept-Language")

        vary = self.answer(get).headers["Vary"]
        self.assertEqual(vary, "Cookie, Accept-Language, Accept-Encoding")
