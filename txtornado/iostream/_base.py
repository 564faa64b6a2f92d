# mypy: allow-untyped-calls
"""The stream itself: reads, writes and the end, over whatever `transport` there is.

Three things come together here, each in a module of its own:

- `Reading`: bytes come in (`dataReceived`), into the buffer for the ``read_*`` methods, or
  straight to a consumer (push mode).
- `Writing`: bytes go out at once where the transport can, and wait in a queue where not.
- `BaseIOStream`: both, and the end of the stream, which settles everything that is pending.

Nothing is read before somebody asks for it (a read, a close callback, a consumer); from then on
the transport reads ahead until `read_chunk_size` bytes wait, and pauses.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txtornado import stack_context
from txtornado._twisted import DirectTransport, SocketTransport
from txtornado.ioloop import IOLoop
from txtornado.iostream._errors import StreamClosedError, cause_of, is_reset
from txtornado.iostream._lending import Lending
from txtornado.iostream._reading import Reading
from txtornado.iostream._reads import ReadUntilClose
from txtornado.iostream._state import CHUNK_SIZE, ExcInfo, seen

__all__ = ["BaseIOStream"]

#: Seconds that a peer has to read what is left when its connection is closed.
_LINGER = 30.0


@implementer(IHalfCloseableProtocol, IPushProducer)
class BaseIOStream(Reading, Lending):
    """Reads from and writes to a file, a socket or any transport without blocking.

    The methods return awaitables, all of which fail with `StreamClosedError` when the stream
    is closed.  At most one read can be pending.

    Two kinds of subclasses are possible: those that have a `transport` (`IOStream`), and
    those that implement `fileno`, `close_fd`, `read_from_fd` and `write_to_fd` (and perhaps
    `get_fd_error`) on a descriptor of their own (`PipeIOStream`; Tornado 3.0).

    Args:
        max_buffer_size: bytes to buffer of what comes in (default 100 MiB).
        read_chunk_size: bytes to read at once (default 64 KiB, or more where that saves work).
        max_write_buffer_size: bytes to buffer of what goes out (default: any number;
            Tornado 4.0).
        io_loop: Tornado before 5.0, there the first argument: the loop to run on.
    """

    _linger: Any = None

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
        io_loop: IOLoop | None = None,
    ) -> None:
        if max_buffer_size is not None and not isinstance(max_buffer_size, (int, float)):
            # Tornado before 5.0: io_loop, max_buffer_size, read_chunk_size
            io_loop, max_buffer_size, read_chunk_size, max_write_buffer_size = (
                max_buffer_size,
                read_chunk_size,
                max_write_buffer_size,
                None,
            )
        # What every read and write looks at is quicker to find here than in the class.
        self._closed = self._lost = self._eof = False
        self._input = self._read = self._read_future = self._kept = self.consumer = None
        self._given = self._taken = self._burst = 0
        self.io_loop = io_loop or IOLoop.current()
        self._loop = self.io_loop.asyncio_loop
        # Programs that divide the machine's memory come with a float.
        self.max_buffer_size = int(max_buffer_size or 104857600)
        # A chunk of half the buffer can always be taken while a read waits for the other half.
        self.read_chunk_size = min(read_chunk_size or CHUNK_SIZE, max(1, self.max_buffer_size // 2))
        self.max_write_buffer_size = max_write_buffer_size

    # -- hooks for subclasses -----------------------------------------------------------

    def fileno(self) -> Any:
        """The descriptor's number, or an object that has one; for subclasses."""
        raise NotImplementedError

    def close_fd(self) -> None:
        """Close the file; called once, by `close`; for subclasses."""
        raise NotImplementedError

    def get_fd_error(self) -> Exception | None:
        """What is wrong with the file, asked when the loop reports an error; for subclasses."""
        return None

    def set_nodelay(self, value: bool) -> None:
        """Send small writes without delay (TCP_NODELAY; only TCP has it; Tornado 3.1)."""

    def _start(self) -> None:
        if self.transport is None and not self._closed:
            from txtornado.iostream._fd import HookTransport

            self._reads_through_hook = True
            self.makeConnection(HookTransport(self, self.io_loop.reactor))

    # -- the transport's side -----------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """There is a transport; called by whoever brings one."""
        self._paused = getattr(transport, "starts_paused", False)
        # Wrappers hand on every attribute: what counts is the transport's own class.
        self._direct = isinstance(transport, FileDescriptor) and not getattr(
            transport, "TLS", False
        )
        if isinstance(transport, DirectTransport) and transport.runs_on(self._loop):
            self._wire = transport
        self._blocked = False
        super().makeConnection(transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone; called by it."""
        self._stop_lingering()
        if self._closed or self._lost:
            return
        error = cause_of(reason.value)
        if error is None and not self._eof:
            self._hook_end()
            if self._closed:
                return
        self._lost = self._eof = True
        self._lost_error = error
        self._recall()
        if self._buffered() and self._read is None and not self.writing() and not self.consumer:
            return  # what came before is still to be had
        self.close(exc_info=error if error is not None else False)

    def writeConnectionLost(self) -> None:
        """Our side is shut down for writing; called by transports that can be half closed."""

    # -- the end ------------------------------------------------------------------------

    def set_close_callback(self, callback: Callable[[], Any] | None) -> None:
        """Call ``callback`` once the stream is closed, whoever closed it.

        Bytes that came before can be read first: it waits while any are buffered.
        """
        self._close_callback = None if callback is None else stack_context.wrap(callback)
        if callback is None:
            return
        if self._closed:
            self._run_close_callback()
        elif self._eof:
            if not self._buffered() and self._read is None:
                self._drained_after_eof()
        elif self._paused and not self._connecting and not self._buffered():
            self.resume_reading()

    def close(self, exc_info: ExcInfo = False) -> None:
        """Close the stream; what waits to be written is dropped.

        Args:
            exc_info: why: True for the current exception, an exception, or a triple like
                that of ``sys.exc_info()``; becomes `error`.
        """
        if self._closed:
            return
        if (self._kept is not None or self._promised > self._taken) and not (
            exc_info or self._lost or self._transfer
        ):
            self._keep_promises()
            if self._closed:
                return
        if exc_info:
            if exc_info is True:
                self.error = sys.exc_info()[1]
            elif isinstance(exc_info, tuple):
                self.error = exc_info[1]
            elif isinstance(exc_info, BaseException):
                self.error = exc_info
        self._closed = True
        self._eof = True
        self._recall()
        self._kept = None
        if self._output is not None:
            self._output.clear()
        self._close_transport()
        self._settle_all()

    def closed(self) -> bool:
        """True when the stream is closed, though there may be bytes left to read."""
        return self._closed

    def _close_transport(self) -> None:
        transport = self.transport
        if transport is None:
            self._connecting = False
            self.close_fd()
            return
        if self._lost:
            return
        if isinstance(transport, DirectTransport):
            if transport.failure is None and transport.queued():
                transport.unregisterProducer()
                self._leave(transport)
            else:
                transport.close()
            return
        if self._waiting or not self._direct:
            unregister = getattr(transport, "unregisterProducer", None)
            if unregister is not None:
                unregister()
        transport.loseConnection()

    def _leave(self, transport: Any) -> None:
        """Close when the peer has read what is left, but do not wait for that forever."""
        abort = getattr(transport, "abortConnection", None) or transport.close
        if isinstance(transport, SocketTransport):
            transport.lingers = True
        transport.loseConnection()
        self._linger = self.io_loop.reactor.callLater(_LINGER, abort)

    def _stop_lingering(self) -> None:
        linger, self._linger = self._linger, None
        if linger is not None and linger.active():
            linger.cancel()

    def _settle_all(self) -> None:
        """Tell everybody who waits that this is the end; the reader first."""
        error = self.error
        read, future = self._read, self._read_future
        self._read = self._read_future = None
        if future is not None and not future.done():
            if isinstance(read, ReadUntilClose) and (error is None or is_reset(error)):
                future.set_result(self._take_all())
            else:
                self._fail(future)
        for pending in self._pending_futures():
            if pending is not None and not pending.done():
                self._fail(pending)
        consumer = self.consumer
        if consumer is not None:
            self._drop_consumer()
            consumer.stream_closed(error)
        if self._close_callback is not None:
            self._run_close_callback()

    def _pending_futures(self) -> list[asyncio.Future[Any] | None]:
        writes, self._writes = self._writes, None
        drain, self._drain = self._drain, None
        room, self._room_future = self._room_future, None
        return [*(future for _, future in writes or ()), drain, room]

    def _fail(self, future: asyncio.Future[Any]) -> None:
        future.set_exception(StreamClosedError(real_error=self.error))
        seen(future)

    def _run_close_callback(self) -> None:
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            self.io_loop.add_callback(callback)
