"""What HTTP servers and clients share: headers, requests, forms, dates, URLs.

`headers`
    `HTTPHeaders`.
`request`
    `HTTPServerRequest`.
`interfaces`
    What servers, connections and applications expect of each other.
`startline`, `grammar`, `parameters`, `cookies`, `ranges`, `dates`, `urls`
    Pieces of messages; all take linear time for any input.
`forms`
    Bodies of forms, with limits.
`errors`
    What is raised for bad input.
"""

import http.client

from txtornado.httputil import forms as _forms
from txtornado.httputil._doctests import doctests
from txtornado.httputil.cookies import parse_cookie
from txtornado.httputil.dates import current_date, format_timestamp
from txtornado.httputil.errors import HTTPInputError, HTTPOutputError
from txtornado.httputil.forms import (
    HTTPFile,
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    parse_body_arguments,
    parse_multipart_form_data,
    set_parse_body_config,
)
from txtornado.httputil.grammar import HTTP_WHITESPACE
from txtornado.httputil.grammar import Grammar as _ABNF
from txtornado.httputil.headers import HTTPHeaders
from txtornado.httputil.headers import normalize_header as _normalize_header
from txtornado.httputil.interfaces import (
    HTTPConnection,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
)
from txtornado.httputil.parameters import encode_header as _encode_header
from txtornado.httputil.parameters import encode_username_password
from txtornado.httputil.parameters import int_or_none as _int_or_none
from txtornado.httputil.parameters import parse_header as _parse_header
from txtornado.httputil.ranges import get_content_range as _get_content_range
from txtornado.httputil.ranges import parse_request_range as _parse_request_range
from txtornado.httputil.request import HTTPServerRequest
from txtornado.httputil.startline import (
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
    parse_response_start_line,
)
from txtornado.httputil.urls import qs_to_qsl, split_host_and_port, url_concat

__all__ = [
    "HTTP_WHITESPACE",
    "_ABNF",
    "_DEFAULT_PARSE_BODY_CONFIG",
    "HTTPConnection",
    "HTTPFile",
    "HTTPHeaders",
    "HTTPInputError",
    "HTTPMessageDelegate",
    "HTTPOutputError",
    "HTTPServerConnectionDelegate",
    "HTTPServerRequest",
    "ParseBodyConfig",
    "ParseMultipartConfig",
    "ParseUrlEncodedConfig",
    "RequestStartLine",
    "ResponseStartLine",
    "_encode_header",
    "_get_content_range",
    "_int_or_none",
    "_normalize_header",
    "_parse_header",
    "_parse_request_range",
    "current_date",
    "doctests",
    "encode_username_password",
    "format_timestamp",
    "parse_body_arguments",
    "parse_cookie",
    "parse_multipart_form_data",
    "parse_request_start_line",
    "parse_response_start_line",
    "qs_to_qsl",
    "responses",
    "set_parse_body_config",
    "split_host_and_port",
    "url_concat",
]

#: Status codes to their reasons.
responses = http.client.responses

_DEFAULT_PARSE_BODY_CONFIG = _forms.get_parse_body_config()
