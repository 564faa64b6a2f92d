"""What a handler knows of its visitor: cookies, tokens against forgery, user, language.

`Identity` holds those methods of `RequestHandler`; the work is in `_cookies`, `_signing`,
`_xsrf` and `_origin`, and in `txtornado.locale`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from txtornado.escape import xhtml_escape
from txtornado.web import _cookies, _origin, _signing, _xsrf
from txtornado.web._errors import HTTPError

if TYPE_CHECKING:
    from http.cookies import Morsel

    from txtornado import httputil
    from txtornado.locale import Locale
    from txtornado.web._application import Application

__all__ = ["Identity"]

_LANGUAGES_SIZE = 500  # characters of Accept-Language that are looked at


class Identity:
    """The methods of `RequestHandler` that concern who is asking."""

    application: Application
    request: httputil.HTTPServerRequest
    _new_cookies: dict[str, str] | None = None
    _current_user: Any
    _locale: Locale
    _xsrf_token: bytes
    _raw_xsrf_token: _xsrf.Token

    if TYPE_CHECKING:

        def get_argument(self, name: str, default: Any = None, strip: bool = True) -> Any: ...

        def require_setting(self, name: str, feature: str = "this feature") -> None: ...

    # --- Cookies (_cookies, _signing) ------------------------------------------------

    @property
    def cookies(self) -> dict[str, Morsel[str]]:
        """The cookies of the request."""
        return self.request.cookies

    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """The value of a cookie of the request."""
        return self.request.cookie_values.get(name, default)

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: Any = None,
        path: str = "/",
        expires_days: float | None = None,
        *,
        max_age: int | None = None,
        httponly: bool = False,
        secure: bool = False,
        samesite: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Set a cookie, replacing one of the same name set before; see `_cookies`.

        ``kwargs`` takes ``partitioned`` (CHIPS), ``comment`` and ``version``.
        """
        name, header = _cookies.cookie_header(
            name, value, domain, expires, path, expires_days, max_age, httponly, secure,
            samesite, kwargs,
        )  # fmt: skip
        if self._new_cookies is None:
            self._new_cookies = {}
        self._new_cookies.pop(name, None)
        self._new_cookies[name] = header

    def clear_cookie(
        self, name: str, path: str = "/", domain: str | None = None, **kwargs: Any
    ) -> None:
        """Delete a cookie; ``path``, ``domain`` … must be what it was set with."""
        if unwanted := {"expires", "max_age"} & kwargs.keys():
            raise TypeError(f"clear_cookie() got an unexpected keyword argument {unwanted.pop()!r}")
        self.set_cookie(name, "", domain, _cookies.expired(), path, **kwargs)

    def clear_all_cookies(self, path: str = "/", domain: str | None = None, **kwargs: Any) -> None:
        """Delete all cookies the request came with (arguments since 3.2)."""
        for name in self.request.cookies:
            self.clear_cookie(name, path, domain, **kwargs)

    def set_signed_cookie(
        self,
        name: str,
        value: str | bytes,
        expires_days: float | None = 30,
        version: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Set a cookie that cannot be forged (under this name since 6.3)."""
        signed = self.create_signed_value(name, value, version=version)
        self.set_cookie(name, signed, expires_days=expires_days, **kwargs)

    def create_signed_value(
        self, name: str, value: str | bytes, version: int | None = None
    ) -> bytes:
        """Sign and date a value with the setting ``cookie_secret``."""
        self.require_setting("cookie_secret", "signed cookies")
        secret = self.application.settings["cookie_secret"]
        key_version = None
        if isinstance(secret, dict):
            key_version = self.application.settings.get("key_version")
        return _signing.create_signed_value(
            secret, name, value, version=version, key_version=key_version
        )

    def get_signed_cookie(
        self,
        name: str,
        value: str | None = None,
        max_age_days: float = 31,
        min_version: int | None = None,
    ) -> bytes | None:
        """What was signed in the cookie (or in ``value``), None if that does not hold."""
        self.require_setting("cookie_secret", "signed cookies")
        return _signing.decode_signed_value(
            self.application.settings["cookie_secret"],
            name,
            self.get_cookie(name) if value is None else value,
            max_age_days=max_age_days,
            min_version=min_version,
        )

    def get_signed_cookie_key_version(self, name: str, value: str | None = None) -> int | None:
        """The version of the key that signed the cookie (since 4.3)."""
        self.require_setting("cookie_secret", "signed cookies")
        signed = self.get_cookie(name) if value is None else value
        return None if signed is None else _signing.get_signature_key_version(signed)

    set_secure_cookie = set_signed_cookie
    get_secure_cookie = get_signed_cookie
    get_secure_cookie_key_version = get_signed_cookie_key_version

    # --- Forged requests (_xsrf, _origin) --------------------------------------------

    @property
    def xsrf_token(self) -> bytes:
        """The token of this user's forms; asking for it sets the cookie."""
        try:
            return self._xsrf_token
        except AttributeError:
            pass
        settings = self.application.settings
        version = settings.get("xsrf_cookie_version", 2)
        token = self._get_raw_xsrf_token()
        self._xsrf_token = _xsrf.encode_token(token, version)
        if token.version is None:
            options: dict[str, Any] = {"expires_days": 30 if self.current_user else None}
            options.update(settings.get("xsrf_cookie_kwargs", {}))
            self.set_cookie(self._xsrf_cookie_name(), self._xsrf_token, **options)
        return self._xsrf_token

    def _xsrf_cookie_name(self) -> str:
        name: str = self.application.settings.get("xsrf_cookie_name", "_xsrf")
        return name

    def _get_raw_xsrf_token(self) -> _xsrf.Token:
        try:
            return self._raw_xsrf_token
        except AttributeError:
            cookie = self.get_cookie(self._xsrf_cookie_name())
            known = _xsrf.decode_token(cookie) if cookie else None
            self._raw_xsrf_token = known or _xsrf.new_token()
            return self._raw_xsrf_token

    def check_xsrf_cookie(self) -> None:
        """Override to except a handler from the check of ``xsrf_cookies``."""
        headers = self.request.headers
        submitted = (
            self.get_argument("_xsrf", None)
            or headers.get("X-Xsrftoken")
            or headers.get("X-Csrftoken")
        )
        _xsrf.check(submitted, self._get_raw_xsrf_token())

    def xsrf_form_html(self) -> str:
        """The hidden field that forms must hold under ``xsrf_cookies``."""
        return _xsrf.form_html(xhtml_escape(self.xsrf_token))

    def check_trusted_origin(self, origin: str) -> bool:
        """Override to allow other origins under ``cross_origin_protection`` (since 6.6).

        Called before `prepare`, and only for requests that look cross-origin. By default
        ``origin`` must be in the setting ``trusted_origins``.
        """
        return origin in self.application.settings.get("trusted_origins", ())

    def _check_cross_origin(self, check: Callable[[str], bool]) -> str | None:
        return _origin.cross_origin_reason(self.request, check)

    def _cross_origin_protection(self) -> None:
        reason = self._check_cross_origin(self.check_trusted_origin)
        if reason is not None:
            raise HTTPError(403, reason)

    # --- User and locale ------------------------------------------------------------

    @property
    def current_user(self) -> Any:
        """The user: what `get_current_user` returned, or what was assigned."""
        try:
            return self._current_user
        except AttributeError:
            self._current_user = self.get_current_user()
            return self._current_user

    @current_user.setter
    def current_user(self, value: Any) -> None:
        self._current_user = value

    def get_current_user(self) -> Any:
        """Override to find the user, say by a signed cookie; called once, no coroutine."""
        return None

    def get_login_url(self) -> str:
        """Override to send users elsewhere than to the setting ``login_url``."""
        self.require_setting("login_url", "@tornado.web.authenticated")
        url: str = self.application.settings["login_url"]
        return url

    @property
    def locale(self) -> Locale:
        """The locale of `get_user_locale`, or else of the browser."""
        try:
            return self._locale
        except AttributeError:
            found: Locale = self.get_user_locale() or self.get_browser_locale()
            self._locale = found
            return found

    @locale.setter
    def locale(self, value: Locale) -> None:
        self._locale = value

    def get_user_locale(self) -> Any:
        """Override to return the user's `locale.Locale`; None asks the browser."""
        return None

    def get_browser_locale(self, default: str = "en_US") -> Any:
        """The best locale of ``Accept-Language`` (RFC 9110 section 12.5.4)."""
        from txtornado import locale as locales

        header = self.request.headers.get("Accept-Language", "")
        accepted = locales.parse_accept_language(header[:_LANGUAGES_SIZE])
        return locales.get(*accepted) if accepted else locales.get(default)
