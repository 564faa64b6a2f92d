"""`AuthError`, and how what a provider says gets into its message safely."""

from __future__ import annotations

__all__ = ["AuthError", "cut", "refusal"]

_SHOWN = 200  # characters of a provider's words that go into a message


class AuthError(Exception):
    """Nobody was logged in; the message says why (Tornado 2.3).

    It never holds a secret, a token or a provider's whole answer.

    Attributes:
        code: what kind of failure it was, for programs.  What a provider said in ``error``
            (``"access_denied"``, ``"invalid_grant"`` …), or one of ours: ``"state_mismatch"``
            (the reply belongs to no login of this browser), ``"forged"`` (a signature or a
            claim does not hold), ``"bad_response"`` (a provider's answer is no answer),
            ``"unavailable"`` (it could not be reached in time), ``"error"`` otherwise.
    """

    def __init__(self, *args: object, code: str = "error") -> None:
        super().__init__(*args)
        self.code = code


def cut(text: str) -> str:
    """``text`` from outside as it may stand in a message: one line, printable, not long."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return "".join(char if char.isprintable() else "?" for char in shown)


def refusal(code: str, description: str | None) -> AuthError:
    """The error for what an OAuth 2.0 provider reported (RFC 6749 sections 4.1.2.1, 5.2)."""
    code = cut(code)
    message = f"the provider refused: {code}"
    if description:
        message += f" ({cut(description)})"
    return AuthError(message, code=code)
