"""What is asked for: `HTTPRequest`."""

import datetime
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from txtornado import httputil
from txtornado.escape import utf8
from txtornado.httputil import HTTPHeaders
from txtornado.stack_context import wrap

__all__ = ["HTTPRequest"]

StreamingCallback = Callable[[bytes], Awaitable[None] | None]
HeaderCallback = Callable[[str], None]
BodyProducer = Callable[[Callable[[bytes], Any]], Any]


class HTTPRequest:
    """A request for `AsyncHTTPClient.fetch`.  Everything but ``url`` is optional.

    A parameter that is None takes the client's default for it (its ``defaults``, then those
    of this class: 20 seconds for either timeout, up to 5 redirects, certificates checked,
    responses decompressed).

    The parameters are those of Tornado 6.6.  Tornado 2.3 had no ``auth_mode``, so a number in
    its place is taken for ``connect_timeout`` and what follows it moves along.
    """

    _DEFAULTS: ClassVar[dict[str, Any]] = {
        "connect_timeout": 20.0,
        "request_timeout": 20.0,
        "follow_redirects": True,
        "max_redirects": 5,
        "decompress_response": True,
        "proxy_password": "",
        "allow_nonstandard_methods": False,
        "validate_cert": True,
    }

    _headers: HTTPHeaders | Mapping[str, str]
    _body: bytes | None

    def __init__(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | HTTPHeaders | None = None,
        body: bytes | str | None = None,
        auth_username: str | None = None,
        auth_password: str | None = None,
        auth_mode: str | float | None = None,
        connect_timeout: float | None = None,
        request_timeout: Any = None,
        if_modified_since: float | datetime.datetime | None = None,
        follow_redirects: bool | None = None,
        max_redirects: int | None = None,
        user_agent: str | None = None,
        use_gzip: bool | None = None,
        network_interface: str | None = None,
        streaming_callback: StreamingCallback | None = None,
        header_callback: HeaderCallback | None = None,
        prepare_curl_callback: Callable[[Any], None] | None = None,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_username: str | None = None,
        proxy_password: str | None = None,
        proxy_auth_mode: str | None = None,
        allow_nonstandard_methods: bool | None = None,
        validate_cert: bool | None = None,
        ca_certs: str | None = None,
        allow_ipv6: bool | None = None,
        client_key: str | None = None,
        client_cert: str | None = None,
        body_producer: BodyProducer | None = None,
        expect_100_continue: bool = False,
        decompress_response: bool | None = None,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
    ) -> None:
        """Describe a request.

        Args:
            url: ``http://`` or ``https://``.
            method: in capital letters.
            headers: further headers; they are copied before they are sent.
            body: as bytes, or as text that is sent in UTF-8.
            auth_username: with ``auth_password``, for HTTP authentication.
            auth_password: see ``auth_username``.
            auth_mode: ``"basic"`` (the default) or, where the client knows it, ``"digest"``
                (since 3.1).
            connect_timeout: seconds until the connection stands; 0 is for ever.
            request_timeout: seconds for everything together; 0 is for ever.
            if_modified_since: a `datetime.datetime` (naive ones are in UTC) or a timestamp.
            follow_redirects: whether to follow redirects, or return them.
            max_redirects: how many of them.
            user_agent: for the ``User-Agent`` header.
            use_gzip: older name of ``decompress_response``.
            network_interface: the local address (or, with curl, interface) to connect from.
            streaming_callback: gets the body chunk by chunk; the response has none then.  When
                it returns an awaitable the next chunk waits for that (since 6.6).
            header_callback: gets the status line, each header line and the empty line after
                them as they come in, with their line ends.
            prepare_curl_callback: gets the ``pycurl.Curl`` object, with the curl client.
            proxy_host: a proxy, where the client knows them.
            proxy_port: its port.
            proxy_username: for its authentication.
            proxy_password: for its authentication.
            proxy_auth_mode: ``"basic"`` or ``"digest"`` (since 4.5).
            allow_nonstandard_methods: allow any ``method``, with or without a body.
            validate_cert: whether a server's certificate is checked.
            ca_certs: path of the trusted certificates (PEM); the system's by default.
            allow_ipv6: whether to use IPv6; yes by default.
            client_key: path of the client's private key (PEM).
            client_cert: path of the client's certificate (PEM).
            body_producer: called with a function ``write(chunk)`` that returns a Future; may
                return an awaitable.  Without a ``Content-Length`` header the body is sent
                chunked (since 4.0).
            expect_100_continue: send ``Expect: 100-continue`` and wait with the body until the
                server asks for it (since 4.0).
            decompress_response: ask for a compressed response and decompress it (since 4.0).
            ssl_options: an `ssl.SSLContext`, or a dict of its options, in place of
                ``validate_cert``, ``ca_certs``, ``client_key`` and ``client_cert`` (since 4.2).

        Raises:
            ValueError: both ``body`` and ``body_producer``.
        """
        if isinstance(auth_mode, (int, float)):
            # The positional order of Tornado 2.3.
            if isinstance(request_timeout, datetime.datetime):
                if_modified_since, request_timeout = request_timeout, None
            if connect_timeout is not None:
                request_timeout = connect_timeout
            connect_timeout, auth_mode = auth_mode, None
        self.headers = headers
        if if_modified_since:
            self.headers = HTTPHeaders(self._headers)
            self.headers["If-Modified-Since"] = httputil.format_timestamp(if_modified_since)
        self.proxy_host = proxy_host
        self.proxy_port = proxy_port
        self.proxy_username = proxy_username
        self.proxy_password = proxy_password
        self.proxy_auth_mode = proxy_auth_mode
        self.url = url
        self.method = method
        self.body = body
        self.body_producer = wrap(body_producer)
        self.auth_username = auth_username
        self.auth_password = auth_password
        self.auth_mode = auth_mode
        self.connect_timeout = connect_timeout
        self.request_timeout: float | None = request_timeout
        self.follow_redirects = follow_redirects
        self.max_redirects = max_redirects
        self.user_agent = user_agent
        self.decompress_response = use_gzip if decompress_response is None else decompress_response
        self.network_interface = network_interface
        self.streaming_callback = wrap(streaming_callback)
        self.header_callback = wrap(header_callback)
        self.prepare_curl_callback = wrap(prepare_curl_callback)
        self.allow_nonstandard_methods = allow_nonstandard_methods
        self.validate_cert = validate_cert
        self.ca_certs = ca_certs
        self.allow_ipv6 = allow_ipv6
        self.client_key = client_key
        self.client_cert = client_cert
        self.ssl_options = ssl_options
        self.expect_100_continue = expect_100_continue
        self.start_time = time.time()

    @property
    def headers(self) -> HTTPHeaders:
        """The headers to send.  Setting None leaves no headers."""
        return self._headers  # type: ignore[return-value]

    @headers.setter
    def headers(self, value: Mapping[str, str] | HTTPHeaders | None) -> None:
        self._headers = HTTPHeaders() if value is None else value

    @property
    def body(self) -> bytes | None:
        """The body; text that is set becomes UTF-8."""
        return self._body

    @body.setter
    def body(self, value: bytes | str | None) -> None:
        self._body = utf8(value)

    @property
    def use_gzip(self) -> bool | None:
        """`decompress_response` under its name of Tornado 2.3."""
        return self.decompress_response

    @use_gzip.setter
    def use_gzip(self, value: bool | None) -> None:
        self.decompress_response = value

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.url}>"


class _RequestProxy:
    """A request seen through a client's defaults: what is None there is looked up here.

    The request itself is left as the user made it: what is set here stays here, in a copy
    (`copy.copy`) too.  This is what implementations of `AsyncHTTPClient.fetch_impl` are given.
    """

    def __init__(self, request: HTTPRequest, defaults: Mapping[str, Any] | None) -> None:
        values = self.__dict__
        values.update(request.__dict__)
        values["headers"] = values.pop("_headers")
        values["body"] = values.pop("_body")
        if defaults is not None:
            for name, value in defaults.items():
                if values.get(name) is None and hasattr(request, name):
                    values[name] = value
        values["request"] = request
        values["defaults"] = defaults

    def __getattr__(self, name: str) -> Any:
        """What the request has beside its parameters."""
        if name.startswith("__") or name == "request":  # asked for by `copy`, before there is one
            raise AttributeError(name)
        return getattr(self.request, name)
