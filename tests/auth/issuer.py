"""An OpenID Connect issuer whose every answer a test can bend."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import unquote_plus

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from txtornado.concurrent import new_future
from txtornado.testing import bind_unused_port
from txtornado.web import RequestHandler

from .support import AuthTestCase, query_of

CLIENT = "client & co"
CLIENT_SECRET = "the client's secret: 100%"


def new_key(algorithm: str = "ES256") -> Any:
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}[algorithm]())


class Issuer:
    """The issuer's state; tests change it between requests."""

    def __init__(self, test: AuthTestCase) -> None:
        port = bind_unused_port()
        self.url = f"http://127.0.0.1:{port[1]}"
        self.algorithm = "ES256"
        self.keys = {"k1": new_key()}
        self.published: list[dict[str, Any]] | None = None
        self.claims: dict[str, Any] = {}
        self.removed: set[str] = set()
        self.header: dict[str, Any] = {}
        self.id_token: Any = None
        self.token_answer: Any = None
        self.token_status = 200
        self.userinfo: dict[str, Any] = {"sub": "ann", "name": "Ann"}
        self.changes: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.counts: dict[str, int] = {}
        self.requests: list[RequestHandler] = []
        options = {"issuer": self}
        test.serve(
            [
                ("/.well-known/openid-configuration", DescriptionHandler, options),
                ("/keys", KeysHandler, options),
                ("/token", TokenHandler, options),
                ("/moved", MovedHandler, options),
                ("/userinfo", UserinfoHandler, options),
                ("/revoke", RevokeHandler, options),
            ],
            port=port,
        )

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {"issuer": self.url, "key": CLIENT, "secret": CLIENT_SECRET, **changes}

    def description(self) -> dict[str, Any]:
        found = {
            "issuer": self.url,
            "authorization_endpoint": self.url + "/authorize",
            "token_endpoint": self.url + "/token",
            "jwks_uri": self.url + "/keys",
            "userinfo_endpoint": self.url + "/userinfo",
            "end_session_endpoint": self.url + "/logout?theme=dark",
            "revocation_endpoint": self.url + "/revoke",
            "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "ES384", "EdDSA"],
            **self.changes,
        }
        return {name: value for name, value in found.items() if value is not None}

    def jwks(self) -> list[dict[str, Any]]:
        if self.published is not None:
            return self.published
        rows = []
        for kid, key in self.keys.items():
            algorithm = jwt.get_algorithm_by_name(self.algorithm)
            rows.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid})
        return rows

    def grant(self, redirect: str) -> str:
        """Let the user agree to the login that ``redirect`` asks for; the reply's address."""
        asked = query_of(redirect)
        code = f"code{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def sign(self, claims: dict[str, Any], kid: str = "k1") -> str:
        header = {"kid": kid, **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        return jwt.encode(claims, self.keys[kid], algorithm=self.algorithm, headers=header)

    def made_claims(self, asked: dict[str, str], access_token: str) -> dict[str, Any]:
        now = int(time.time())
        digest = hashlib.sha256(access_token.encode()).digest()
        claims = {
            "iss": self.url,
            "sub": "ann",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce"),
            "at_hash": base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode(),
            **self.claims,
        }
        return {name: value for name, value in claims.items() if name not in self.removed}


class IssuerHandler(RequestHandler):
    def initialize(self, issuer: Issuer) -> None:
        self.issuer = issuer
        path = self.request.path
        issuer.counts[path] = issuer.counts.get(path, 0) + 1
        issuer.requests.append(self)


class DescriptionHandler(IssuerHandler):
    def get(self) -> None:
        self.write(self.issuer.description())


class KeysHandler(IssuerHandler):
    def get(self) -> None:
        self.write({"keys": self.issuer.jwks()})


class TokenHandler(IssuerHandler):
    async def post(self) -> None:
        issuer = self.issuer
        self.set_status(issuer.token_status)
        if issuer.token_answer == "never":
            await new_future()
        if issuer.token_answer is not None:
            self.finish(issuer.token_answer)
            return
        if not self._is_client():
            self.set_status(401)
            self.finish({"error": "invalid_client"})
        elif self.get_argument("grant_type") == "refresh_token":
            asked: dict[str, str] = {}
            if self.get_argument("refresh_token") != "refresh1":
                self.set_status(400)
                self.finish({"error": "invalid_grant", "error_description": "gone\nfor good"})
                return
            self._grant(asked, "access2")
        else:
            asked = issuer.codes.pop(self.get_argument("code"), {})
            if not asked or not self._holds(asked):
                self.set_status(400)
                self.finish({"error": "invalid_grant"})
                return
            self._grant(asked, "access1", refresh_token="refresh1")

    def _grant(self, asked: dict[str, str], access_token: str, **more: str) -> None:
        token = self.issuer.id_token
        if token is None:
            claims = self.issuer.made_claims(asked, access_token)
            if not asked:
                claims.pop("at_hash"), claims.pop("nonce", None)
            token = self.issuer.sign(claims)
        answer = {"access_token": access_token, "token_type": "Bearer", "id_token": token, **more}
        self.finish({**answer, "sub": "admin"})

    def _is_client(self) -> bool:
        scheme, _, encoded = self.request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return self.get_argument("client_id", "") == "public"
        key, _, secret = base64.b64decode(encoded).decode().partition(":")
        return (unquote_plus(key), unquote_plus(secret)) == (CLIENT, CLIENT_SECRET)

    def _holds(self, asked: dict[str, str]) -> bool:
        digest = hashlib.sha256(self.get_argument("code_verifier").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return (challenge, self.get_argument("redirect_uri")) == (
            asked["code_challenge"],
            asked["redirect_uri"],
        )


class MovedHandler(IssuerHandler):
    def post(self) -> None:
        self.redirect("/token", status=307)


class UserinfoHandler(IssuerHandler):
    def get(self) -> None:
        if self.request.headers.get("Authorization") not in ("Bearer access1", "Bearer access2"):
            self.set_status(401)
        self.write(self.issuer.userinfo)


class RevokeHandler(IssuerHandler):
    def post(self) -> None:
        self.set_status(200 if self.get_argument("token") == "refresh1" else 503)
