"""Tests for the RFC 6455 engine: bytes in, messages out, and back."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.websocket.support import MASK, close, frame, masked
from txtornado.websocket import _frames
from txtornado.websocket._deflate import Agreement
from txtornado.websocket._engine import Engine
from txtornado.websocket._errors import ProtocolViolation
from txtornado.websocket._frames import BINARY, CLOSE, FIN, PING, PONG, RSV1, TEXT

LIMIT = 1 << 20


def server(limit: int = LIMIT, deflate: Agreement | None = None) -> Engine:
    engine = Engine(False, limit)
    if deflate is not None:
        engine.use_deflate(deflate, {})
    return engine


def client(limit: int = LIMIT, deflate: Agreement | None = None) -> Engine:
    engine = Engine(True, limit)
    if deflate is not None:
        engine.use_deflate(deflate, {})
    return engine


def events(engine: Engine, *pieces: bytes) -> list[tuple[int, str | bytes]]:
    found = []
    for piece in pieces:
        engine.receive_data(piece)
        while (event := engine.next_event()) is not None:
            found.append((engine.opcode, event))
    return found


def chop(data: bytes, cuts: list[int]) -> list[bytes]:
    """``data`` in pieces, none of them empty."""
    places = sorted({cut % len(data) for cut in cuts} - {0})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def deflated(data: bytes) -> bytes:
    context = zlib.compressobj(wbits=-15)
    return (context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH))[:-4]


def final(data: bytes) -> bytes:
    """``data`` deflated to a stream of its own, which ends (RFC 7692, section 7.2.3.5)."""
    context = zlib.compressobj(wbits=-15)
    return context.compress(data) + context.flush() + b"\x00"


sizes = st.sampled_from([125, 126, 127, 8191, 65535, 65536])
large = st.builds(lambda part, size: part * size, st.binary(min_size=1, max_size=9), sizes)
messages = st.one_of(st.text(max_size=300), st.binary(max_size=300), large)
controls = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))


def encoded(engine: Engine, message: str | bytes) -> bytes:
    if isinstance(message, str):
        return engine.send_message(TEXT, message.encode())
    return engine.send_message(BINARY, message)


class RoundTripTests(SynchronousTestCase):
    """What one end sends the other end gets."""

    def check(self, sender: Engine, receiver: Engine, sent: list, cuts: list[int]) -> None:
        data = b"".join(encoded(sender, message) for message in sent)
        expected = [(TEXT if isinstance(m, str) else BINARY, m) for m in sent]
        self.assertEqual(events(receiver, *chop(data, cuts)), expected)

    @given(st.lists(messages, min_size=1, max_size=4), st.lists(st.integers(0, 1 << 20)))
    def test_to_server(self, sent: list, cuts: list[int]) -> None:
        """A server gets a client's messages, however the bytes are chopped."""
        self.check(client(), server(), sent, cuts)

    @given(st.lists(messages, min_size=1, max_size=4), st.lists(st.integers(0, 1 << 20)))
    def test_to_client(self, sent: list, cuts: list[int]) -> None:
        """A client gets a server's messages, however the bytes are chopped."""
        self.check(server(), client(), sent, cuts)

    @given(
        st.lists(messages, min_size=1, max_size=4),
        st.lists(st.integers(0, 1 << 20)),
        st.builds(Agreement, st.integers(8, 15), st.integers(8, 15), st.booleans(), st.booleans()),
    )
    def test_compressed(self, sent: list, cuts: list[int], agreement: Agreement) -> None:
        """Messages arrive compressed, too, whatever the windows, and with or without context."""
        self.check(client(deflate=agreement), server(deflate=agreement), sent, cuts)
        self.check(server(deflate=agreement), client(deflate=agreement), sent, cuts)

    def test_counts(self) -> None:
        """Both ends count bytes of messages and bytes on the wire."""
        ours, theirs = client(), server()
        events(theirs, ours.send_message(TEXT, b"12345"))
        self.assertEqual((ours.message_bytes_out, ours.wire_bytes_out), (5, 11))
        self.assertEqual((theirs.message_bytes_in, theirs.wire_bytes_in), (5, 11))


class WholeFrameTests(SynchronousTestCase):
    """A frame that comes at once is judged as one that comes byte by byte."""

    @given(
        st.sampled_from([FIN, FIN | RSV1, 0, RSV1, FIN | 0x20]),
        st.sampled_from([TEXT, BINARY, 0, CLOSE, PING]),
        st.one_of(
            st.binary(max_size=130),
            st.text(max_size=130).map(str.encode),
            st.text(max_size=400).map(lambda text: deflated(text.encode())),
            st.text(max_size=400).map(lambda text: final(text.encode())),
            large,
        ),
        st.booleans(),
        st.booleans(),
        st.one_of(st.none(), st.builds(Agreement, client_forgets=st.booleans())),
        st.sampled_from([0, 100, 125, 126, 300, LIMIT]),
    )
    def test_same(self, flags, opcode, payload, masks, is_client, agreement, limit) -> None:
        """The same messages, or the same refusal."""
        wire = frame(flags | opcode, payload, MASK if masks else None)
        outcomes = []
        for pieces in ([wire + wire], chop(wire + wire, [1, 2, 3, 5, 9, len(wire), len(wire) + 7])):
            engine = Engine(is_client, limit)
            if agreement is not None:
                engine.use_deflate(agreement, {})
            found: list[object] = []
            try:
                for piece in pieces:
                    engine.receive_data(piece)
                    while (event := engine.next_event()) is not None:
                        found.append((engine.opcode, event))
                found.append(engine.message_bytes_in)
            except ProtocolViolation as error:
                found.append(error.code)
            outcomes.append(found)
        self.assertEqual(*outcomes)


class FragmentTests(SynchronousTestCase):
    """Messages in several frames."""

    @given(
        st.one_of(st.text(min_size=1), st.binary(min_size=1)),
        st.lists(st.integers(0, 1000), max_size=5),
        st.lists(controls, max_size=5),
        st.booleans(),
    )
    def test_invariance(self, message, cuts, between, compressed) -> None:
        """It makes no difference how a message is cut, nor what control frames come between."""
        data = message.encode() if isinstance(message, str) else message
        opcode = TEXT if isinstance(message, str) else BINARY
        parts = chop(deflated(data) if compressed else data, cuts)
        wire = b""
        for i, part in enumerate(parts):
            first = (FIN if i == len(parts) - 1 else 0) | (0 if i else opcode)
            wire += frame(first | (RSV1 if compressed and not i else 0), part)
            if i < len(between) and i < len(parts) - 1:
                wire += frame(FIN | between[i][0], between[i][1])
        engine = server(deflate=Agreement() if compressed else None)
        expected = [*between[: len(parts) - 1], (opcode, message)]
        self.assertEqual(events(engine, wire), expected)

    def test_empty_fragments(self) -> None:
        """Frames without content are frames."""
        wire = frame(TEXT, b"") + frame(0, b"") + frame(FIN, b"")
        self.assertEqual(events(server(), wire), [(TEXT, "")])

    def test_cut_characters(self) -> None:
        """A text in two frames whose characters are cut in two is put together."""
        data = "\u20ac".encode()
        wire = frame(TEXT, data[:1]) + frame(0, data[1:2]) + frame(FIN, data[2:])
        self.assertEqual(events(server(), wire), [(TEXT, "\u20ac")])


class ViolationTests(SynchronousTestCase):
    """What is wrong is refused, with the code that the RFC has for it."""

    def refused(self, code: int, *pieces: bytes, engine: Engine | None = None) -> None:
        with self.assertRaises(ProtocolViolation) as caught:
            events(engine or server(), *pieces)
        self.assertEqual(caught.exception.code, code)

    @given(st.binary(), st.booleans(), st.booleans())
    def test_any_bytes(self, data: bytes, as_client: bool, compressed: bool) -> None:
        """Whatever comes in, nothing is raised but a violation."""
        engine = Engine(as_client, 1000)
        if compressed:
            engine.use_deflate(Agreement(), {})
        try:
            events(engine, data)
        except ProtocolViolation as violation:
            self.assertIn(violation.code, (1002, 1007, 1009))

    @given(st.binary(max_size=200), st.booleans())
    def test_any_text(self, data: bytes, whole: bool) -> None:
        """A text comes out if it is UTF-8, and is refused with 1007 if not."""
        wire = frame(FIN | TEXT, data) if whole else frame(TEXT, data) + frame(FIN, b"")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.refused(1007, wire)
        else:
            self.assertEqual(events(server(), wire), [(TEXT, text)])

    def test_first_bad_byte(self) -> None:
        """Broken UTF-8 is refused at the first bad byte, without the rest of the frame."""
        bad = b"ok \xf4\x90"  # beyond U+10FFFF, whatever follows
        head = bytes([FIN | TEXT, 0xFE]) + (1000).to_bytes(2, "big") + b"\x01\x02\x03\x04"
        engine = server()
        self.assertEqual(events(engine, head + masked(bad[:-1])), [])
        self.refused(1007, masked(bad)[-1:], engine=engine)

    def test_first_bad_byte_after_ascii(self) -> None:
        """So it is where nothing but ASCII came before, in pieces."""
        head = bytes([FIN | TEXT, 0xFE]) + (1000).to_bytes(2, "big") + b"\x01\x02\x03\x04"
        for text in (b"ascii\xff", "ascii\u20ac".encode() + b"\xff"):
            engine = server()
            wire = head + masked(text)
            for position in range(len(wire) - 1):
                self.assertEqual(events(engine, wire[position : position + 1]), [])
            self.refused(1007, wire[-1:], engine=engine)

    def test_unfinished_character(self) -> None:
        """A text must not end within a character."""
        self.refused(1007, frame(FIN | TEXT, b"\xe2\x82"))

    def test_reserved_bits(self) -> None:
        """RSV bits that mean nothing here are refused; so is compression nobody agreed on."""
        for bit in (0x40, 0x20, 0x10):
            self.refused(1002, frame(FIN | bit | TEXT, b"x"))
        self.refused(1002, frame(FIN | 0x20 | TEXT, b"x"), engine=server(deflate=Agreement()))

    def test_compressed_control(self) -> None:
        """Neither control frames nor later fragments are marked as compressed."""
        self.refused(1002, frame(FIN | RSV1 | PING, b""), engine=server(deflate=Agreement()))
        wire = frame(TEXT, b"a") + frame(FIN | RSV1, b"b")
        self.refused(1002, wire, engine=server(deflate=Agreement()))

    def test_opcodes(self) -> None:
        """Opcodes that are not defined are refused by their first byte alone."""
        for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF):
            self.refused(1002, bytes([FIN | opcode, 0x80]))

    def test_order(self) -> None:
        """Nothing but a continuation continues, and only what has begun."""
        self.refused(1002, frame(FIN, b"x"))
        self.refused(1002, frame(TEXT, b"x") + frame(FIN | TEXT, b"y"))

    def test_control_frames(self) -> None:
        """Control frames are whole and have 125 bytes at most."""
        self.refused(1002, frame(PING, b"x"))
        self.refused(1002, bytes([FIN | PING, 0x80 | 126]))

    def test_masks(self) -> None:
        """A server wants masks, a client wants none."""
        self.refused(1002, frame(FIN | TEXT, b"x", mask=None))
        self.refused(1002, frame(FIN | TEXT, b"x"), engine=client())

    def test_size(self) -> None:
        """A message beyond the limit is refused by its header, in one frame or in many."""
        self.assertEqual(events(server(10), frame(FIN | TEXT, b"x" * 10)), [(TEXT, "x" * 10)])
        self.refused(1009, frame(FIN | TEXT, b"x" * 11), engine=server(10))
        self.refused(1009, bytes([FIN | BINARY, 0xFF]) + (1 << 40).to_bytes(8, "big"))
        wire = frame(TEXT, b"x" * 6) + bytes([FIN, 0x85])
        self.refused(1009, wire, engine=server(10))

    def test_impossible_length(self) -> None:
        """A length's highest bit is never set."""
        self.refused(1002, bytes([FIN | BINARY, 0xFF]) + b"\xff" * 8)

    def test_bomb(self) -> None:
        """A message that inflates beyond the limit is refused."""
        wire = frame(FIN | RSV1 | BINARY, deflated(b"\0" * 100_000))
        self.refused(1009, wire, engine=server(1000, Agreement()))
        small = frame(FIN | RSV1 | BINARY, deflated(b"\0" * 1000))
        found = events(server(1000, Agreement()), small)
        self.assertEqual(found, [(BINARY, b"\0" * 1000)])

    def test_not_deflate(self) -> None:
        """What is no deflate stream is refused."""
        wire = frame(FIN | RSV1 | BINARY, b"\xff" * 20)
        self.refused(1007, wire, engine=server(deflate=Agreement()))

    def test_compressed_text(self) -> None:
        """Inflated text is checked, too."""
        wire = frame(FIN | RSV1 | TEXT, deflated(b"abc\xff"))
        self.refused(1007, wire, engine=server(deflate=Agreement()))


class DeflateTests(SynchronousTestCase):
    """Compressed streams out of the ordinary."""

    def test_final_block(self) -> None:
        """The RFC's example of a message with a final block is understood, and what follows it."""
        hello = bytes.fromhex("f348cdc9c9070000")  # RFC 7692, section 7.2.3.4
        again = bytes.fromhex("f248cdc9c90700")  # section 7.2.3.1
        wire = frame(FIN | RSV1 | TEXT, hello) + frame(FIN | RSV1 | TEXT, again)
        found = events(server(deflate=Agreement()), wire)
        self.assertEqual(found, [(TEXT, "Hello"), (TEXT, "Hello")])

    def test_context(self) -> None:
        """With context a repeated message takes less; the RFC's example says how little."""
        sender = client(deflate=Agreement())
        first = sender.send_message(TEXT, b"Hello")
        second = sender.send_message(TEXT, b"Hello")
        self.assertLess(len(second), len(first))
        forgetful = client(deflate=Agreement(client_forgets=True))
        sizes = {len(forgetful.send_message(TEXT, b"Hello")) for _ in range(3)}
        self.assertEqual(sizes, {len(first)})

    def test_uncompressed_among_compressed(self) -> None:
        """A peer may leave a message as it is."""
        wire = frame(FIN | TEXT, b"plain") + frame(FIN | RSV1 | TEXT, deflated(b"dense"))
        found = events(server(deflate=Agreement()), wire)
        self.assertEqual(found, [(TEXT, "plain"), (TEXT, "dense")])


class FrameTests(SynchronousTestCase):
    """The functions on bytes."""

    @given(st.binary(max_size=1000), st.binary(min_size=4, max_size=4))
    def test_masks(self, data: bytes, key: bytes) -> None:
        """Both ways of masking do what the RFC says."""
        self.assertEqual(_frames.apply_mask(data, key), masked(data, key))
        self.assertEqual(_frames._mask_by_integer(data, key), masked(data, key))

    @given(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]), st.booleans())
    def test_lengths(self, size: int, mask: bool) -> None:
        """A frame has the shortest header for its size."""
        data = _frames.frame(FIN | BINARY, b"x" * size, mask)
        key = data[-size - 4 : len(data) - size] if mask else None
        self.assertEqual(data, frame(FIN | BINARY, b"x" * size, key))

    def test_close_codes(self) -> None:
        """Codes that stand for something a frame cannot tell are neither sent nor taken."""
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
            self.assertRaises(ValueError, _frames.close_payload, code, None)
            self.assertRaises(ProtocolViolation, _frames.parse_close, close(code))
        for code in (1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999):
            self.assertEqual(_frames.parse_close(_frames.close_payload(code, "so")), (code, "so"))

    def test_close_payload(self) -> None:
        """A reason alone gets the code 1000, and there is a limit to it."""
        self.assertEqual(_frames.close_payload(None, None), b"")
        self.assertEqual(_frames.close_payload(None, "so"), close(1000, "so"))
        self.assertEqual(len(_frames.close_payload(1000, "\u00e9" * 61)), 124)
        self.assertRaises(ValueError, _frames.close_payload, 1000, "\u00e9" * 62)

    def test_parse_close(self) -> None:
        """An empty close frame says nothing; one byte, or a reason not in UTF-8, is wrong."""
        self.assertEqual(_frames.parse_close(b""), (None, None))
        self.assertEqual(_frames.parse_close(close(1001)), (1001, None))
        self.assertRaises(ProtocolViolation, _frames.parse_close, b"\x03")
        self.assertRaises(ProtocolViolation, _frames.parse_close, b"\x03\xe8\xff")

    def test_close_is_an_event(self) -> None:
        """A close frame comes out with its contents."""
        found = events(server(), frame(FIN | CLOSE, close(1000, "bye")))
        self.assertEqual(found, [(CLOSE, close(1000, "bye"))])
