"""The load that ``wrk`` and ``h2load`` cannot give: raw streams, WebSockets, fixed rates, idlers.

A small program in C does the asking (``load.h`` tells how it is laid out); it is built on first
use, with whatever C compiler there is.  Here are its uses as functions: `closed_loop`,
`open_loop`, `broadcasts` and the context manager `idle`; `answering` is a peer that answers without
thinking.  ``python -m benchmarks.load`` shows on that peer that the load is not what is measured.

What is asked and what must come back is an `Exchange`.  The answers are compared with what they
must be, the first of each connection whole; a wrong one, a closed connection and a peer that falls
silent all raise `LoadError`.

Linux only, because of epoll.
"""

from benchmarks.load._build import BuildError, build, has_tls
from benchmarks.load._exchange import (
    Answer,
    Exchange,
    Opening,
    fixed,
    frames,
    http,
    masked,
    websocket,
)
from benchmarks.load._run import (
    Latency,
    Load,
    LoadError,
    Responder,
    answering,
    broadcasts,
    closed_loop,
    idle,
    open_loop,
    percentiles,
)

__all__ = [
    "Answer",
    "BuildError",
    "Exchange",
    "Latency",
    "Load",
    "LoadError",
    "Opening",
    "Responder",
    "answering",
    "broadcasts",
    "build",
    "closed_loop",
    "fixed",
    "frames",
    "has_tls",
    "http",
    "idle",
    "masked",
    "open_loop",
    "percentiles",
    "websocket",
]
