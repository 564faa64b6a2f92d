"""Every example of chapter 1 ("Overview") of Tornado 2.3's documentation, as it stands there.

Only the name of the package differs. The snippets that are methods or statements are put
where the text around them says they belong. What an example needs but does not show (a
database, another server) is given to it by the test.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import os
import textwrap
import types
from typing import Any
from unittest import SkipTest

import txtornado.escape
import txtornado.httpclient
import txtornado.ioloop
import txtornado.locale
import txtornado.web
from txtornado.httputil import HTTPHeaders
from txtornado.ioloop import IOLoop
from txtornado.log import gen_log
from txtornado.netutil import bind_sockets
from txtornado.template import DictLoader
from txtornado.testing import ExpectLog, ReactorTestCase
from txtornado.util import ObjectDict
from txtornado.web import Application, RequestHandler

from .support import Exchange, request

SECRET = "61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo="


def run(source: str, **names: Any) -> ObjectDict:
    """Run an example as a module of its own, in which ``names`` and the package are known."""
    namespace: dict[str, Any] = {"__name__": "example", "txtornado": txtornado, "os": os, **names}
    namespace.setdefault("__file__", __file__)
    exec(compile(textwrap.dedent(source), "<example>", "exec"), namespace)
    return ObjectDict(namespace)


def cookie_of(exchange: Exchange) -> dict[str, str]:
    return {"Cookie": exchange.cookies[0].partition(";")[0]}


HELLO = """
import txtornado.ioloop
import txtornado.web

class MainHandler(txtornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")

application = txtornado.web.Application([
    (r"/", MainHandler),
])

if __name__ == "__main__":
    application.listen(8888)
    txtornado.ioloop.IOLoop.instance().start()
"""


class HelloTests(ReactorTestCase):
    """The canonical example, and 1.1: request handlers and request arguments."""

    async def test_hello(self) -> None:
        """The application answers; its main program starts server and loop."""
        application = run(HELLO).application
        self.assertEqual(request(application).text, "Hello, world")
        done: list[Any] = []
        self.patch(Application, "listen", lambda self, port: done.append(port))
        self.patch(IOLoop, "start", lambda self: done.append("started"))
        run(HELLO, __name__="__main__")
        self.assertEqual(done, [8888, "started"])

    async def test_hello_of_later_documentation(self) -> None:
        """The same in the words of Tornado 5 and 6: a function that makes it, and asyncio."""
        example = """
            import asyncio
            import txtornado.ioloop
            import txtornado.web

            class MainHandler(txtornado.web.RequestHandler):
                def get(self):
                    self.write("Hello, world")

            def make_app():
                return txtornado.web.Application([
                    (r"/", MainHandler),
                ])

            async def main():
                app = make_app()
                app.listen(8888)
                await asyncio.Event().wait()

            if __name__ == "__main__":
                app = make_app()
                app.listen(8888)
                txtornado.ioloop.IOLoop.current().start()
            """
        done: list[Any] = []
        self.patch(Application, "listen", lambda self, port: done.append(port))
        self.patch(IOLoop, "start", lambda self: done.append("started"))
        namespace = run(example, __name__="__main__")
        self.assertEqual(request(namespace.app).text, "Hello, world")
        serving = asyncio.ensure_future(namespace.main())
        await asyncio.sleep(0)
        self.assertEqual(done, [8888, "started", 8888])
        serving.cancel()

    async def test_story(self) -> None:
        """Groups of the pattern are arguments of the method."""
        example = run("""
            class MainHandler(txtornado.web.RequestHandler):
                def get(self):
                    self.write("You requested the main page")

            class StoryHandler(txtornado.web.RequestHandler):
                def get(self, story_id):
                    self.write("You requested the story " + story_id)

            application = txtornado.web.Application([
                (r"/", MainHandler),
                (r"/story/([0-9]+)", StoryHandler),
            ])
            """)
        self.assertEqual(request(example.application).text, "You requested the main page")
        story = request(example.application, "/story/42")
        self.assertEqual(story.text, "You requested the story 42")
        self.assertEqual(request(example.application, "/story/x").code, 404)

    async def test_form(self) -> None:
        """``get_argument`` reads the form."""
        example = run("""
            class MyFormHandler(txtornado.web.RequestHandler):
                def get(self):
                    self.write('<html><body><form action="/myform" method="post">'
                               '<input type="text" name="message">'
                               '<input type="submit" value="Submit">'
                               '</form></body></html>')

                def post(self):
                    self.set_header("Content-Type", "text/plain")
                    self.write("You wrote " + self.get_argument("message"))
            """)
        app = Application([("/myform", example.MyFormHandler)])
        self.assertIn('name="message"', request(app, "/myform").text)
        answer = request(app, "/myform", "POST", body={"message": "hällo & so"})
        self.assertEqual(answer.text, "You wrote hällo & so")
        self.assertEqual(answer.headers["Content-Type"], "text/plain")

    async def test_error(self) -> None:
        """`HTTPError` sends an error response."""
        example = run("""
            class Handler(txtornado.web.RequestHandler):
                def user_is_logged_in(self):
                    return False

                def get(self):
                    if not self.user_is_logged_in():
                        raise txtornado.web.HTTPError(403)
            """)
        self.assertEqual(request(Application([("/", example.Handler)])).code, 403)


class OverridingTests(ReactorTestCase):
    """1.2: overriding methods; 1.4: redirection."""

    async def test_initialize(self) -> None:
        """``initialize`` gets the arguments of the route."""
        example = run(
            """
            class ProfileHandler(RequestHandler):
                def initialize(self, database):
                    self.database = database

                def get(self, username):
                    ...

            app = Application([
                (r'/user/(.*)', ProfileHandler, dict(database=database)),
            ])
            """,
            RequestHandler=RequestHandler,
            Application=Application,
            database={"ann": "Ann"},
        )
        self.assertEqual(request(example.app, "/user/ann").code, 200)
        handler = example.app.wildcard_router.rules[0].target_kwargs
        self.assertEqual(handler, {"database": {"ann": "Ann"}})

    async def test_redirect(self) -> None:
        """``redirect`` with ``permanent`` is a 301."""
        example = run("""
            class Handler(txtornado.web.RequestHandler):
                def get(self):
                    self.redirect('/some-canonical-page', permanent=True)
            """)
        exchange = request(Application([("/", example.Handler)]))
        self.assertEqual(exchange.code, 301)
        self.assertEqual(exchange.headers["Location"], "/some-canonical-page")

    async def test_redirect_handler(self) -> None:
        """`RedirectHandler` in applications under WSGI."""
        example = run(
            """
            import txtornado.wsgi

            application = txtornado.wsgi.WSGIApplication([
                (r"/([a-z]*)", ContentHandler),
                (r"/static/tornado-0.2.tar.gz", txtornado.web.RedirectHandler,
                 dict(url="http://github.com/downloads/facebook/tornado/tornado-0.2.tar.gz")),
            ], **settings)

            second = txtornado.wsgi.WSGIApplication([
                (r"/foo", txtornado.web.RedirectHandler, {"url":"/bar", "permanent":False}),
            ], **settings)
            """,
            ContentHandler=RequestHandler,
            settings={},
        )
        status, headers, _ = wsgi(example.application, "/static/tornado-0.2.tar.gz")
        self.assertEqual(status.split()[0], "301")
        self.assertTrue(headers["Location"].endswith("/tornado/tornado-0.2.tar.gz"))
        status, headers, _ = wsgi(example.second, "/foo")
        self.assertEqual((status.split()[0], headers["Location"]), ("302", "/bar"))


def wsgi(application: Any, path: str) -> tuple[str, HTTPHeaders, bytes]:
    """Call a WSGI application."""
    answer: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        answer.extend((status, HTTPHeaders(headers)))

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "example.com",
        "SERVER_PORT": "80",
        "HTTP_HOST": "example.com",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
    body = b"".join(application(environ, start_response))
    return answer[0], answer[1], body


class TemplateTests(ReactorTestCase):
    """1.5: templates."""

    async def test_template(self) -> None:
        """The template of the text, rendered by the handler of the text."""
        template = (
            "<html>\n<head>\n<title>{{ title }}</title>\n</head>\n<body>\n<ul>\n"
            "{% for item in items %}\n<li>{{ escape(item) }}</li>\n{% end %}\n"
            "</ul>\n</body>\n</html>"
        )
        example = run("""
            class MainHandler(txtornado.web.RequestHandler):
                def get(self):
                    items = ["Item 1", "Item 2", "Item 3"]
                    self.render("template.html", title="My title", items=items)
            """)
        loader = DictLoader({"template.html": template})
        text = request(Application([("/", example.MainHandler)], template_loader=loader)).text
        self.assertIn("<title>My title</title>", text)
        self.assertEqual(text.count("<li>Item "), 3)

    async def test_own_functions(self) -> None:
        """Functions are passed to templates as arguments (Tornado 0.2's documentation)."""
        example = run("""
            class MainHandler(txtornado.web.RequestHandler):
                def get(self):
                    self.render("template.html", add=self.add)

                def add(self, x, y):
                    return x + y
            """)
        loader = DictLoader({"template.html": "{{ add(1, 2) }}"})
        app = Application([("/", example.MainHandler)], template_loader=loader)
        self.assertEqual(request(app).text, "3")


class CookieTests(ReactorTestCase):
    """1.6: cookies and secure cookies."""

    def check(self, application: Application) -> None:
        first = request(application)
        self.assertEqual(first.text, "Your cookie was not set yet!")
        second = request(application, headers=cookie_of(first))
        self.assertEqual(second.text, "Your cookie was set!")

    async def test_cookie(self) -> None:
        """A cookie that was set comes back."""
        example = run("""
            class MainHandler(txtornado.web.RequestHandler):
                def get(self):
                    if not self.get_cookie("mycookie"):
                        self.set_cookie("mycookie", "myvalue")
                        self.write("Your cookie was not set yet!")
                    else:
                        self.write("Your cookie was set!")
            """)
        self.check(Application([("/", example.MainHandler)]))

    async def test_secure_cookie(self) -> None:
        """So does a signed one, and a forged one does not."""
        example = run("""
            class MainHandler(txtornado.web.RequestHandler):
                def get(self):
                    if not self.get_secure_cookie("mycookie"):
                        self.set_secure_cookie("mycookie", "myvalue")
                        self.write("Your cookie was not set yet!")
                    else:
                        self.write("Your cookie was set!")

            application = txtornado.web.Application([
                (r"/", MainHandler),
            ], cookie_secret="61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=")
            """)
        self.check(example.application)
        forged = request(example.application, headers={"Cookie": "mycookie=myvalue"})
        self.assertEqual(forged.text, "Your cookie was not set yet!")


LOGIN = """
class BaseHandler(txtornado.web.RequestHandler):
    def get_current_user(self):
        return self.get_secure_cookie("user")

class MainHandler(BaseHandler):
    def get(self):
        if not self.current_user:
            self.redirect("/login")
            return
        name = txtornado.escape.xhtml_escape(self.current_user)
        self.write("Hello, " + name)

class LoginHandler(BaseHandler):
    def get(self):
        self.write('<html><body><form action="/login" method="post">'
                   'Name: <input type="text" name="name">'
                   '<input type="submit" value="Sign in">'
                   '</form></body></html>')

    def post(self):
        self.set_secure_cookie("user", self.get_argument("name"))
        self.redirect("/")

application = txtornado.web.Application([
    (r"/", MainHandler),
    (r"/login", LoginHandler),
], cookie_secret="61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=")
"""


class LoginTests(ReactorTestCase):
    """1.7: user authentication."""

    def check(self, application: Application, login: str) -> None:
        self.assertEqual(request(application).headers["Location"], login)
        self.assertIn('name="name"', request(application, "/login").text)
        answer = request(application, "/login", "POST", body={"name": "<Ann>"})
        self.assertEqual((answer.code, answer.headers["Location"]), (302, "/"))
        welcome = request(application, headers=cookie_of(answer))
        self.assertEqual(welcome.text, "Hello, &lt;Ann&gt;")

    async def test_login(self) -> None:
        """A visitor logs in with a name and is greeted by it."""
        self.check(run(LOGIN).application, "/login")

    async def test_authenticated(self) -> None:
        """The same with the decorator, which tells the login page the way back."""
        example = run(
            LOGIN
            + textwrap.dedent("""
            class MainHandler(BaseHandler):
                @txtornado.web.authenticated
                def get(self):
                    name = txtornado.escape.xhtml_escape(self.current_user)
                    self.write("Hello, " + name)

            settings = {
                "cookie_secret": "61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=",
                "login_url": "/login",
            }
            application = txtornado.web.Application([
                (r"/", MainHandler),
                (r"/login", LoginHandler),
            ], **settings)
            """)
        )
        self.check(example.application, "/login?next=%2F")

    async def test_xsrf(self) -> None:
        """1.8: with ``xsrf_cookies`` a form must hold the token, as this template makes it."""

        class Message(RequestHandler):
            def get(self) -> None:
                self.render("form.html")

            def post(self) -> None:
                self.write(self.get_argument("message"))

        example = run(
            """
            settings = {
                "cookie_secret": "61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=",
                "login_url": "/login",
                "xsrf_cookies": True,
            }
            application = txtornado.web.Application([
                (r"/", MainHandler),
                (r"/login", LoginHandler),
            ], **settings)
            """,
            MainHandler=Message,
            LoginHandler=Message,
        )
        form = """<form action="/new_message" method="post">
            {% module xsrf_form_html() %}
            <input type="text" name="message"/>
            <input type="submit" value="Post"/>
            </form>"""
        app = example.application
        app.settings["template_loader"] = DictLoader({"form.html": form})
        page = request(app)
        token = page.text.split('name="_xsrf" value="')[1].split('"')[0]
        fields = {"message": "hello", "_xsrf": token}
        self.assertEqual(request(app, "/", "POST", cookie_of(page), fields).text, "hello")
        with ExpectLog(gen_log, ".*_xsrf"):
            self.assertEqual(request(app, "/", "POST", body={"message": "hello"}).code, 403)


class StaticTests(ReactorTestCase):
    """1.9: static files and aggressive file caching."""

    async def test_static(self) -> None:
        """Files are served from the folder beside the program, under versioned URLs."""
        folder = self.mktemp()
        os.makedirs(os.path.join(folder, "static", "images"))
        for name in ("apple-touch-icon.png", "robots.txt", "images/logo.png"):
            with open(os.path.join(folder, "static", name), "w") as file:
                file.write(name)

        class Main(RequestHandler):
            def get(self) -> None:
                self.render("page.html")

        example = run(
            """
            settings = {
                "static_path": os.path.join(os.path.dirname(__file__), "static"),
                "cookie_secret": "61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=",
                "login_url": "/login",
                "xsrf_cookies": True,
            }
            application = txtornado.web.Application([
                (r"/", MainHandler),
                (r"/login", LoginHandler),
                (r"/(apple-touch-icon\\.png)", txtornado.web.StaticFileHandler,
                 dict(path=settings['static_path'])),
            ], **settings)
            """,
            MainHandler=Main,
            LoginHandler=Main,
            __file__=os.path.join(folder, "main.py"),
        )
        page = (
            '<html>\n<head>\n<title>FriendFeed - {{ _("Home") }}</title>\n</head>\n<body>\n'
            '<div><img src="{{ static_url("images/logo.png") }}"/></div>\n</body>\n</html>'
        )
        app = example.application
        app.settings["template_loader"] = DictLoader({"page.html": page})
        text = request(app).text
        self.assertIn("<title>FriendFeed - Home</title>", text)
        address = text.split('src="')[1].split('"')[0]
        self.assertRegex(address, r"^/static/images/logo\.png\?v=[0-9a-f]+$")
        logo = await request(app, address).done()
        self.assertEqual(logo.text, "images/logo.png")
        self.assertIn("max-age=", logo.headers["Cache-Control"])
        for path in ("/apple-touch-icon.png", "/robots.txt"):
            self.assertEqual((await request(app, path).done()).text, path[1:])


SIGN_IN = """<html>
<head>
<title>FriendFeed - {{ _("Sign in") }}</title>
</head>
<body>
<form action="{{ request.path }}" method="post">
<div>{{ _("Username") }} <input type="text" name="username"/></div>
<div>{{ _("Password") }} <input type="password" name="password"/></div>
<div><input type="submit" value="{{ _("Sign in") }}"/></div>
{% module xsrf_form_html() %}
</form>
</body>
</html>"""


class LocaleTests(ReactorTestCase):
    """1.10: localization."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.makedirs(os.path.join(self.folder, "translations"))
        path = os.path.join(self.folder, "translations", "es_GT.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                '"Sign in","Entrar"\n"Username","Usuario"\n'
                '"A person liked this","A una persona le gustó esto","singular"\n'
                '"%(num)d people liked this","A %(num)d personas les gustó esto","plural"\n'
            )
        started: list[bool] = []
        example = run(
            """
            def main():
                txtornado.locale.load_translations(
                    os.path.join(os.path.dirname(__file__), "translations"))
                start_server()
            """,
            start_server=lambda: started.append(True),
            __file__=os.path.join(self.folder, "main.py"),
        )
        example.main()
        self.assertEqual(started, [True])
        empty = os.path.join(self.folder, "none")
        os.mkdir(empty)
        self.addCleanup(txtornado.locale.load_translations, empty)

    def answer(self, handler: type[RequestHandler], template: str, **headers: str) -> str:
        loader = DictLoader({"page.html": template})
        app = Application([("/", handler)], template_loader=loader, cookie_secret=SECRET)
        return request(app, headers=headers).text

    class Page(RequestHandler):
        def get(self) -> None:
            self.render("page.html", people=["a"] * int(self.request.headers.get("X-People", 0)))

    async def test_page(self) -> None:
        """The page speaks the browser's language, the closest that there is."""
        text = self.answer(self.Page, SIGN_IN, **{"Accept-Language": "es-GT,en;q=0.5"})
        self.assertIn("<title>FriendFeed - Entrar</title>", text)
        self.assertIn("Usuario", text)
        self.assertIn("FriendFeed - Sign in", self.answer(self.Page, SIGN_IN))
        self.assertIn("es_GT", txtornado.locale.get_supported_locales())

    async def test_plural(self) -> None:
        """Both forms of ``_``, the second by the number."""
        template = (
            '{{ _("Translate this string") }}: {{ _("A person liked this", '
            '"%(num)d people liked this", len(people)) % {"num": len(people)} }}'
        )
        spanish = {"Accept-Language": "es-GT"}
        one = self.answer(self.Page, template, **spanish, **{"X-People": "1"})
        self.assertEqual(one, "Translate this string: A una persona le gustó esto")
        two = self.answer(self.Page, template, **{"X-People": "2"})
        self.assertEqual(two, "Translate this string: 2 people liked this")

    async def test_user_locale(self) -> None:
        """The user's preference goes before the browser's language."""
        example = run("""
            class BaseHandler(txtornado.web.RequestHandler):
                def get_current_user(self):
                    user_id = self.get_secure_cookie("user")
                    if not user_id: return None
                    return self.backend.get_user_by_id(user_id)

                def get_user_locale(self):
                    if "locale" not in self.current_user.prefs:
                        # Use the Accept-Language header
                        return None
                    return self.current_user.prefs["locale"]
            """)
        spanish = txtornado.locale.get("es_GT")
        users = {
            b"1": ObjectDict(prefs={"locale": spanish}),
            b"2": ObjectDict(prefs={}),
        }

        class Handler(example.BaseHandler):  # type: ignore[name-defined,misc]
            backend = types.SimpleNamespace(get_user_by_id=users.get)

            def get(self) -> None:
                self.write(self.locale.code)

        for user, code in (("1", "es_GT"), ("2", "en_US")):
            value = txtornado.web.create_signed_value(SECRET, "user", user).decode()
            headers = {"Cookie": f"user={value}", "Accept-Language": "en"}
            self.assertEqual(self.answer(Handler, "", **headers), code)


class UIModuleTests(ReactorTestCase):
    """1.11: UI modules."""

    MODULES = """
        class Entry(txtornado.web.UIModule):
            def render(self, entry, show_comments=False):
                return self.render_string(
                    "module-entry.html", entry=entry, show_comments=show_comments)
        """
    STYLED = """
        class Entry(txtornado.web.UIModule):
            def embedded_css(self):
                return ".entry { margin-bottom: 1em; }"

            def render(self, entry, show_comments=False):
                return self.render_string(
                    "module-entry.html", show_comments=show_comments)
        """
    APPLICATION = """
        class HomeHandler(txtornado.web.RequestHandler):
            def get(self):
                entries = self.db.query("SELECT * FROM entries ORDER BY date DESC")
                self.render("home.html", entries=entries)

        class EntryHandler(txtornado.web.RequestHandler):
            def get(self, entry_id):
                entry = self.db.get("SELECT * FROM entries WHERE id = %s", entry_id)
                if not entry: raise txtornado.web.HTTPError(404)
                self.render("entry.html", entry=entry)

        settings = {
            "ui_modules": uimodules,
        }
        application = txtornado.web.Application([
            (r"/", HomeHandler),
            (r"/entry/([0-9]+)", EntryHandler),
        ], **settings)
        """
    ENTRIES = {"1": "first", "2": "second"}

    def application(self, modules: str, templates: dict[str, str]) -> Application:
        uimodules = types.ModuleType("uimodules")
        vars(uimodules).update(run(modules))
        example = run(self.APPLICATION, uimodules=uimodules)
        database = types.SimpleNamespace(
            query=lambda sql: list(self.ENTRIES.values()),
            get=lambda sql, entry_id: self.ENTRIES.get(entry_id),
        )
        example.HomeHandler.db = example.EntryHandler.db = database
        application: Application = example.application
        application.settings["template_loader"] = DictLoader(templates)
        return application

    def check(self, home: str, entry: str) -> None:
        module = "<p>{{ entry }}{% if show_comments %} with comments{% end %}</p>"
        app = self.application(
            self.MODULES, {"home.html": home, "entry.html": entry, "module-entry.html": module}
        )
        self.assertEqual("".join(request(app).text.split()), "<p>first</p><p>second</p>")
        self.assertEqual(request(app, "/entry/1").text, "<p>first with comments</p>")
        self.assertEqual(request(app, "/entry/9").code, 404)

    async def test_entry(self) -> None:
        """The module renders entries on both pages."""
        self.check(
            "{% for entry in entries %}\n{% module Entry(entry) %}\n{% end %}",
            "{% module Entry(entry, show_comments=True) %}",
        )

    async def test_entry_of_0_2(self) -> None:
        """The same in the words of Tornado 0.2, whose templates did not escape."""
        self.check(
            "{% autoescape None %}{% for entry in entries %}\n"
            "  {{ modules.Entry(entry) }}\n{% end %}",
            "{% autoescape None %}{{ modules.Entry(entry, show_comments=True) }}",
        )

    async def test_css(self) -> None:
        """The module's CSS is in the head once, however often the module is used."""
        app = self.application(
            self.STYLED,
            {
                "home.html": "<html><head></head><body>{% for entry in entries %}"
                "{% module Entry(entry) %}{% end %}</body></html>",
                "module-entry.html": "<p>{{ show_comments }}</p>",
            },
        )
        text = request(app).text
        head = text.partition("</head>")[0]
        self.assertEqual(head.count(".entry { margin-bottom: 1em; }"), 1)
        self.assertEqual(text.count("<p>False</p>"), 2)

    async def test_template_module(self) -> None:
        """A template is a module of its own, and names its CSS itself."""
        app = self.application(
            "",
            {
                "home.html": "<html><head></head><body>"
                '{% module Template("module-entry.html", show_comments=True) %}</body></html>',
                "module-entry.html": "{{ set_resources(embedded_css="
                '".entry { margin-bottom: 1em; }") }}\n<!-- more template html... -->',
            },
        )
        text = request(app).text
        self.assertIn(".entry { margin-bottom: 1em; }", text.partition("</head>")[0])
        self.assertIn("<!-- more template html... -->", text.partition("<body>")[2])


class FeedClient(txtornado.httpclient.AsyncHTTPClient):
    """Stands for a server that nobody can reach any more."""

    fetched: list[str] = []

    def fetch_impl(self, request: Any, callback: Any) -> None:
        self.fetched.append(request.url)
        body = io.BytesIO(b'{"entries": [1, 2, 3]}')
        response = txtornado.httpclient.HTTPResponse(request, 200, buffer=body)
        IOLoop.current().add_callback(callback, response)


class AsynchronousTests(ReactorTestCase):
    """1.12: non-blocking requests; 1.13: HTTP clients; 1.14: third party authentication."""

    async def test_asynchronous(self) -> None:
        """An asynchronous method finishes itself."""
        example = run("""
            class MainHandler(txtornado.web.RequestHandler):
                @txtornado.web.asynchronous
                def get(self):
                    self.write("Hello, world")
                    self.finish()
            """)
        exchange = request(Application([("/", example.MainHandler)]))
        self.assertEqual(exchange.text, "Hello, world")

    async def test_fetch(self) -> None:
        """A handler fetches something and answers when it is there."""
        example = run("""
            class MainHandler(txtornado.web.RequestHandler):
                @txtornado.web.asynchronous
                def get(self):
                    http = txtornado.httpclient.AsyncHTTPClient()
                    http.fetch("http://friendfeed-api.com/v2/feed/bret",
                               callback=self.on_response)

                def on_response(self, response):
                    if response.error: raise txtornado.web.HTTPError(500)
                    json = txtornado.escape.json_decode(response.body)
                    self.write("Fetched " + str(len(json["entries"])) + " entries "
                               "from the FriendFeed API")
                    self.finish()
            """)
        client = txtornado.httpclient.AsyncHTTPClient
        saved = client._save_configuration()
        self.addCleanup(client._restore_configuration, saved)
        client.configure(FeedClient)
        exchange = await request(Application([("/", example.MainHandler)])).done()
        self.assertEqual(exchange.text, "Fetched 3 entries from the FriendFeed API")
        self.assertEqual(FeedClient.fetched, ["http://friendfeed-api.com/v2/feed/bret"])
        await asyncio.sleep(0)

    async def test_configure(self) -> None:
        """The client's implementation is chosen by its name."""
        client = txtornado.httpclient.AsyncHTTPClient
        saved = client._save_configuration()
        self.addCleanup(client._restore_configuration, saved)
        run(
            "AsyncHTTPClient.configure('txtornado.simple_httpclient.SimpleAsyncHTTPClient')",
            AsyncHTTPClient=client,
        )
        from txtornado.simple_httpclient import SimpleAsyncHTTPClient

        self.assertIs(client.configured_class(), SimpleAsyncHTTPClient)

    async def test_google(self) -> None:
        """A handler that logs users in with Google sends them there first."""
        if importlib.util.find_spec("txtornado.auth") is None:
            raise SkipTest("txtornado.auth is not installed")
        example = run("""
            import txtornado.auth

            class GoogleHandler(txtornado.web.RequestHandler, txtornado.auth.GoogleMixin):
                @txtornado.web.asynchronous
                def get(self):
                    if self.get_argument("openid.mode", None):
                        self.get_authenticated_user(self._on_auth)
                        return
                    self.authenticate_redirect()

                def _on_auth(self, user):
                    if not user:
                        self.authenticate_redirect()
                        return
                    # Save the user with, e.g., set_secure_cookie()
            """)
        exchange = request(Application([("/", example.GoogleHandler)]))
        self.assertEqual(exchange.code, 302)
        self.assertIn("google.com/", exchange.headers["Location"])
        self.assertIn("openid.mode=checkid_setup", exchange.headers["Location"])


class DeploymentTests(ReactorTestCase):
    """1.15 to 1.17: debug mode, production, WSGI."""

    async def test_xheaders(self) -> None:
        """Behind a balancer the server takes the client's address from its headers."""
        from txtornado.httpserver import HTTPServer

        class Handler(RequestHandler):
            def get(self) -> None:
                self.write(f"{self.request.remote_ip} {self.request.protocol}")

        server = HTTPServer(Application([("/", Handler)]), xheaders=True)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        self.addCleanup(server.stop)
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname()[:2])
        writer.write(
            b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n"
            b"X-Real-IP: 192.0.2.7\r\nX-Scheme: https\r\n\r\n"
        )
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        self.assertTrue(answer.endswith(b"\r\n\r\n192.0.2.7 https"))

    async def test_wsgi(self) -> None:
        """An application runs under the handlers of the standard library."""
        ran: list[Any] = []
        import wsgiref.handlers

        class Handler:
            def run(self, application: Any) -> None:
                ran.append(application)

        self.patch(wsgiref.handlers, "CGIHandler", Handler)
        run(
            """
            import txtornado.web
            import txtornado.wsgi
            import wsgiref.handlers

            class MainHandler(txtornado.web.RequestHandler):
                def get(self):
                    self.write("Hello, world")

            if __name__ == "__main__":
                application = txtornado.wsgi.WSGIApplication([
                    (r"/", MainHandler),
                ])
                wsgiref.handlers.CGIHandler().run(application)
            """,
            __name__="__main__",
        )
        status, _, body = wsgi(ran[0], "/")
        self.assertEqual((status.split()[0], body), ("200", b"Hello, world"))
