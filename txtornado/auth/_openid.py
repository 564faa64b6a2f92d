"""OpenID 2.0 with attribute exchange, from a fixed provider.

Replies are checked with the provider (section 11.4.2 of OpenID Authentication 2.0), which also
sees to it that each is accepted once, and bound to this site and browser: the provider signs
``openid.return_to``, the address with the attempt's ``state`` in it.
"""

from __future__ import annotations

import datetime
import time
from asyncio import Future
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from txtornado.auth import _attempts, _ax
from txtornado.auth._base import AuthBase, handler_of, is_lenient, is_strict, store_of
from txtornado.auth._callbacks import Callback, answer, callback_at
from txtornado.auth._errors import AuthError, cut
from txtornado.auth._fetch import form_post, host_of, with_query
from txtornado.concurrent import done_future, with_callback
from txtornado.httpclient import AsyncHTTPClient

__all__ = ["OpenIdMixin"]

_NS = "http://specs.openid.net/auth/2.0"
_SELECT = "http://specs.openid.net/auth/2.0/identifier_select"
_STATE = "auth_state"  # the argument of our own in return_to
_SIGNED = ("op_endpoint", "return_to", "response_nonce", "assoc_handle", "claimed_id", "identity")
_NONCE_AGE = 3600  # seconds that clocks and users may take
_MOST_NONCES = 100_000
_DEFAULT_ATTRS = ["name", "email", "language", "username"]


class OpenIdMixin(AuthBase):
    """OpenID 2.0 with attribute exchange; see `GoogleMixin` (Tornado 0.2).

    Few providers are left; `OpenIDConnectMixin` is what followed.  A reply must be for this
    address and may be used once.  In applications with a ``cookie_secret`` it must also belong to
    a login that this browser began, name this provider, and have all that matters signed; see
    ``auth_strict`` in `AuthBase`.

    Class attributes:

    * ``_OPENID_ENDPOINT``: the provider's address.  It is trusted to vouch for its users.
    """

    _OPENID_ENDPOINT: str

    # --- To the provider -------------------------------------------------------------

    def authenticate_redirect(
        self,
        callback_uri: str | None = None,
        ax_attrs: list[str] = _DEFAULT_ATTRS,
        callback: Callback | None = None,
    ) -> None:
        """Redirect the user to the provider, to log in.

        Args:
            callback_uri: where the provider is to send the user then, relative to the page that
                is asked for, which is the default.
            ax_attrs: what to ask about the user.
            callback: called without arguments (Tornado 3.1 to 5.1).
        """
        self._openid_redirect(callback_uri, ax_attrs, None)
        if callback is not None:
            with_callback(done_future(), callback)

    def _openid_redirect(
        self, callback_uri: str | None, ax_attrs: Iterable[str], oauth_scope: str | None
    ) -> None:
        handler = handler_of(self)
        url = urljoin(handler.request.full_url(), callback_uri or handler.request.uri or "/")
        return_to = _without_reply(url)
        if is_strict(self):
            state = _attempts.new_state()
            return_to = with_query(return_to, {_STATE: state})
            _attempts.begin(handler, self._openid_purpose(), return_to, state=state, by_post=True)
        arguments = self._openid_args(return_to, ax_attrs, oauth_scope)
        handler.redirect(with_query(self._OPENID_ENDPOINT, arguments))

    def _openid_purpose(self) -> str:
        return f"openid {self._OPENID_ENDPOINT}"

    def _openid_args(
        self,
        callback_uri: str,
        ax_attrs: Iterable[str] = (),
        oauth_scope: str | None = None,
    ) -> dict[str, str]:
        """The query for the provider; ``callback_uri`` is absolute."""
        arguments = {
            "openid.ns": _NS,
            "openid.mode": "checkid_setup",
            "openid.claimed_id": _SELECT,
            "openid.identity": _SELECT,
            "openid.return_to": callback_uri,
            "openid.realm": urljoin(callback_uri, "/"),
        }
        arguments.update(_ax.request(ax_attrs))
        if oauth_scope:
            arguments["openid.ns.oauth"] = "http://specs.openid.net/extensions/oauth/1.0"
            arguments["openid.oauth.consumer"] = handler_of(self).request.host.split(":")[0]
            arguments["openid.oauth.scope"] = oauth_scope
        return arguments

    # --- Back from it ----------------------------------------------------------------

    @callback_at(1)
    def get_authenticated_user(
        self, http_client: AsyncHTTPClient | None = None, callback: Callback | None = None
    ) -> Future[dict[str, Any]]:
        """The user who comes back from the provider; ask it if there is an ``openid.mode``.

        The dict holds ``claimed_id``, by which to know the user, and what the provider told of
        ``name``, ``first_name``, ``last_name``, ``email``, ``locale`` and ``username``.

        Args:
            http_client: in place of `get_auth_http_client`.  (Up to Tornado 5 ``callback`` stood
                first and this second.)
            callback: called with the user, or with None if the login failed.

        Raises:
            AuthError: the login failed.
        """
        return answer(self._openid_user(http_client), callback)

    async def _openid_user(self, http_client: AsyncHTTPClient | None) -> dict[str, Any]:
        reply = await self._openid_verified(http_client)
        return _ax.user(reply)

    async def _openid_verified(self, http_client: AsyncHTTPClient | None) -> dict[str, str]:
        """The reply's fields without ``openid.``, checked: only signed ones, if it says which."""
        reply = self._openid_reply()
        self._openid_check(reply)
        await self._openid_ask_provider(reply, http_client)
        nonce = reply.get("response_nonce")
        if nonce is not None and not self.openid_use_nonce(self._OPENID_ENDPOINT, nonce):
            raise AuthError("the reply is not recent, or was used before", code="forged")
        if "signed" not in reply:
            return reply
        signed = set(reply["signed"].split(","))
        return {name: value for name, value in reply.items() if name in signed}

    def _openid_reply(self) -> dict[str, str]:
        reply = {}
        for name, values in handler_of(self).request.arguments.items():
            if not name.startswith("openid."):
                continue
            if len(values) > 1:
                raise AuthError(f"the reply has {cut(name)!r} more than once", code="forged")
            try:
                reply[name.removeprefix("openid.")] = values[0].decode("utf-8")
            except UnicodeDecodeError:
                raise AuthError("the reply is not in UTF-8", code="bad_response") from None
        return reply

    def _openid_check(self, reply: dict[str, str]) -> None:
        """Everything about a reply that can be known without asking the provider."""
        strict = is_strict(self)
        attempt = None
        if strict:
            state = handler_of(self).get_query_argument(_STATE, None)
            attempt = _attempts.finish(handler_of(self), self._openid_purpose(), state)
        mode = reply.get("mode", "")
        if mode in ("cancel", "setup_needed"):
            raise AuthError("the user refused", code="access_denied")
        if mode == "error":
            raise AuthError(f"the provider refused: {cut(reply.get('error', ''))}")
        if is_lenient(self):
            return
        return_to = reply.get("return_to")
        if return_to is not None and not self._openid_is_here(return_to):
            raise AuthError("the reply is for another address", code="forged")
        if reply.get("op_endpoint", self._OPENID_ENDPOINT) != self._OPENID_ENDPOINT:
            raise AuthError("the reply is of another provider", code="forged")
        if strict:
            if return_to is None or attempt is None or not attempt.is_for(return_to):
                raise AuthError("the reply is for another login", code="forged")
            _check_complete(reply)

    def _openid_is_here(self, return_to: str) -> bool:
        """Whether this request is at ``return_to`` (section 11.1).

        The scheme may differ: a proxy in front may have taken TLS off.
        """
        request = handler_of(self).request
        wanted, here = urlsplit(return_to), urlsplit(request.full_url())
        if (wanted.netloc.lower(), wanted.path or "/") != (here.netloc.lower(), here.path or "/"):
            return False
        arguments = request.query_arguments
        return all(
            value.encode("utf-8") in arguments.get(name, ())
            for name, value in parse_qsl(wanted.query)
        )

    async def _openid_ask_provider(
        self, reply: dict[str, str], http_client: AsyncHTTPClient | None
    ) -> None:
        """Have the provider check the reply's signature (section 11.4.2)."""
        url = self._OPENID_ENDPOINT
        fields = {f"openid.{name}": value for name, value in reply.items()}
        fields["openid.mode"] = "check_authentication"
        response = await form_post(self, url, fields, http_client, {"Accept": "*/*"})
        if response.code != 200:
            raise AuthError(
                f"{host_of(url)} answered with status {response.code}", code="bad_response"
            )
        lines = response.body.decode("utf-8", "replace").splitlines()
        verdicts = [line for line in lines if line.startswith("is_valid:")]
        if verdicts != ["is_valid:true"]:
            raise AuthError("the provider does not know this reply as its own", code="forged")

    def openid_use_nonce(self, endpoint: str, nonce: str) -> bool:
        """Remember the ``openid.response_nonce`` of a reply; whether it is new and recent; ours.

        This remembers it in this process.  Providers check a reply only once, so that an
        application of several processes need not override this to share what is remembered.
        """
        now = time.time()
        made = _nonce_time(nonce)
        if made is None or abs(now - made) > _NONCE_AGE:
            return False
        used: dict[tuple[str, str], float]
        used = store_of(handler_of(self)).setdefault("openid_nonces", {})
        if (endpoint, nonce) in used:
            return False
        while used:  # the oldest come first
            oldest = next(iter(used))
            if len(used) < _MOST_NONCES and now - used[oldest] <= 2 * _NONCE_AGE:
                break
            del used[oldest]
        used[endpoint, nonce] = now
        return True


def _without_reply(url: str) -> str:
    """``url`` without the arguments of an earlier reply."""
    parts = urlsplit(url)
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not name.startswith("openid.") and name != _STATE
    ]
    return urlunsplit(parts._replace(query=urlencode(kept), fragment=""))


def _check_complete(reply: dict[str, str]) -> None:
    if reply.get("ns") != _NS or reply.get("mode") != "id_res":
        raise AuthError("the reply is no assertion of OpenID 2.0", code="bad_response")
    signed = set(reply.get("signed", "").split(","))
    missing = [name for name in _SIGNED if name not in reply or name not in signed]
    if missing:
        raise AuthError(f"the reply has no signed {missing[0]!r}", code="forged")


def _nonce_time(nonce: str) -> float | None:
    try:
        made = datetime.datetime.strptime(nonce[:20], "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return None
    return made.replace(tzinfo=datetime.UTC).timestamp()
