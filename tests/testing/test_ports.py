"""Tests for `bind_unused_port` and `get_unused_port`."""

import socket
import unittest

from txtornado.testing import bind_unused_port, get_unused_port


class PortTests(unittest.TestCase):
    def test_bound(self) -> None:
        """The socket listens on the local host, does not block, and has the port named."""
        sock, port = bind_unused_port()
        self.addCleanup(sock.close)
        self.assertEqual(sock.getsockname(), ("127.0.0.1", port))
        self.assertEqual(sock.gettimeout(), 0)
        with socket.create_connection(("127.0.0.1", port)):
            pass

    def test_distinct(self) -> None:
        """Two sockets have two ports."""
        (a, first), (b, second) = bind_unused_port(), bind_unused_port()
        self.addCleanup(a.close)
        self.addCleanup(b.close)
        self.assertNotEqual(first, second)

    def test_reuse_port(self) -> None:
        """With reuse_port others may bind the port as well."""
        sock, port = bind_unused_port(reuse_port=True)
        self.addCleanup(sock.close)
        other = socket.socket()
        self.addCleanup(other.close)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", port))

    def test_other_address(self) -> None:
        """Another address may be named, of IPv6 too; a foreign one is an OSError."""
        sock, _ = bind_unused_port(address="127.0.0.2")
        self.addCleanup(sock.close)
        self.assertEqual(sock.getsockname()[0], "127.0.0.2")
        with self.assertRaises(OSError):
            bind_unused_port(address="192.0.2.1")
        try:
            sock, _ = bind_unused_port(address="::1")
        except OSError:
            raise unittest.SkipTest("no IPv6 here")
        self.addCleanup(sock.close)
        self.assertEqual(sock.family, socket.AF_INET6)

    def test_number_only(self) -> None:
        """get_unused_port leaves the port free for the caller to bind."""
        port = get_unused_port()
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
