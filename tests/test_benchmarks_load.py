"""The load generator of the benchmarks: what it counts, and when it gives up."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.conversations import (
    GET,
    LIMIT,
    LINE,
    LINES,
    SOON,
    SWITCHING,
    Conversation,
    LoadTestCase,
    answers,
    frame,
    load,
    peer,
    response,
)
from tests.processes import free_port, once

_build = load._build
REASON = "it is about a program in C"


@once(REASON)
class HistogramTests(LoadTestCase):
    """Percentiles, of numbers that are fed in."""

    def test_small_numbers(self) -> None:
        """Below 256, percentiles are exact: the value that so many do not exceed."""
        found = load.percentiles(range(1, 101))
        self.assertEqual(
            found, {"50": 50, "90": 90, "99": 99, "99.9": 100, "max": 100, "mean": 50.5}
        )

    def test_rank(self) -> None:
        """Of a thousand values the 999th is the percentile 99.9."""
        found = load.percentiles([1] * 500 + [2] * 400 + [3] * 90 + [4] * 9 + [5])
        self.assertEqual(
            [found[name] for name in ("50", "90", "99", "99.9", "max")], [1, 2, 3, 4, 5]
        )

    def test_large_numbers(self) -> None:
        """Others are at most 1/128 too high, and never too low; the maximum is exact."""
        for value in (256, 257, 511, 512, 1023, 10**6 + 7, 10**9 + 1, 2**40 - 1, 2**62 + 12345):
            found = load.percentiles([value, value, 2**63])
            self.assertLessEqual(value, found["50"])
            self.assertLessEqual(found["50"], value * (1 + 1 / 128))
            self.assertEqual(found["max"], 2**63)

    def test_single_number(self) -> None:
        """Of one value all percentiles are that value."""
        found = load.percentiles([123456789])
        self.assertEqual(set(found.values()), {123456789})

    def test_no_numbers(self) -> None:
        """Of nothing they are zero."""
        self.assertEqual(set(load.percentiles([]).values()), {0})


@once(REASON)
class BuildTests(SynchronousTestCase):
    """The program is made from its sources, where that can be done."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.addCleanup(load.build.cache_clear)

    def patch_environment(self, **values: str) -> None:
        self.patch(_build.os, "environ", {**_build.os.environ, **values})

    def test_no_compiler(self) -> None:
        """Without a compiler the error says what to install."""
        self.patch_environment(CC="", PATH="/nonexistent")
        error = self.assertRaises(load.BuildError, load.build, self.folder)
        self.assertIn("apt-get install gcc", str(error))

    def test_compiler_fails(self) -> None:
        """When it cannot be compiled, the error has what the compiler says."""
        script = Path(self.mktemp())
        script.write_text("#!/bin/sh\necho 'stdint.h: not there' >&2\nexit 1\n")
        script.chmod(0o755)
        self.patch_environment(CC=str(script.absolute()))
        error = self.assertRaises(load.BuildError, load.build, self.folder)
        self.assertIn("stdint.h: not there", str(error))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_without_openssl(self) -> None:
        """Where OpenSSL's header files are missing, it is built without TLS."""
        script, log = Path(self.mktemp()), Path(self.mktemp()).absolute()
        script.write_text(
            f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in *WITH_TLS*) exit 1;; esac\n'
            'while [ "$1" != -o ]; do shift; done\n: > "$2"\n'
        )
        script.chmod(0o755)
        self.patch_environment(CC=str(script.absolute()))
        self.assertTrue(load.build(self.folder).exists())
        self.assertEqual(["-lssl" in line for line in log.read_text().splitlines()], [True, False])

    def test_kept(self) -> None:
        """What has been built is found again, and needs no compiler."""
        self.folder.mkdir()
        self.patch(_build, "_compile", lambda cc, program: program.write_text(cc))
        self.patch_environment(CC="/bin/sh")
        made = load.build(self.folder)
        load.build.cache_clear()
        self.patch_environment(CC="", PATH="/nonexistent")
        self.assertEqual(load.build(self.folder), made)


@once(REASON)
class ClosedLoopTests(LoadTestCase):
    """As many requests under way as were asked for, and every answer looked at."""

    def test_echo(self) -> None:
        """So many answers as were to be counted are counted, and all their bytes."""
        with load.answering(None) as responder:
            done = load.closed_loop(responder.port, LINES, connections=7, count=1000)
        self.assertEqual((done.answers, done.bytes), (1000, 1000 * len(LINE)))
        self.assertEqual(done.unanswered, 0)
        self.assertTrue(0 < done.latency.p50 <= done.latency.p99 <= done.latency.max)

    def test_window(self) -> None:
        """With a window of three, three requests come before the first answer, and no more."""
        got = []

        def talk(client: Conversation) -> None:
            client.take(3 * len(LINE))
            client.connection.setblocking(False)
            try:
                got.append(client.connection.recv(1))
            except BlockingIOError:
                got.append(b"nothing")
            client.connection.setblocking(True)
            client.give(3 * LINE)
            client.wait()

        with peer(talk) as port:
            done = load.closed_loop(port, LINES, connections=1, window=3, count=3)
        self.assertEqual((done.answers, got), (3, [b"nothing"]))

    def test_duration(self) -> None:
        """Without a number of requests it goes on for a time."""
        with load.answering(None) as responder:
            done = load.closed_loop(responder.port, LINES, seconds=0.1, warmup=0.05)
        self.assertGreater(done.answers, 0)
        self.assertGreaterEqual(done.seconds, 0.1)

    def test_no_time(self) -> None:
        """However short it is, there is an answer to tell of."""
        with load.answering(None) as responder:
            done = load.closed_loop(responder.port, LINES, seconds=0)
        self.assertGreater(done.answers, 0)
        self.assertGreater(done.rate, 0)

    def test_cycle(self) -> None:
        """Each connection sends the requests in turn, and each has its own answer."""
        texts = (b"one\r\n", b"three\r\n", b"seventeen\r\n")
        seen = []

        def talk(client: Conversation) -> None:
            for line in client.rfile:
                seen.append(line)
                client.give(line.upper())

        exchange = load.Exchange(texts, load.fixed(*(text.upper() for text in texts)))
        with peer(talk) as port:
            done = load.closed_loop(port, exchange, connections=1, window=2, count=8)
        self.assertEqual(done.answers, 8)
        self.assertEqual(tuple(seen), (texts * 3)[:8])

    def test_answer_in_pieces(self) -> None:
        """It does not matter where an answer is cut: fixed, HTTP and frames."""
        message = b"m" * 200
        large = b"\x81\x7e\x00\xc8" + message
        cases = (
            (LINES, LINE, len(LINE)),
            (load.Exchange((GET,), load.http(b"body")), response(b"body"), len(GET)),
            (load.Exchange((LINE,), load.frames(message)), large, len(LINE)),
        )
        for exchange, answer, size in cases:

            def talk(client: Conversation, answer: bytes = answer, size: int = size) -> None:
                for _ in range(2):
                    client.take(size)
                    for byte in answer:
                        client.give(bytes((byte,)))
                client.wait()

            with peer(talk) as port:
                done = load.closed_loop(port, exchange, connections=1, count=2)
            self.assertEqual((done.answers, done.bytes), (2, 2 * len(answer)))

    def test_bulk(self) -> None:
        """A large answer may be told as a piece and how often it comes."""
        piece = bytes(range(256)) * 16
        exchange = load.Exchange((LINE,), load.fixed(piece, repeat=300))
        with load.answering(piece * 300, unit=len(LINE)) as responder:
            done = load.closed_loop(responder.port, exchange, connections=2, count=4)
        self.assertEqual((done.answers, done.bytes), (4, 4 * 300 * len(piece)))

    def test_large_requests(self) -> None:
        """A request that the socket does not take at once goes out whole."""
        large = b"r" * (4 << 20)
        exchange = load.Exchange((large,), load.fixed(b"ok"))
        with load.answering(b"ok", unit=len(large)) as responder:
            done = load.closed_loop(responder.port, exchange, connections=2, window=2, count=6)
        self.assertEqual(done.answers, 6)

    def test_server_time(self) -> None:
        """The processor time of the process that is watched is told."""
        with load.answering(None) as responder:
            done = load.closed_loop(responder.port, LINES, count=2000, watch=responder.pid)
        self.assertGreater(done.server_seconds, 0)
        self.assertAlmostEqual(done.cost, done.server_seconds / 2000 * 1e6)

    def test_wrong_answer(self) -> None:
        """A wrong byte, be it the last one of a connection's first answer, is an error."""
        self.assert_refused(answers(LINE[:-1] + b"?"), "after 0 answers: wrong answer: ")

    def test_wrong_later_answer(self) -> None:
        """Later answers are compared as well."""
        wrong = b"A" + LINE[1:]
        self.assert_refused(answers(LINE, LINE, wrong), "after 2 answers: wrong answer: A line")

    def test_unasked_answer(self) -> None:
        """An answer too many is an error."""
        self.assert_refused(answers(LINE + LINE), "nobody asked for")

    def test_closed(self) -> None:
        """A connection that the peer closes is an error."""

        def talk(client: Conversation) -> None:
            client.take(len(LINE))
            client.give(LINE)

        self.assert_refused(talk, "connection 0, after 1 answers: ")

    def test_reset(self) -> None:
        """So is one that it resets."""

        def talk(client: Conversation) -> None:
            client.take(len(LINE))
            linger = b"\x01\0\0\0\0\0\0\0"
            client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

        self.assert_refused(talk, "connection 0, after 0 answers: ")

    def test_refused(self) -> None:
        """If nobody listens, the error says so."""
        port = free_port()
        error = self.assertRaises(load.LoadError, load.closed_loop, port, LINES, count=1)
        self.assertEqual(str(error), f"cannot connect to port {port}: Connection refused")

    def test_no_answer(self) -> None:
        """A peer that falls silent is given up after the limit."""
        talk = answers(LINE)
        self.assert_refused(talk, f"after 1 answers: no answer within {SOON:g} s", limit=SOON)

    def test_half_an_answer(self) -> None:
        """Half an answer is none."""
        self.assert_refused(answers(LINE[:5]), "after 0 answers: no answer", limit=SOON)

    def test_cpu(self) -> None:
        """It can be kept to a processor."""
        with load.answering(None, cpu=0) as responder:
            done = load.closed_loop(responder.port, LINES, count=10, cpu=0)
        self.assertEqual(done.answers, 10)


@once(REASON)
class OpenLoopTests(LoadTestCase):
    """Requests on a schedule."""

    def test_count(self) -> None:
        """All requests of the time that is measured are answered, and no others are counted."""
        with load.answering(None) as responder:
            done = load.open_loop(
                responder.port, LINES, rate=2000, connections=3, seconds=0.1, warmup=0.05
            )
        self.assertEqual((done.answers, done.unanswered), (200, 0))

    def test_http_and_websocket(self) -> None:
        """The framings are those of the closed loop."""
        with load.answering(response(b"hello")) as responder:
            exchange = load.Exchange((GET,), load.http(b"hello"))
            done = load.open_loop(responder.port, exchange, rate=5000, count=100)
        self.assertEqual(done.answers, 100)
        exchange = load.websocket("/", b"hi")
        unit = len(exchange.requests[0])
        with load.answering(frame(b"hi"), unit=unit, opening=SWITCHING) as responder:
            done = load.open_loop(responder.port, exchange, rate=5000, count=100)
        self.assertEqual(done.answers, 100)

    def test_latency_from_when_due(self) -> None:
        """Requests that wait behind a slow answer count from when they were due.

        One connection's first answer comes when the other has had fifty, of which one is due every
        2 ms, the last one after 98 ms: so the first request waits for 97 ms at least, the second,
        due 2 ms later, for 95, and so on.
        """
        enough = threading.Event()
        turns = iter(("goes on", "waits"))

        def talk(client: Conversation) -> None:
            client.take(len(LINE))
            goes_on = next(turns) == "goes on"
            if not goes_on:
                enough.wait(LIMIT)
            client.give(LINE)
            for number in range(2, 10**6):
                client.take(len(LINE))
                client.give(LINE)
                if goes_on and number == 50:
                    enough.set()

        with peer(talk) as port:
            done = load.open_loop(port, LINES, rate=1000, connections=2, count=200)
        self.assertEqual((done.answers, done.unanswered), (200, 0))
        waited = sum(97_000 - 2_000 * k for k in range(49))
        self.assertGreater(done.latency.mean, waited / 200)

    def test_unanswered(self) -> None:
        """Requests that have no answer when patience ends are counted as such."""

        def talk(client: Conversation) -> None:
            client.take(len(LINE))
            while True:
                client.give(LINE)

        exchange = load.Exchange((LINE,), load.fixed(LINE, repeat=1 << 40))
        with peer(talk) as port:
            done = load.open_loop(port, exchange, rate=1000, connections=1, seconds=0.1, limit=SOON)
        self.assertEqual((done.answers, done.unanswered), (0, 100))
        self.assertGreater(done.latency.p50, SOON * 1e6)

    def test_no_answer(self) -> None:
        """A peer that is silent altogether is an error."""
        with peer(answers()) as port, self.assertRaises(load.LoadError) as caught:
            load.open_loop(port, LINES, rate=100, seconds=0.1, limit=SOON)
        self.assertIn("after 0 answers: no answer within", str(caught.exception))

    def test_wrong_answer(self) -> None:
        """A wrong answer is an error."""
        with peer(answers(b"?" * len(LINE))) as port, self.assertRaises(load.LoadError) as caught:
            load.open_loop(port, LINES, rate=1000, count=10)
        self.assertIn("wrong answer: ???", str(caught.exception))


@once(REASON)
class BroadcastTests(LoadTestCase):
    """One asks, and all are answered."""

    exchange = load.websocket("/", b"1", answers=[b"news"])

    def test_rounds(self) -> None:
        """A round is over when all have had their answer."""
        unit = len(self.exchange.requests[0])
        with load.answering(frame(b"news"), unit=unit, opening=SWITCHING, to_all=True) as responder:
            done = load.broadcasts(responder.port, self.exchange, connections=50, count=20)
        self.assertEqual((done.answers, done.bytes), (20, 20 * 50 * 6))

    def test_several_at_once(self) -> None:
        """A request may be for several answers."""
        unit = len(self.exchange.requests[0])
        with load.answering(
            frame(b"news") * 3, unit=unit, opening=SWITCHING, to_all=True
        ) as responder:
            done = load.broadcasts(
                responder.port, self.exchange, connections=10, at_once=3, count=20
            )
        self.assertEqual((done.answers, done.bytes), (20, 20 * 10 * 3 * 6))

    def test_duration(self) -> None:
        """Measuring ends with a round."""
        unit = len(self.exchange.requests[0])
        with load.answering(frame(b"news"), unit=unit, opening=SWITCHING, to_all=True) as responder:
            done = load.broadcasts(
                responder.port, self.exchange, connections=5, seconds=0.1, warmup=0.05
            )
        self.assertGreater(done.answers, 0)
        self.assertEqual(done.bytes, done.answers * 5 * 6)

    def test_left_out(self) -> None:
        """If one connection gets nothing, that is an error."""
        unit = len(self.exchange.requests[0])
        with (
            load.answering(frame(b"news"), unit=unit, opening=SWITCHING) as responder,
            self.assertRaises(load.LoadError) as caught,
        ):
            load.broadcasts(responder.port, self.exchange, connections=2, count=1, limit=SOON)
        self.assertIn("connection 1, after 0 answers: no answer within", str(caught.exception))


@once(REASON)
class IdleTests(LoadTestCase):
    """Connections that are there."""

    def test_connections(self) -> None:
        """All are open in the block, each has had one answer, and all are closed after it."""
        events: list[str] = []

        def talk(client: Conversation) -> None:
            client.take_head()
            events.append("asked")
            client.give(response(b"hello"))
            client.wait()
            events.append("closed")

        exchange = load.Exchange((GET,), load.http(b"hello"))
        with peer(talk) as port, load.idle(port, exchange, connections=40):
            self.assertEqual(events, ["asked"] * 40)
        self.assertEqual(events, ["asked"] * 40 + ["closed"] * 40)

    def test_without_request(self) -> None:
        """Without a request the handshake is all."""
        opening = load.websocket("/").opening
        done = threading.Semaphore(0)

        def talk(client: Conversation) -> None:
            client.take_head()
            client.give(SWITCHING)
            client.give(frame(b"there?", 0x89))
            if client.take_frame() == (0x8A, b"there?"):
                done.release()
            client.wait()

        exchange = load.Exchange(answer=load.frames(), opening=opening)
        with peer(talk) as port, load.idle(port, exchange, connections=3):
            for _ in range(3):
                self.assertTrue(done.acquire(timeout=LIMIT))

    def test_no_handshake(self) -> None:
        """Connections without anything to say are just opened."""
        opened = threading.Semaphore(0)

        def talk(client: Conversation) -> None:
            opened.release()
            client.wait()

        with peer(talk) as port, load.idle(port, load.Exchange(), connections=3):
            for _ in range(3):
                self.assertTrue(opened.acquire(timeout=LIMIT))

    def test_busy_one(self) -> None:
        """Beside them others can be busy."""
        exchange = load.Exchange((GET,), load.http(b"hello"))
        with (
            load.answering(response(b"hello")) as responder,
            load.idle(responder.port, exchange, connections=300),
        ):
            done = load.closed_loop(responder.port, exchange, connections=1, count=100)
        self.assertEqual(done.answers, 100)

    def test_closed_by_peer(self) -> None:
        """If the peer closes one in the meantime, that is an error at the end."""
        go, gone = threading.Event(), threading.Event()

        def talk(client: Conversation) -> None:
            client.take(len(LINE))
            client.give(LINE)
            go.wait(LIMIT)
            client.connection.shutdown(socket.SHUT_RDWR)
            gone.set()

        with (
            peer(talk) as port,
            self.assertRaises(load.LoadError) as caught,
            load.idle(port, LINES, connections=1),
        ):
            go.set()
            gone.wait(LIMIT)
        self.assertIn("connection 0, after 1 answers: ", str(caught.exception))

    def test_refused(self) -> None:
        """If they cannot be opened, the block is not entered."""
        with (
            self.assertRaises(load.LoadError) as caught,
            load.idle(free_port(), LINES, connections=3),
        ):
            self.fail("entered")
        self.assertIn("Connection refused", str(caught.exception))

    def test_error_in_block(self) -> None:
        """An error of the block comes through, and the connections are gone."""
        ended = threading.Event()

        def talk(client: Conversation) -> None:
            client.wait()
            ended.set()

        with peer(talk) as port:
            with (
                self.assertRaises(ZeroDivisionError),
                load.idle(port, load.Exchange(), connections=1),
            ):
                raise ZeroDivisionError
            self.assertTrue(ended.wait(LIMIT))


@once(REASON)
class ResponderTests(LoadTestCase):
    """The peer that answers without thinking."""

    def talk(self, port: int, *pieces: bytes) -> bytes:
        """Everything that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as sock:
            for piece in pieces:
                sock.sendall(piece)
            got = b""
            while data := sock.recv(65536):
                got += data
        return got

    def test_requests(self) -> None:
        """Requests end with an empty line, wherever they are cut; the last one may say so."""
        last = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
        pieces = (GET[:-3], GET[-3:-1], GET[-1:] + GET, last)
        with load.answering(response(b"hello")) as responder:
            self.assertEqual(self.talk(responder.port, *pieces), response(b"hello") * 3)

    def test_ends(self) -> None:
        """It ends with the block."""
        with load.answering(b"x") as responder:
            port = responder.port
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", port))
