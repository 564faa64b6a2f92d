"""Tests for `txtornado.netutil` and `txtornado.platform.caresresolver`."""

from __future__ import annotations

import concurrent.futures
import errno
import os
import socket
import ssl
import stat
import tempfile
import threading
from typing import Any
from unittest import mock

from twisted.internet.defer import fail, succeed
from twisted.names import dns
from twisted.names.error import DNSNameError
from twisted.trial.unittest import SynchronousTestCase

from tests.reactors import on_uvloop
from txtornado import netutil
from txtornado.netutil import (
    BlockingResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
    TwistedResolver,
    add_accept_handler,
    bind_sockets,
    bind_unix_socket,
    is_valid_ip,
    ssl_options_to_context,
    ssl_wrap_socket,
)
from txtornado.tcpserver import TCPServer
from txtornado.testing import ExpectLog, ReactorTestCase
from txtornado.testing._certificate import certificate_files


class BindTests(SynchronousTestCase):
    def bind(self, *args, **kwargs) -> list[socket.socket]:
        sockets = bind_sockets(*args, **kwargs)
        for sock in sockets:
            self.addCleanup(sock.close)
        return sockets

    def test_one_address(self) -> None:
        """A port on one address is one listening socket that does not block."""
        (sock,) = self.bind(0, "127.0.0.1")
        self.assertFalse(sock.getblocking())
        self.assertTrue(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        self.assertTrue(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
        self.assertFalse(sock.get_inheritable())

    def test_every_interface(self) -> None:
        """None and "" stand for every interface, in all families, with one port."""
        for address in (None, ""):
            sockets = self.bind(0, address)
            self.assertIn(socket.AF_INET, [s.family for s in sockets])
            self.assertEqual(len({s.getsockname()[1] for s in sockets}), 1)
            self.assertEqual(len({s.family for s in sockets}), len(sockets))

    def test_family(self) -> None:
        """The family limits the choice."""
        self.assertEqual([s.family for s in self.bind(0, None, socket.AF_INET)], [socket.AF_INET])

    def test_duplicate_addresses(self) -> None:
        """Addresses that the system reports twice are bound once."""
        info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
        with mock.patch("socket.getaddrinfo", return_value=[info, info]):
            self.assertEqual(len(self.bind(0, "localhost")), 1)

    def test_port_taken(self) -> None:
        """A port that is taken is an error, and leaves no socket open."""
        (sock,) = self.bind(0, "127.0.0.1")
        error = self.assertRaises(OSError, bind_sockets, sock.getsockname()[1], "127.0.0.1")
        self.assertEqual(error.errno, errno.EADDRINUSE)

    def test_reuse_port(self) -> None:
        """With ``reuse_port`` several sockets share a port; without the option it is refused."""
        (sock,) = self.bind(0, "127.0.0.1", reuse_port=True)
        (other,) = self.bind(sock.getsockname()[1], "127.0.0.1", reuse_port=True)
        self.assertEqual(sock.getsockname(), other.getsockname())
        option = socket.SO_REUSEPORT
        del socket.SO_REUSEPORT
        try:
            self.assertRaises(ValueError, bind_sockets, 0, reuse_port=True)
        finally:
            socket.SO_REUSEPORT = option

    def test_family_that_is_not_there(self) -> None:
        """Families and addresses that the machine lacks are passed over, unless all are."""
        infos = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        ]
        with mock.patch("socket.getaddrinfo", return_value=infos):
            self.assertEqual([s.family for s in self.bind(0, "both")], [socket.AF_INET])
        with mock.patch("socket.getaddrinfo", return_value=infos[:1]):
            self.assertRaises(OSError, bind_sockets, 0, "one")

    def test_unix_socket(self) -> None:
        """A UNIX socket has its permissions, and replaces another socket, but no file."""
        with tempfile.TemporaryDirectory() as where:
            path = os.path.join(where, "s")
            bind_unix_socket(path).close()
            sock = bind_unix_socket(path, mode=0o640)
            self.addCleanup(sock.close)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
            plain = os.path.join(where, "file")
            open(plain, "w").close()
            self.assertRaises(ValueError, bind_unix_socket, plain)
            self.assertTrue(os.path.exists(plain))

    def test_is_valid_ip(self) -> None:
        """Addresses are told from names and from rubbish."""
        for good in ("127.0.0.1", "::1", "2620:0:1cfe:face:b00c::3"):
            self.assertTrue(is_valid_ip(good), good)
        for bad in ("www.example.com", "4.4.4.4<", " 127.0.0.1", "", " ", "\n", "\x00", "a" * 100):
            self.assertFalse(is_valid_ip(bad), bad)

    def test_tcp_server(self) -> None:
        """Tornado 2.3 had ``TCPServer`` here; other names are not made up."""
        self.assertIs(netutil.TCPServer, TCPServer)
        self.assertRaises(AttributeError, getattr, netutil, "nonsense")


class AcceptTests(ReactorTestCase):
    timeout = 20

    async def test_accept_and_remove(self) -> None:
        """Each connection comes with its address, until the handler is removed."""
        (sock,) = bind_sockets(0, "127.0.0.1")
        self.addCleanup(sock.close)
        future = self.io_loop.asyncio_loop.create_future()
        remove = add_accept_handler(
            sock, lambda connection, address: future.set_result((connection, address))
        )
        with socket.create_connection(sock.getsockname()) as client:
            connection, address = await future
            self.assertEqual(address, client.getsockname())
            connection.close()
        remove()
        remove()
        self.assertNotIn(sock.fileno(), self.io_loop.handlers)

    async def test_out_of_descriptors(self) -> None:
        """Without descriptors accepting pauses, is logged once, and goes on by itself."""
        self.patch(netutil._sockets, "_EXHAUSTED_PAUSE", 0.01)
        accepted = self.io_loop.asyncio_loop.create_future()

        class Listener:
            """A listening socket whose first accepts fail."""

            failures = [errno.EMFILE, errno.ECONNABORTED, errno.ENFILE]

            def __init__(self, sock):
                self.sock = sock
                self.fileno = sock.fileno
                self.setblocking = sock.setblocking

            def accept(self):
                if self.failures:
                    number = self.failures.pop(0)
                    raise OSError(number, os.strerror(number))
                return self.sock.accept()

        (sock,) = bind_sockets(0, "127.0.0.1")
        self.addCleanup(sock.close)
        listener = Listener(sock)
        with ExpectLog("tornado.general", "Cannot accept connections"):
            remove = add_accept_handler(listener, lambda c, a: accepted.set_result(c))
            with socket.create_connection(sock.getsockname()):
                (await accepted).close()
        remove()
        self.assertEqual(listener.failures, [])

    async def test_removed_in_the_callback(self) -> None:
        """A handler that is removed while it accepts takes no further connection."""
        (sock,) = bind_sockets(0, "127.0.0.1")
        self.addCleanup(sock.close)
        accepted = []
        done = self.io_loop.asyncio_loop.create_future()

        def accept(connection, address):
            accepted.append(connection)
            remove()
            done.set_result(None)

        clients = [socket.create_connection(sock.getsockname()) for _ in range(3)]
        remove = add_accept_handler(sock, accept, io_loop=self.io_loop)
        await done
        self.assertEqual(len(accepted), 1)
        for s in (*clients, *accepted):
            s.close()


class TLSOptionTests(SynchronousTestCase):
    def test_context_is_itself(self) -> None:
        """A context needs no conversion."""
        context = ssl.create_default_context()
        self.assertIs(ssl_options_to_context(context), context)

    def test_client(self) -> None:
        """A client's context checks certificates and host names unless told otherwise."""
        context = ssl_options_to_context({}, server_side=False)
        self.assertEqual(context.verify_mode, ssl.CERT_REQUIRED)
        self.assertTrue(context.check_hostname)
        context = ssl_options_to_context({"cert_reqs": ssl.CERT_NONE}, server_side=False)
        self.assertEqual(context.verify_mode, ssl.CERT_NONE)
        context = ssl_options_to_context({"ca_certs": certificate_files()[0]}, server_side=False)
        self.assertEqual(len(context.get_ca_certs()), 1)

    def test_server(self) -> None:
        """A server's context has its certificate, and asks clients for theirs when told to."""
        cert, key = certificate_files()
        options = {
            "certfile": cert,
            "keyfile": key,
            "cert_reqs": ssl.CERT_REQUIRED,
            "ca_certs": cert,
            "ciphers": "ECDHE+AESGCM",
        }
        context = ssl_options_to_context(options, server_side=True)
        self.assertEqual(context.verify_mode, ssl.CERT_REQUIRED)
        self.assertTrue(context.options & ssl.OP_NO_COMPRESSION)
        self.assertNotIn("CHACHA20", " ".join(c["name"] for c in context.get_ciphers()[3:]))

    def test_bad_options(self) -> None:
        """Unknown keys, files and ciphers are refused."""
        self.assertRaises(ValueError, ssl_options_to_context, {"certificate": "x"}, True)
        self.assertRaises(OSError, ssl_options_to_context, {"certfile": "/nowhere"}, True)
        self.assertRaises(ssl.SSLError, ssl_options_to_context, {"ciphers": "NONSENSE"}, True)

    def test_wrap_socket(self) -> None:
        """``ssl_wrap_socket`` wraps a socket with a dict or a context."""
        a, b = socket.socketpair()
        self.addCleanup(b.close)
        wrapped = ssl_wrap_socket(
            a,
            {"cert_reqs": ssl.CERT_NONE},
            server_side=False,
            server_hostname="x.example",
            do_handshake_on_connect=False,
        )
        self.addCleanup(wrapped.close)
        self.assertEqual(wrapped.server_hostname, "x.example")


class ResolverTests(ReactorTestCase):
    timeout = 20

    async def check(self, resolver: Resolver) -> None:
        self.addCleanup(resolver.close)
        found = await resolver.resolve("localhost", 80)
        self.assertTrue(
            (socket.AF_INET, ("127.0.0.1", 80)) in found
            or (socket.AF_INET6, ("::1", 80, 0, 0)) in found,
            found,
        )
        found = await resolver.resolve("127.0.0.1", 81, socket.AF_INET)
        self.assertEqual(found, [(socket.AF_INET, ("127.0.0.1", 81))])

    async def check_error(self, resolver: Resolver) -> None:
        self.addCleanup(resolver.close)
        failing = mock.Mock(side_effect=socket.gaierror(errno.EIO, "lookup failed"))
        self.patch(socket, "getaddrinfo", failing)
        with self.assertRaises(OSError):
            await resolver.resolve("an invalid name", 80)

    async def test_every_kind(self) -> None:
        """Each resolver knows localhost, and that an address stands for itself."""
        for resolver in (
            BlockingResolver(),
            ThreadedResolver(),
            DefaultExecutorResolver(),
            DefaultLoopResolver(),
            ExecutorResolver(concurrent.futures.ThreadPoolExecutor(1)),
            OverrideResolver(BlockingResolver(), {}),
            TwistedResolver(),
        ):
            await self.check(resolver)

    async def test_addresses_at_once(self) -> None:
        """An address is answered without a thread, as the system would; names need one."""
        asked: list[Any] = []
        lookup = socket.getaddrinfo

        def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
            asked.append((host, threading.current_thread() is here))
            return lookup(host, *args, **kwargs)

        here = threading.current_thread()
        self.patch(socket, "getaddrinfo", getaddrinfo)
        executor = concurrent.futures.ThreadPoolExecutor(1)
        for resolver in (
            ThreadedResolver(),
            DefaultExecutorResolver(),
            DefaultLoopResolver(),
            ExecutorResolver(executor),
            TwistedResolver(),
        ):
            self.addCleanup(resolver.close)
            for host, port in (("127.0.0.1", 80), ("::1", 80), ("0.0.0.0", 0), ("fe80::1%1", 1)):
                asked.clear()
                found = await resolver.resolve(host, port)
                self.assertEqual(set(asked), {(host, True)})
                expected = lookup(host, port, 0, socket.SOCK_STREAM)
                self.assertEqual(found, [(info[0], info[4]) for info in expected])
            with self.assertRaises(OSError):
                await resolver.resolve("127.0.0.1", 80, socket.AF_INET6)
            of_system = not isinstance(resolver, TwistedResolver)
            if of_system and not on_uvloop(self.io_loop):  # which has its own way to ask
                await resolver.resolve("localhost", 80)
                self.assertIn(("localhost", False), asked)

    async def test_errors(self) -> None:
        """A name that is not there is an OSError, of whichever resolver."""
        for cls in (BlockingResolver, ThreadedResolver, DefaultExecutorResolver):
            await self.check_error(cls())

    async def test_configure(self) -> None:
        """``Resolver()`` makes one of the configured kind."""
        self.assertIsInstance(Resolver(), DefaultLoopResolver)
        saved = Resolver._save_configuration()
        self.addCleanup(Resolver._restore_configuration, saved)
        Resolver.configure("txtornado.netutil.ThreadedResolver", num_threads=2)
        self.assertIsInstance(Resolver(), ThreadedResolver)

    async def test_callback(self) -> None:
        """Tornado before 6.0 called back with the addresses."""
        for resolver in (
            BlockingResolver(),
            DefaultLoopResolver(),
            OverrideResolver(Resolver(), {}),
        ):
            self.addCleanup(resolver.close)
            future = self.io_loop.asyncio_loop.create_future()
            resolver.resolve("127.0.0.1", 80, callback=future.set_result)
            self.assertEqual(await future, [(socket.AF_INET, ("127.0.0.1", 80))])

    async def test_closed_executor_resolver(self) -> None:
        """A closed resolver has shut its executor down, and says so when used."""
        executor = concurrent.futures.ThreadPoolExecutor(1)
        resolver = ExecutorResolver(executor)
        resolver.close()
        resolver.close()
        self.assertRaises(RuntimeError, executor.submit, print)
        self.assertRaises(RuntimeError, resolver.resolve, "localhost", 80)

    async def test_override(self) -> None:
        """The most specific entry of the mapping wins; the rest is left to the other one."""
        resolver = OverrideResolver(
            BlockingResolver(),
            {
                "host.example": "127.0.0.2",
                ("host.example", 443): ("127.0.0.3", 1443),
                ("host.example", 443, socket.AF_INET6): ("::1", 1444),
            },
        )
        resolve = resolver.resolve
        self.assertEqual(await resolve("host.example", 80), [(socket.AF_INET, ("127.0.0.2", 80))])
        self.assertEqual(
            await resolve("host.example", 443), [(socket.AF_INET, ("127.0.0.3", 1443))]
        )
        self.assertEqual(
            await resolve("host.example", 443, socket.AF_INET6),
            [(socket.AF_INET6, ("::1", 1444, 0, 0))],
        )
        self.assertEqual(await resolve("127.0.0.9", 5), [(socket.AF_INET, ("127.0.0.9", 5))])

    async def test_twisted_names(self) -> None:
        """Answers of ``twisted.names`` become addresses, its failures an OSError."""

        class Answers:
            def lookupAddress(self, name):
                records = [
                    dns.RRHeader(name, dns.CNAME, payload=dns.Record_CNAME(b"other")),
                    dns.RRHeader(b"other", dns.A, payload=dns.Record_A("192.0.2.1")),
                ]
                return succeed((records, [], []))

            def lookupIPV6Address(self, name):
                record = dns.RRHeader(name, dns.AAAA, payload=dns.Record_AAAA("2001:db8::1"))
                return succeed(([record], [], []))

        found = await TwistedResolver(Answers()).resolve("host.example", 80)
        self.assertEqual(
            found,
            [
                (socket.AF_INET, ("192.0.2.1", 80)),
                (socket.AF_INET6, ("2001:db8::1", 80, 0, 0)),
            ],
        )

        class Failures:
            def lookupAddress(self, name):
                return fail(DNSNameError("no such name"))

            lookupIPV6Address = lookupAddress

        with self.assertRaises(OSError):
            await TwistedResolver(Failures()).resolve("host.example", 80)

    async def test_cares(self) -> None:
        """`CaresResolver` resolves what the hosts file knows, and addresses."""
        try:
            from txtornado.platform.caresresolver import CaresResolver
        except ImportError:
            self.skipTest("pycares is not installed")
        resolver = CaresResolver()
        await self.check(resolver)
        resolver.close()
        self.assertEqual(resolver.fds, {})
