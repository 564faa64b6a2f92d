"""Attribute exchange 1.0: what OpenID 2.0 providers tell of a user.

A reply names attributes as it likes: ``ax.type.x = http://axschema.org/contact/email`` says
that ``ax.value.x`` is an address.  ``ax`` itself is whatever ``ns.ax`` stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["request", "user"]

_NS = "http://openid.net/srv/ax/1.0"
_TYPES = {
    "email": "http://axschema.org/contact/email",
    "firstname": "http://axschema.org/namePerson/first",
    "fullname": "http://axschema.org/namePerson",
    "lastname": "http://axschema.org/namePerson/last",
    "language": "http://axschema.org/pref/language",
    "username": "http://axschema.org/namePerson/friendly",
}


def request(wanted: Iterable[str]) -> dict[str, str]:
    """The fields that ask for attributes: of `_TYPES`, or ``name`` for those of names.

    Raises:
        ValueError: an attribute that is not known.
    """
    names: list[str] = []
    for name in wanted:
        names += ("firstname", "fullname", "lastname") if name == "name" else (name,)
    if not names:
        return {}
    unknown = [name for name in names if name not in _TYPES]
    if unknown:
        raise ValueError(f"unknown attribute {unknown[0]!r}: one of {['name', *_TYPES]}")
    fields = {"openid.ns.ax": _NS, "openid.ax.mode": "fetch_request"}
    for name in names:
        fields[f"openid.ax.type.{name}"] = _TYPES[name]
    fields["openid.ax.required"] = ",".join(dict.fromkeys(names))
    return fields


def _attribute(reply: Mapping[str, str], prefix: str, type_uri: str) -> str | None:
    for name, value in reply.items():
        if value == type_uri and name.startswith(f"{prefix}.type."):
            alias = name.removeprefix(f"{prefix}.type.")
            for key in (f"{prefix}.value.{alias}", f"{prefix}.value.{alias}.1"):
                if reply.get(key):
                    return reply[key]
    return None


def user(reply: Mapping[str, str]) -> dict[str, str]:
    """The user that a verified reply (its fields without ``openid.``) is about."""
    prefix = next(
        (name.removeprefix("ns.") for name, value in reply.items() if value == _NS and name.startswith("ns.")),
        None,
    )  # fmt: skip
    told = {}
    if prefix is not None:
        told = {name: _attribute(reply, prefix, uri) for name, uri in _TYPES.items()}
    found = {
        "first_name": told.get("firstname"),
        "last_name": told.get("lastname"),
        "name": _full_name(told),
        "email": told.get("email"),
        "locale": (told.get("language") or "").lower(),
        "username": told.get("username"),
        "claimed_id": reply.get("claimed_id"),
    }
    return {name: value for name, value in found.items() if value}


def _full_name(told: Mapping[str, str | None]) -> str | None:
    if name := told.get("fullname"):
        return name
    if parts := [part for part in (told.get("firstname"), told.get("lastname")) if part]:
        return " ".join(parts)
    return (told.get("email") or "").partition("@")[0] or None
