"""Logging in by third parties: ``python login.py config.json``, then http://localhost:8888/

The file holds a ``cookie_secret`` and what the providers gave the application; logins without
theirs are not offered::

    {
        "cookie_secret": "something long that nobody else knows",
        "oidc": {"issuer": "https://accounts.google.com", "key": "...", "secret": "..."},
        "google_oauth": {"key": "...", "secret": "..."},
        "github_oauth": {"key": "...", "secret": "..."},
        "facebook_api_key": "...", "facebook_secret": "...",
        "twitter_consumer_key": "...", "twitter_consumer_secret": "...",
        "openid_endpoint": "https://..."
    }

With each provider, ``http://localhost:8888/login/NAME`` is to be registered as the address of its
replies, NAME being ``oidc``, ``google``, ``github``, ``facebook``, ``twitter`` or ``openid``.
"""

import asyncio
import json
import os
import sys

import txtornado.auth
from txtornado.escape import json_decode, json_encode
from txtornado.template import DictLoader
from txtornado.web import Application, RequestHandler, authenticated

PORT = int(os.environ.get("PORT", "8888"))

PAGES = DictLoader(
    {
        "home.html": """<!doctype html><title>Logins</title>
{% if current_user %}
  <p>You are {{ current_user["name"] }}, says {{ current_user["provider"] }}.</p>
  <form method="post" action="/logout">{% module xsrf_form_html() %}<button>Log out</button></form>
{% else %}
  <ul>{% for name in logins %}<li><a href="/login/{{ name }}">{{ name }}</a></li>{% end %}</ul>
{% end %}
""",
        "failed.html": """<!doctype html><title>Not logged in</title>
<p>You are not logged in: {{ reason }}</p><p><a href="/">Back</a></p>
""",
    }
)


class BaseHandler(RequestHandler):
    """A user is a dict in a signed cookie: ``provider``, ``id`` and ``name``."""

    def get_current_user(self):
        cookie = self.get_signed_cookie("user")
        return json_decode(cookie) if cookie else None


class HomeHandler(BaseHandler):
    def get(self):
        self.render(
            "home.html", logins=[name for name in LOGINS if LOGINS[name].has_keys(self.settings)]
        )


class LogoutHandler(BaseHandler):
    @authenticated
    async def post(self):
        provider = self.current_user["provider"]
        self.clear_cookie("user")
        if provider == "oidc":
            # The provider's own session ends, too.
            self.redirect("/logout/oidc")
        else:
            self.redirect("/")


class LoginHandler(BaseHandler):
    """The part that all logins share."""

    #: The settings without which a login is not offered.
    NEEDS = ()

    @classmethod
    def has_keys(cls, settings):
        return all(settings.get(name) for name in cls.NEEDS)

    def welcome(self, name, user_id, shown):
        # An id is known by its provider only; and of all the provider told, this is enough.
        user = {"provider": name, "id": user_id, "name": shown}
        self.set_signed_cookie("user", json_encode(user), httponly=True, samesite="Lax")
        self.redirect("/")

    def log_exception(self, typ, value, tb):
        if not isinstance(value, txtornado.auth.AuthError):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code, **kwargs):
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, txtornado.auth.AuthError):
            self.set_status(403)
            self.render("failed.html", reason=str(error))
        else:
            super().write_error(status_code, **kwargs)


class OpenIDConnectHandler(LoginHandler, txtornado.auth.OpenIDConnectMixin):
    NEEDS = ("oidc",)

    async def get(self):
        if self.get_argument("code", None):
            user = await self.get_authenticated_user()
            self.welcome("oidc", user["sub"], user.get("name") or user["sub"])
        else:
            await self.authenticate_redirect()


class OpenIDConnectLogoutHandler(LoginHandler, txtornado.auth.OpenIDConnectMixin):
    async def get(self):
        await self.logout_redirect()


class GoogleHandler(LoginHandler, txtornado.auth.GoogleOAuth2Mixin):
    NEEDS = ("google_oauth",)

    async def get(self):
        if code := self.get_argument("code", None):
            access = await self.get_authenticated_user("/login/google", code)
            user = await self.oauth2_bearer_request(
                self._OAUTH_USERINFO_URL, access["access_token"]
            )
            self.welcome("google", user["id"], user["name"])
        else:
            self.authorize_redirect(
                redirect_uri="/login/google",
                client_id=self.get_google_oauth_settings()["key"],
                scope=["profile"],
            )


class GitHubHandler(LoginHandler, txtornado.auth.GitHubMixin):
    NEEDS = ("github_oauth",)

    async def get(self):
        if self.get_argument("code", None):
            user = await self.get_authenticated_user("/login/github")
            self.welcome("github", user["id"], user["login"])
        else:
            self.authorize_redirect("/login/github")


class FacebookHandler(LoginHandler, txtornado.auth.FacebookGraphMixin):
    NEEDS = ("facebook_api_key", "facebook_secret")

    async def get(self):
        key, secret = self.settings["facebook_api_key"], self.settings["facebook_secret"]
        if code := self.get_argument("code", None):
            user = await self.get_authenticated_user("/login/facebook", key, secret, code)
            self.welcome("facebook", user["id"], user["name"])
        else:
            self.authorize_redirect("/login/facebook", key)


class TwitterHandler(LoginHandler, txtornado.auth.TwitterMixin):
    NEEDS = ("twitter_consumer_key", "twitter_consumer_secret")

    async def get(self):
        if self.get_argument("oauth_token", None):
            user = await self.get_authenticated_user()
            self.welcome("twitter", user["id_str"], user["username"])
        else:
            await self.authenticate_redirect("/login/twitter")


class OpenIDHandler(LoginHandler, txtornado.auth.OpenIdMixin):
    NEEDS = ("openid_endpoint",)

    def initialize(self):
        self._OPENID_ENDPOINT = self.settings["openid_endpoint"]

    async def get(self):
        if self.get_argument("openid.mode", None):
            user = await self.get_authenticated_user()
            self.welcome("openid", user["claimed_id"], user.get("name") or user["claimed_id"])
        else:
            self.authenticate_redirect()


LOGINS = {
    "oidc": OpenIDConnectHandler,
    "google": GoogleHandler,
    "github": GitHubHandler,
    "facebook": FacebookHandler,
    "twitter": TwitterHandler,
    "openid": OpenIDHandler,
}


def make_app(**settings):
    """The application, with the settings of the file."""
    return Application(
        [
            ("/", HomeHandler),
            ("/logout", LogoutHandler),
            ("/logout/oidc", OpenIDConnectLogoutHandler),
            *((f"/login/{name}", handler) for name, handler in LOGINS.items()),
        ],
        template_loader=PAGES,
        xsrf_cookies=True,
        login_url="/",
        **settings,
    )


async def main(settings):
    make_app(**settings).listen(PORT, address="127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with open(sys.argv[1]) as file:
        configuration = json.load(file)
    asyncio.run(main(configuration))
