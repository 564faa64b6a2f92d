"""Field values with parameters (RFC 9110, section 5.6.6), and other small forms."""

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import unquote

__all__ = ["encode_header", "encode_username_password", "int_or_none", "parse_header"]

# One parameter with the semicolon in front of it.  A quoted string counts as one only when
# nothing but white space follows it; otherwise its quotes are ordinary characters.
_PARAMETER = re.compile(
    r";[ \t]*([^=;]*)(?:=[ \t]*(?:\"((?:[^\"\\]++|\\.)*+)\"[ \t]*+(?=;|\Z)|([^;]*)))?", re.DOTALL
)
_QUOTED_PAIR = re.compile(r'\\([\\"])')


def parse_header(line: str) -> tuple[str, dict[str, str]]:
    r"""Split a field value like ``Content-Disposition``'s into its value and parameters.

    Parameters' names become lower case, those without a ``=`` are left out, and of those
    with one name the last counts.  The extended form ``name*=UTF-8''%e2%82%ac`` (RFC 8187)
    is decoded and wins over the plain form.

    >>> parse_header('form-data; name="a\\"b"; File=x')
    ('form-data', {'name': 'a"b', 'file': 'x'})
    """
    value, semicolon, _ = line.partition(";")
    parameters: dict[str, str] = {}
    extended: dict[str, str] = {}
    if semicolon:
        for match in _PARAMETER.finditer(line, len(value)):
            name, quoted, raw = match.groups()
            if quoted is not None:
                text = _QUOTED_PAIR.sub(r"\1", quoted) if "\\" in quoted else quoted
            elif raw is not None:
                text = raw.strip()
            else:
                continue
            name = name.strip().lower()
            if name[-1:] == "*":
                extended[name[:-1]] = _decode_extended(text)
            else:
                parameters[name] = text
    parameters.update(extended)
    return value.strip(), parameters


def _decode_extended(text: str) -> str:
    charset, quote, rest = text.partition("'")
    _language, second, value = rest.partition("'")
    if not (quote and second):
        return unquote(text)
    encoding = "latin-1" if charset.lower() in ("iso-8859-1", "latin-1") else "utf-8"
    return unquote(value, encoding=encoding, errors="replace")


def encode_header(value: str, parameters: Mapping[str, object]) -> str:
    """Join a value and its parameters; one whose value is None is written without ``=``.

    >>> encode_header('permessage-deflate', {'client_max_window_bits': 15, 'x': None})
    'permessage-deflate; client_max_window_bits=15; x'
    """
    return "; ".join(
        [value]
        + [
            name if parameter is None else f"{name}={parameter}"
            for name, parameter in parameters.items()
        ]
    )


def encode_username_password(username: str | bytes, password: str | bytes) -> bytes:
    """Return ``username:password`` as HTTP authentication takes it (RFC 7617).

    Text is encoded as UTF-8 in normalization form C.  Since Tornado 5.1.
    """
    return _credential(username) + b":" + _credential(password)


def _credential(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    return unicodedata.normalize("NFC", text).encode("utf-8")


def int_or_none(text: str) -> int | None:
    """Return the whole number that ``text`` is, None when it is blank.

    Raises:
        ValueError: for anything else.
    """
    text = text.strip()
    return int(text) if text else None
