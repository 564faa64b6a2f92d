"""Tests for `txtornado.iostream.SSLIOStream` and ``txtornado.iostream.tls``."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import subprocess
import tempfile
from typing import Any

from OpenSSL import SSL
from twisted.internet import ssl as twisted_ssl
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.iostream.support import (
    Consumer,
    StreamTestCase,
    TLSPair,
    client_context,
    server_context,
    tcp_sockets,
)
from txtornado.iostream import IOStream, SSLIOStream, StreamClosedError
from txtornado.iostream.tls import TLSConnection, TLSError
from txtornado.testing import ExpectLog
from txtornado.testing._certificate import certificate_files


def unchecked_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class HandshakeTests(StreamTestCase):
    def server(self, sock: socket.socket, **options: Any) -> SSLIOStream:
        options.setdefault("ssl_options", server_context())
        return self.closing(SSLIOStream(sock, server_side=True, **options))

    def client(self, sock: socket.socket, **options: Any) -> SSLIOStream:
        options.setdefault("ssl_options", client_context())
        return self.closing(SSLIOStream(sock, **options))

    async def failing(self, stream: SSLIOStream) -> BaseException:
        try:
            await stream.wait_for_handshake()
        except Exception as e:
            return e
        raise AssertionError("the handshake succeeded")

    async def test_certificate_cipher_and_protocol(self) -> None:
        """``stream.socket`` tells about TLS as `ssl.SSLSocket` does, and about the socket."""
        server_options, client_options = server_context(), client_context()
        server_options.set_alpn_protocols(["h2", "http/1.1"])
        client_options.set_alpn_protocols(["http/1.1"])
        a, b = tcp_sockets()
        server = self.server(a, ssl_options=server_options)
        client = self.client(b, ssl_options=client_options, server_hostname="localhost")
        self.assertIsNone(server.socket.cipher())
        self.assertIs(await server.wait_for_handshake(), server)
        await client.wait_for_handshake()
        for stream in (server, client):
            self.assertTrue(stream.secure)
            self.assertEqual(stream.socket.selected_alpn_protocol(), "http/1.1")
            self.assertTrue(stream.socket.version().startswith("TLS"))
            self.assertEqual(len(stream.socket.cipher()), 3)
            self.assertEqual(stream.socket.fileno(), stream.fileno())
        self.assertEqual(client.socket.getpeername(), server.socket.getsockname())
        names = client.get_ssl_certificate()["subjectAltName"]
        self.assertIn(("DNS", "localhost"), names)
        self.assertIsNone(server.get_ssl_certificate())
        der = client.get_ssl_certificate(binary_form=True)
        with open(certificate_files()[0]) as f:
            self.assertEqual(ssl.DER_cert_to_PEM_cert(der), f.read())

    async def test_client_certificates(self) -> None:
        """A server that asks for a certificate sees the client's."""
        server_options, client_options = server_context(), client_context()
        server_options.verify_mode = ssl.CERT_REQUIRED
        server_options.load_verify_locations(certificate_files()[0])
        client_options.load_cert_chain(*certificate_files())
        a, b = tcp_sockets()
        server = self.server(a, ssl_options=server_options)
        self.client(b, ssl_options=client_options, server_hostname="localhost")
        await server.wait_for_handshake()
        self.assertEqual(server.get_ssl_certificate()["subject"], ((("commonName", "localhost"),),))

    async def test_missing_client_certificate(self) -> None:
        """A client without the certificate that is asked for is turned away, with the reason."""
        server_options = server_context()
        server_options.verify_mode = ssl.CERT_REQUIRED
        server_options.load_verify_locations(certificate_files()[0])
        a, b = tcp_sockets()
        with ExpectLog("tornado.general", "SSL Error"):
            server = self.server(a, ssl_options=server_options)
            client = self.client(b, server_hostname="localhost")
            error = await self.failing(server)
            self.assertIsInstance(error, ssl.SSLError)
            with self.assertRaises(StreamClosedError):
                await client.read_bytes(1)

    async def test_server_name(self) -> None:
        """The client asks for its ``server_hostname`` (SNI), which the server's context sees."""
        seen = []
        options = server_context()
        options.sni_callback = lambda connection, name, context: seen.append(name)
        a, b = tcp_sockets()
        server = self.server(a, ssl_options=options)
        self.client(b, server_hostname="localhost")
        await server.wait_for_handshake()
        self.assertEqual(seen, ["localhost"])

    async def test_wrong_host_name(self) -> None:
        """A certificate for another name fails the client, and then the server."""
        a, b = tcp_sockets()
        with ExpectLog("tornado.general", "SSL Error on .*Hostname mismatch"):
            client = self.client(b, server_hostname="elsewhere.example")
            with ExpectLog("tornado.general", "SSL Error on .*"):
                server = self.server(a)
                self.assertIsInstance(await self.failing(client), ssl.SSLCertVerificationError)
                self.assertIsInstance(await self.failing(server), ssl.SSLError)
        self.assertIsInstance(client.error, ssl.SSLCertVerificationError)

    async def test_unknown_authority(self) -> None:
        """By default, a certificate of nobody we know is refused."""
        a, b = tcp_sockets()
        with ExpectLog("tornado.general", "SSL Error"):
            self.server(a)
            client = self.client(b, ssl_options=None, server_hostname="localhost")
            self.assertIsInstance(await self.failing(client), ssl.SSLCertVerificationError)
            await self.closed(client)

    async def closed(self, stream: IOStream) -> None:
        future = self.io_loop.asyncio_loop.create_future()
        stream.set_close_callback(lambda: future.set_result(None))
        await future

    async def test_host_name_needed(self) -> None:
        """A context that checks host names wants to be told one; the stream's end says so."""
        _, b = tcp_sockets()
        client = SSLIOStream(b, ssl_options=client_context())
        error = await self.failing(client)
        self.assertIsInstance(error, StreamClosedError)
        self.assertIsInstance(error.real_error, ValueError)

    async def test_no_tls_at_the_other_side(self) -> None:
        """A peer that speaks something else fails the handshake, with TLS's own words."""
        a, b = tcp_sockets()
        with ExpectLog("tornado.general", "SSL Error"):
            server = self.server(a)
            b.sendall(b"GET / HTTP/1.0\r\n\r\n")
            error = await self.failing(server)
        self.assertIsInstance(error, ssl.SSLError)
        self.assertIn("HTTP_REQUEST", str(error))
        b.close()

    async def test_peer_leaves_during_the_handshake(self) -> None:
        """A peer that closes before the handshake ends the stream without a word in the logs."""
        a, b = tcp_sockets()
        server = self.server(a)
        with self.assertNoLogs("tornado", level=logging.WARNING):
            b.close()
            await self.failing(server)
        self.assertTrue(server.closed())

    async def test_stalled_handshake(self) -> None:
        """A handshake that gets nowhere is given up after ``handshake_timeout``."""
        a, b = tcp_sockets()
        self.addCleanup(b.close)

        class Impatient(SSLIOStream):
            handshake_timeout = 0.01

        server = Impatient(a, ssl_options=server_context(), server_side=True)
        error = await self.failing(server)
        self.assertIsInstance(error, StreamClosedError)
        self.assertIsInstance(error.real_error, TimeoutError)
        self.assertIn("handshake", str(error.real_error))

    async def test_pause_during_the_handshake(self) -> None:
        """A stream that is paused early shakes hands all the same, and reads when resumed."""
        a, b = tcp_sockets()
        server, client = self.server(a), self.client(b, server_hostname="localhost")
        consumer = Consumer()
        server.set_consumer(consumer)
        server.pause_reading()
        await client.wait_for_handshake()
        await server.wait_for_handshake()
        await client.write(b"waits")
        await asyncio.sleep(0)
        self.assertTrue(server._paused)
        self.assertEqual(consumer.data, b"")
        received = self.io_loop.asyncio_loop.create_future()
        server.set_consumer(None)
        consumer.data_received = received.set_result
        server.resume_reading()
        server.set_consumer(consumer)
        self.assertEqual(await received, b"waits")

    async def test_waiting_twice(self) -> None:
        """Only one may wait for a handshake; afterwards anybody may, and it costs nothing."""
        a, b = tcp_sockets()
        server = self.server(a)
        first = server.wait_for_handshake()
        self.assertRaises(RuntimeError, server.wait_for_handshake)
        self.client(b, server_hostname="localhost")
        await first
        self.assertTrue(server.wait_for_handshake().done())

    async def test_wrapped_sockets(self) -> None:
        """Sockets wrapped with ``do_handshake_on_connect=False`` bring their options along."""
        a, b = tcp_sockets()
        server = self.closing(
            SSLIOStream(
                server_context().wrap_socket(a, server_side=True, do_handshake_on_connect=False)
            )
        )
        client = self.closing(
            SSLIOStream(
                client_context().wrap_socket(
                    b, server_hostname="localhost", do_handshake_on_connect=False
                )
            )
        )
        await client.write(b"hello")
        self.assertEqual(await server.read_bytes(5), b"hello")

    async def test_handshake_done_elsewhere(self) -> None:
        """A socket whose handshake is over cannot be taken over, which is said clearly."""
        a, b = tcp_sockets()
        server = self.server(a)
        loop = self.io_loop.asyncio_loop
        wrapped = await loop.run_in_executor(
            None, lambda: client_context().wrap_socket(b, server_hostname="localhost")
        )
        self.addCleanup(wrapped.close)
        self.assertRaises(ValueError, SSLIOStream, wrapped)
        await server.wait_for_handshake()

    async def test_connect(self) -> None:
        """``connect`` is done when the handshake is; early writes wait for it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = self.closing(SSLIOStream(socket.socket(), ssl_options=client_context()))
            connected = client.connect(listener.getsockname(), server_hostname="localhost")
            written = client.write(b"early")
            a, _ = await self.io_loop.run_in_executor(None, listener.accept)
        server = self.server(a)
        self.assertIs(await connected, client)
        await written
        self.assertEqual(await server.read_bytes(5), b"early")

    async def test_twisteds_own_options(self) -> None:
        """``CertificateOptions`` and Twisted's client options do in place of contexts."""
        with open(certificate_files()[0]) as cert, open(certificate_files()[1]) as key:
            pem = cert.read()
            certificate = twisted_ssl.PrivateCertificate.loadPEM(pem + key.read())
        authority = twisted_ssl.Certificate.loadPEM(pem)
        a, b = tcp_sockets()
        server = self.server(a, ssl_options=certificate.options())
        client = self.client(
            b, ssl_options=twisted_ssl.optionsForClientTLS("localhost", trustRoot=authority)
        )
        big = os.urandom(3_000_000)
        await client.wait_for_handshake()
        client.write(big)
        self.assertEqual(await server.read_bytes(len(big)), big)
        server.write(big)
        self.assertEqual(await client.read_bytes(len(big)), big)
        described = client.get_ssl_certificate()
        self.assertEqual(described["subject"], ((("commonName", "localhost"),),))
        self.assertIn(("DNS", "localhost"), described["subjectAltName"])
        self.assertEqual(len(client.socket.cipher()), 3)
        self.assertIsNone(client.socket.selected_alpn_protocol())
        client.close()
        with self.assertRaises(StreamClosedError):
            await server.read_bytes(1)


class StartTLSTests(StreamTestCase):
    async def test_start_tls(self) -> None:
        """A plain connection becomes a TLS connection on both sides, with its close callback."""
        server, client = await self.pair()
        await server.write(b"go ahead\r\n")
        await client.read_until(b"\r\n")
        closed = self.io_loop.asyncio_loop.create_future()
        server.set_close_callback(lambda: closed.set_result(None))
        starting = server.start_tls(True, server_context())
        secure_client = self.closing(
            await client.start_tls(False, client_context(), server_hostname="localhost")
        )
        secure_server = self.closing(await starting)
        await secure_client.write(b"secret")
        self.assertEqual(await secure_server.read_bytes(6), b"secret")
        self.assertIsInstance(secure_server, SSLIOStream)
        self.assertTrue(server.closed())
        secure_client.close()
        await closed

    async def test_early_bytes_belong_to_the_handshake(self) -> None:
        """What the plain stream read ahead is the handshake's, never plain text (STARTTLS)."""
        server, client = await self.pair()
        await client.write(b"STARTTLS\r\n")
        starting = client.start_tls(False, client_context(), server_hostname="localhost")
        self.assertEqual(await server.read_until(b"\r\n"), b"STARTTLS\r\n")
        while not server._buffered():
            await asyncio.sleep(0)
            if server._paused:
                server.resume_reading()
        secure_server = self.closing(await server.start_tls(True, server_context()))
        secure_client = self.closing(await starting)
        await secure_client.write(b"hello")
        self.assertEqual(await secure_server.read_bytes(5), b"hello")

    async def test_plain_text_cannot_be_smuggled_in(self) -> None:
        """Commands that come in the clear behind STARTTLS break the handshake."""
        server, client = await self.pair()
        await client.write(b"STARTTLS\r\nEVIL\r\n")
        await server.read_until(b"\r\n")
        refused = self.assertRaises((ssl.SSLError, StreamClosedError))
        with ExpectLog("tornado.general", "SSL Error"), refused:
            await server.start_tls(True, server_context())

    async def test_busy_stream(self) -> None:
        """A stream that reads, writes or is closed cannot start TLS."""
        server, client = await self.pair()
        read = server.read_bytes(1)
        self.assertRaises(ValueError, server.start_tls, True, server_context())
        client.write(b"x" * 30_000_000)
        self.assertRaises(ValueError, client.start_tls, False, client_context())
        await read
        server.set_consumer(Consumer())
        self.assertRaises(ValueError, server.start_tls, True, server_context())
        server.close()
        self.assertRaises(StreamClosedError, server.start_tls, True, server_context())

    async def test_cancelled(self) -> None:
        """Giving up on ``start_tls`` closes the connection."""
        server, client = await self.pair()
        starting = client.start_tls(False, client_context(), server_hostname="localhost")
        starting.cancel()
        await server.read_until_close()

    async def test_over_any_transport(self) -> None:
        """TLS can be started over transports that know nothing of sockets."""
        transport = StringTransport()
        stream = IOStream(transport)
        starting = stream.start_tls(False, unchecked_context(), server_hostname="localhost")
        self.assertEqual(transport.value()[:2], b"\x16\x03")  # a handshake record
        starting.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.assertTrue(transport.disconnecting or transport.aborting)


class EndTests(TLSPair, StreamTestCase):
    async def test_missing_close_notify(self) -> None:
        """A connection cut without close_notify fails reads with the cause (RFC 8446, 6.1)."""
        server, client = await self.pair()
        await client.write(b"half a mess")
        self.assertEqual(await server.read_bytes(4), b"half")
        pending = server.read_bytes(100)
        client.socket._socket.shutdown(socket.SHUT_RDWR)
        with self.assertRaises(StreamClosedError) as caught:
            await pending
        self.assertIsInstance(caught.exception.real_error, (ssl.SSLEOFError, ConnectionError))
        self.assertIsNotNone(server.error)

    async def test_close_notify_is_sent(self) -> None:
        """Closing says so to the peer, whose reads end in an orderly way."""
        server, client = await self.pair()
        await client.write(b"all of it")
        client.close()
        self.assertEqual(await server.read_until_close(), b"all of it")
        self.assertIsNone(server.error)

    async def test_peer_that_never_reads(self) -> None:
        """Closing a stream whose peer reads nothing does not wait for ever for the peer."""
        server, client = await self.pair()
        client.pause_reading()
        server.write(b"x" * 50_000_000)
        raw = server.transport.transport
        server.close()
        if server._linger is not None:
            self.assertTrue(server._linger.active())
            raw.abortConnection()
            future = self.io_loop.asyncio_loop.create_future()
            self.io_loop.add_callback(future.set_result, None)
            await future
        self.assertTrue(server.closed())

    async def test_tls_1_2_renegotiation_is_refused(self) -> None:
        """A client cannot make us renegotiate for ever: the attempt ends its connection."""
        options = server_context()
        options.maximum_version = ssl.TLSVersion.TLSv1_2
        options.options |= ssl.OP_NO_RENEGOTIATION
        a, b = tcp_sockets()
        server = self.closing(SSLIOStream(a, ssl_options=options, server_side=True))
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)

        def client() -> bool:
            b.setblocking(True)
            connection = SSL.Connection(context, b)
            connection.set_connect_state()
            try:
                connection.do_handshake()
                connection.renegotiate()
                connection.do_handshake()
            except SSL.Error:
                return False
            finally:
                b.close()
            return connection.total_renegotiations() > 0

        renegotiated = self.io_loop.run_in_executor(None, client)
        await server.wait_for_handshake()
        caught = self.assertRaises(StreamClosedError)
        with ExpectLog("tornado.general", "SSL Error"), caught:
            await server.read_until_close()
        self.assertIsInstance(caught.exception.real_error, ssl.SSLError)
        self.assertFalse(await renegotiated)

    async def test_write_during_a_renegotiation(self) -> None:
        """What TLS cannot take at the moment goes out in its turn as soon as it can."""
        for size in (1000, 200_000):
            server, client = await self.pair()
            tls = server.transport

            class Busy:
                """Has to read before the second record can be written."""

                calls = 0

                def write(self, data: bytes) -> int:
                    self.calls += 1
                    if self.calls == 2:
                        raise ssl.SSLWantReadError
                    return tls.getHandle().ssl_object.write(data)

            records = tls.writeSomeData.__self__
            records.object = Busy()
            first = os.urandom(size) if size > 16384 else b""
            if not first:
                Busy.calls = 1
            sent = first + os.urandom(1000)
            server.write(sent)
            self.assertTrue(tls._appSendBuffer)
            records.object = tls.getHandle().ssl_object
            await client.write(b"the peer's turn is over")
            await server.read_bytes(23)
            self.assertEqual(await client.read_bytes(len(sent)), sent)


class OpenSSLTests(StreamTestCase):
    async def test_openssl_client(self) -> None:
        """OpenSSL's own client is served over TLS 1.2 and 1.3."""
        for version in ("-tls1_2", "-tls1_3"):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
                with tempfile.TemporaryFile() as question:
                    question.write(b"question\n")
                    question.seek(0)
                    try:
                        process = subprocess.Popen(
                            ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}"]
                            + ["-ign_eof", version, "-CAfile", certificate_files()[0]],
                            stdin=question,
                            stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL,
                        )
                    except FileNotFoundError:
                        self.skipTest("there is no openssl program")
                connection, _ = await self.io_loop.run_in_executor(None, listener.accept)
            server = self.closing(
                SSLIOStream(connection, ssl_options=server_context(), server_side=True)
            )
            self.assertEqual(await server.read_until(b"\n"), b"question\n")
            await server.write(b"answer" * 100_000)
            await server.drained()
            server.close()
            out, _ = await self.io_loop.run_in_executor(None, process.communicate)
            self.assertEqual(out, b"answer" * 100_000)


class TLSConnectionTests(SynchronousTestCase):
    """`TLSConnection` behaves as pyOpenSSL's ``Connection`` does."""

    def pair(self) -> tuple[TLSConnection, TLSConnection]:
        return (
            TLSConnection(server_context(), True),
            TLSConnection(client_context(), False, "localhost"),
        )

    def shake(self, server: TLSConnection, client: TLSConnection) -> None:
        for _ in range(5):
            for one, other in ((client, server), (server, client)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass
                try:
                    other.bio_write(one.bio_read(100_000))
                except SSL.WantReadError:
                    pass

    def test_data_and_shutdown(self) -> None:
        """Data goes across, and both sides say goodbye."""
        server, client = self.pair()
        self.assertRaises(SSL.WantReadError, server.do_handshake)
        self.assertRaises(SSL.WantReadError, server.bio_read, 100)
        self.shake(server, client)
        self.assertEqual(client.send(b"hello"), 5)
        server.bio_write(client.bio_read(1000))
        self.assertEqual(server.recv(100), b"hello")
        self.assertRaises(SSL.WantReadError, server.recv, 100)
        self.assertFalse(client.shutdown())
        server.bio_write(client.bio_read(1000))
        self.assertRaises(SSL.ZeroReturnError, server.recv, 100)
        self.assertTrue(server.shutdown())

    def test_errors_carry_their_cause(self) -> None:
        """The `ssl.SSLError` behind pyOpenSSL's error is its cause."""
        server, _ = self.pair()
        server.bio_write(b"GET / HTTP/1.0\r\n\r\n")
        error = self.assertRaises(TLSError, server.do_handshake)
        self.assertIsInstance(error, SSL.Error)
        self.assertIsInstance(error.__cause__, ssl.SSLError)

    def test_end_without_close_notify(self) -> None:
        """The end of input without close_notify is an error, and keeps its kind."""
        server, client = self.pair()
        self.shake(server, client)
        server.bio_shutdown()
        error = self.assertRaises(TLSError, server.recv, 100)
        self.assertIsInstance(error.__cause__, ssl.SSLEOFError)

    def test_the_rest_of_the_interface(self) -> None:
        """Certificates, protocol and application data are to be had."""
        server, client = self.pair()
        self.assertIsNone(client.get_peer_certificate())
        self.shake(server, client)
        self.assertEqual(client.get_peer_certificate().get_subject().CN, "localhost")
        self.assertIsNone(server.get_peer_certificate())
        self.assertEqual(client.get_alpn_proto_negotiated(), b"")
        client.set_app_data(self)
        self.assertIs(client.get_app_data(), self)
        client.set_connect_state()
        server.set_accept_state()
