"""Digest authentication (RFC 7616), the client's side."""

import copy
import hashlib
import re
import secrets

from txtornado.httpclient._request import HTTPRequest
from txtornado.httpclient._target import Target
from txtornado.httputil import HTTPHeaders

__all__ = ["authorization", "find_challenge", "with_authorization"]

_SCHEME = re.compile(r"(?:^|,)\s*digest\s+", re.IGNORECASE)
_PARAMETER = re.compile(r"""\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)""")
_ALGORITHMS = frozenset({"MD5", "SHA-256"})


def find_challenge(headers: HTTPHeaders, name: str = "WWW-Authenticate") -> dict[str, str] | None:
    """The first Digest challenge that can be answered, as its parameters; None when there is none.

    Parameters are looked up in lower case.

    Args:
        headers: of the response.
        name: of the header; ``Proxy-Authenticate`` is a proxy's.
    """
    for value in headers.get_list(name):
        for scheme in _SCHEME.finditer(value):
            challenge = _parameters(value, scheme.end())
            if _can_answer(challenge):
                return challenge
    return None


def _parameters(value: str, position: int) -> dict[str, str]:
    parameters: dict[str, str] = {}
    while match := _PARAMETER.match(value, position):
        name, quoted, token = match.groups()
        parameters[name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = match.end()
    return parameters


def _can_answer(challenge: dict[str, str]) -> bool:
    return (
        "nonce" in challenge
        and _algorithm(challenge)[0] in _ALGORITHMS
        and ("qop" not in challenge or "auth" in _qualities(challenge))
    )


def _algorithm(challenge: dict[str, str]) -> tuple[str, bool]:
    name = challenge.get("algorithm", "MD5").upper()
    return name.removesuffix("-SESS"), name.endswith("-SESS")


def _qualities(challenge: dict[str, str]) -> list[str]:
    return [quality.strip().lower() for quality in challenge["qop"].split(",")]


def authorization(
    challenge: dict[str, str],
    method: str,
    path: str,
    username: str,
    password: str,
    cnonce: str | None = None,
) -> str:
    """The ``Authorization`` header that answers ``challenge``.

    Args:
        challenge: of `find_challenge`.
        method: of the request.
        path: the request target, with the query.
        username: as text.
        password: as text.
        cnonce: the client's random part; made up by default.
    """
    cnonce = cnonce or secrets.token_hex(16)
    name, session = _algorithm(challenge)
    realm, nonce = challenge.get("realm", ""), challenge["nonce"]

    def digest(*parts: str) -> str:
        hashed = hashlib.new(name.replace("-", ""), usedforsecurity=False)
        hashed.update(":".join(parts).encode("utf-8"))
        return hashed.hexdigest()

    secret = digest(username, realm, password)
    if session:
        secret = digest(secret, nonce, cnonce)
    what = digest(method, path)
    fields = {"username": username, "realm": realm, "nonce": nonce, "uri": path}
    tokens = {}
    if "qop" in challenge:
        fields["response"] = digest(secret, nonce, "00000001", cnonce, "auth", what)
        fields["cnonce"] = cnonce
        tokens = {"qop": "auth", "nc": "00000001"}
    else:
        fields["response"] = digest(secret, nonce, what)
        if session:
            fields["cnonce"] = cnonce
    if "opaque" in challenge:
        fields["opaque"] = challenge["opaque"]
    if "algorithm" in challenge:
        tokens["algorithm"] = challenge["algorithm"]
    parts = [f'{field}="{_quoted(value)}"' for field, value in fields.items()]
    return "Digest " + ", ".join([*parts, *(f"{k}={v}" for k, v in tokens.items())])


def _quoted(value: str) -> str:
    # In a header characters are bytes; UTF-8 is what RFC 7616, section 4, has servers expect.
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return text.encode("utf-8").decode("latin-1")


def with_authorization(
    request: HTTPRequest, target: Target, challenge: dict[str, str]
) -> HTTPRequest:
    """``request`` once more, with an answer to ``challenge``; the request is not changed."""
    again = copy.copy(request)
    again.headers = HTTPHeaders(request.headers)
    if target.username is not None:
        username, password = target.username, target.password
    else:
        username, password = request.auth_username or "", request.auth_password or ""
    again.headers["Authorization"] = authorization(
        challenge, request.method, target.path, username, password
    )
    return again
