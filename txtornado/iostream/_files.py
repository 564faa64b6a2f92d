"""Files that go out through a stream: by the system itself where it can, else piece by piece.

``sendfile(2)`` has the kernel copy from file to socket.  It does not wait for the socket, but it does
wait for the disk.  So it is called on the loop's thread only for what is in memory already, as far
as can be told, and in another thread otherwise: as much as the socket takes in one go, then the
stream waits for room as it does for every write.
"""

from __future__ import annotations

import asyncio
import errno
import os
from typing import IO, TYPE_CHECKING, Any

from txtornado._twisted import SocketTransport
from txtornado.iostream._errors import StreamClosedError

if TYPE_CHECKING:
    from txtornado.iostream._writing import Writing

__all__ = ["send_file"]

#: Bytes that are read at once where the system cannot send a file by itself.
_PIECE = 1 << 18
#: Bytes that are sent at most before it is others' turn: in a thread, and on the loop's.
_SHARE = 1 << 23
_SHARE_OF_LOOP = 1 << 20
#: How many bytes lie between the places where a file is probed; systems read ahead about as many.
_PROBED = 1 << 17
#: What a system says of a file or a socket that it does not send by itself.
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTSOCK)


async def send_file(stream: Writing, file: IO[bytes], offset: int, count: int | None) -> None:
    """The work of `Writing.send_file`; a stream that failed halfway is closed."""
    source = file.fileno()
    if count is None:
        count = os.fstat(source).st_size - offset
    if offset < 0 or count < 0:
        raise ValueError(f"no part of a file: {count} bytes from {offset}")
    stream._start()
    try:
        await stream.drained()
        if count and hasattr(os, "sendfile") and type(stream.transport) is SocketTransport:
            count -= (sent := await _Transfer(stream, source, offset, count).run())
            offset += sent
        await _copy(stream, source, offset, count)
    except BaseException as error:
        stream.close(exc_info=error)
        raise


async def _copy(stream: Writing, source: int, offset: int, count: int) -> None:
    while count:
        data = await stream.io_loop.run_in_executor(
            None, os.pread, source, min(count, _PIECE), offset
        )
        if not data:
            raise _too_short(count)
        offset += len(data)
        count -= len(data)
        await stream.write(data)


def _too_short(missing: int) -> EOFError:
    return EOFError(f"the file ended {missing} bytes before what was to be sent of it")


class _Transfer:
    """A part of a file on its way to a socket.

    It has descriptors of its own: whatever happens to the stream and the file meanwhile, the thread
    never writes to somebody else's socket.
    """

    def __init__(self, stream: Writing, source: int, offset: int, count: int) -> None:
        self.stream = stream
        self.offset = offset
        self.left = self.whole = count
        self.probe = bytearray(1)
        self.source = os.dup(source)
        try:
            self.target = os.dup(stream.transport.fileno())
        except OSError:
            os.close(self.source)
            raise

    async def run(self) -> int:
        """Send it all; or nothing, which the result tells, when the system cannot do it."""
        stream = self.stream
        stream._begin_transfer(self.whole)
        busy: asyncio.Future[int] | None = None
        try:
            while self.left:
                wanted = min(self.left, _SHARE_OF_LOOP)
                if self.in_memory(wanted):
                    sent = self.send(wanted)
                else:
                    wanted = min(self.left, _SHARE)
                    busy = stream.io_loop.run_in_executor(None, self.send, wanted)
                    sent = await asyncio.shield(busy)
                if sent < 0:
                    stream._transferred(self.left)
                    return 0
                if stream._closed:
                    raise StreamClosedError(real_error=stream.error)
                self.offset += sent
                self.left -= sent
                stream._transferred(sent)
                if sent < wanted:
                    await stream._room()
                elif self.left:
                    await asyncio.sleep(0)
        except StreamClosedError:
            raise
        except OSError as error:
            stream.close(exc_info=error)
            raise StreamClosedError(real_error=error) from None
        finally:
            if busy is None or busy.done():
                self.close()
            else:  # cancelled, and the thread is still at it
                busy.add_done_callback(self.close)
        return self.whole

    def in_memory(self, size: int) -> bool:
        """Whether the next bytes can be had without waiting for the disk, as far as can be told."""
        flag = getattr(os, "RWF_NOWAIT", None)
        if flag is None:
            return False
        last = self.offset + size - 1
        try:
            for place in (*range(self.offset, last, _PROBED), last):
                if not os.preadv(self.source, [self.probe], place, flag):
                    return False
        except OSError:
            return False
        return True

    def send(self, wanted: int) -> int:
        """Send what the socket takes of so many bytes; -1 when the system cannot do that."""
        sent = 0
        try:
            while sent < wanted:
                now = os.sendfile(self.target, self.source, self.offset + sent, wanted - sent)
                if not now:
                    raise _too_short(self.left - sent)
                sent += now
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in _CANNOT and not sent and self.left == self.whole:
                return -1
            raise
        return sent

    def close(self, busy: Any = None) -> None:
        """Give the descriptors back."""
        if busy is not None and not busy.cancelled():
            busy.exception()
        os.close(self.source)
        os.close(self.target)
