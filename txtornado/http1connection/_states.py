"""The states of one HTTP/1.x connection, and the moves between them.

The rules (RFC 9112, sections 6 to 9):

* A connection carries one exchange after the other.  Within an exchange each side sends one
  message: head, body, end.  A server may put interim (1xx) heads before its own.
* Both sides have a state of their own.  ``RECEIVING`` below says how the peer's message goes on,
  ``SENDING`` how ours does; they are independent, save for the end: only when both are ``DONE``
  may the next exchange begin, and only if both messages allowed it (`Event.NEXT`).
* A message that ends early, in either direction, ends the connection.
* After ``101 Switching Protocols`` the bytes belong to somebody else: ``SWITCHED`` is final,
  as is ``CLOSED``.

What is not in the tables is illegal.  Ours is `ProtocolStateError`; the peer's is malformed input
and never gets as far as the table.
"""

from __future__ import annotations

import enum

__all__ = ["RECEIVING", "SENDING", "Event", "ProtocolStateError", "State", "next_state"]


class State(enum.Enum):
    """How far a message in one direction has come."""

    IDLE = "waiting for a message to begin"
    BODY = "within a message body"
    RAW = "sending a message that was encoded beforehand"
    DONE = "at the end of a message"
    SWITCHED = "past a protocol switch"
    CLOSED = "closed"


class Event(enum.Enum):
    """What happens in one direction.

    `NEED_DATA` and `PAUSED` are no moves; `~.HTTP1Engine.next_event` returns them when there is
    nothing to report.  `YIELD` asks to be called again in a later turn of the reactor, because one
    peer has had its share of this one.
    """

    INFO = "an interim head"
    HEAD = "a message head"
    DATA = "body data"
    END = "the end of a message"
    RAW = "a message encoded beforehand"
    NEXT = "the next exchange"
    SWITCH = "a protocol switch"
    EOF = "the end of the stream"
    NEED_DATA = "a pause for more bytes"
    PAUSED = "a pause for the other side"
    YIELD = "a pause for other connections"


RECEIVING: dict[State, dict[Event, State]] = {
    State.IDLE: {
        Event.INFO: State.IDLE,
        Event.HEAD: State.BODY,
        Event.SWITCH: State.SWITCHED,
        Event.EOF: State.CLOSED,
    },
    State.BODY: {
        Event.DATA: State.BODY,
        Event.END: State.DONE,
        Event.SWITCH: State.SWITCHED,
        Event.EOF: State.CLOSED,
    },
    State.DONE: {
        Event.NEXT: State.IDLE,
        Event.SWITCH: State.SWITCHED,
        Event.EOF: State.CLOSED,
    },
    State.SWITCHED: {Event.EOF: State.CLOSED},
    State.CLOSED: {},
}

SENDING: dict[State, dict[Event, State]] = {
    State.IDLE: {
        Event.INFO: State.IDLE,
        Event.HEAD: State.BODY,
        Event.RAW: State.RAW,
        Event.END: State.DONE,
        Event.SWITCH: State.SWITCHED,
        Event.EOF: State.CLOSED,
    },
    State.BODY: {
        Event.DATA: State.BODY,
        Event.END: State.DONE,
        Event.SWITCH: State.SWITCHED,
        Event.EOF: State.CLOSED,
    },
    State.RAW: {
        Event.DATA: State.RAW,
        Event.END: State.DONE,
        Event.SWITCH: State.SWITCHED,
        Event.EOF: State.CLOSED,
    },
    State.DONE: {
        Event.NEXT: State.IDLE,
        Event.SWITCH: State.SWITCHED,
        Event.EOF: State.CLOSED,
    },
    State.SWITCHED: {Event.EOF: State.CLOSED},
    State.CLOSED: {},
}


class ProtocolStateError(RuntimeError):
    """A move that the state of the connection does not allow.

    Attributes:
        role: ``"client"`` or ``"server"``: who we are.
        event: the `Event` that was asked for.
        state: the `State` it met.
    """

    def __init__(self, role: str, event: Event, state: State) -> None:
        super().__init__(f"a {role} cannot send {event.value} when it is {state.value}")
        self.role = role
        self.event = event
        self.state = state


def next_state(
    table: dict[State, dict[Event, State]], role: str, state: State, event: Event
) -> State:
    """The state that ``event`` leads to.

    Raises:
        ProtocolStateError: ``table`` has no such move.
    """
    try:
        return table[state][event]
    except KeyError:
        raise ProtocolStateError(role, event, state) from None
