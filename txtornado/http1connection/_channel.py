"""Between a stream and the engine: `Channel` moves bytes and events, and knows when to stop.

A channel is the stream's consumer.  Bytes go into the engine, the events that come out go to the
delegate at once, in the same turn of the reactor.  One loop (`Channel._pump`) does that, and it
runs until something blocks it: a delegate that returned an awaitable, a response that is not
finished, a peer that does not read.  Whatever unblocks it runs the loop again.  What comes in
meanwhile is kept, up to a limit, at which the stream stops reading.

The rules:

* ``_blocked`` stops the loop; whoever sets it sees to it that somebody clears it, or the
  connection is at its end.
* A delegate hears of the end of its message once: ``finish`` or ``on_connection_close``, or
  nothing when the stream was detached.
* Malformed input ends the connection, with an answer if there can be one, and with one line in the
  log.  An exception of the application does, too, and is logged with its traceback.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import ISSLTransport
from zope.interface import implementer

from txtornado.concurrent import Future, as_future, new_future
from txtornado.http1connection._connection import HTTP1Connection
from txtornado.http1connection._decompress import DecompressingDelegate
from txtornado.http1connection._engine import CONTINUE
from txtornado.http1connection._heads import HeadTooLargeError
from txtornado.http1connection._sending import Sending
from txtornado.http1connection._states import Event, State
from txtornado.http1connection._timers import BodyTimer
from txtornado.httputil import (
    HTTPInputError,
    HTTPMessageDelegate,
)
from txtornado.interfaces import IStreamConsumer
from txtornado.ioloop import IOLoop
from txtornado.iostream import StreamClosedError, UnsatisfiableReadError
from txtornado.log import app_log, gen_log

__all__ = ["Channel"]

_HEAD, _DATA, _END = Event.HEAD, Event.DATA, Event.END
_IDLE, _BODY, _DONE = State.IDLE, State.BODY, State.DONE

#: A peer that goes away like this ends its message all the same, if the message ends so.
_GONE = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
#: Seconds for which a peer that was refused may go on sending.
_LINGER = 2.0
#: How many messages of one connection are read before other connections get their turn.
_MESSAGES_PER_TURN = 64


@implementer(IStreamConsumer)
class Channel(Sending):
    """The connection below the exchanges; used as it is for single ones, mostly a client's.

    Args:
        stream: the stream.
        is_client: our role.
        params: limits and options.
        context: names the peer in log messages.
    """

    # ----------------------------------------------------------------- from the stream

    def data_received(self, data: bytes) -> None:
        """See `txtornado.interfaces.IStreamConsumer`."""
        if self._deaf:
            return
        if self._blocked or self._pumping:
            self.engine.receive_data(data)
            self._limit_backlog()
        else:
            self._pump(event=_HEAD if self.engine.receive_again(data) else None)

    def stream_closed(self, error: BaseException | None) -> None:
        """See `txtornado.interfaces.IStreamConsumer`."""
        if self._ended:
            return
        self.engine.receive_eof()
        if (
            self.engine.is_client
            and not self._closing
            and (error is None or isinstance(error, _GONE))
            and (self._reading or self.engine.receiving is not _DONE)
        ):
            # What was received may be the whole response, even if it waits to be read.
            if not self._blocked and not self._pumping:
                self._pump()
            return
        self._lost(error)

    def _limit_backlog(self) -> None:
        if not self._paused and len(self.engine.buffer) > self._backlog:
            self._paused = True
            self.stream.pause_reading()

    # ------------------------------------------------------------------------- the loop

    def _pump(
        self,
        then: Callable[[], None] | None = None,
        after: Any = None,
        event: Event | None = None,
    ) -> None:
        """Handle events until there are none, or something blocks.

        Args:
            then: comes before the first event.
            after: a finished Future that must not have failed, before that.
            event: the first, when it is known already.
        """
        engine = self.engine
        buffer = engine.buffer
        turns = _MESSAGES_PER_TURN
        self._pumping = True
        try:
            if after is not None:
                after.result()
            if then is not None:
                then()
            while not self._blocked:
                if event is None:
                    event = engine.next_event()
                if event is _HEAD:
                    turns -= 1
                    self._on_head()
                    if (
                        engine.receiving is _IDLE
                        and buffer.pos >= len(buffer.bytes)
                        and not (self._paused or buffer.eof)
                    ):
                        break  # the common case: one whole request, and it is answered
                elif event is _DATA:
                    self._on_data()
                elif event is _END:
                    self._on_end()
                elif event is Event.NEED_DATA:
                    self._on_need_data()
                    break
                else:
                    self._on_rare(event)
                    if event is Event.PAUSED or event is Event.EOF:
                        break
                event = None
                if not turns and not self._blocked:
                    self._yield()
        except HTTPInputError as error:
            self._refuse(error)
        except (Exception, asyncio.CancelledError) as error:  # a delegate's Future may be cancelled
            self._fail(error)
        finally:
            self._pumping = False

    def _on_head(self) -> None:
        engine = self.engine
        delegate = self._open_message()
        self._reading = True
        wait = delegate.headers_received(engine.start_line, engine.headers)
        if wait is not None:
            self._wait(wait, self._after_head)
        elif engine.receiving is _DONE and not self._ended:
            self._on_end()
        else:
            self._after_head()

    def _after_head(self) -> None:
        if self._ended:
            return
        engine = self.engine
        if engine.receiving is _DONE:
            self._on_end()
            return
        assert self._exchange is not None
        engine.start_body(self._exchange.body_limit())
        if engine.sending is _DONE and not engine.is_client:
            self._close_early()
            return
        body = engine.take_body()
        if body is not None:
            assert self._delegate is not None
            wait = self._delegate.data_received(body)
            if wait is None:
                self._on_end()
            else:
                self._wait(wait, self._end_unless_lost)
            return
        if engine.expects_continue:
            self._transmit(CONTINUE)
        timeout = self._exchange._body_timeout or self.params.body_timeout
        if timeout:
            self._body_timer = BodyTimer(timeout, self._body_timed_out)

    def _end_unless_lost(self) -> None:
        if not self._ended:
            self._on_end()

    def _on_data(self) -> None:
        assert self._delegate is not None
        wait = self._delegate.data_received(self.engine.buffer.data)
        if wait is not None:
            self._wait(wait, self._after_data)
        elif self.engine.sending is _DONE:
            self._after_data()

    def _after_data(self) -> None:
        if self.engine.sending is _DONE and not self.engine.is_client and not self._ended:
            self._close_early()

    def _on_end(self) -> None:
        if self._body_timer is not None:
            self._stop_body_timer()
        self._reading = False
        try:
            self._delegate.finish()  # type: ignore[union-attr]
        except Exception:
            self._reading = True  # so that on_connection_close follows
            raise
        if self._ended:
            return
        if self.engine.sending is _DONE:
            self._exchange_over()
        if self._read_future is not None:
            self._resolve(True)

    def _on_need_data(self) -> None:
        if self._paused:
            self._paused = False
            self.stream.resume_reading()

    def _on_rare(self, event: Event) -> None:
        if event is Event.PAUSED:
            if self.engine.buffer.eof:
                self._lost(None)
            elif not self._paused:
                self._limit_backlog()
            elif len(self.engine.buffer) <= self._backlog:
                self._on_need_data()
        elif event is Event.YIELD:
            self._yield()
        elif event is Event.INFO:
            self._on_info()
        elif event is Event.EOF:
            self._lost(None)

    def _on_info(self) -> None:
        engine = self.engine
        delegate = self._open_message()
        self._reading = True
        wait = delegate.headers_received(engine.start_line, engine.headers)
        if wait is not None:
            self._wait(wait, None)

    def _open_message(self) -> HTTPMessageDelegate:
        """The delegate for the head that has just come."""
        if self._delegate is None:
            raise HTTPInputError("unexpected message")
        return self._delegate

    # -------------------------------------------------------------------------- pausing

    def _wait(self, awaitable: Any, then: Callable[[], None] | None) -> None:
        """Go on when ``awaitable`` is done, with ``then`` first."""
        if self._ended:
            then = None
        future = as_future(awaitable)
        if future.done():
            future.result()
            if then is not None:
                then()
            return
        self._blocked = True
        future.add_done_callback(functools.partial(self._resume, then))

    def _resume(self, then: Callable[[], None] | None, future: Future[Any]) -> None:
        if self._ended:
            self._note_late_failure(future)
            return
        self._blocked = False
        self._pump(then, future)

    @staticmethod
    def _note_late_failure(future: Future[Any]) -> None:
        """The connection has gone while a delegate was busy: errors still have to be seen."""
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, (StreamClosedError, HTTPInputError)):
            app_log.error("Uncaught exception", exc_info=error)

    def _yield(self) -> None:
        """Let other connections have their turn."""
        self._blocked = True
        IOLoop.current().add_callback(self._go_on)

    def _go_on(self, future: Any = None) -> None:
        if not self._ended:
            self._blocked = False
            self._pump()

    # ----------------------------------------------------------------- ends of exchanges

    def _exchange_over(self) -> None:
        """Both messages are complete: on to the next, or to the end."""
        engine = self.engine
        if engine.switched:
            self._blocked = True  # until somebody detaches the stream
            return
        exchange = self._exchange
        if exchange is not None:
            if exchange.no_keep_alive:
                engine.keep_alive = False
            if not engine.is_client:
                exchange._over = True
                exchange._channel = None
            if exchange._close_callback is not None:
                exchange._close_callback = None
        self._exchange = self._delegate = None
        if not engine.keep_alive:
            # Whoever has sent more than we want to read must still get to see the response.
            self._close_when_sent(linger=len(engine.buffer) > 0 and not engine.is_client)
            return
        engine.next_exchange()
        if self._undrained:
            self._wait_until_sent(self._go_on)
        else:
            self._idle()

    def _idle(self) -> None:
        """The connection waits for the next message to begin."""

    def _wait_until_sent(self, then: Callable[[Any], None]) -> None:
        """Block until the peer has taken what we sent: who does not read gets no more answers."""
        self._blocked = True
        self._undrained = False
        if not self.stream.closed():
            self.stream.drained().add_done_callback(then)

    def _close_when_sent(self, linger: bool = False) -> None:
        self._blocked = True
        close = self._linger if linger else self._close_now
        if self._undrained:
            self._wait_until_sent(close)
        else:
            close()

    def _close_now(self, future: Any = None) -> None:
        if future is not None and not future.cancelled():
            future.exception()
        self._blocked = self._closing = True
        if self.stream is not None:
            self.stream.close()

    def _linger(self, future: Any = None) -> None:
        """Close our side only, and read over what the peer still sends, for a while.

        Closing with unread bytes makes the peer's system discard our response, which says why.
        """
        transport = getattr(self.stream, "transport", None)
        shutdown = getattr(transport, "loseWriteConnection", None)
        if shutdown is None or self.stream.closed() or ISSLTransport.providedBy(transport):
            self._close_now(future)
            return
        self._deaf = True
        self.engine.buffer.take(len(self.engine.buffer))
        self._linger_timer = BodyTimer(_LINGER, self._close_now)
        shutdown()
        if self._paused:
            self._on_need_data()

    def _close_early(self) -> None:
        """We have answered without waiting for all of the request, and do not want the rest."""
        self._blocked = True
        self.engine.keep_alive = False
        self._interrupt()
        self._close_when_sent(linger=True)

    def _refuse(self, error: HTTPInputError) -> None:
        """The peer sent what it must not."""
        if self._ended:
            return
        engine = self.engine
        self._blocked = True
        if isinstance(error, HeadTooLargeError):
            gen_log.info(
                "Unsatisfiable read, closing connection to %s: headers exceed %d bytes",
                self.context,
                self.params.max_header_size,
            )
        else:
            gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
        if engine.is_client and isinstance(error, HeadTooLargeError):
            reason = UnsatisfiableReadError(f"headers exceed {self.params.max_header_size} bytes")
            self._closing = True
            self.stream.close(exc_info=(type(reason), reason, None))
        else:
            if not engine.is_client and engine.sending is State.IDLE:
                status = getattr(error, "status", "400 Bad Request")
                self._transmit(f"HTTP/1.1 {status}\r\n\r\n".encode("ascii"))
            self._interrupt()
            self._close_when_sent(linger=not engine.is_client)
        self._resolve(False)

    def _fail(self, error: BaseException) -> None:
        """The application failed: there is no telling what state the exchange is in."""
        if self._ended and isinstance(error, StreamClosedError):
            return
        app_log.error("Uncaught exception", exc_info=error)
        self._interrupt()
        self._close_now()
        self._resolve(False)

    def _interrupt(self) -> None:
        """Tell the delegate that the rest of its message will not come."""
        self._stop_body_timer()
        delegate = self._delegate
        if self._reading and delegate is not None:
            self._reading = False
            self._delegate = None
            if self._exchange is not None:
                self._exchange._close_callback = None
            try:
                delegate.on_connection_close()
            except Exception as error:
                app_log.error("Uncaught exception", exc_info=error)

    def _lost(self, error: BaseException | None) -> None:
        """The stream is closed."""
        if self._ended:
            return
        self._ended = self._blocked = self._deaf = True
        exchange = self._exchange
        if self._reading:
            self._interrupt()
        if exchange is not None:
            exchange._channel = None
            exchange._over = True
            if exchange._close_callback is not None:
                if self.engine.sending is _DONE:
                    exchange._close_callback = None
                else:
                    IOLoop.current().add_callback(exchange._run_close_callback)
        self._exchange = None
        self._delegate = None
        self._resolve(False)
        self._gone()

    def _gone(self) -> None:
        """The channel carries nothing any more: closed, or given away."""
        self._stop_body_timer()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None

    def detach(self, exchange: HTTP1Connection) -> None:
        """The work of `HTTP1Connection.detach`."""
        if self._ended:
            return
        self._ended = self._blocked = self._deaf = True
        self._reading = False
        stream, self.stream = self.stream, None
        rest = self.engine.switch()
        exchange._channel = None
        exchange._close_callback = None
        exchange._over = True
        self._exchange = None
        self._delegate = None
        stream.set_consumer(None)
        if rest:
            stream.unread(rest)
        if self._paused:
            stream.resume_reading()
        self._resolve(False)
        self._gone()

    # ---------------------------------------------------------------------- single reads

    def read_message(
        self, exchange: HTTP1Connection, delegate: HTTPMessageDelegate
    ) -> Future[bool]:
        """The work of `HTTP1Connection.read_response`."""
        self._claim(exchange)
        if self._read_future is not None:
            raise RuntimeError("read_response is already waiting for a message")
        self._delegate = self._prepared(delegate, exchange)
        self._read_future = future = new_future()
        self.stream.set_consumer(self)
        if self._paused:
            self._on_need_data()
        if not self._blocked and len(self.engine.buffer):
            self._pump()
        if not future.done() and not self._ended and not self._blocked and self.stream.closed():
            self.stream_closed(getattr(self.stream, "error", None))
        return future

    def _prepared(
        self, delegate: HTTPMessageDelegate, exchange: HTTP1Connection
    ) -> HTTPMessageDelegate:
        if self.params.decompress:
            return DecompressingDelegate(delegate, self.params.chunk_size, exchange.body_limit)
        return delegate

    def _resolve(self, result: bool) -> None:
        future = self._read_future
        if future is not None:
            self._read_future = None
            if not future.done():
                future.set_result(result)

    # ---------------------------------------------------------------------------- timers

    def _body_timed_out(self) -> None:
        self._body_timer = None
        gen_log.info("Timeout reading body from %s", self.context)
        self._close_now()

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None
