"""Tests for ``txtornado.iostream._buffers``."""

from __future__ import annotations

import array

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado.iostream._buffers import ReadBuffer, WriteBuffer


class ReadBufferTests(SynchronousTestCase):
    def test_one_chunk_is_not_copied(self) -> None:
        """A chunk that is taken whole is the very object that came."""
        buffer = ReadBuffer()
        chunk = b"whole chunk"
        buffer.append(chunk)
        self.assertIs(buffer.take(len(chunk)), chunk)
        self.assertEqual(len(buffer), 0)

    def test_find_counts_from_what_is_left(self) -> None:
        """Positions are relative to the first byte that was not taken yet."""
        buffer = ReadBuffer()
        buffer.append(b"ab\ncd\n")
        buffer.take(3)
        self.assertEqual(buffer.find(b"\n", 0), 2)
        self.assertEqual(buffer.find(b"a", 0), -1)
        buffer.append(b"e\n")
        self.assertEqual(buffer.find(b"\n", 3), 4)

    def test_prepend(self) -> None:
        """Bytes that are put back come first."""
        buffer = ReadBuffer()
        buffer.append(b"cd")
        buffer.append(b"ef")
        buffer.prepend(b"ab")
        self.assertEqual(buffer.take(100), b"abcdef")

    def test_window_sees_everything(self) -> None:
        """The window covers what is left, however it is kept."""
        buffer = ReadBuffer()
        buffer.append(b"xabc")
        buffer.take(1)
        buffer.append(b"def")
        with buffer.window() as window:
            self.assertEqual(bytes(window), b"abcdef")

    @given(st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 400)), max_size=40))
    @settings(max_examples=200, deadline=None)
    def test_is_a_queue_of_bytes(self, steps: list[bytes | int]) -> None:
        """Whatever the order of appending and taking, bytes come out as they went in."""
        buffer, model = ReadBuffer(), b""
        for step in steps:
            if isinstance(step, bytes):
                buffer.append(step)
                model += step
            else:
                size = min(step, len(model))
                self.assertEqual(buffer.take(size), model[:size])
                model = model[size:]
            self.assertEqual(len(buffer), len(model))


class WriteBufferTests(SynchronousTestCase):
    def test_small_pieces_are_gathered(self) -> None:
        """Many small writes become one piece."""
        buffer = WriteBuffer()
        for _ in range(100):
            buffer.append(b"0123456789")
        with buffer.peek(10_000) as view:
            self.assertEqual(len(view), 1000)

    def test_large_pieces_are_not_copied(self) -> None:
        """A large object is kept by reference, and let go as soon as it is written."""
        buffer = WriteBuffer()
        data = bytearray(100_000)
        buffer.append(data)
        self.assertRaises(BufferError, data.append, 1)
        buffer.advance(100_000)
        data.append(1)

    def test_clear_lets_go(self) -> None:
        """Dropping the buffer's content gives the caller's objects back."""
        buffer = WriteBuffer()
        data = bytearray(100_000)
        buffer.append(b"first")
        buffer.append(data)
        buffer.advance(3)
        buffer.clear()
        data.append(1)
        self.assertEqual(len(buffer), 0)

    def test_items_wider_than_a_byte(self) -> None:
        """Arrays of larger items are counted and written in bytes."""
        buffer = WriteBuffer()
        buffer.append(memoryview(array.array("I", range(1000))))
        self.assertEqual(len(buffer), 4000)

    @given(
        st.lists(st.one_of(st.binary(max_size=5000), st.integers(1, 6000)), max_size=40),
    )
    @settings(max_examples=200, deadline=None)
    def test_is_a_queue_of_bytes(self, steps: list[bytes | int]) -> None:
        """Whatever the order of appending and advancing, bytes come out as they went in."""
        buffer, model = WriteBuffer(), b""
        for step in steps:
            if isinstance(step, bytes):
                buffer.append(step)
                model += step
            elif model:
                size = min(step, len(model))
                with buffer.peek(size) as view:
                    self.assertTrue(view)
                    self.assertTrue(model.startswith(bytes(view)))
                buffer.advance(size)
                model = model[size:]
            self.assertEqual(len(buffer), len(model))
