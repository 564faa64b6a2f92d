"""An OAuth 1.0a provider on `oauthlib`'s server side, which checks every signature."""

from __future__ import annotations

from typing import Any

from oauthlib.oauth1 import RequestValidator, WebApplicationServer

from txtornado.testing import bind_unused_port
from txtornado.web import RequestHandler

from .support import AuthTestCase

KEY = "consumerkeyconsumerkey"
CONSUMER_SECRET = "consumer secret & 100%"


class Validator(RequestValidator):
    """Keeps tokens in dicts."""

    enforce_ssl = False
    dummy_client = "dummyclientdummyclient"
    dummy_request_token = "dummyrequestdummyreq"
    dummy_access_token = "dummyaccessdummyacce"

    def __init__(self) -> None:
        super().__init__()
        self.requested: dict[str, dict[str, str]] = {}
        self.granted: dict[str, dict[str, str]] = {}
        self.nonces: set[tuple[Any, ...]] = set()

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return CONSUMER_SECRET

    def get_request_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return self.requested.get(token, {}).get("oauth_token_secret", "none")

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return self.granted.get(token, {}).get("oauth_token_secret", "none")

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == KEY

    def validate_request_token(self, client_key: str, token: str, request: Any) -> bool:
        return token in self.requested

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return token in self.granted

    def validate_timestamp_and_nonce(self, *args: Any, **kwargs: Any) -> bool:
        used = args[:3] + tuple(sorted((k, str(v)) for k, v in kwargs.items()))
        is_new = used not in self.nonces
        self.nonces.add(used)
        return is_new

    def validate_redirect_uri(self, client_key: str, redirect_uri: str, request: Any) -> bool:
        return redirect_uri == "oob" or redirect_uri.startswith("http://127.0.0.1:")

    def get_default_realms(self, client_key: str, request: Any) -> list[str]:
        return []

    def get_realms(self, token: str, request: Any) -> list[str]:
        return []

    def validate_requested_realms(self, client_key: str, realms: Any, request: Any) -> bool:
        return True

    def validate_realms(self, *args: Any, **kwargs: Any) -> bool:
        return True

    def verify_realms(self, token: str, realms: Any, request: Any) -> bool:
        return True

    def verify_request_token(self, token: str, request: Any) -> bool:
        return token in self.requested

    def save_request_token(self, token: dict[str, str], request: Any) -> None:
        self.requested[token["oauth_token"]] = {**token, "callback": request.redirect_uri}

    def get_redirect_uri(self, token: str, request: Any) -> str:
        return self.requested[token]["callback"]

    def save_verifier(self, token: str, verifier: dict[str, str], request: Any) -> None:
        self.requested[token]["verifier"] = verifier["oauth_verifier"]

    def validate_verifier(self, client_key: str, token: str, verifier: str, request: Any) -> bool:
        return self.requested.get(token, {}).get("verifier") == verifier

    def save_access_token(self, token: dict[str, str], request: Any) -> None:
        self.granted[token["oauth_token"]] = token

    def invalidate_request_token(self, client_key: str, token: str, request: Any) -> None:
        del self.requested[token]


class Provider:
    """The provider's state, and its site."""

    def __init__(self, test: AuthTestCase) -> None:
        self.validator = Validator()
        self.server = WebApplicationServer(self.validator)
        self.answers: dict[str, Any] = {}
        port = bind_unused_port()
        options = {"provider": self}
        test.serve(
            [
                ("/request_token", TokenHandler, options),
                ("/access_token", TokenHandler, options),
                ("/authorize", AuthorizeHandler, options),
                ("/(api/.*)", APIHandler, options),
            ],
            port=port,
        )
        self.url = f"http://127.0.0.1:{port[1]}"


class ProviderHandler(RequestHandler):
    def initialize(self, provider: Provider) -> None:
        self.provider = provider

    def oauth(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        request = self.request
        headers = dict(request.headers)
        body = request.body.decode() or None
        return method(request.full_url(), request.method, body, headers, *args, **kwargs)

    def answer(self, response: tuple[dict[str, str], str, int]) -> None:
        headers, body, status = response
        self.set_status(status)
        for name, value in headers.items():
            self.set_header(name, value)
        self.finish(body or "")


class TokenHandler(ProviderHandler):
    def get(self) -> None:
        bent = self.provider.answers.get(self.request.path)
        if bent is not None:
            self.answer(bent)
        elif self.request.path == "/request_token":
            self.answer(self.oauth(self.provider.server.create_request_token_response))
        else:
            more = {"screen_name": "ann", "username": "ann"}
            create = self.provider.server.create_access_token_response
            self.answer(self.oauth(create, credentials=more))


class AuthorizeHandler(ProviderHandler):
    """The user agrees at once."""

    def get(self) -> None:
        server = self.provider.server
        self.oauth(server.get_realms_and_credentials)
        self.answer(self.oauth(server.create_authorization_response, realms=[]))


class APIHandler(ProviderHandler):
    def _serve(self, path: str) -> None:
        validate = self.provider.server.validate_protected_resource_request
        valid, _ = self.oauth(validate, realms=[])
        if not valid:
            self.set_status(401)
            self.finish({"errors": "signature"})
            return
        arguments = {
            name: self.get_arguments(name)
            for name in self.request.arguments
            if not name.startswith("oauth_")
        }
        user = {"id": "ann", "id_str": "1", "screen_name": "ann", "name": "Ann"}
        self.finish({"path": path, "method": self.request.method, "arguments": arguments, **user})

    get = post = _serve
