"""The stream itself: reads, writes and the end, over whatever `transport` there is.

Three things come together here, each in a class of its own:

- `_Reading`: bytes come in (`dataReceived`), into the buffer for the ``read_*`` methods, or
  straight to a consumer (push mode).
- `_Writing`: bytes go out at once where the transport can, and wait in a queue where not.
- `BaseIOStream`: both, and the end of the stream, which settles everything that is pending.

Nothing is read before somebody asks for it (a read, a close callback, a consumer); from then on
the transport reads ahead until `read_chunk_size` bytes wait, and pauses.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Union

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txtornado import stack_context
from txtornado._twisted import DirectTransport, TLSTransport
from txtornado.concurrent import done_future
from txtornado.interfaces import IStreamConsumer
from txtornado.ioloop import IOLoop
from txtornado.iostream import _old_style
from txtornado.iostream._buffers import ReadBuffer, WriteBuffer
from txtornado.iostream._errors import (
    StreamBufferFullError,
    StreamClosedError,
    UnsatisfiableReadError,
    cause_of,
    is_reset,
)
from txtornado.iostream._reads import (
    Read,
    ReadBytes,
    ReadInto,
    ReadRegex,
    ReadUntil,
    ReadUntilClose,
)
from txtornado.log import gen_log

__all__ = ["BaseIOStream"]

ExcInfo = Union[
    None,
    bool,
    BaseException,
    "tuple[type[BaseException] | None, BaseException | None, TracebackType | None]",
]
Data = Union[bytes, bytearray, memoryview]

#: How much is handed to a transport at a time that cannot say how much it took.
_PIECE = 1 << 18


class _State(Protocol):
    """The attributes of a stream; most streams never set most of them."""

    io_loop: IOLoop
    _loop: asyncio.AbstractEventLoop
    #: Bytes that a pull mode stream buffers at most (default 100 MiB).
    max_buffer_size: int
    #: Bytes that are read at once, and beyond which nothing is read ahead (default 64 KiB).
    read_chunk_size: int
    #: Bytes that may wait for the transport; None: any number.
    max_write_buffer_size: int | None = None
    #: Why the stream was closed; None while it is open, and when it ended in an orderly way.
    error: BaseException | None = None
    transport: Any = None
    #: Who gets the bytes, in push mode.
    consumer: IStreamConsumer | None = None

    _closed = False
    # The peer sends no more.
    _eof = False
    # The transport is gone, though buffered bytes may still be read.
    _lost = False
    _lost_error: BaseException | None = None
    # The transport is not reading.
    _paused = True
    _connecting = False
    _close_callback: Callable[[], Any] | None = None

    def close(self, exc_info: ExcInfo = False) -> None:
        raise NotImplementedError

    def _start(self) -> None:
        """Bring about a transport, for streams that have none yet."""

    def _new_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._loop)

    def _check_closed(self) -> None:
        if self._closed:
            raise StreamClosedError(real_error=self.error)


class _Reading(_State):
    """Bytes come in."""

    _input: ReadBuffer | None = None
    _read: Read | None = None
    _read_future: asyncio.Future[Any] | None = None
    # For subclasses that replace read_from_fd: what came and was not read through it yet.
    _raw_input: ReadBuffer | None = None
    _reads_through_hook = False

    # -- the public reads ---------------------------------------------------------------

    def read_until(
        self,
        delimiter: bytes,
        max_bytes: int | None = None,
        callback: Callable[[bytes], Any] | None = None,
    ) -> Awaitable[bytes]:
        """Read up to and including ``delimiter``.

        Args:
            delimiter: what ends the read.
            max_bytes: close the stream when the delimiter does not end within that many bytes
                (Tornado 4.0).
            callback: Tornado before 6.0, there the second argument: called with the bytes.

        Raises:
            StreamClosedError: the stream is closed; comes from the result when it closes later.
        """
        if callback is not None or callable(max_bytes):
            return _old_style.read(self, self.read_until, (delimiter,), max_bytes, callback)
        if not isinstance(delimiter, (bytes, bytearray)):
            raise TypeError(f"the delimiter must be bytes, not {type(delimiter).__name__}")
        if not delimiter:
            raise ValueError("the delimiter must not be empty")
        return self._start_read(ReadUntil(delimiter, max_bytes))

    def read_until_regex(
        self,
        regex: bytes,
        max_bytes: int | None = None,
        callback: Callable[[bytes], Any] | None = None,
    ) -> Awaitable[bytes]:
        """Read up to the end of the first match of ``regex`` (bytes, or a compiled pattern).

        ``max_bytes``, ``callback`` and errors as for `read_until`.  New in Tornado 2.0.
        """
        if callback is not None or callable(max_bytes):
            return _old_style.read(self, self.read_until_regex, (regex,), max_bytes, callback)
        return self._start_read(ReadRegex(re.compile(regex), max_bytes))

    def read_bytes(
        self,
        num_bytes: int,
        partial: bool = False,
        callback: Callable[[bytes], Any] | None = None,
        streaming_callback: Callable[[bytes], Any] | None = None,
    ) -> Awaitable[bytes]:
        """Read ``num_bytes`` bytes.

        Args:
            num_bytes: how many.
            partial: be content with fewer, but at least one (Tornado 4.0).
            callback: Tornado before 6.0, there the second argument: called with the bytes.
            streaming_callback: Tornado before 6.0, there the third argument: called with each
                chunk as it comes; the result is then empty.
        """
        if callback is not None or streaming_callback is not None or not isinstance(partial, int):
            return _old_style.read_bytes(self, num_bytes, partial, callback, streaming_callback)
        if not isinstance(num_bytes, int):
            raise TypeError(f"num_bytes must be an integer, not {type(num_bytes).__name__}")
        if num_bytes < 0:
            raise ValueError("num_bytes must not be negative")
        if num_bytes == 0:
            return self._nothing(b"")
        return self._start_read(ReadBytes(num_bytes, partial))

    def read_into(
        self,
        buf: bytearray | memoryview,
        partial: bool = False,
        callback: Callable[[int], Any] | None = None,
    ) -> Awaitable[int]:
        """Fill ``buf``, a writable buffer; the result is the number of bytes (Tornado 5.0).

        With ``partial`` that is as many as there are, but at least one.
        """
        if callback is not None or not isinstance(partial, int):
            return _old_style.read_into(self, buf, partial, callback)
        read = ReadInto(buf, partial)
        return self._start_read(read) if read.size else self._nothing(0)

    def read_until_close(
        self,
        callback: Callable[[bytes], Any] | None = None,
        streaming_callback: Callable[[bytes], Any] | None = None,
    ) -> Awaitable[bytes]:
        """Read everything until the stream is closed, at most `max_buffer_size` bytes.

        Args:
            callback: Tornado before 6.0: called with the bytes.
            streaming_callback: Tornado before 6.0: called with each chunk as it comes; the
                result is then empty, and there is no limit.

        Raises:
            StreamClosedError: from the result, when the stream ended by an error other than
                the peer's going away.
        """
        if callback is not None or streaming_callback is not None:
            return _old_style.read_until_close(self, callback, streaming_callback)
        if self._closed:
            return self._nothing(self._take_all())
        return self._start_read(ReadUntilClose())

    def reading(self) -> bool:
        """True while a read is pending."""
        future = self._read_future
        return future is not None and not future.done()

    # -- the machinery of reads ---------------------------------------------------------

    def _nothing(self, result: Any) -> asyncio.Future[Any]:
        """A read that has nothing to wait for."""
        self._check_idle()
        future = self._new_future()
        future.set_result(result)
        return future

    def _check_idle(self) -> None:
        if self.consumer is not None:
            raise RuntimeError("the stream has a consumer: call set_consumer(None) to read")
        if self._read is not None:
            future = self._read_future
            assert future is not None and future.done(), "Already reading"
            self._read = self._read_future = None  # its reader gave up

    def _start_read(self, read: Read) -> asyncio.Future[Any]:
        if self._read is not None or self.consumer is not None:
            self._check_idle()
        future = asyncio.Future(loop=self._loop)
        self._read = read
        self._read_future = future
        try:
            self._try_inline_read()
        except UnsatisfiableReadError as e:
            self._give_up(e)
        except BaseException as e:
            if not self._closed:
                self._read = self._read_future = None
            if not future.done():
                future.cancel()
            else:
                _seen(future)
            raise e from None
        return future

    def _try_inline_read(self) -> None:
        """Settle the pending read from what is there, or see to it that more comes."""
        buffer = self._input
        if buffer is not None and len(buffer) and self._settle_read(buffer):
            return
        if self._eof:
            self._check_closed()
            self._end_of_input()
        elif self._paused:
            self.resume_reading()

    def _settle_read(self, buffer: ReadBuffer) -> bool:
        """True when the pending read is done."""
        read = self._read
        assert read is not None
        future = self._read_future
        assert future is not None
        if future.done():  # cancelled: what came stays for the next one
            self._read = self._read_future = None
            return True
        result = read.take(buffer)
        if result is None:
            return False
        self._read = self._read_future = None
        future.set_result(result)
        if self._eof and not len(buffer):
            self._drained_after_eof()
        return True

    def _give_up(self, error: UnsatisfiableReadError) -> None:
        gen_log.info("Unsatisfiable read, closing connection: %s", error)
        self.close(exc_info=error)

    def _take_all(self) -> bytes:
        buffer = self._input
        return b"" if buffer is None else buffer.take(len(buffer))

    def _buffered(self) -> bool:
        return self._input is not None and len(self._input) > 0

    # -- the transport's side -----------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in; called by the transport."""
        if self._closed:
            return
        if self._reads_through_hook or "read_from_fd" in self.__dict__:
            if self._raw_input is None:
                self._raw_input = ReadBuffer()
            self._raw_input.append(data)
            self._read_through_hook()
            return
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        buffer = self._input
        if buffer is None:
            buffer = self._input = ReadBuffer()
        read = self._read
        if read is not None:
            if not len(buffer) and read.is_whole(data):
                future = self._read_future
                assert future is not None
                if not future.done():
                    self._read = self._read_future = None
                    future.set_result(data)
                    return
            buffer.append(data)
            try:
                done = self._settle_read(buffer)
            except UnsatisfiableReadError as e:
                self._give_up(e)
                return
            if not done and len(buffer) > self.max_buffer_size:
                self._overflow()
                return
        else:
            buffer.append(data)
        if len(buffer) >= self.read_chunk_size and self._read is None and not self._paused:
            self.pause_reading()

    def _overflow(self) -> None:
        gen_log.error("Reached maximum read buffer size")
        error = StreamBufferFullError("Reached maximum read buffer size")
        gen_log.warning("error on read: %s", error)
        self.close(exc_info=error)

    def _read_through_hook(self) -> None:
        """Read with `read_from_fd` until there is nothing more, or nobody wants it."""
        chunk = bytearray(self.read_chunk_size)
        while not self._closed and not self._eof:
            try:
                size = self.read_from_fd(chunk)
            except Exception as e:
                if not is_reset(e):
                    gen_log.warning("error on read: %s", e)
                self._input_failed(e)
                return
            if size is None:
                return
            if size == 0:
                self._input_ended()
                return
            data = bytes(memoryview(chunk)[:size])
            if self.consumer is not None:
                self.consumer.data_received(data)
            else:
                self._feed(data)
            if self._paused and self._raw_input is None:
                return

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read into ``buf`` what the file has.

        For subclasses (Tornado 5.0).  Returns the number of bytes, None when there is nothing
        at the moment, 0 at the end of the file.
        """
        raw = self._raw_input
        if raw is None or not len(raw):
            return 0 if self._lost or self._eof else None
        size = min(len(buf), len(raw))
        buf[:size] = raw.take(size)
        return size

    # -- push mode and flow -------------------------------------------------------------

    def set_consumer(self, consumer: IStreamConsumer | None) -> None:
        """Hand all bytes to ``consumer`` as they come (push mode); ours.

        Bytes that are buffered are handed on at once.  While there is a consumer the ``read_*``
        methods are refused.  None returns to pull mode.
        """
        if consumer is None:
            self.consumer = None
            self.__dict__.pop("dataReceived", None)
            return
        self._check_idle_or_consumer()
        self.consumer = consumer
        if not (self._reads_through_hook or "read_from_fd" in self.__dict__):
            self.__dict__["dataReceived"] = consumer.data_received
        if self._input is not None and len(self._input):
            consumer.data_received(self._take_all())
            if self.consumer is not consumer:
                return
        self._input = None
        if self._closed:
            return
        if self._eof:
            self._end_of_input()
        elif self._paused:
            self.resume_reading()

    def _check_idle_or_consumer(self) -> None:
        if self.consumer is None:
            self._check_idle()

    def unread(self, data: bytes) -> None:
        """Put bytes back in front of what is buffered, for the next read or consumer; ours."""
        if data:
            if self._input is None:
                self._input = ReadBuffer()
            self._input.prepend(data)

    def pause_reading(self) -> None:
        """Let the transport read nothing until `resume_reading`; ours.

        A pending read, or one that comes, resumes by itself.
        """
        self._paused = True
        transport = self.transport
        if transport is not None and not self._lost:
            pause = getattr(transport, "pauseProducing", None)
            if pause is not None:
                pause()

    def resume_reading(self) -> None:
        """Undo `pause_reading`; ours."""
        if self._lost or self._eof or self._closed:
            return
        self._start()
        transport = self.transport
        self._paused = False
        if transport is not None and not self._connecting:
            resume = getattr(transport, "resumeProducing", None)
            if resume is not None:
                try:
                    resume()
                except OSError as e:  # the descriptor is not one any more
                    self.close(exc_info=e)
                    raise

    # -- the end of input ---------------------------------------------------------------

    def readConnectionLost(self) -> None:
        """The peer sends no more; called by transports that can be half closed."""
        self._hook_end()
        if not self._closed and not self._eof:
            self._input_ended()

    def _hook_end(self) -> None:
        """Let a replaced `read_from_fd` see the end before the stream does."""
        if self._closed or self._eof or not (
            self._reads_through_hook or "read_from_fd" in self.__dict__
        ):
            return
        self._lost, lost = True, self._lost
        try:
            self._read_through_hook()
        finally:
            self._lost = lost

    def _input_ended(self) -> None:
        self._eof = True
        if self._read is not None or self.consumer is not None:
            self._end_of_input()
        elif not self._buffered():
            self._drained_after_eof()

    def _end_of_input(self) -> None:
        """Somebody wants more, and there is none."""
        error = self._lost_error
        self.close(exc_info=error if error is not None else False)

    def _drained_after_eof(self) -> None:
        """Nothing is left to read: close, but let the one who reads now say his last word."""
        if self._close_callback is not None or self._lost:
            self.io_loop.add_callback(self._close_when_drained)

    def _close_when_drained(self) -> None:
        if not self._closed and self._read is None and not self._buffered():
            self._end_of_input()

    def _input_failed(self, error: BaseException) -> None:
        self.close(exc_info=error)


class _Writing(_State):
    """Bytes go out."""

    _output: WriteBuffer | None = None
    # Pairs of a future and the count of `_taken` that resolves it.
    _writes: deque[tuple[int, asyncio.Future[None]]] | None = None
    _drain: asyncio.Future[None] | None = None
    # Bytes that ever waited in `_output`, and how many of those are gone.
    _given = 0
    _taken = 0
    # The transport has writeSomeData, and says how much it took.
    _direct = False
    # The transport takes nothing at the moment.
    _blocked = True
    _waiting = False

    def write(
        self, data: Data, callback: Callable[[], Any] | None = None
    ) -> asyncio.Future[None]:
        """Write bytes; the result resolves when the transport has taken them all.

        Args:
            data: bytes, or another buffer of them, which must not change until then.
            callback: Tornado before 6.0: called when everything is written.  A later write
                with a callback replaces it.

        Raises:
            StreamClosedError: the stream is closed; comes from the result when it closes later.
            StreamBufferFullError: `max_write_buffer_size` would be exceeded (Tornado 4.0).
        """
        if callback is not None:
            return _old_style.write(self, data, callback)
        if self._closed or self._lost:
            self._refuse()
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        limit = self.max_write_buffer_size
        if limit is not None and self._queued() + size > limit:
            raise StreamBufferFullError("Reached maximum write buffer size")
        if self._send(data, size):
            return done_future()
        future = self._new_future()
        if self._closed:
            future.set_exception(StreamClosedError(real_error=self.error))
            _seen(future)
            return future
        if self._writes is None:
            self._writes = deque()
        self._writes.append((self._given, future))
        return future

    def send(self, data: bytes) -> bool:
        """Write without a Future; ours.

        Returns:
            True when nothing remains queued.

        Raises:
            StreamClosedError: the stream is closed, or this write found out that it is.
        """
        if self._closed or self._lost:
            self._refuse()
        size = len(data)
        if self._direct and not self._blocked and size and not self._output:
            taken = self.transport.writeSomeData(data)
            if taken == size:
                return True
            if self._sent_in_part(data, size, taken):
                return False
        elif self._send(data, size):
            return True
        if self._closed:
            raise StreamClosedError(real_error=self.error)
        return False

    def drained(self) -> asyncio.Future[None]:
        """Resolves when everything that was written is with the transport; ours.

        Fails with `StreamClosedError` when the stream closes before.
        """
        if self._closed:
            raise StreamClosedError(real_error=self.error)
        if not self.writing():
            return done_future()
        if self._drain is None or self._drain.done():
            self._drain = self._new_future()
        return self._drain

    def writing(self) -> bool:
        """True while written bytes wait for the transport."""
        return self._queued() > 0 or bool(self._writes)

    def write_progress(self) -> int:
        """A count that grows as the transport takes queued bytes; tells a slow peer from a dead
        one; ours.
        """
        return self._taken

    def write_to_fd(self, data: memoryview) -> int:
        """Write what the file takes of ``data`` now, and return how much; for subclasses."""
        transport = self.transport
        if not self._direct:
            if self._blocked:
                return 0
            transport.write(bytes(data))
            return data.nbytes
        taken = transport.writeSomeData(data)
        if isinstance(taken, BaseException):
            raise taken
        return int(taken)

    # -- the machinery ------------------------------------------------------------------

    @property
    def _write_buffer(self) -> WriteBuffer:
        if self._output is None:
            self._output = WriteBuffer()
        return self._output

    def _queued(self) -> int:
        output = self._output
        return 0 if output is None else len(output)

    def _refuse(self) -> None:
        """A write to a stream that has ended."""
        if not self._closed:
            error = self._lost_error
            self.close(exc_info=error if error is not None else False)
        raise StreamClosedError(real_error=self.error)

    def _send(self, data: Data, size: int) -> bool:
        """Write at once what the transport takes, queue the rest; True when there is none."""
        if self._blocked:
            if not size and not self.writing():
                return True
            self._start()
        if self._blocked or (self._output is not None and len(self._output)):
            self._queue(data, size)
            return False
        if self._direct:
            taken = self.transport.writeSomeData(data) if size else 0
            if taken != size:
                self._sent_in_part(data, size, taken)
                return False
            return True
        if size > _PIECE:
            self._queue(data, size)
            self._flush()
            return not self.writing() and not self._blocked and not self._closed
        self._given += size
        self._taken += size
        self.transport.write(data if type(data) is bytes else bytes(data))
        return not self._blocked

    def _sent_in_part(self, data: Data, size: int, taken: int | BaseException) -> bool:
        """The transport took less than all: queue the rest; False when the stream is lost."""
        if isinstance(taken, BaseException):
            self.close(exc_info=taken)
            return False
        if taken:
            with memoryview(data) as view, view.cast("B") as octets:
                self._queue(octets[taken:], size - taken)
        else:
            self._queue(data, size)
        self._await_room()
        return True

    def _queue(self, data: Data, size: int) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a stream writes bytes, not {type(data).__name__}")
        self._write_buffer.append(data)
        self._given += size

    def _await_room(self) -> None:
        """Have `resumeProducing` called when the transport takes more."""
        transport = self.transport
        if self._waiting:
            transport.startWriting()
            return
        self._waiting = True
        if isinstance(transport, (DirectTransport, TLSTransport)):
            transport.wait_writable(self)
            return
        self._blocked = True  # a pull producer is asked at once, which is too early
        transport.registerProducer(self, False)
        self._blocked = False
        transport.startWriting()

    def pauseProducing(self) -> None:
        """The transport's queue is full; called by the transport."""
        self._blocked = True

    def resumeProducing(self) -> None:
        """The transport has room; called by the transport."""
        if self._direct:
            if self._blocked:
                return
        else:
            self._blocked = False
        self._flush()

    def stopProducing(self) -> None:
        """The transport is lost; `connectionLost` will say so."""

    def _flush(self) -> None:
        output = self._output
        if output is not None and len(output):
            failed = self._flush_direct(output) if self._direct else self._flush_pieces(output)
            if failed is not None:
                self.close(exc_info=failed)
                return
        self._written()

    def _flush_direct(self, output: WriteBuffer) -> BaseException | None:
        send = self.transport.writeSomeData
        while len(output):
            with output.peek(_PIECE) as view:
                size = view.nbytes
                taken = send(view)
            if isinstance(taken, BaseException):
                return taken
            if taken:
                output.advance(taken)
                self._taken += taken
            if taken < size:
                self._await_room()
                return None
        return None

    def _flush_pieces(self, output: WriteBuffer) -> BaseException | None:
        while len(output) and not self._blocked and not self._closed:
            with output.peek(_PIECE) as view:
                piece = bytes(view)
            output.advance(len(piece))
            self._taken += len(piece)
            self.transport.write(piece)
        return None

    def _written(self) -> None:
        """Settle what waited for bytes that are gone by now."""
        if not self._direct and self._blocked:
            return
        empty = not self._queued()
        if empty and self._waiting:
            self._waiting = False
            self.transport.unregisterProducer()
        writes = self._writes
        if writes:
            taken = self._taken
            while writes and writes[0][0] <= taken:
                _, future = writes.popleft()
                if not future.done():
                    future.set_result(None)
        if empty and self._drain is not None:
            drain, self._drain = self._drain, None
            if not drain.done():
                drain.set_result(None)


@implementer(IHalfCloseableProtocol, IPushProducer)
class BaseIOStream(_Reading, _Writing):
    """Reads from and writes to a file, a socket or any transport without blocking.

    The methods return awaitables, all of which fail with `StreamClosedError` when the stream
    is closed.  At most one read can be pending.

    Two kinds of subclasses are possible: those that have a `transport` (`IOStream`), and
    those that implement `fileno`, `close_fd`, `read_from_fd` and `write_to_fd` (and perhaps
    `get_fd_error`) on a descriptor of their own (`PipeIOStream`; Tornado 3.0).

    Args:
        max_buffer_size: bytes to buffer of what comes in (default 100 MiB).
        read_chunk_size: bytes to read at once (default 64 KiB).
        max_write_buffer_size: bytes to buffer of what goes out (default: any number;
            Tornado 4.0).
        io_loop: Tornado before 5.0, there the first argument: the loop to run on.
    """

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
        io_loop: IOLoop | None = None,
    ) -> None:
        if max_buffer_size is not None and not isinstance(max_buffer_size, int):
            # Tornado before 5.0: io_loop, max_buffer_size, read_chunk_size
            io_loop, max_buffer_size, read_chunk_size, max_write_buffer_size = (
                max_buffer_size,
                read_chunk_size,
                max_write_buffer_size,
                None,
            )
        self.io_loop = io_loop or IOLoop.current()
        self._loop = self.io_loop.asyncio_loop
        self.max_buffer_size = max_buffer_size or 104857600
        # A chunk of half the buffer can always be taken while a read waits for the other half.
        self.read_chunk_size = min(read_chunk_size or 65536, max(1, self.max_buffer_size // 2))
        if max_write_buffer_size is not None:
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
        self._blocked = False
        super().makeConnection(transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone; called by it."""
        if self._closed or self._lost:
            return
        error = cause_of(reason.value)
        if error is None and not self._eof:
            self._hook_end()
            if self._closed:
                return
        self._lost = self._eof = True
        self._lost_error = error
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
        if exc_info:
            if exc_info is True:
                self.error = sys.exc_info()[1]
            elif isinstance(exc_info, tuple):
                self.error = exc_info[1]
            elif isinstance(exc_info, BaseException):
                self.error = exc_info
        self._closed = True
        self._eof = True
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
            transport.close()
            return
        if self._waiting or not self._direct:
            unregister = getattr(transport, "unregisterProducer", None)
            if unregister is not None:
                unregister()
        transport.loseConnection()

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
            self.consumer = None
            self.__dict__.pop("dataReceived", None)
            consumer.stream_closed(error)
        if self._close_callback is not None:
            self._run_close_callback()

    def _pending_futures(self) -> list[asyncio.Future[Any] | None]:
        writes, self._writes = self._writes, None
        drain, self._drain = self._drain, None
        return [*(future for _, future in writes or ()), drain]

    def _fail(self, future: asyncio.Future[Any]) -> None:
        future.set_exception(StreamClosedError(real_error=self.error))
        _seen(future)

    def _run_close_callback(self) -> None:
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            self.io_loop.add_callback(callback)


def _seen(future: asyncio.Future[Any]) -> None:
    """Nobody has to look: whoever forgot this future learns of the end otherwise."""
    if not future.cancelled():
        future.exception()
