"""What those need who write small pieces to many streams, as WebSockets do.

To send one message to a thousand streams takes less time for the code than for its way through the
objects, which have to come from memory a thousand times.  So a stream lends its socket to whoever
writes by far the most to it: as long as nothing is queued, that one need not come by.
"""

from __future__ import annotations

from time import monotonic

from txtornado._twisted import SocketTransport
from txtornado.iostream._errors import StreamClosedError
from txtornado.iostream._state import Borrower
from txtornado.iostream._turn import Turn
from txtornado.iostream._writing import Writing

__all__ = ["Lending"]

#: How many parts go out at once in a turn, after the first; no more than ``MORE_AT_ONCE``.
_MORE_PARTS_AT_ONCE = 2
#: After how many seconds without one a piece goes out at once.
_PAUSE = 0.005


class Lending(Writing):
    """Bytes go out, in ways that are ours."""

    # The turn in which a piece was given to `send_part` last, and one more for each that followed;
    # when that was, where it was not among the first.
    _part = -1
    _part_time = 0.0

    def gather(self, data: bytes) -> bool:
        """Write like `send`, though no sooner than at the end of the turn; ours.

        For small pieces that others are about to follow: they are copied, and go out together,
        along with whatever is written in another way meanwhile, in the right order.

        Returns:
            True when there is nothing to wait for.

        Raises:
            StreamClosedError: as from `send`.
        """
        if self._closed or self._lost:
            self._refuse()
        return self._gather(data, len(data)) or self.send(data)

    def send_part(self, data: bytes) -> bool:
        """Write like `send`, for one of several pieces; ours.

        The first few of a turn go out at once, as does one that comes a while after the last: they
        may tell how something fares.  Those that follow closely are gathered.

        Returns:
            True when there is nothing to wait for.

        Raises:
            StreamClosedError: as from `send`.
        """
        turn = Turn.of(self._loop)
        number = turn.number or turn.begin_late(self._loop)
        part = self._part
        if part >= number + _MORE_PARTS_AT_ONCE:
            before, self._part_time = self._part_time, monotonic()
            if self._part_time - before < _PAUSE:
                return self.gather(data)
        elif part < number:
            self._part = number
        else:
            self._part = part + 1
            if part + 1 == number + _MORE_PARTS_AT_ONCE:
                self._part_time = monotonic()
        return self.send(data)

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
