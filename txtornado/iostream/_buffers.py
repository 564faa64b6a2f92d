"""The two buffers of a stream: bytes that came in, and bytes that wait to go out."""

from __future__ import annotations

from collections import deque

__all__ = ["ReadBuffer", "WriteBuffer"]

_COMPACT = 65536


class ReadBuffer:
    """Bytes in the order they came.

    One chunk is kept as it is, so that the common case, a chunk that holds one or many whole
    messages, copies only the messages.  So is one that completes the end of the chunk before it.
    What comes in many chunks is gathered in a bytearray.

    Attributes:
        data: what came; empty when everything was taken.
        start: where in it that begins which was not taken yet.
    """

    __slots__ = ("data", "start")

    def __init__(self, chunk: bytes = b"") -> None:
        self.data: bytes | bytearray = chunk
        self.start = 0

    def __len__(self) -> int:
        return len(self.data) - self.start

    def append(self, chunk: bytes) -> None:
        data, start = self.data, self.start
        if len(data) - start <= len(chunk):
            self.data = b"".join((memoryview(data)[start:], chunk)) if data else chunk
            self.start = 0
            return
        if not isinstance(data, bytearray):
            self.data = data = bytearray(memoryview(data)[start:])
            self.start = 0
        elif start > _COMPACT:
            del data[:start]
            self.start = 0
        data += chunk

    def prepend(self, chunk: bytes) -> None:
        rest = self.take(len(self))
        self.data = chunk + rest
        self.start = 0

    def window(self) -> memoryview:
        """Everything, not copied; release it before anything else is done with the buffer."""
        return memoryview(self.data)[self.start :]

    def take(self, size: int) -> bytes:
        """The first ``size`` bytes, removed."""
        data = self.data
        start = self.start
        end = start + size
        if end >= len(data):
            self.data = b""
            self.start = 0
            if start == 0 and type(data) is bytes:
                return data
        else:
            self.start = end
        if isinstance(data, bytearray):
            with memoryview(data) as view:
                return bytes(view[start:end])
        return data[start:end]


class WriteBuffer:
    """Bytes that wait for the transport.

    Small pieces are copied together.  Large ones are kept as views of the caller's object, which
    are released as soon as they are written or dropped.
    """

    # Pieces of at least this size are not copied.
    _large_buf_threshold = 2048

    def __init__(self) -> None:
        # Small: bytearrays of ours.  Large: memoryviews of somebody's.
        self._buffers: deque[bytearray | memoryview] = deque()
        self._first_pos = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        if view.format != "B" or not view.c_contiguous:
            view = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
        size = view.nbytes
        if size >= self._large_buf_threshold:
            self._buffers.append(view)
        elif size:
            last = self._buffers[-1] if self._buffers else None
            if isinstance(last, bytearray) and len(last) + size <= self._large_buf_threshold:
                last += view
            else:
                self._buffers.append(bytearray(view))
            view.release()
        self._size += size

    def peek(self, size: int) -> memoryview:
        """A view of at most ``size`` bytes from the front; release it before the next call."""
        if not self._buffers:
            return memoryview(b"")
        first = self._buffers[0]
        return memoryview(first)[self._first_pos : self._first_pos + size]

    def advance(self, size: int) -> None:
        """Drop ``size`` bytes from the front."""
        self._size -= size
        while self._buffers and size >= 0:
            first = self._buffers[0]
            left = len(first) - self._first_pos
            if size < left:
                self._first_pos += size
                return
            size -= left
            self._first_pos = 0
            self._buffers.popleft()
            if isinstance(first, memoryview):
                first.release()

    def clear(self) -> None:
        """Drop everything."""
        for piece in self._buffers:
            if isinstance(piece, memoryview):
                piece.release()
        self._buffers.clear()
        self._first_pos = 0
        self._size = 0
