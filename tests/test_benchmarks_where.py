"""Tests for the profile of a request: which part a sample counts for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.where import OTHER, part_of, shares, table


class WhereTests(SynchronousTestCase):
    def test_parts(self) -> None:
        """A frame belongs to the part whose files it stands in."""
        for frame, part in (
            ("select (selectors.py:468)", "waiting for the kernel: epoll"),
            ("doRead (txtornado/_twisted.py:236)", "reading from the socket"),
            ("writeSomeData (/x/txtornado/_twisted.py:270)", "sending to the socket"),
            ("_run_once (asyncio/base_events.py:1900)", "event loop"),
            ("send (/x/txtornado/iostream/_writing.py:97)", "stream"),
            ("_pump (/x/txtornado/http1connection/_channel.py:114)", "HTTP/1 engine and channel"),
            ("copy (/x/txtornado/httputil/headers.py:270)", "request object and headers"),
            ("send (txtornado/_twisted_tls.py:155)", "stream"),
            ("find_handler (/x/txtornado/web/_application.py:211)", "routing"),
            ("find (/x/txtornado/web/_routes.py:80)", "routing"),
            ("write (/x/txtornado/web/_handler.py:247)", "handler and response"),
            ("get (/x/benchmarks/servers/http_tornado.py:18)", "handler and response"),
            ("isEnabledFor (logging/__init__.py:1734)", OTHER),
        ):
            self.assertEqual(part_of(frame), part, frame)

    def test_shares(self) -> None:
        """The innermost frame counts, and the shares add up to one."""
        stacks = [
            "main (a.py:1);get (/x/txtornado/web/_handler.py:3) 3",
            "main (a.py:1);get (/x/txtornado/web/_handler.py:3);dumps (json/__init__.py:2) 1",
            "",
        ]
        self.assertEqual(shares(stacks), {"handler and response": 0.75, OTHER: 0.25})
        self.assertEqual(shares([]), {})

    def test_table(self) -> None:
        """The table tells microseconds and shares."""
        lines = list(table("Hello", 20.0, {"stream": 0.25, OTHER: 0.75}))
        self.assertEqual(lines[0], "Hello: 20.0 µs of processor time for a request")
        self.assertRegex(lines[1], r"^  stream +5\.00 µs +25\.0%$")
        self.assertEqual(len(lines), 3)
