"""The parts of HTTP's and URI's grammars that more than one module needs.

Every pattern is for ``str`` whose characters stand for bytes (latin-1), is meant for
`re.Pattern.fullmatch`, and takes linear time.
"""

import re

__all__ = ["HTTP_WHITESPACE", "Grammar"]

#: What may surround a field value (``OWS`` of RFC 9110, section 5.6.3).
HTTP_WHITESPACE = " \t"

_TCHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_VISIBLE = r"[\x21-\x7e\x80-\xff]"
_TEXT = r"[\t\x20-\x7e\x80-\xff]"


class Grammar:
    """Compiled rules, named as RFC 9110 and RFC 9112 name them."""

    #: RFC 9110, section 5.6.2.
    token = re.compile(f"{_TCHAR}+")
    #: RFC 9110, section 5.1.
    field_name = token
    #: RFC 9110, section 5.5, with obs-text; no white space at either end, may be empty.
    field_value = re.compile(f"(?:{_VISIBLE}(?:{_TEXT}*{_VISIBLE})?)?")
    #: RFC 9112, section 3.2: anything visible; the forms are told apart by their users.
    request_target = re.compile(f"{_VISIBLE}+")
    #: RFC 9112, section 4.
    reason_phrase = re.compile(f"{_TEXT}+")
    #: RFC 9112, section 3.
    request_line = re.compile(f"({_TCHAR}+) ({_VISIBLE}+) (HTTP/[0-9]\\.[0-9])")
    #: RFC 9112, section 4; the space before an empty reason is not optional.
    status_line = re.compile(f"(HTTP/[0-9]\\.[0-9]) ([0-9]{{3}}) ({_TEXT}+)?")
    #: RFC 9110, section 7.2, with RFC 3986's characters of ``uri-host`` and a port.
    host = re.compile(r"(?:[\[\]:A-Za-z0-9\-._~!$&'()*+,;=]++|%[0-9A-Fa-f]{2})*+")
