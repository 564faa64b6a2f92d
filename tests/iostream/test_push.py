"""Tests for push mode, `send` and `drained`."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.iostream.support import Consumer, StreamTestCase, TLSPair, UnixPair
from txtornado.interfaces import IStreamConsumer
from txtornado.iostream import IOStream, StreamClosedError


class PushTests(StreamTestCase):
    def test_consumer_interface(self) -> None:
        """What the tests use as a consumer is one."""
        verifyObject(IStreamConsumer, implementer(IStreamConsumer)(Consumer)())

    def test_buffered_bytes_first(self) -> None:
        """A consumer gets what was buffered, then what comes, chunk by chunk."""
        stream, _ = self.memory_stream()
        stream.dataReceived(b"before")
        consumer = Consumer()
        stream.set_consumer(consumer)
        stream.dataReceived(b"after")
        self.assertEqual(consumer.chunks, [b"before", b"after"])

    def test_one_call_for_a_chunk(self) -> None:
        """In push mode the transport calls the consumer itself."""
        stream, _ = self.memory_stream()
        consumer = Consumer()
        stream.set_consumer(consumer)
        self.assertEqual(stream.dataReceived, consumer.data_received)

    def test_reads_are_refused(self) -> None:
        """While there is a consumer nobody else reads; nor the other way round."""
        stream, _ = self.memory_stream()
        stream.set_consumer(Consumer())
        self.assertRaises(RuntimeError, stream.read_bytes, 1)
        self.assertRaises(RuntimeError, stream.read_until_close)
        stream.set_consumer(None)
        stream.read_bytes(1)
        self.assertRaises(AssertionError, stream.set_consumer, Consumer())

    def test_back_to_pull_mode(self) -> None:
        """Without a consumer again, bytes are buffered for reads."""
        stream, _ = self.memory_stream()
        consumer = Consumer()
        stream.set_consumer(consumer)
        stream.dataReceived(b"pushed")
        stream.set_consumer(None)
        stream.dataReceived(b"pulled")
        self.assertEqual(consumer.data, b"pushed")
        self.assertEqual(stream.read_bytes(6).result(), b"pulled")

    def test_unread(self) -> None:
        """A consumer that took too much puts it back for whoever comes next."""
        stream, _ = self.memory_stream()
        stream.set_consumer(Consumer())
        stream.dataReceived(b"head|rest")
        stream.set_consumer(None)
        stream.unread(b"rest")
        stream.dataReceived(b" and more")
        successor = Consumer()
        stream.set_consumer(successor)
        self.assertEqual(successor.data, b"rest and more")

    def test_pause_and_resume(self) -> None:
        """``pause_reading`` and ``resume_reading`` steer the transport."""
        stream, transport = self.memory_stream()
        stream.set_consumer(Consumer())
        stream.pause_reading()
        self.assertEqual(transport.producerState, "paused")
        stream.resume_reading()
        self.assertEqual(transport.producerState, "producing")

    def test_end_is_told_once(self) -> None:
        """The consumer learns of the end once, after the last bytes, from whichever side."""
        stream, transport = self.memory_stream()
        consumer = Consumer()
        stream.set_consumer(consumer)
        stream.close()
        stream.close()
        self.assertEqual(consumer.closed, [None])
        self.assertTrue(transport.disconnecting)

    async def test_peer_ends(self) -> None:
        """Everything that the peer sent comes before the end."""
        server, client = await self.pair()
        consumer = Consumer()
        done = self.io_loop.asyncio_loop.create_future()
        consumer.stream_closed = done.set_result
        server.set_consumer(consumer)
        await client.write(b"x" * 100_000)
        client.close()
        self.assertIsNone(await done)
        self.assertEqual(len(consumer.data), 100_000)
        self.assertRaises(StreamClosedError, server.send, b"late")

    async def test_failing_consumer_closes_the_stream(self) -> None:
        """An exception of the consumer's is logged and ends its stream, not the loop."""
        server, client = await self.pair()
        consumer = Consumer()

        def fail(data: bytes) -> None:
            raise ZeroDivisionError

        consumer.data_received = fail
        server.set_consumer(consumer)
        await client.write(b"x")
        await client.read_until_close()
        self.assertIsInstance(server.error, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ChunkTests(UnixPair, StreamTestCase):
    async def chunks(self, size: int, **options: Any) -> list[int]:
        """The sizes of the pieces in which a consumer gets so many bytes that came together."""
        server, client = await self.pair(**options)
        await client.write(b"x" * size)
        done = self.io_loop.asyncio_loop.create_future()
        consumer = Consumer()
        consumer.stream_closed = done.set_result
        server.set_consumer(consumer)
        client.close()
        await done
        return [len(chunk) for chunk in consumer.chunks]

    async def test_round_message(self) -> None:
        """A message of 64 KiB comes in one piece with its head."""
        self.assertEqual(await self.chunks(65536 + 1024), [65536 + 1024])

    async def test_chosen_size(self) -> None:
        """Nothing larger comes than was asked for."""
        self.assertEqual(await self.chunks(2500, read_chunk_size=1000), [1000, 1000, 500])
        self.assertLessEqual(max(await self.chunks(70_000, max_buffer_size=70_000)), 35_000)


class SendTests(StreamTestCase):
    async def test_send_at_once(self) -> None:
        """``send`` is with the kernel when it returns, if nothing was queued."""
        server, client = await self.pair()
        self.assertTrue(server.send(b"now"))
        self.assertFalse(server.writing())
        self.assertIs(server.drained(), server.drained())
        self.assertTrue(server.drained().done())
        self.assertEqual(await client.read_bytes(3), b"now")

    async def test_send_queues_the_rest(self) -> None:
        """What does not fit is queued, in order, and ``drained`` tells when it is gone."""
        server, client = await self.pair()
        big = bytes(range(256)) * 40_000
        sent = [big]
        self.assertFalse(server.send(big))
        self.assertFalse(server.send(b"tail"))
        sent.append(b"tail")
        drained = server.drained()
        self.assertFalse(drained.done())
        received = await client.read_bytes(len(big) + 4)
        self.assertEqual(received, b"".join(sent))
        await drained
        self.assertTrue(server.send(b"again"))

    async def test_drained_fails_when_closed(self) -> None:
        """Whoever waits for the queue to drain learns of the end."""
        server, client = await self.pair()
        server.send(b"x" * 10_000_000)
        drained = server.drained()
        server.close()
        with self.assertRaises(StreamClosedError):
            await drained
        self.assertRaises(StreamClosedError, server.send, b"x")
        self.assertRaises(StreamClosedError, server.drained)

    def test_send_over_any_transport(self) -> None:
        """A transport without ``writeSomeData`` gets everything through ``write``."""
        transport = StringTransport()
        stream = IOStream(transport)
        self.assertTrue(stream.send(b"hello "))
        stream.write(memoryview(b"world"))
        self.assertEqual(transport.value(), b"hello world")

    def test_transport_that_is_full(self) -> None:
        """A transport that pauses its producer gets no more until it resumes it."""
        transport = StringTransport()
        stream = IOStream(transport)
        self.assertTrue(transport.streaming)
        transport.producer.pauseProducing()
        self.assertFalse(stream.send(b"waits"))
        future = stream.write(b" too")
        self.assertEqual(transport.value(), b"")
        self.assertTrue(stream.writing())
        transport.producer.resumeProducing()
        self.assertEqual(transport.value(), b"waits too")
        self.assertTrue(future.done())
        self.assertFalse(stream.writing())


class TLSSendTests(TLSPair, SendTests):
    """The same over TLS."""
