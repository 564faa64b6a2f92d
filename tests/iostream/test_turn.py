"""Tests for what happens at the end of a turn."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtornado.iostream._turn import MORE_AT_ONCE, Turn
from txtornado.testing import ExpectLog


class Loop:
    """As much of an asyncio loop as a turn asks for."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def call_soon(self, callback: Any) -> None:
        self.calls.append(callback)

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class SlottedLoop(Loop):
    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "calls":
            raise AttributeError(name)
        super().__setattr__(name, value)


class TurnTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.loop: Any = Loop()
        self.seen: list[str] = []

    def test_of(self) -> None:
        """A loop has one turn, which all find."""
        turn = Turn.of(self.loop)
        self.assertIs(Turn.of(self.loop), turn)
        self.assertIsNot(Turn.of(Loop()), turn)  # type: ignore[arg-type]

    def test_at_end(self) -> None:
        """Callbacks are called in order when the loop turns, once, for one handle of the loop."""
        turn = Turn.of(self.loop)
        for name in ("one", "two"):
            turn.at_end(lambda name=name: self.seen.append(name), self.loop)  # type: ignore[misc]
        self.assertEqual((len(self.loop.calls), self.seen), (1, []))
        self.loop.turn()
        self.assertEqual(self.seen, ["one", "two"])
        self.loop.turn()
        turn.at_end(lambda: self.seen.append("three"), self.loop)
        self.loop.turn()
        self.assertEqual(self.seen, ["one", "two", "three"])

    def test_announced(self) -> None:
        """Within a turn that was announced its end is the end, and asks nothing of the loop."""
        turn = Turn.of(self.loop)
        turn.begin()
        turn.at_end(lambda: self.seen.append("end"), self.loop)
        turn.end()
        self.assertEqual((self.loop.calls, self.seen), ([], ["end"]))

    def test_announced_within_another(self) -> None:
        """What waits for the end of a turn is not lost when another one is announced in it."""
        turn = Turn.of(self.loop)
        turn.at_end(lambda: self.seen.append("late"), self.loop)
        turn.begin()
        turn.end()
        turn.at_end(lambda: self.seen.append("later"), self.loop)
        self.loop.turn()
        self.assertEqual(self.seen, ["late", "later"])

    def test_number(self) -> None:
        """Numbers grow by more than is sent at once, and there is none between turns."""
        turn = Turn.of(self.loop)
        self.assertEqual(turn.number, 0)
        first = turn.begin_late(self.loop)
        self.loop.turn()
        self.assertEqual(turn.number, 0)
        self.assertGreater(turn.begin_late(self.loop), first + MORE_AT_ONCE)

    def test_error(self) -> None:
        """An error in one callback is logged, and the others are called."""

        def fail() -> None:
            raise RuntimeError("no")

        turn = Turn.of(self.loop)
        turn.at_end(fail, self.loop)
        turn.at_end(lambda: self.seen.append("other"), self.loop)
        with ExpectLog("tornado.application", "Exception at the end of a turn"):
            self.loop.turn()
        self.assertEqual(self.seen, ["other"])

    def test_from_within(self) -> None:
        """A callback may ask for another one, which comes in the next turn."""
        turn = Turn.of(self.loop)
        turn.at_end(lambda: turn.at_end(lambda: self.seen.append("next"), self.loop), self.loop)
        self.loop.turn()
        self.assertEqual(self.seen, [])
        self.loop.turn()
        self.assertEqual(self.seen, ["next"])

    def test_loop_without_room(self) -> None:
        """On a loop that takes no attributes everything works, with turns of one's own."""
        loop: Any = SlottedLoop()
        turn = Turn.of(loop)
        turn.at_end(lambda: self.seen.append("end"), loop)
        loop.turn()
        self.assertEqual(self.seen, ["end"])
