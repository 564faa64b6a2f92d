"""`HTTP1ServerConnection`: one client's connection, with all its exchanges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txtornado.concurrent import Future, new_future
from txtornado.http1connection._channel import Channel
from txtornado.http1connection._connection import HTTP1Connection
from txtornado.http1connection._parameters import HTTP1ConnectionParameters
from txtornado.http1connection._states import State
from txtornado.http1connection._timers import IdleWatch
from txtornado.httputil import HTTPMessageDelegate, HTTPServerConnectionDelegate
from txtornado.log import app_log, gen_log

__all__ = ["HTTP1ServerConnection"]

#: Seconds for a head that has begun to become complete, unless ``header_timeout`` is shorter.
_HEAD_TIMEOUT = 60.0


class HTTP1ServerConnection(Channel):
    """An HTTP/1.x server's side of one connection.

    Args:
        stream: an `~txtornado.iostream.IOStream`.
        params: limits and options.
        context: becomes the ``context`` of each request's connection.

    Time limits, when ``params`` has a ``header_timeout``: a connection is closed when it is idle for
    so long; when a head that has begun is not complete after a minute; when nothing at all of a
    body comes in for ``header_timeout``; when the client takes nothing of a finished response for
    so long.

    Since Tornado 4.0.
    """

    _app: HTTPServerConnectionDelegate
    _watch: IdleWatch | None = None
    _group: Any = None
    _now: Callable[[], float]
    _idle_since = 0.0
    _head_since: float | None = None
    _closed: Future[None] | None = None
    _serving = False
    _draining = False
    _last_seen: object = None

    def __init__(
        self,
        stream: Any,
        params: HTTP1ConnectionParameters | None = None,
        context: object | None = None,
    ) -> None:
        super().__init__(stream, False, params or HTTP1ConnectionParameters(), context)

    def start_serving(self, delegate: HTTPServerConnectionDelegate) -> None:
        """Give the requests of this connection to ``delegate``, until it closes."""
        self._app = delegate
        self._serving = True
        self._watch = watch = IdleWatch.of(self.params)
        if watch is not None:
            self._now = watch.now
            self._idle_since = self._now()
            watch.add(self)
        self.stream.set_consumer(self)
        if self.stream.closed():
            self.stream_closed(getattr(self.stream, "error", None))
        else:
            # A response in parts would wait for the client's acknowledgements, 40 ms each.
            self.stream.set_nodelay(True)

    @property
    def delegate(self) -> HTTPServerConnectionDelegate:
        """Who gets the requests, mostly a server; ours."""
        return self._app

    async def close(self) -> None:
        """Close the connection, whatever it is about, and wait until it is closed.

        Does nothing when the stream was detached.
        """
        if self._ended or self.stream is None:
            return
        if self._closed is None:
            self._closed = new_future()
        closed = self._closed
        self.stream.close()
        if not self._serving:
            return
        await closed

    def drain(self) -> None:
        """Close the connection when the request under way is answered, at once if there is none."""
        if self._ended or self.stream is None:
            return
        self._draining = True
        self.engine.last_exchange()
        if not self._blocked and not self._pumping:
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._exchange is None and not self.engine.mid_head:
            self._close_when_sent()

    # ------------------------------------------------------------------------ the channel

    def _open_message(self) -> HTTPMessageDelegate:
        if self._head_since is not None:
            self._head_since = None
        params = self.params
        self._exchange = exchange = HTTP1Connection(self.stream, False, params, self.context)
        exchange._channel = self
        delegate = self._app.start_request(self, exchange)
        if params.decompress:
            delegate = self._prepared(delegate, exchange)
        self._delegate = delegate
        return delegate

    def _on_need_data(self) -> None:
        super()._on_need_data()
        if self._draining:
            self._close_if_idle()
        if self._head_since is None and self._watch is not None and self.engine.mid_head:
            self._head_since = now = self._now()
            self._watch.look_at(self, now + min(_HEAD_TIMEOUT, self.params.header_timeout or 0))

    def _idle(self) -> None:
        if self._watch is not None:
            self._idle_since = self._now()

    def _gone(self) -> None:
        super()._gone()
        if self._watch is not None:
            self._watch.discard(self)
            self._watch = None
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        if self._serving:
            self._serving = False
            try:
                self._app.on_close(self)
            except Exception as error:
                app_log.error("Uncaught exception", exc_info=error)

    # ------------------------------------------------------------------------- time limits

    def _due(self) -> float | None:
        """When to give this client up, see the class."""
        timeout = self.params.header_timeout or 0.0
        engine = self.engine
        if self._exchange is None and not self._blocked:
            due = self._idle_since + timeout
            if self._head_since is not None:
                due = min(due, self._head_since + _HEAD_TIMEOUT)
            return due
        # Anything that moves is progress: bytes in, bytes out, the state.
        seen = (engine.receiving, engine.received, self.stream.write_progress())
        stalled = seen == self._last_seen
        self._last_seen = seen
        if not stalled:
            return None
        if engine.receiving is State.BODY and not self._blocked:
            return 0.0
        return 0.0 if self.stream.writing() else None

    def _expired(self) -> None:
        if self.engine.receiving is State.BODY:
            gen_log.info("Timeout reading body from %s", self.context)
        self._close_now()
