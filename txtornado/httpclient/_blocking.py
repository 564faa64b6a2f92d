"""`HTTPClient`: the blocking face of `AsyncHTTPClient`."""

from typing import Any

from txtornado.httpclient._client import AsyncHTTPClient
from txtornado.httpclient._request import HTTPRequest
from txtornado.httpclient._response import HTTPResponse
from txtornado.ioloop import IOLoop

__all__ = ["HTTPClient"]


class HTTPClient:
    """A blocking HTTP client, for scripts and threads that run no loop::

        with HTTPClient() as client:
            print(client.fetch("http://www.example.com/").body)

    It has a loop of its own, which runs while it fetches.  Inside a running loop, `fetch`
    is refused: use `AsyncHTTPClient` there.
    """

    def __init__(
        self, async_client_class: type[AsyncHTTPClient] | None = None, **kwargs: Any
    ) -> None:
        """Make a client.

        Args:
            async_client_class: the implementation; `AsyncHTTPClient` by default.
            kwargs: for its constructor.
        """
        self._closed = True  # until there is something to close
        self._io_loop = IOLoop(make_current=False)
        cls = async_client_class or AsyncHTTPClient

        async def make() -> AsyncHTTPClient:
            # In the loop: what the client is made of asks for the current one.
            return cls(force_instance=True, **kwargs)

        try:
            self._async_client: AsyncHTTPClient = self._io_loop.run_sync(make)
        except BaseException:
            self._io_loop.close()
            raise
        self._closed = False

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> "HTTPClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the client and its loop."""
        if not self._closed:
            self._closed = True
            self._async_client.close()
            self._io_loop.close()

    def fetch(self, request: HTTPRequest | str, **kwargs: Any) -> HTTPResponse:
        """Send a request and wait for its response; parameters as in `AsyncHTTPClient.fetch`.

        Raises:
            HTTPClientError: the response is not 2xx and ``raise_error`` is true, the default.
        """
        response: HTTPResponse = self._io_loop.run_sync(
            lambda: self._async_client.fetch(request, **kwargs)
        )
        return response
