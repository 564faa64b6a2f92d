"""The half of a stream that reads: pull mode and push mode."""

from __future__ import annotations

import asyncio
import contextlib
import re
from asyncio import Future
from collections.abc import Awaitable, Callable
from functools import update_wrapper
from types import MethodType
from typing import Any

from txtornado.interfaces import IStreamConsumer
from txtornado.iostream import _old_style
from txtornado.iostream._buffers import ReadBuffer
from txtornado.iostream._errors import StreamBufferFullError, UnsatisfiableReadError, is_reset
from txtornado.iostream._reads import (
    Read,
    ReadBytes,
    ReadInto,
    ReadRegex,
    ReadUntil,
    ReadUntilClose,
)
from txtornado.iostream._state import State, seen
from txtornado.iostream._waking import wake
from txtornado.log import gen_log

__all__ = ["Reading"]


class ReadHook:
    """The method `BaseIOStream.read_from_fd`, which may also be replaced on a single stream.

    A stream then reads through the replacement, and need not look for one each time.
    """

    def __init__(self, function: Callable[[Any, Any], int | None]) -> None:
        self.function = function
        update_wrapper(self, function)

    def __get__(self, stream: Reading | None, owner: Any = None) -> Any:
        if stream is None:
            return self
        return stream._read_hook or MethodType(self.function, stream)

    def __set__(self, stream: Reading, hook: Callable[[Any], int | None]) -> None:
        stream._read_hook = hook
        stream._reads_through_hook = True

    def __delete__(self, stream: Reading) -> None:
        if stream._read_hook is None:
            raise AttributeError("read_from_fd")
        del stream._read_hook, stream._reads_through_hook

    def __call__(self, stream: Any, buf: bytearray | memoryview) -> int | None:
        return self.function(stream, buf)


def _refuse_delimiter(delimiter: object) -> None:
    if isinstance(delimiter, (bytes, bytearray)):
        raise ValueError("the delimiter must not be empty")
    raise TypeError(f"the delimiter must be bytes, not {type(delimiter).__name__}")


class Reading(State):
    """Bytes come in."""

    _read: Read | None = None
    _read_future: asyncio.Future[Any] | None = None
    # The last of its kind: protocols mostly read up to the same delimiter again and again.
    _until: ReadUntil | None = None
    # Where read_from_fd is replaced: what came and was not read through it yet.
    _raw_input: ReadBuffer | None = None
    # It is, by a subclass or on this stream alone; that one's replacement.
    _reads_through_hook = False
    _read_hook: Callable[[Any], int | None] | None = None

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
        read = self._until
        if (
            read is None
            or read.delimiter is not delimiter
            or read.max_bytes is not max_bytes
            or callback is not None
        ):
            if callback is not None or callable(max_bytes):
                return _old_style.read(self, self.read_until, (delimiter,), max_bytes, callback)
            if not delimiter or not isinstance(delimiter, (bytes, bytearray)):
                _refuse_delimiter(delimiter)
            self._until = read = ReadUntil(delimiter, max_bytes)
        else:
            read.seen = 0
            buffer = self._input
            if buffer is not None and self._read is None and self.consumer is None:
                # Many lines came at once: to look for the next takes less time than to have a
                # read begin, which sees to everything that is not as simple as that.
                data, start = buffer.data, buffer.start
                found = data.find(delimiter, start)
                end = found + len(delimiter)
                if (
                    found >= 0
                    and end < len(data)
                    and (max_bytes is None or end - start <= max_bytes)
                    and type(data) is bytes
                ):
                    buffer.start = end
                    self._burst = 0
                    future: asyncio.Future[bytes] = Future(loop=self._loop)
                    future.set_result(data[start:end])
                    return future
        return self._start_read(read)

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
        future: asyncio.Future[Any] = Future(loop=self._loop)
        self._burst = 0  # whoever waits for input has ended his output
        buffer = self._input
        if buffer is not None:
            try:
                result = read.take(buffer)
            except UnsatisfiableReadError as e:
                self._read, self._read_future = read, future
                self._give_up(e)
                return future
            if not buffer.data:
                self._input = None
                if result is not None and self._eof and not self._closed:
                    self._drained_after_eof()
            if result is not None:
                future.set_result(result)
                return future
        self._read, self._read_future = read, future
        if not (self._paused or self._eof):
            return future
        try:
            self._try_inline_read()
        except BaseException as e:
            if not self._closed:
                self._read = self._read_future = None
            if not future.done():
                future.cancel()
            else:
                seen(future)
            raise e from None
        return future

    # Programs' tests patch it, by this name.
    def _try_inline_read(self) -> None:
        """See to it that more comes for the read that begins, if there is more."""
        if self._eof:
            self._check_closed()
            self._end_of_input()
        elif self._paused:
            self.resume_reading()

    def _settle_read(self, read: Read, buffer: ReadBuffer) -> bool:
        """Look whether the pending read is done by what came; True unless more has to come."""
        future = self._read_future
        assert future is not None
        if future.done():  # cancelled: what came stays for the next one
            self._read = self._read_future = None
            return True
        result = read.take(buffer)
        empty = not buffer.data
        if empty:
            self._input = None
        if result is None:
            return False
        self._read = self._read_future = None
        wire = self._wire
        if wire is not None and wire.on_top:
            wake(future, result)
        else:
            future.set_result(result)
        if empty and self._eof and not self._closed:
            self._drained_after_eof()
        return True

    def _give_up(self, error: UnsatisfiableReadError) -> None:
        gen_log.info("Unsatisfiable read, closing connection: %s", error)
        self.close(exc_info=error)

    def _take_all(self) -> bytes:
        buffer, self._input = self._input, None
        return b"" if buffer is None else buffer.take(len(buffer))

    def _buffered(self) -> bool:
        return self._input is not None

    # -- the transport's side -----------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in; called by the transport."""
        if self._reads_through_hook or self._closed:
            self._received_for_hook(data)
            return
        read: Any = self._read
        future: Any = self._read_future
        if read is None or self._input is not None or not read.is_whole(data) or future.done():
            self._store(data)
            return
        self._read = self._read_future = None
        wire = self._wire
        if wire is not None and wire.on_top:
            wake(future, data)
        else:
            future.set_result(data)

    def _received_for_hook(self, data: bytes) -> None:
        if self._closed:
            return
        if self._raw_input is None:
            self._raw_input = ReadBuffer()
        self._raw_input.append(data)
        self._read_through_hook()

    def _store(self, data: bytes) -> None:
        """Buffer what came, unless it completes the pending read."""
        buffer = self._input
        if buffer is None:
            self._input = buffer = ReadBuffer(data)
        else:
            buffer.append(data)
        read = self._read
        if read is not None:
            try:
                done = self._settle_read(read, buffer)
            except UnsatisfiableReadError as e:
                self._give_up(e)
                return
            if not done and len(buffer) > self.max_buffer_size:
                self._overflow()
                return
            buffer = self._input
            if self._closed or buffer is None:  # by the reader, who went on already
                return
        if self._read is None and not self._paused and len(buffer) >= self.read_chunk_size:
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
                self._store(data)
            if self._paused and self._raw_input is None:
                return

    @ReadHook
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
            self._drop_consumer()
            return
        self._check_idle_or_consumer()
        self.consumer = consumer
        if not self._reads_through_hook:
            self.dataReceived = consumer.data_received  # type: ignore[method-assign]
        if self._input is not None:
            consumer.data_received(self._take_all())
            if self.consumer is not consumer:
                return
        if self._closed:
            return
        if self._eof:
            self._end_of_input()
        elif self._paused:
            self.resume_reading()

    def _drop_consumer(self) -> None:
        if self.consumer is not None:
            self.consumer = None
            with contextlib.suppress(AttributeError):  # it reads through a hook
                del self.dataReceived  # back to our own

    def _check_idle_or_consumer(self) -> None:
        if self.consumer is None:
            self._check_idle()

    def unread(self, data: bytes) -> None:
        """Put bytes back in front of what is buffered, for the next read or consumer; ours."""
        if data:
            if self._input is None:
                self._input = ReadBuffer(data)
            else:
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
        if self._closed or self._eof or not self._reads_through_hook:
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
