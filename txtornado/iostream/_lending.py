"""What those need who write small pieces to many streams, as WebSockets do.

To send one message to a thousand streams takes less time for the code than for its way through the
objects, which have to come from memory a thousand times.  So a stream lends its socket to whoever
writes by far the most to it: as long as nothing is queued, that one need not come by.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from txtornado._twisted import SocketTransport
from txtornado.iostream._errors import StreamClosedError
from txtornado.iostream._state import Borrower
from txtornado.iostream._writing import Writing

__all__ = ["Lending"]

#: How many pieces of a turn go out at once, and after how many seconds without one the next does.
_PARTS_AT_ONCE = 3
_PAUSE = 0.005


class Lending(Writing):
    """Bytes go out, in ways that are ours."""

    # Pieces that were given to `send_part` in this turn, and when the last was.
    _parts = 0
    _part_time = 0.0

    def gather(self, data: bytes, at_end: list[Callable[[], None]]) -> bool:
        """Write like `send`, though no sooner than at the end of the turn; ours.

        For small pieces that others are about to follow: they are copied, and go out together,
        along with whatever is written in another way meanwhile, in the right order.

        Args:
            data: what to write.
            at_end: gets what is to be called when the turn ends.

        Returns:
            True when there is nothing to wait for.

        Raises:
            StreamClosedError: as from `send`.
        """
        if self._closed or self._lost:
            self._refuse()
        if not self._keep(data, len(data)):
            return self.send(data)
        if not self._gathering:
            self._gathering = True
            at_end.append(self._send_gathered)
        return True

    def send_part(self, data: bytes) -> bool:
        """Write like `send`, for one of several pieces; ours.

        The first few of a turn go out at once, as does one that comes a while after the last: they
        may tell how something fares.  Those that follow closely are copied, and go out together at
        the end of the turn, or with the next `send`.

        Returns:
            True when there is nothing to wait for.

        Raises:
            StreamClosedError: as from `send`.
        """
        number = self._parts
        self._parts = number + 1
        if not number:
            self._loop.call_soon(self._end_of_parts)
        if number >= _PARTS_AT_ONCE:
            before, self._part_time = self._part_time, monotonic()
            if self._part_time - before < _PAUSE and not (self._closed or self._lost):
                return self._gather(data, len(data)) or self.send(data)
        elif number == _PARTS_AT_ONCE - 1:
            self._part_time = monotonic()
        return self.send(data)

    def _end_of_parts(self) -> None:
        self._parts = 0

    def check_room(self, size: int) -> None:
        """Check the limit, which `send` and `gather` do not; ours.

        Raises:
            StreamBufferFullError: ``size`` more bytes would exceed `max_write_buffer_size`.
        """
        if self.max_write_buffer_size is not None:
            self._check_room(size)

    def lend(self, borrower: Borrower) -> bool:
        """Let ``borrower`` send to the socket itself, which becomes its ``_outlet``; ours.

        The loan ends, and ``_outlet`` is None again, before anything is queued here and when the
        stream closes.

        Returns:
            False when everything must come by here.
        """
        transport = self.transport
        if (
            type(transport) is not SocketTransport
            or not self._direct
            or self._blocked
            or self._closed
            or self._lost
            or self._given != self._taken
            or self.max_write_buffer_size is not None
        ):
            return False
        self._borrower = borrower
        borrower._outlet = transport.socket
        return True

    def unsent(self, data: bytes, outcome: int | OSError) -> bool:
        """Go on where a borrower's ``_outlet.send(data)`` has stopped; ours.

        Args:
            data: what was to be sent.
            outcome: how many bytes of it were, or the error that was raised.

        Returns:
            False: something is queued now.

        Raises:
            StreamClosedError: that was the end of the stream.
        """
        if isinstance(outcome, OSError):
            outcome = self.transport.not_sent(outcome)
        self._sent_in_part(data, len(data), outcome)
        if self._closed:
            raise StreamClosedError(real_error=self.error)
        return False
