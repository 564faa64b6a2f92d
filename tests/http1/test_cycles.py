"""Requests leave no reference cycles: memory is given back at once, not when the collector runs."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.http1.support import OK, MemoryStream, Recorder, serve
from tests.http1.test_client_connection import RESPONSE
from tests.http1.test_server_connection import GET, LoggingTestCase, post
from txtornado.http1connection import HTTP1Connection
from txtornado.httputil import HTTPHeaders, RequestStartLine


class CycleTests(LoggingTestCase):
    """What the garbage collector finds after an exchange."""

    def garbage(self, run: Callable[[], Any]) -> Counter[str]:
        """The types of objects that ``run`` leaves in cycles."""
        run()  # caches are filled by now
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            run()
            gc.collect()
            return Counter(type(each).__name__ for each in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    def test_exchanges(self) -> None:
        """Neither request, delegate nor connection of an answered request is in a cycle."""
        stream, app = serve()

        def run() -> None:
            stream.feed(GET + post(b"abc"))
            app.requests.clear()
            stream.take()

        self.assertEqual(self.garbage(run), {})

    def test_late_answer(self) -> None:
        """Nor is one that was answered later, with a close callback of its delegate's."""
        stream, app = serve(lambda conn: Recorder(conn, None))

        def run() -> None:
            stream.feed(GET)
            [request] = app.requests
            request.connection.set_close_callback(request.on_connection_close)
            request.connection.write_headers(OK, HTTPHeaders(), b"x")
            request.connection.finish()
            app.requests.clear()

        self.assertEqual(self.garbage(run), {})

    def test_closed_connections(self) -> None:
        """Nor a connection that was closed, with or without a request under way."""

        def run() -> None:
            for data in (b"", GET, post(b"abc")[:-1], b"nonsense\r\n\r\n"):
                stream, app = serve(lambda conn: Recorder(conn, None))
                stream.feed(data)
                stream.close()
                for request in app.requests:
                    del request.connection

        self.assertEqual(self.garbage(run), {})

    def test_client(self) -> None:
        """Nor a client's connection, when it is closed."""

        def run() -> None:
            stream = MemoryStream()
            connection = HTTP1Connection(stream, True)
            connection.write_headers(
                RequestStartLine("GET", "/", ""), HTTPHeaders({"Connection": "close"})
            )
            connection.finish()
            connection.read_response(Recorder())
            stream.feed(RESPONSE)

        self.assertEqual(self.garbage(run), {})
