"""Pages of `txtornado.web` in a real browser: forms, UI modules, a login, languages."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from tests.browser.support import BrowserTestCase, Visitor
from txtornado import demo, locale
from txtornado.locale import Locale
from txtornado.template import DictLoader
from txtornado.web import Application, RequestHandler, UIModule, authenticated

WICKED = """<b id="wicked">Tom & "Jerry's"</b> \u00e9\u4f60"""


class ForgedFormHandler(RequestHandler):
    """A page of somebody else's that sends a form to the demonstration."""

    def get(self) -> None:
        self.write(
            f'<!DOCTYPE html><form method="post" action="{self.get_argument("to")}">'
            '<input name="message" value="forged"></form>'
        )


class FormTests(BrowserTestCase):
    """The demonstration's form, which is protected by XSRF tokens."""

    def get_app(self) -> Application:
        application = demo.make_app()
        application.add_handlers("localhost", [("/forged", ForgedFormHandler)])
        return application

    def test_form(self) -> None:
        """What was typed comes back as text, whatever characters it has."""

        def steps(visitor: Visitor) -> None:
            visitor.open("/form")
            visitor.fill_in(message=WICKED)
            self.assertEqual(visitor.see("message"), WICKED)
            self.assertEqual(visitor.status(), 200)
            self.assertIsNone(visitor.run("return document.getElementById('wicked')"))
            visitor.fill_in(message="once more")  # with the new page's token
            self.assertEqual(visitor.see("message"), "once more")

        self.visit(steps)

    def test_lost_cookie(self) -> None:
        """A form is refused when the browser has no cookie for its token any more."""

        def steps(visitor: Visitor) -> None:
            visitor.open("/form")
            visitor.browser.delete_all_cookies()
            visitor.fill_in(message="hello")
            self.assertEqual(visitor.status(), 403)

        self.visit(steps)

    def test_forged(self) -> None:
        """A form that another site's page sends is refused, though the cookie goes with it."""

        def steps(visitor: Visitor) -> None:
            visitor.open("/form")
            self.assertIsNotNone(visitor.browser.get_cookie("_xsrf"))
            port = self.get_http_port()
            visitor.open(f"http://localhost:{port}/forged?to={visitor.origin}/form")
            visitor.send()
            self.assertEqual(visitor.browser.current_url, f"{visitor.origin}/form")
            self.assertEqual(visitor.status(), 403)

        self.visit(steps)


class Badge(UIModule):
    """Brings its style and its behaviour with it."""

    def render(self, name: str) -> str:
        return self.render_string("badge.html", name=name)

    def embedded_css(self) -> str:
        return ".badge { color: rgb(1, 2, 3) }"

    def css_files(self) -> str:
        return "/badge.css"

    def javascript_files(self) -> list[str]:
        return ["/badge.js"]

    def embedded_javascript(self) -> str:
        return (
            "for (const badge of document.querySelectorAll('.badge'))"
            " badge.textContent = decorate(badge.textContent);"
        )

    def html_head(self) -> str:
        return '<meta name="badges" content="here">'

    def html_body(self) -> str:
        return '<p id="last">The end</p>'


MODULES = {
    "page.html": (
        "<!DOCTYPE html><html><head><title>Modules</title></head><body>"
        "{% for name in names %}{% module Badge(name) %}{% end %}"
        '{% module Template("note.html", text=names[0]) %}</body></html>'
    ),
    "badge.html": '<span class="badge" id="{{ name }}">{{ name }} & co</span>',
    "note.html": (
        '{{ set_resources(embedded_css="#note { font-weight: 900 }") }}<p id="note">{{ text }}</p>'
    ),
}


class ModulesHandler(RequestHandler):
    """A page of modules."""

    def get(self) -> None:
        self.render("page.html", names=["ada", "grace"])


class FileHandler(RequestHandler):
    """The files that the modules name."""

    FILES = {
        "js": ("text/javascript", "function decorate(text) { return '* ' + text; }"),
        "css": ("text/css", ".badge { background-color: rgb(4, 5, 6) }"),
    }

    def get(self, kind: str) -> None:
        content_type, content = self.FILES[kind]
        self.set_header("Content-Type", content_type)
        self.write(content)


class ModuleTests(BrowserTestCase):
    """A page put together from UI modules."""

    def get_app(self) -> Application:
        return Application(
            [("/", ModulesHandler), (r"/badge\.(js|css)", FileHandler)],
            template_loader=DictLoader(MODULES),
            ui_modules={"Badge": Badge},
        )

    def test_resources(self) -> None:
        """Styles apply, and scripts have run, the files' before the embedded, each one once."""

        def steps(visitor: Visitor) -> None:
            visitor.open("/")
            for name in ("ada", "grace"):
                self.assertEqual(visitor.see(name), f"* {name} & co")
                self.assertEqual(visitor.style(name, "color"), "rgba(1, 2, 3, 1)")
                self.assertEqual(visitor.style(name, "background-color"), "rgba(4, 5, 6, 1)")
            self.assertEqual(visitor.see("note"), "ada")
            self.assertEqual(visitor.style("note", "font-weight"), "900")
            self.assertEqual(visitor.see("last"), "The end")
            count = "return document.head.querySelectorAll('meta[name=badges]').length"
            self.assertEqual(visitor.run(count), 1)
            files = (
                "return [document.styleSheets.length, document.querySelectorAll('[src]').length]"
            )
            self.assertEqual(visitor.run(files), [2, 1])

        self.visit(steps)


class UserHandler(RequestHandler):
    """Knows its user by a signed cookie."""

    def get_current_user(self) -> str | None:
        user = self.get_signed_cookie("user")
        return None if user is None else user.decode()


class PrivateHandler(UserHandler):
    """For users only."""

    @authenticated
    def get(self) -> None:
        self.render("private.html")


class LoginHandler(UserHandler):
    """Asks for a name, and believes it."""

    def get(self) -> None:
        self.render("login.html")

    def post(self) -> None:
        self.set_signed_cookie("user", self.get_argument("name"), httponly=True, samesite="Lax")
        self.redirect(self.get_argument("next", "/"))


class LogoutHandler(UserHandler):
    """Forgets the user."""

    def post(self) -> None:
        self.clear_cookie("user")
        self.redirect("/login")


LOGIN = {
    "login.html": (
        '<!DOCTYPE html><p id="login">Who are you?</p><form method="post">'
        '{% module xsrf_form_html() %}<input name="name"></form>'
    ),
    "private.html": (
        '<!DOCTYPE html><p id="user">{{ current_user }}</p>'
        '<form method="post" action="/logout">{% module xsrf_form_html() %}</form>'
    ),
}


class LoginTests(BrowserTestCase):
    """A login, and what the browser keeps of it."""

    def get_app(self) -> Application:
        return Application(
            [("/private", PrivateHandler), ("/login", LoginHandler), ("/logout", LogoutHandler)],
            template_loader=DictLoader(LOGIN),
            cookie_secret="a secret of the test's",
            login_url="/login",
            xsrf_cookies=True,
        )

    def log_in(self, visitor: Visitor) -> None:
        visitor.open("/private?page=2")
        self.assertIn("Who are you?", visitor.see("login"))
        visitor.fill_in(name="Ada \u00e9\u4f60")
        self.assertEqual(visitor.see("user"), "Ada \u00e9\u4f60")

    def test_login(self) -> None:
        """A visitor is sent to the login and back to where it was; the cookie lasts."""

        def steps(visitor: Visitor) -> None:
            self.log_in(visitor)
            self.assertEqual(visitor.browser.current_url, f"{visitor.origin}/private?page=2")
            visitor.open("/private")
            self.assertIn("Ada", visitor.see("user"))
            cookie = visitor.browser.get_cookie("user")
            self.assertTrue(cookie["httpOnly"])
            self.assertEqual(cookie["sameSite"], "Lax")
            self.assertNotIn("user=", visitor.run("return document.cookie"))

        self.visit(steps)

    def test_logout(self) -> None:
        """After the logout the browser has no cookie, and the page asks for a login again."""

        def steps(visitor: Visitor) -> None:
            self.log_in(visitor)
            visitor.send()
            self.assertIn("Who are you?", visitor.see("login"))
            self.assertIsNone(visitor.browser.get_cookie("user"))
            visitor.open("/private")
            self.assertIn("Who are you?", visitor.see("login"))

        self.visit(steps)

    def test_forged_cookie(self) -> None:
        """A cookie that somebody has changed is no login."""

        def steps(visitor: Visitor) -> None:
            self.log_in(visitor)
            cookie = visitor.browser.get_cookie("user")
            head, _, signature = cookie["value"].rstrip('"').rpartition("|")
            wrong = signature.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
            visitor.browser.delete_cookie("user")
            visitor.browser.add_cookie({"name": "user", "value": f"{head}|{wrong}"})
            visitor.open("/private")
            self.assertIn("Who are you?", visitor.see("login"))

        self.visit(steps)


CATALOGUES = {
    "de": (
        '"Welcome","Willkommen"\n'
        '"%(count)d message","%(count)d Nachricht","singular"\n'
        '"%(count)d messages","%(count)d Nachrichten","plural"\n'
    ),
    "ar": '"Welcome","\u0623\u0647\u0644\u0627"\n',
}

LOCALIZED = {
    "page.html": (
        '<!DOCTYPE html><html lang="{{ locale.code[:2] }}" dir="{{ direction }}"><meta charset="utf-8">'
        '<h1 id="welcome">{{ _("Welcome") }}</h1>'
        '{% for count in (1, 3) %}<p id="count{{ count }}">'
        '{{ _("%(count)d message", "%(count)d messages", count) % {"count": count} }}</p>{% end %}'
    ),
}


class LocalizedHandler(RequestHandler):
    """A page in the user's language: the one chosen, else the browser's."""

    def get_user_locale(self) -> Locale | None:
        code = self.get_cookie("language")
        return locale.get(code) if code else None

    def get(self) -> None:
        if chosen := self.get_argument("language", ""):
            self.set_cookie("language", chosen)
            self.redirect("/")
            return
        self.render("page.html", direction="rtl" if self.locale.rtl else "ltr")


class LocalizedTests(BrowserTestCase):
    """One page in several languages."""

    def setUp(self) -> None:
        for name in ("_translations", "_supported_locales"):
            self.addCleanup(setattr, locale, name, getattr(locale, name))
        cache = dict(Locale._cache)
        self.addCleanup(lambda: (Locale._cache.clear(), Locale._cache.update(cache)))
        Locale._cache.clear()
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        for code, text in CATALOGUES.items():
            with open(os.path.join(folder, f"{code}.csv"), "w", encoding="utf-8") as file:
                file.write(text)
        locale.load_translations(folder)
        super().setUp()

    def get_app(self) -> Application:
        return Application([("/", LocalizedHandler)], template_loader=DictLoader(LOCALIZED))

    def page(self, visitor: Visitor) -> list[Any]:
        texts = [visitor.see(name) for name in ("welcome", "count1", "count3")]
        return [*texts, visitor.style("welcome", "direction")]

    ENGLISH = ["Welcome", "1 message", "3 messages", "ltr"]
    GERMAN = ["Willkommen", "1 Nachricht", "3 Nachrichten", "ltr"]

    def test_browsers_language(self) -> None:
        """The page is in the language that the browser likes best of those there are."""

        def steps(visitor: Visitor) -> None:
            for languages, expected in (
                ("de-DE,en", self.GERMAN),
                ("fr,de", self.GERMAN),
                ("en-US,de", self.ENGLISH),
                ("ar", ["\u0623\u0647\u0644\u0627", "1 message", "3 messages", "rtl"]),
            ):
                visitor.prefer(languages)
                visitor.open("/")
                self.assertEqual(self.page(visitor), expected, languages)

        self.visit(steps)

    def test_chosen_language(self) -> None:
        """What the user has chosen counts more than what the browser asks for."""

        def steps(visitor: Visitor) -> None:
            visitor.prefer("en-US")
            visitor.open("/")
            self.assertEqual(self.page(visitor), self.ENGLISH)
            visitor.open("/?language=de")
            self.assertEqual(self.page(visitor), self.GERMAN)
            visitor.open("/")
            self.assertEqual(self.page(visitor), self.GERMAN)

        self.visit(steps)
