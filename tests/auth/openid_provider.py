"""An OpenID 2.0 provider on `python3-openid`'s server."""

from __future__ import annotations

from typing import Any

from openid.extensions import ax
from openid.server.server import CheckAuthRequest, ProtocolError, Server
from openid.store.memstore import MemoryStore

from txtornado.testing import bind_unused_port
from txtornado.web import RequestHandler

from .support import AuthTestCase

OAUTH = "http://specs.openid.net/extensions/oauth/1.0"
ATTRIBUTES = {
    "http://axschema.org/contact/email": "ann@example.com",
    "http://axschema.org/namePerson/first": "Ann",
    "http://axschema.org/namePerson/last": "Ödön",
    "http://axschema.org/pref/language": "hu-HU",
}


class Provider:
    """The provider's state, and its site."""

    def __init__(self, test: AuthTestCase) -> None:
        port = bind_unused_port()
        self.url = f"http://127.0.0.1:{port[1]}/server"
        self.server = Server(MemoryStore(), self.url)
        self.agrees = True
        self.answer: Any = None
        self.granted: str | None = None
        self.requests: list[dict[str, str]] = []
        test.serve([("/server", ServerHandler, {"provider": self})], port=port)


class ServerHandler(RequestHandler):
    def initialize(self, provider: Provider) -> None:
        self.provider = provider

    def _serve(self) -> None:
        provider = self.provider
        query = {name: self.get_argument(name, strip=False) for name in self.request.arguments}
        provider.requests.append(query)
        try:
            request = provider.server.decodeRequest(query)
        except ProtocolError:
            self.set_status(400)
            return
        if isinstance(request, CheckAuthRequest):
            if provider.answer is not None:
                self.set_status(provider.answer[0])
                self.finish(provider.answer[1])
                return
            response = provider.server.handleRequest(request)
        else:
            identity = f"{provider.url}/ann" if provider.agrees else None
            response = request.answer(provider.agrees, identity=identity)
            if provider.agrees:
                self._tell(request, response)
        encoded = provider.server.encodeResponse(response)
        self.set_status(encoded.code)
        for name, value in encoded.headers.items():
            self.set_header(name, value)
        self.finish(encoded.body)

    get = post = _serve

    def _tell(self, request: Any, response: Any) -> None:
        asked = ax.FetchRequest.fromOpenIDRequest(request)
        if asked is None:
            return
        told = ax.FetchResponse(asked)
        for info in asked.iterAttrs():
            if info.type_uri in ATTRIBUTES:
                told.addValue(info.type_uri, ATTRIBUTES[info.type_uri])
        response.addExtension(told)
        if self.provider.granted:
            response.fields.setArg(OAUTH, "request_token", self.provider.granted)
