"""Request arguments: from lists of bytes to clean text."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from txtornado.web._errors import HTTPError, MissingArgumentError

__all__ = ["REQUIRED", "Required", "decode", "decode_group", "last_value", "values"]

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


class Required:
    """The type of `REQUIRED`, the default that says an argument has none."""

    def __repr__(self) -> str:
        return "<required>"


REQUIRED: Final = Required()


def decode(value: bytes | str, name: str | None) -> str:
    """Decode one argument as UTF-8; text, from a router of the application's own, is left alone.

    Raises:
        HTTPError: 400, when it is not UTF-8.
    """
    try:
        return value.decode()  # type: ignore[union-attr]
    except AttributeError:
        return value  # type: ignore[return-value]
    except UnicodeDecodeError:
        raise HTTPError(400, "Invalid unicode in %s: %r", name or "url", value[:40]) from None


def clean(value: Any, strip: bool) -> Any:
    """Replace control characters by blanks and, if asked, strip white space.

    A `RequestHandler.decode_argument` of the application may return bytes or anything
    else; only text is cleaned.
    """
    if isinstance(value, str):
        if not value.isprintable():
            value = _CONTROL.sub(" ", value)
        return value.strip() if strip else value
    return value.strip() if strip and isinstance(value, bytes) else value


def values(
    source: Mapping[str, Sequence[bytes]],
    name: str,
    strip: bool,
    decode_argument: Callable[..., Any] | None,
) -> list[Any]:
    """All values of ``name`` in ``source``, decoded (None: by `decode`) and cleaned."""
    found = source.get(name)
    if not found:
        return []
    texts = []
    for value in found:
        if decode_argument is None and type(value) is bytes:
            try:
                text = value.decode()
            except UnicodeDecodeError:
                text = decode(value, name)
        else:
            text = (decode_argument or decode)(value, name=name)
        if type(text) is not str:
            text = clean(text, strip)
        else:
            if not text.isprintable():
                text = _CONTROL.sub(" ", text)
            if strip:
                text = text.strip()
        texts.append(text)
    return texts


def last_value(found: Sequence[Any], name: str, default: Any) -> Any:
    """The last of ``found``, else ``default``.

    Raises:
        MissingArgumentError: there is none, and ``default`` is `REQUIRED`.
    """
    if found:
        return found[-1]
    if default is REQUIRED:
        raise MissingArgumentError(name)
    return default


def decode_group(decode_argument: Callable[..., Any], value: Any, name: str | None) -> Any:
    """Decode what a group of the route's regular expression matched; None stays None."""
    return None if value is None else decode_argument(value, name=name)
