"""Yahoo's browser-based authentication (BBAuth), gone since 2013."""

from __future__ import annotations

import hashlib
import hmac
import time
from asyncio import Future
from typing import Any
from urllib.parse import urlsplit

from txtornado.auth import _attempts
from txtornado.auth._base import AuthBase, handler_of, is_strict, single_argument
from txtornado.auth._callbacks import Callback, answer
from txtornado.auth._errors import AuthError
from txtornado.auth._fetch import with_query

__all__ = ["YahooMixin"]

_LIFETIME = 600  # seconds


class YahooMixin(AuthBase):
    """Login with Yahoo's BBAuth (named by the documentation of Tornado 0.2).

    Yahoo ended the service in 2013: today it is an OpenID Connect provider, for
    `OpenIDConnectMixin` with the issuer ``https://api.login.yahoo.com``.  The class stays for
    applications written for it; its address is a class attribute that can point elsewhere.

    The settings ``yahoo_appid`` and ``yahoo_secret`` hold what Yahoo gave the application, and
    the address of the reply is registered with it.

    Class attributes: ``_YAHOO_LOGIN_URL``.
    """

    _YAHOO_LOGIN_URL = "https://api.login.yahoo.com/WSLogin/V1/wslogin"

    def authenticate_redirect(self) -> None:
        """Redirect the user to Yahoo, to log in."""
        handler = handler_of(self)
        for name in ("yahoo_appid", "yahoo_secret"):
            handler.require_setting(name, "Yahoo's login")
        arguments = {
            "appid": handler.settings["yahoo_appid"],
            "send_userhash": "1",
            "ts": str(int(time.time())),
        }
        if is_strict(self):
            attempt = _attempts.begin(handler, self._yahoo_purpose(), "")
            arguments["appdata"] = attempt.state
        url = with_query(self._YAHOO_LOGIN_URL, arguments)
        handler.redirect(f"{url}&sig={self._signature(url)}")

    def get_authenticated_user(self, callback: Callback | None = None) -> Future[dict[str, Any]]:
        """The user who comes back, in a request with an argument ``token``.

        The dict holds ``userhash``, by which to know the user, and ``token``.

        Raises:
            AuthError: the login failed.
        """
        return answer(self._yahoo_user(), callback)

    def _yahoo_purpose(self) -> str:
        return f"yahoo {self._YAHOO_LOGIN_URL}"

    async def _yahoo_user(self) -> dict[str, Any]:
        handler = handler_of(self)
        for name in ("yahoo_appid", "yahoo_secret"):
            handler.require_setting(name, "Yahoo's login")
        if is_strict(self):
            state = single_argument(handler, "appdata")
            _attempts.finish(handler, self._yahoo_purpose(), state)
        fields = {
            name: single_argument(handler, name)
            for name in ("appid", "token", "userhash", "ts", "sig")
        }
        if not all(fields.values()):
            raise AuthError("the reply is not complete", code="bad_response")
        signed, _, signature = (handler.request.uri or "").rpartition("&sig=")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            raise AuthError("the reply is not signed by Yahoo", code="forged")
        made = fields["ts"] or ""
        if not made.isascii() or not made.isdigit() or abs(time.time() - int(made)) > _LIFETIME:
            raise AuthError("the reply is too old", code="forged")
        if fields["appid"] != handler.settings["yahoo_appid"]:
            raise AuthError("the reply is for another application", code="forged")
        return {"userhash": fields["userhash"], "token": fields["token"]}

    def _signature(self, url: str) -> str:
        """MD5 over path, query and secret, as the service had it."""
        parts = urlsplit(url)
        secret = handler_of(self).settings["yahoo_secret"]
        signed = f"{parts.path}?{parts.query}{secret}"
        return hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()
