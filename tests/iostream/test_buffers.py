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

    def test_data_is_empty_when_all_is_taken(self) -> None:
        """Whether anything is left can be seen from ``data``, however the bytes came."""
        for chunks in ((b"abc",), (b"abc", b"d"), (b"a", b"bcd"), (b"abc", b"d", b"efg")):
            buffer = ReadBuffer()
            for chunk in chunks:
                buffer.append(chunk)
            for _ in range(len(b"".join(chunks))):
                self.assertTrue(buffer.data)
                buffer.take(1)
            self.assertFalse(buffer.data)

    def test_end_of_a_line(self) -> None:
        """A chunk that completes a shorter rest is kept as bytes, which are quick to cut up."""
        buffer = ReadBuffer(b"one\ntw")
        buffer.take(4)
        buffer.append(b"o\nthree\n")
        self.assertEqual(buffer.data, b"two\nthree\n")
        self.assertIs(type(buffer.data), bytes)

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
