"""The web framework: `Application` routes requests to `RequestHandler` classes.

::

    import txtornado.ioloop
    import txtornado.web

    class MainHandler(txtornado.web.RequestHandler):
        def get(self):
            self.write("Hello, world")

    application = txtornado.web.Application([(r"/", MainHandler)])

    if __name__ == "__main__":
        application.listen(8888)
        txtornado.ioloop.IOLoop.instance().start()

This module only hands names on. Behind it: `_application` and `_delegate` take requests
in, `_execution` runs a handler, `_handler` with `_identity` and `_pages` is its face,
`_response` sends what it wrote. The other modules hold one subject each as plain functions:
arguments, headers, cookies, signing, tokens, origins, etags, ranges, static files,
languages, rendering, UI modules, transforms, decorators, errors.

Handlers are not thread-safe: other threads go through `IOLoop.add_callback`.
"""

from txtornado.log import access_log, app_log, gen_log
from txtornado.routing import URLSpec
from txtornado.web._application import Application
from txtornado.web._application import ApplicationRouter as _ApplicationRouter
from txtornado.web._arguments import REQUIRED as _ARG_DEFAULT
from txtornado.web._decorators import (
    addslash,
    asynchronous,
    authenticated,
    removeslash,
    stream_request_body,
)
from txtornado.web._delegate import HandlerDelegate as _HandlerDelegate
from txtornado.web._errors import Finish, HTTPError, MissingArgumentError
from txtornado.web._handler import RequestHandler
from txtornado.web._handlers import ErrorHandler, FallbackHandler, RedirectHandler
from txtornado.web._rendering import is_absolute
from txtornado.web._signing import (
    DEFAULT_SIGNED_VALUE_MIN_VERSION,
    DEFAULT_SIGNED_VALUE_VERSION,
    MAX_SUPPORTED_SIGNED_VALUE_VERSION,
    MIN_SUPPORTED_SIGNED_VALUE_VERSION,
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)
from txtornado.web._signing import signature_v1 as _create_signature_v1
from txtornado.web._signing import signature_v2 as _create_signature_v2
from txtornado.web._static import StaticFileHandler
from txtornado.web._transforms import GZipContentEncoding, OutputTransform
from txtornado.web._uimodules import TemplateModule, UIModule

__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "_ARG_DEFAULT",
    "Application",
    "ErrorHandler",
    "FallbackHandler",
    "Finish",
    "GZipContentEncoding",
    "HTTPError",
    "MissingArgumentError",
    "OutputTransform",
    "RedirectHandler",
    "RequestHandler",
    "StaticFileHandler",
    "TemplateModule",
    "UIModule",
    "URLSpec",
    "_ApplicationRouter",
    "_HandlerDelegate",
    "_create_signature_v1",
    "_create_signature_v2",
    "access_log",
    "addslash",
    "app_log",
    "asynchronous",
    "authenticated",
    "create_signed_value",
    "decode_signed_value",
    "gen_log",
    "get_signature_key_version",
    "is_absolute",
    "removeslash",
    "stream_request_body",
    "url",
]

url = URLSpec
