"""Time limits of server connections, on a clock that is turned by hand."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock

from tests.http1.support import MemoryStream, Recorder, RecordingApp, ok, serve
from tests.http1.test_server_connection import GET, LoggingTestCase, post
from txtornado.http1connection import (
    HTTP1ConnectionParameters,
    HTTP1ServerConnection,
    _timers,
)
from txtornado.http1connection._channel import _LINGER
from txtornado.httputil import HTTPHeaders


class ClockLoop:
    """The part of an IOLoop that timers use, on a `Clock`."""

    def __init__(self) -> None:
        self.clock = Clock()

    def time(self) -> float:
        return self.clock.seconds()

    def call_later(self, delay: float, callback: Any) -> Any:
        return self.clock.callLater(delay, callback)

    def call_at(self, when: float, callback: Any) -> Any:
        return self.clock.callLater(max(0, when - self.time()), callback)

    def remove_timeout(self, timeout: Any) -> None:
        if timeout.active():
            timeout.cancel()


class TimeoutTestCase(LoggingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.loop = ClockLoop()
        self.clock = self.loop.clock
        self.patch(_timers, "IOLoop", SimpleNamespace(current=lambda: self.loop))

    def assertQuiet(self) -> None:
        """No timer of a closed connection is left."""
        self.assertEqual(self.clock.getDelayedCalls(), [])


class IdleTests(TimeoutTestCase):
    """``header_timeout``, which is HTTPServer's ``idle_connection_timeout``."""

    def test_never_used(self) -> None:
        """A connection that sends nothing is closed when its time is over."""
        stream, app = serve(header_timeout=100)
        self.clock.advance(99)
        self.assertFalse(stream.closed())
        self.clock.advance(1)
        self.assertTrue(stream.closed())
        self.assertEqual(stream.sent, b"")
        self.assertEqual(app.closed, 1)
        self.assertQuiet()

    def test_used(self) -> None:
        """The time begins anew with each request, to the second."""
        stream, _ = serve(header_timeout=100)
        for _ in range(5):
            self.clock.advance(80)
            stream.feed(GET)
        self.clock.advance(99)
        self.assertFalse(stream.closed())
        self.clock.advance(1)
        self.assertTrue(stream.closed())

    def test_one_timer(self) -> None:
        """Requests do not touch the timer."""
        stream, _ = serve(header_timeout=100)
        timers = self.clock.getDelayedCalls()
        self.assertEqual(len(timers), 1)
        stream.feed(GET * 3)
        self.assertEqual(self.clock.getDelayedCalls(), timers)

    def test_handler_at_work(self) -> None:
        """A handler may take as long as it likes."""
        stream, app = serve(lambda conn: Recorder(conn, None), header_timeout=100)
        stream.feed(GET)
        for _ in range(50):
            self.clock.advance(99)
        self.assertFalse(stream.closed())
        app.requests[0].respond(b"late")
        self.assertEqual(stream.sent, ok(b"late"))

    def test_closed_before(self) -> None:
        """A connection that closes takes its timer along."""
        stream, _ = serve(header_timeout=100)
        stream.close()
        self.assertQuiet()

    def test_detached(self) -> None:
        """A detached stream has no time limit."""
        stream, app = serve(lambda conn: Recorder(conn, None), header_timeout=100)
        stream.feed(GET)
        app.requests[0].connection.detach()
        self.assertQuiet()


class SharedTests(TimeoutTestCase):
    """Many connections with the same limits: one timer, and each its own time."""

    def setUp(self) -> None:
        super().setUp()
        self.params = HTTP1ConnectionParameters(header_timeout=100)

    def connect(self, make: Any = Recorder) -> tuple[MemoryStream, RecordingApp]:
        stream, app = MemoryStream(), RecordingApp(make)
        HTTP1ServerConnection(stream, self.params, "peer").start_serving(app)
        return stream, app

    def test_one_timer(self) -> None:
        """All connections of a server share a timer, which ends with the last of them."""
        streams = []
        for _ in range(5):
            streams.append(self.connect()[0])
            self.clock.advance(10)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for stream in streams[:4]:
            stream.close()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        streams[4].close()
        self.assertQuiet()
        self.assertEqual(self.params._watches, {})

    def test_each_its_own_time(self) -> None:
        """Each is closed when it is due itself, be it together with others or not."""
        streams = []
        for _ in range(4):
            streams += [self.connect()[0], self.connect()[0]]
            self.clock.advance(20)
        streams[0].feed(GET)  # at 80
        for closed in ([], [1], [1, 2, 3], [1, 2, 3, 4, 5]):
            self.clock.advance(19)
            self.assertEqual([i for i, stream in enumerate(streams) if stream.closed()], closed)
            self.clock.advance(1)
        self.clock.advance(19)
        self.assertEqual([i for i, stream in enumerate(streams) if not stream.closed()], [0])
        self.clock.advance(1)
        self.assertTrue(streams[0].closed())
        self.assertQuiet()

    def test_between_seconds(self) -> None:
        """Nobody is closed too early, and all at most a second late."""
        streams = []
        for _ in range(10):
            self.clock.advance(0.7)
            streams.append(self.connect()[0])
        self.clock.advance(93)
        for i, stream in enumerate(streams):
            due = 0.7 * (i + 1) + 100
            self.clock.advance(due - 0.001 - self.clock.seconds())
            self.assertFalse(stream.closed())
            self.clock.advance(0.002)
        self.clock.advance(1)
        self.assertTrue(all(stream.closed() for stream in streams))

    def test_short_period(self) -> None:
        """Short limits are kept more exactly."""
        self.params.header_timeout = 0.5
        stream, _ = self.connect()
        self.clock.advance(0.49)
        self.assertFalse(stream.closed())
        self.clock.advance(0.02)
        self.assertTrue(stream.closed())

    def test_sooner_than_others(self) -> None:
        """A head that has begun sets the timer for itself, and not for the others."""
        other, _ = self.connect()
        stream, _ = self.connect()
        stream.feed(b"G")
        self.clock.advance(60)
        self.assertTrue(stream.closed())
        self.assertFalse(other.closed())
        self.clock.advance(40)
        self.assertTrue(other.closed())
        self.assertQuiet()

    def test_one_fails(self) -> None:
        """What goes wrong with one connection is logged, and the others are closed all the same."""
        streams = [self.connect()[0] for _ in range(3)]

        def close(exc_info: Any = None) -> None:
            raise ZeroDivisionError

        for stream in streams[:2]:
            stream.close = close  # type: ignore[method-assign]
        self.clock.advance(100)
        self.assertTrue(streams[2].closed())
        self.assertEqual([r.getMessage() for r in self.records], ["Uncaught exception"] * 2)

    def test_closes_others(self) -> None:
        """A connection whose end closes others that are due with it does them no harm."""
        streams = [self.connect()[0] for _ in range(3)]
        originals = [stream.close for stream in streams]

        def close(exc_info: Any = None) -> None:
            for original in originals:
                original()

        streams[1].close = close  # type: ignore[method-assign]
        self.clock.advance(100)
        self.assertTrue(all(stream.closed() for stream in streams))
        self.assertQuiet()

    def test_context(self) -> None:
        """The timer runs in no request's context."""
        variable: ContextVar[str] = ContextVar("variable", default="none")
        seen: list[str] = []
        first, _ = self.connect()
        context = copy_context()
        context.run(variable.set, "a request")
        loop = self.loop
        call_at = loop.call_at

        def spy(when: float, callback: Any) -> Any:
            seen.append(variable.get())
            return call_at(when, callback)

        self.patch(loop, "call_at", spy)
        context.run(first.feed, b"G")
        self.assertEqual(seen, ["none"])


class TrickleTests(TimeoutTestCase):
    """Clients that send as little as possible."""

    def test_head(self) -> None:
        """A head that comes byte by byte has a minute, though each byte is in time."""
        stream, _ = serve(header_timeout=3600)
        self.clock.advance(1000)
        for _ in range(6):
            stream.feed(b"G")
            self.clock.advance(9.9)
        self.assertFalse(stream.closed())
        self.clock.advance(0.7)
        self.assertTrue(stream.closed())
        self.assertQuiet()

    def test_head_completed(self) -> None:
        """A slow head that is complete in time is a request like any other."""
        stream, _ = serve(header_timeout=3600)
        stream.feed(GET[:10])
        self.clock.advance(59)
        stream.feed(GET[10:])
        self.assertEqual(stream.sent, ok())
        self.clock.advance(3599)
        self.assertFalse(stream.closed())
        self.clock.advance(1)
        self.assertTrue(stream.closed())

    def test_stalled_body(self) -> None:
        """A body of which nothing comes is given up; one that trickles is not, without a limit."""
        stream, app = serve(header_timeout=100)
        stream.feed(post(b"x" * 50)[:-49])
        for _ in range(10):
            self.clock.advance(90)
            stream.feed(b"x")
        self.assertFalse(stream.closed())
        self.clock.pump([50] * 5)
        self.assertTrue(stream.closed())
        self.assertEqual(app.requests[0].events[-1], "close")
        self.assertEqual(self.messages(), ["INFO Timeout reading body from peer"])

    def test_body_timeout(self) -> None:
        """With ``body_timeout`` the whole body has so many seconds, and no answer is sent."""
        stream, app = serve(body_timeout=10)
        stream.feed(post(b"x" * 50)[:-49])
        self.clock.advance(9)
        stream.feed(b"x")
        self.clock.advance(1)
        self.assertTrue(stream.closed())
        self.assertEqual(stream.sent, b"")
        self.assertEqual(app.requests[0].events[-1], "close")
        self.assertEqual(self.messages(), ["INFO Timeout reading body from peer"])

    def test_body_in_time(self) -> None:
        """The limit ends with the body."""
        stream, _ = serve(body_timeout=10)
        stream.feed(post(b"abc")[:-1])
        stream.feed(b"c")
        self.assertQuiet()
        self.assertEqual(stream.sent, ok())

    def test_timeout_of_one_request(self) -> None:
        """A delegate can set the limit of its request."""

        class Hasty(Recorder):
            def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
                super().headers_received(start_line, headers)
                self.connection.set_body_timeout(1)

        stream, _ = serve(Hasty, body_timeout=3600)
        stream.feed(post(b"abc")[:-1])
        self.clock.advance(1)
        self.assertTrue(stream.closed())

    def test_does_not_read(self) -> None:
        """A client that takes nothing of its response is given up."""
        stream, app = serve(header_timeout=100)
        stream.stuck = True
        stream.feed(GET)
        self.clock.pump([60] * 5)
        self.assertTrue(stream.closed())
        self.assertEqual(app.closed, 1)

    def test_reads_slowly(self) -> None:
        """A client that takes a little of it now and then is not."""
        stream, _ = serve(header_timeout=100)
        stream.stuck = True
        stream.feed(GET)
        for _ in range(20):
            self.clock.advance(60)
            stream.progress += 1
        self.assertFalse(stream.closed())

    def test_does_not_read_a_long_response(self) -> None:
        """The same holds while the response is still being written."""
        stream, app = serve(lambda conn: Recorder(conn, None), header_timeout=100)
        stream.stuck = True
        stream.feed(GET)
        app.requests[0].connection.write_headers(
            app.requests[0].start_line and _ok(), HTTPHeaders(), b"x"
        )
        self.clock.pump([60] * 5)
        self.assertTrue(stream.closed())


def _ok() -> Any:
    from tests.http1.support import OK

    return OK


class HalfClosing(MemoryStream):
    """A stream whose transport can shut down its sending side."""

    def __init__(self) -> None:
        super().__init__()
        self.shut_down = 0
        self.transport = self

    def loseWriteConnection(self) -> None:
        self.shut_down += 1


class LingerTests(TimeoutTestCase):
    """The end of a connection whose client may still be sending."""

    def refused(self) -> tuple[HalfClosing, Any]:
        from txtornado.http1connection import HTTP1ServerConnection

        stream, (_, app) = HalfClosing(), serve()
        HTTP1ServerConnection(stream).start_serving(app)
        stream.feed(b"nonsense\r\n\r\n")
        self.assertIn(b" 400 ", stream.sent)
        return stream, app

    def test_reads_on(self) -> None:
        """After a refusal the rest is read over, so that the client gets to see why."""
        stream, app = self.refused()
        self.assertEqual(stream.shut_down, 1)
        self.assertFalse(stream.closed())
        stream.feed(GET)
        self.assertEqual(app.requests, [])
        stream.close()
        self.assertEqual(app.closed, 1)
        self.assertQuiet()

    def test_not_for_long(self) -> None:
        """A client that does not close is closed soon."""
        stream, app = self.refused()
        self.clock.advance(_LINGER)
        self.assertTrue(stream.closed())
        self.assertEqual(app.closed, 1)
