"""The attributes that the halves of a stream share."""

from __future__ import annotations

import asyncio
import socket
import typing
from collections.abc import Callable
from types import TracebackType
from typing import Any, Union

from twisted.internet.protocol import Protocol

from txtornado._twisted import DirectTransport
from txtornado.interfaces import IStreamConsumer
from txtornado.ioloop import IOLoop
from txtornado.iostream._buffers import ReadBuffer
from txtornado.iostream._errors import StreamClosedError

__all__ = ["CHUNK_SIZE", "Borrower", "Data", "ExcInfo", "State", "seen"]

#: Bytes that are read at once where nobody said how many.
CHUNK_SIZE = 65536

ExcInfo = Union[
    None,
    bool,
    BaseException,
    "tuple[type[BaseException] | None, BaseException | None, TracebackType | None]",
]
Data = bytes | bytearray | memoryview


class Borrower(typing.Protocol):
    """Who writes by way of a stream's socket, see `Lending`."""

    #: The socket, while it is lent.
    _outlet: socket.socket | None


class State(Protocol):
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
    # What hands bytes in, when it does that from the loop of this stream.
    _wire: DirectTransport | None = None
    #: Who gets the bytes, in push mode.
    consumer: IStreamConsumer | None = None

    _closed = False
    # What came and was not read yet; None when that is nothing.
    _input: ReadBuffer | None = None
    # Bytes that were written since the last read began.
    _burst = 0
    # What is returned when there is nothing to wait for: always the same.
    _done_future: asyncio.Future[None] | None = None
    # The peer sends no more.
    _eof = False
    # The transport is gone, though buffered bytes may still be read.
    _lost = False
    _lost_error: BaseException | None = None
    # The transport is not reading.
    _paused = True
    _connecting = False
    _close_callback: Callable[[], Any] | None = None

    # Who has the socket, see `Lending`.
    _borrower: Borrower | None = None

    def _recall(self) -> None:
        """End the loan of the socket, if there is one."""
        borrower = self._borrower
        if borrower is not None:
            self._borrower = borrower._outlet = None

    def close(self, exc_info: ExcInfo = False) -> None:
        raise NotImplementedError

    def _start(self) -> None:
        """Bring about a transport, for streams that have none yet."""

    def _done(self) -> asyncio.Future[None]:
        """The first time that there was nothing to wait for."""
        self._done_future = done = self._new_future()
        done.set_result(None)
        return done

    def _new_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._loop)

    def _check_closed(self) -> None:
        if self._closed:
            raise StreamClosedError(real_error=self.error)


def seen(future: asyncio.Future[Any]) -> None:
    """Nobody has to look: whoever forgot this future learns of the end otherwise."""
    if not future.cancelled():
        future.exception()
