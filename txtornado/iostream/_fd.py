# mypy: allow-untyped-calls
"""Streams on descriptors of their own, by way of `BaseIOStream`'s hooks."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.python.failure import Failure

from txtornado._twisted import DirectTransport
from txtornado.iostream._base import BaseIOStream

__all__ = ["HookTransport", "PipeIOStream"]


class HookTransport(DirectTransport):
    """The transport of a stream that does its own reading and writing."""

    connected = True

    def __init__(self, stream: BaseIOStream, reactor: Any) -> None:
        DirectTransport.__init__(self, reactor)
        self.stream = stream

    def fileno(self) -> int:
        if self.disconnected:
            return -1
        number = self.stream.fileno()
        return number if isinstance(number, int) else int(number.fileno())

    def doRead(self) -> Any:
        self._busy = True
        try:
            self.stream._read_through_hook()
        finally:
            self._busy = False
        return self.failure

    def writeSomeData(self, data: Any) -> Any:
        with memoryview(data) as view, view.cast("B") as octets:
            try:
                return self.stream.write_to_fd(octets)
            except BlockingIOError:
                return 0
            except Exception as e:
                return e

    def connectionLost(self, reason: Failure) -> None:
        if self.disconnected:
            return
        error = self.stream.get_fd_error()
        DirectTransport.connectionLost(self, reason)
        self.stream.close_fd()
        self.stream.connectionLost(reason if error is None else Failure(error))

    def getHost(self) -> Any:
        return None

    def getPeer(self) -> Any:
        return None


class PipeIOStream(BaseIOStream):
    """A stream on one end of a pipe, given as an integer descriptor (Tornado 3.0).

    The other end of a pair that talks both ways needs a stream of its own.

    Args:
        fd: a descriptor such as those from ``os.pipe``, owned by the stream from now on.
    """

    def __init__(self, fd: int, *args: Any, **kwargs: Any) -> None:
        self.fd = fd
        os.set_blocking(fd, False)
        super().__init__(*args, **kwargs)

    def fileno(self) -> int:
        return self.fd

    def close_fd(self) -> None:
        os.close(self.fd)

    def write_to_fd(self, data: memoryview) -> int:
        return os.write(self.fd, data)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            return os.readv(self.fd, [buf])
        except BlockingIOError:
            return None
        except OSError as e:
            if e.errno == errno.EBADF:
                # The end that only writes: the other one is gone.
                raise BrokenPipeError(errno.EPIPE, "The other end of the pipe is closed") from e
            raise
