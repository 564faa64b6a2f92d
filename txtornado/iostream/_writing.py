"""The half of a stream that writes, at once where it can."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from txtornado._twisted import DirectTransport
from txtornado._twisted_tls import TLSTransport
from txtornado.iostream import _old_style
from txtornado.iostream._buffers import WriteBuffer
from txtornado.iostream._errors import StreamBufferFullError, StreamClosedError
from txtornado.iostream._state import Data, State, seen
from txtornado.iostream._turn import Turn

__all__ = ["Writing"]

#: How much is handed to a transport at a time that cannot say how much it took.
_PIECE = 1 << 18
#: Writes of fewer bytes are worth gathering, and how much is gathered before it is sent: each time
#: wakes the peer, which costs more than the copying.  While much more than this is gathered, a peer
#: that is quick has read all that came before, and sleeps each time.
_SMALL = 1 << 16
_BATCH = 7 << 14


def _check_type(data: object) -> None:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"a stream writes bytes, not {type(data).__name__}")


def _copied(data: Data) -> bytes:
    """The bytes, for ``+=``, which does not take a view with gaps."""
    if type(data) is bytes:
        return data
    _check_type(data)
    return bytes(data)


def _size(data: Data) -> int:
    _check_type(data)
    return data.nbytes if isinstance(data, memoryview) else len(data)


class Writing(State):
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
    # Small writes that are kept until the end of this turn at the latest: they come after what is
    # in `_output`, and go there when something else does.
    _kept: bytearray | None = None
    # That end is taken care of.
    _gathering = False
    # The count of `_taken` at which a file has gone that is being sent; 0: there is none.
    _transfer = 0
    _room_future: asyncio.Future[None] | None = None
    # The count of `_given` up to which the writer was told already that all is well.
    _promised = 0
    # How many bytes of a burst are sent piece by piece, before what follows is gathered.  Where
    # to send a small piece costs much (TLS), only the first one is.
    _gather_after = _SMALL

    def write(self, data: Data, callback: Callable[[], Any] | None = None) -> asyncio.Future[None]:
        """Write bytes; the result resolves when the transport has taken them all.

        Writes of less than 64 KiB are gathered in two cases: when what the peer has sent holds
        more than was read (answers to many questions that came at once), and when they follow
        many bytes (64 KiB, over TLS the first write) without a read or a turn of the loop in
        between.  They are copied and go out together, in the loop's next turn or when they are
        112 KiB; they are done at once, and `drained` tells when they are gone.  `close` sends
        them first.

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
        size = len(data) if type(data) is bytes else _size(data)
        if self.max_write_buffer_size is not None:
            self._check_room(size)
        if self._input is not None or self._kept is not None or self._burst >= self._gather_after:
            if self._gather(data, size) or self._send(data, size):
                return self._done_future or self._done()
        elif self._given == self._taken and self._direct and not self._blocked and size:
            self._burst += size
            taken = self.transport.writeSomeData(data)
            if taken == size:
                return self._done_future or self._done()
            self._sent_in_part(data, size, taken)
        elif self._send(data, size):
            return self._done_future or self._done()
        future = self._new_future()
        if self._closed:
            future.set_exception(StreamClosedError(real_error=self.error))
            seen(future)
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
        if self._given == self._taken and self._direct and not self._blocked and size:
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

    def send_file(
        self, file: IO[bytes], offset: int = 0, count: int | None = None
    ) -> asyncio.Future[None]:
        """Send a part of an open file, after what was written before; ours.

        The file is not read into memory where the system can send it by itself (``sendfile(2)``
        on a plain socket), and the loop does not wait for the disk.  Await the result before you
        write more.

        Args:
            file: a regular file, open for reading in binary mode; its position plays no part.
                To be closed when the result is there.
            offset: bytes to leave out at its beginning.
            count: bytes to send (default: up to its end).

        Raises:
            StreamClosedError: from the result: the stream is closed, or was before all had gone.
            EOFError: from the result: the file is shorter than that; the stream is closed, for
                the peer waits for the rest.
            ValueError: from the result: a negative number.
        """
        from txtornado.iostream._files import send_file

        task = self._loop.create_task(send_file(self, file, offset, count))
        task.add_done_callback(seen)
        return task

    def drained(self) -> asyncio.Future[None]:
        """Resolves when everything that was written is with the transport; ours.

        Fails with `StreamClosedError` when the stream closes before.
        """
        if self._closed:
            raise StreamClosedError(real_error=self.error)
        if not self.writing():
            return self._done_future or self._done()
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

    def _gather(self, data: Data, size: int) -> bool:
        """Keep a copy of a small write for a moment, because another one is about to come.

        That is so when further requests of the peer's are in the buffer already, when
        `_gather_after` bytes have gone out since something was read, and when another piece is
        kept.  The pieces go out together, when they are many or in the next turn of the loop:
        a peer that would be waked by each connection's is then waked by the first.  False when
        the write has to go the ordinary way.
        """
        kept = self._kept
        if kept is not None and size < _SMALL and len(kept) + size <= _BATCH:
            kept += data if type(data) is bytes else _copied(data)
            self._given += size
            return True
        if not self._direct or self._blocked or self._waiting or not 0 < size < _SMALL:
            return False  # it has to be possible to send it at once
        if self._given - self._taken + size > _BATCH:
            self._flush()
            if self._given != self._taken or self._closed:
                return False
        self._kept = bytearray(_copied(data))
        if self._borrower is not None:
            self._recall()
        self._given += size
        if not self._gathering:
            self._gathering = True
            Turn.of(self._loop).at_end(self._send_gathered, self._loop)
        return True

    def _send_kept(self, kept: bytearray) -> BaseException | None:
        """Send what was kept at once, when nothing is queued before it; queue what is left."""
        size = len(kept)
        if self._given - self._taken == size:
            taken = self.transport.writeSomeData(kept)
            if isinstance(taken, BaseException):
                return taken
            self._taken += taken
            if taken == size:
                self._kept = None
                return None
            del kept[:taken]
        self._queue_kept()
        return None

    def _queue_kept(self) -> None:
        """What was kept is to wait like other writes, though it is done as far as these go."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._write_buffer.append(kept)
            self._promised = self._given

    def _send_gathered(self) -> None:
        self._gathering = False
        self._burst = 0
        if not self._closed and not self._waiting:
            self._flush()

    def _check_room(self, size: int) -> None:
        limit = self.max_write_buffer_size
        assert limit is not None
        if self._gathering and not self._waiting and self._queued() + size > limit:
            self._flush()  # nothing but ourselves held it back
        if self._queued() + size > limit:
            raise StreamBufferFullError("Reached maximum write buffer size")

    @property
    def _write_buffer(self) -> WriteBuffer:
        if self._output is None:
            self._output = WriteBuffer()
        return self._output

    def _queued(self) -> int:
        return self._given - self._taken

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
        if self._blocked or self._given != self._taken:
            if self._kept is not None and size < _SMALL:
                self._kept += _copied(data)
                self._given += size
            else:
                self._queue(data, size)
            if self._gathering and not self._blocked and not self._waiting:
                self._flush()
                return not self._closed and not self._queued()
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

    def _keep_promises(self) -> None:
        """The stream is closed: hand on what was gathered, though the transport is behind."""
        self._queue_kept()
        self._gathering = False
        if not self._waiting:
            self._flush()
        missing = self._promised - self._taken
        if missing <= 0 or self._closed:
            return
        output, pieces = self._write_buffer, []
        while missing > 0:
            with output.peek(missing) as view:
                pieces.append(bytes(view))
            output.advance(len(pieces[-1]))
            missing -= len(pieces[-1])
        self._taken = self._promised
        self.transport.write(b"".join(pieces))

    def _queue(self, data: Data, size: int) -> None:
        _check_type(data)
        if self._kept is not None:
            self._queue_kept()
        self._write_buffer.append(data)
        self._recall()
        self._given += size

    def _await_room(self) -> None:
        """Have `resumeProducing` called when the transport takes more."""
        if self._kept is not None:
            self._queue_kept()
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

    # -- a file that goes out past the queue -------------------------------------------

    def _begin_transfer(self, size: int) -> None:
        """Somebody else writes the next bytes, so many: what is written here has to wait."""
        self._recall()
        self._given += size
        self._transfer = self._taken + size

    def _transferred(self, size: int) -> None:
        """So many of them are gone, or will not be sent after all."""
        self._taken += size
        if self._taken >= self._transfer:
            self._transfer = 0
            if not self._closed:
                self._flush()

    def _room(self) -> asyncio.Future[None]:
        """Resolves when the transport takes more."""
        self._room_future = future = self._new_future()
        self._await_room()
        return future

    def _flush(self) -> None:
        if self._transfer:
            room, self._room_future = self._room_future, None
            if room is not None and not room.done():
                self._waiting = False
                self.transport.unregisterProducer()
                room.set_result(None)
            return
        kept, failed = self._kept, None
        if kept is not None:
            failed = self._send_kept(kept)
        output = self._output
        if output and failed is None:
            failed = self._flush_direct(output) if self._direct else self._flush_pieces(output)
        if failed is not None:
            self.close(exc_info=failed)
            return
        self._written()

    def _flush_direct(self, output: WriteBuffer) -> BaseException | None:
        send = self.transport.writeSomeData
        while len(output):
            with output.peek(len(output)) as view:
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
