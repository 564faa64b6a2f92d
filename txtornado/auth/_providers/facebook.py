"""Facebook: OAuth 2.0 with the Graph API, and Facebook Connect that it had once."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from asyncio import Future
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode, urljoin

from txtornado.auth import _attempts
from txtornado.auth._base import AuthBase, handler_of, is_strict
from txtornado.auth._callbacks import Callback, answer, callback_at
from txtornado.auth._errors import AuthError
from txtornado.auth._fetch import fetch, token_answer, who_is, with_query
from txtornado.auth._oauth2 import OAuth2Mixin
from txtornado.concurrent import done_future, with_callback
from txtornado.escape import json_decode

__all__ = ["FacebookGraphMixin", "FacebookMixin"]

_FIELDS = ("id", "name", "first_name", "last_name", "locale", "picture", "link")
_OLD_FIELDS = "uid,first_name,last_name,name,locale,pic_square,profile_url,username"
_STATE = "auth_state"


class FacebookGraphMixin(OAuth2Mixin):
    """Login with Facebook, by OAuth 2.0 (Tornado 2.3)::

        class FacebookLoginHandler(RequestHandler, FacebookGraphMixin):
            async def get(self):
                redirect_uri = "https://www.example.com/auth/facebook"
                keys = {"client_id": self.settings["facebook_api_key"],
                        "client_secret": self.settings["facebook_secret"]}
                if self.get_argument("code", None):
                    user = await self.get_authenticated_user(
                        redirect_uri=redirect_uri, code=self.get_argument("code"), **keys)
                    # Save the user, with set_signed_cookie for example.
                else:
                    self.authorize_redirect(redirect_uri=redirect_uri, **keys)

    Class attributes: those of `OAuth2Mixin`, and ``_FACEBOOK_BASE_URL``, where a version of the
    API may be named (``https://graph.facebook.com/v25.0``).
    """

    _OAUTH_ACCESS_TOKEN_URL = "https://graph.facebook.com/oauth/access_token?"
    _OAUTH_AUTHORIZE_URL = "https://www.facebook.com/dialog/oauth?"
    _OAUTH_NO_CALLBACKS = False
    _FACEBOOK_BASE_URL = "https://graph.facebook.com"

    @callback_at(5)
    def get_authenticated_user(
        self,
        redirect_uri: str,
        client_id: str,
        client_secret: str,
        code: str,
        extra_fields: Iterable[str] | None = None,
        callback: Callback | None = None,
    ) -> Future[dict[str, Any]]:
        """The user who comes back from Facebook.

        Args:
            redirect_uri: as it was given to `authorize_redirect`.
            client_id: the application's key.
            client_secret: the application's secret.
            code: the argument of the request.
            extra_fields: names of further fields to ask for.  (Up to Tornado 5 ``callback``
                stood here, and this after it.)
            callback: called with the user, or with None if the login failed.

        Returns:
            A dict with ``id``, ``name``, ``first_name``, ``last_name``, ``locale``, ``picture``,
            ``link`` and those of ``extra_fields`` (None where Facebook does not tell),
            ``access_token``, and ``session_expires``, the seconds it is valid as text.

        Raises:
            AuthError: the login failed.
        """
        work = self._facebook_user(redirect_uri, client_id, client_secret, code, extra_fields)
        return answer(work, callback)

    async def _facebook_user(
        self,
        redirect_uri: str,
        client_id: str,
        client_secret: str,
        code: str,
        extra_fields: Iterable[str] | None,
    ) -> dict[str, Any]:
        attempt = self.oauth2_check_reply()
        fields = self._code_fields(attempt, code, redirect_uri)
        url = with_query(
            self._OAUTH_ACCESS_TOKEN_URL,
            {**fields, "client_id": client_id, "client_secret": client_secret},
        )
        session = token_answer(url, await fetch(self, url))
        token = session["access_token"]
        names = sorted({*_FIELDS, *(extra_fields or ())})
        told = await who_is(
            self.facebook_request(
                "/me",
                access_token=token,
                appsecret_proof=hmac.new(
                    client_secret.encode(), token.encode(), hashlib.sha256
                ).hexdigest(),
                fields=",".join(names),
            )
        )
        user = {name: told.get(name) for name in names}
        user["access_token"] = token
        user["session_expires"] = str(session.get("expires_in", session.get("expires")))
        return user

    @callback_at(2)
    def facebook_request(
        self,
        path: str,
        access_token: str | None = None,
        post_args: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        **args: Any,
    ) -> Future[Any]:
        """Ask the Graph API for ``path``, such as ``/btaylor/picture``.

        The other parameters, and their older order, are those of `TwitterMixin.twitter_request`.

        Raises:
            HTTPClientError: the status is not 2xx.
        """
        url = self._FACEBOOK_BASE_URL + path
        return answer(self._oauth2_fetch(url, access_token, post_args, args), callback)


class FacebookMixin(AuthBase):
    """Login with Facebook Connect and the REST API (Tornado 0.2 to 3).

    Facebook ended both in 2012 to 2015: use `FacebookGraphMixin`.  The class stays for
    applications written for it; its addresses are class attributes that can point elsewhere.
    The settings ``facebook_api_key`` and ``facebook_secret`` are needed.

    Class attributes: ``_FACEBOOK_LOGIN_URL``, ``_FACEBOOK_REST_URL``.
    """

    _FACEBOOK_LOGIN_URL = "http://www.facebook.com/login.php"
    _FACEBOOK_REST_URL = "http://api.facebook.com/restserver.php"

    def authenticate_redirect(
        self,
        callback_uri: str | None = None,
        cancel_uri: str | None = None,
        extended_permissions: Any = None,
        callback: Callback | None = None,
    ) -> None:
        """Redirect the user to log in, and to install this application.

        Args:
            callback_uri: where Facebook is to send the user then, relative to the page that is
                asked for, which is the default.
            cancel_uri: where to send users who do not want to.
            extended_permissions: the name of a permission, or a list of them.
            callback: called without arguments (Tornado 3.1).
        """
        handler = handler_of(self)
        handler.require_setting("facebook_api_key", "Facebook Connect")
        here = handler.request.full_url()
        back = urljoin(here, callback_uri or handler.request.uri or "/")
        if is_strict(self):
            state = _attempts.new_state()
            _attempts.begin(handler, self._facebook_purpose(), "", state=state)
            back = with_query(back, {_STATE: state})
        arguments = {
            "api_key": handler.settings["facebook_api_key"],
            "v": "1.0",
            "fbconnect": "true",
            "display": "page",
            "next": back,
            "return_session": "true",
        }
        if cancel_uri:
            arguments["cancel_url"] = urljoin(here, cancel_uri)
        if extended_permissions:
            one = isinstance(extended_permissions, (str, bytes))
            names = [extended_permissions] if one else extended_permissions
            arguments["req_perms"] = ",".join(str(name) for name in names)
        handler.redirect(with_query(self._FACEBOOK_LOGIN_URL, arguments))
        if callback is not None:
            with_callback(done_future(), callback)

    def authorize_redirect(
        self,
        extended_permissions: Any,
        callback_uri: str | None = None,
        cancel_uri: str | None = None,
        callback: Callback | None = None,
    ) -> None:
        """As `authenticate_redirect`, asking for permissions such as ``read_stream``."""
        self.authenticate_redirect(callback_uri, cancel_uri, extended_permissions, callback)

    def get_authenticated_user(self, callback: Callback | None = None) -> Future[dict[str, Any]]:
        """The user who comes back, in a request with an argument ``session``.

        The dict holds ``facebook_uid``, ``name``, ``first_name``, ``last_name``, ``username``,
        ``locale``, ``pic_square``, and ``session_key`` and ``session_expires`` for
        `facebook_request`.

        Raises:
            AuthError: the login failed.
        """
        return answer(self._facebook_user(), callback)

    def _facebook_purpose(self) -> str:
        return f"facebook {self._FACEBOOK_LOGIN_URL}"

    async def _facebook_user(self) -> dict[str, Any]:
        handler = handler_of(self)
        handler.require_setting("facebook_api_key", "Facebook Connect")
        handler.require_setting("facebook_secret", "Facebook Connect")
        if is_strict(self):
            state = handler.get_argument(_STATE, None)
            _attempts.finish(handler, self._facebook_purpose(), state)
        session = self._session(handler.get_argument("session", ""))
        told = await who_is(self._first_user(session))
        return {
            "facebook_uid": told["uid"],
            **{name: told.get(name) for name in _OLD_FIELDS.split(",") if name != "uid"},
            "session_key": session["session_key"],
            "session_expires": session.get("expires"),
        }

    async def _first_user(self, session: Mapping[str, Any]) -> Any:
        users = await self.facebook_request(
            "facebook.users.getInfo",
            session_key=session["session_key"],
            uids=session["uid"],
            fields=_OLD_FIELDS,
        )
        return users[0] if isinstance(users, list) and users and "uid" in users[0] else None

    def _session(self, text: str) -> Mapping[str, Any]:
        """The session that the reply brings, if Facebook signed it."""
        try:
            session = json.loads(text)
        except ValueError:
            session = None
        if not isinstance(session, dict) or not {"session_key", "uid", "sig"} <= session.keys():
            raise AuthError("the reply has no session", code="bad_response")
        signature = str(session.pop("sig"))
        if not hmac.compare_digest(self._signature(session).encode(), signature.encode()):
            raise AuthError("the session is not signed by Facebook", code="forged")
        return session

    def _signature(self, arguments: Mapping[str, Any]) -> str:
        pairs = "".join(f"{name}={arguments[name]}" for name in sorted(arguments))
        secret = handler_of(self).settings["facebook_secret"]
        return hashlib.md5(f"{pairs}{secret}".encode(), usedforsecurity=False).hexdigest()

    def facebook_request(
        self, method: str, callback: Callback | None = None, **args: Any
    ) -> Future[Any]:
        """Call a method of the REST API, such as ``stream.get``, and return what its JSON says.

        Args:
            method: ``facebook.`` in front may be left out.
            callback: called with the result, or with None after an error.
            args: the method's arguments, mostly with a ``session_key``; the application's key
                and the signature are added.

        Raises:
            AuthError: Facebook reports an error.
            HTTPClientError: the status is not 2xx.
        """
        return answer(self._rest(method, args), callback)

    async def _rest(self, method: str, args: Mapping[str, Any]) -> Any:
        handler = handler_of(self)
        for name in ("facebook_api_key", "facebook_secret"):
            handler.require_setting(name, "Facebook Connect")
        fields = {
            **args,
            "method": method if method.startswith("facebook.") else f"facebook.{method}",
            "api_key": handler.settings["facebook_api_key"],
            "v": "1.0",
            "call_id": str(time.time_ns() // 1000),
            "format": "json",
        }
        fields["sig"] = self._signature(fields)
        response = await self.get_auth_http_client().fetch(
            self._FACEBOOK_REST_URL, method="POST", body=urlencode(fields)
        )
        found = json_decode(response.body)
        if isinstance(found, dict) and "error_code" in found:
            raise AuthError(f"Facebook reports error {found['error_code']!r}")
        return found
