"""Name resolution, by several means behind one interface."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeVar, cast

from txtornado._twisted import stop_watching_configuration
from txtornado.concurrent import as_future, dummy_executor, with_callback
from txtornado.ioloop import IOLoop
from txtornado.netutil._sockets import is_valid_ip
from txtornado.util import Configurable

__all__ = [
    "BlockingResolver",
    "DefaultExecutorResolver",
    "DefaultLoopResolver",
    "ExecutorResolver",
    "OverrideResolver",
    "Resolver",
    "ThreadedResolver",
    "TwistedResolver",
]

AddressList = list[tuple[int, Any]]

_Method = TypeVar("_Method", bound=Callable[..., Any])


def takes_callback(method: _Method) -> _Method:
    """Let a method take the ``callback`` of Tornado before 6.0: called with the result."""

    @functools.wraps(method)
    def wrapper(*args: Any, callback: Callable[[Any], Any] | None = None, **kwargs: Any) -> Any:
        answer = method(*args, **kwargs)
        return answer if callback is None else with_callback(as_future(answer), callback)

    return cast(_Method, wrapper)


class Resolver(Configurable):
    """Resolves host names, on the loop that is current at the time (Tornado 3.0).

    IP addresses are answered at once, without a thread or a question to anybody.

    ``Resolver()`` makes one of the configured kind, `DefaultLoopResolver` unless
    ``Resolver.configure`` chose another: `DefaultExecutorResolver`, `BlockingResolver`,
    `ThreadedResolver`, `ExecutorResolver`, `OverrideResolver`, `TwistedResolver` or
    `txtornado.platform.caresresolver.CaresResolver`.
    """

    @classmethod
    def configurable_base(cls) -> type[Resolver]:
        return Resolver

    @classmethod
    def configurable_default(cls) -> type[Resolver]:
        return DefaultLoopResolver

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[AddressList]:
        """Resolve a name.

        Args:
            host: a host name, or an IP address, which stands for itself.
            port: becomes part of the addresses.
            family: ``AF_INET`` or ``AF_INET6``, when only one of them is wanted.

        Returns:
            An awaitable of pairs of family and address, as `socket.socket.connect` takes it.

        Raises:
            OSError: there is no such name.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Free what the resolver holds (Tornado 3.1)."""


def _lookup(host: str, port: int, family: int = socket.AF_UNSPEC) -> AddressList:
    """Resolve by `socket.getaddrinfo`, which blocks."""
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [(info[0], info[4]) for info in found]


def is_address(host: str, port: int) -> bool:
    """Whether there is nobody to ask: an IP address stands for itself."""
    try:
        return isinstance(host, str) and isinstance(port, int) and is_valid_ip(host)
    except OSError:
        return False


def parse_address(host: str, port: int, family: int = socket.AF_UNSPEC) -> AddressList:
    """What `_lookup` makes of an IP address; never blocks."""
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    return [(info[0], info[4]) for info in found]


class DefaultLoopResolver(Resolver):
    """Asks the asyncio loop, which asks the system in a thread (Tornado 6.2)."""

    @takes_callback
    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> AddressList:
        if is_address(host, port):
            return parse_address(host, port, family)
        loop = IOLoop.current().asyncio_loop
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        return [(info[0], info[4]) for info in found]


class DefaultExecutorResolver(Resolver):
    """Asks the system in a thread of the loop's executor (Tornado 5.0)."""

    @takes_callback
    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> AddressList:
        if is_address(host, port):
            return parse_address(host, port, family)
        return await IOLoop.current().run_in_executor(None, _lookup, host, port, family)


class ExecutorResolver(Resolver):
    """Asks the system in a thread of a given executor (Tornado 3.0).

    Args:
        executor: by default everything waits for the answer.
        close_executor: shut the executor down when the resolver is closed.
    """

    executor: concurrent.futures.Executor | None
    close_executor: bool

    def initialize(
        self,
        executor: concurrent.futures.Executor | None = None,
        close_executor: bool = True,
        io_loop: IOLoop | None = None,
    ) -> None:
        self.executor = dummy_executor if executor is None else executor
        self.close_executor = close_executor and executor is not None

    def close(self) -> None:
        executor, self.executor = self.executor, None
        if self.close_executor and executor is not None:
            executor.shutdown()

    @takes_callback
    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[AddressList]:
        if self.executor is None:
            raise RuntimeError("the resolver is closed")
        if is_address(host, port):
            return IOLoop.current().run_in_executor(
                dummy_executor, parse_address, host, port, family
            )
        return IOLoop.current().run_in_executor(self.executor, _lookup, host, port, family)


class BlockingResolver(ExecutorResolver):
    """Lets everything wait until the system has answered (Tornado 3.0)."""

    def initialize(self, io_loop: IOLoop | None = None) -> None:  # type: ignore[override]
        super().initialize()


class ThreadedResolver(ExecutorResolver):
    """Asks the system in a thread of a pool that all resolvers of this kind share (Tornado 3.0).

    Args:
        num_threads: the size of the pool, for the first resolver that is made.
    """

    _threadpool: ClassVar[concurrent.futures.ThreadPoolExecutor | None] = None
    _threadpool_pid: ClassVar[int | None] = None

    def initialize(  # type: ignore[override]
        self, num_threads: int = 10, io_loop: IOLoop | None = None
    ) -> None:
        super().initialize(executor=self._pool(num_threads), close_executor=False)

    @classmethod
    def _pool(cls, num_threads: int) -> concurrent.futures.ThreadPoolExecutor:
        # Threads do not survive a fork.
        if cls._threadpool is None or cls._threadpool_pid != os.getpid():
            ThreadedResolver._threadpool = concurrent.futures.ThreadPoolExecutor(num_threads)
            ThreadedResolver._threadpool_pid = os.getpid()
        assert ThreadedResolver._threadpool is not None
        return ThreadedResolver._threadpool


class OverrideResolver(Resolver):
    """Replaces some names and leaves the rest to another resolver (Tornado 3.0).

    Like a hosts file, say for tests.

    Args:
        resolver: resolves what the mapping leads to, and all the rest.
        mapping: keys are a host; a pair of host and port; or a triple of host, port and family
            (Tornado 5.1; the most specific wins).  Values are a host, or for the latter two a
            pair of host and port.
    """

    resolver: Resolver
    mapping: dict[Any, Any]

    def initialize(self, resolver: Resolver, mapping: dict[Any, Any]) -> None:
        self.resolver = resolver
        self.mapping = mapping

    def close(self) -> None:
        self.resolver.close()

    @takes_callback
    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[AddressList]:
        mapping = self.mapping
        if (host, port, family) in mapping:
            host, port = mapping[host, port, family]
        elif (host, port) in mapping:
            host, port = mapping[host, port]
        elif host in mapping:
            host = mapping[host]
        return self.resolver.resolve(host, port, family)


class TwistedResolver(Resolver):
    """Asks DNS servers itself, with ``twisted.names`` (Tornado 3.0, there in platform.twisted).

    The system's ``/etc/hosts`` and ``/etc/resolv.conf`` are heeded.

    Args:
        resolver: another ``IResolver``, say one with servers of its own.
    """

    _given: Any = None
    _client: Any = None
    _made: Any = None
    _made_for: Any = None

    def initialize(self, resolver: Any = None, io_loop: IOLoop | None = None) -> None:
        self._given = resolver

    def _resolver(self) -> Any:
        if self._given is not None:
            return self._given
        reactor = IOLoop.current().reactor
        if self._made is None or self._made_for is not reactor:
            from twisted.names import cache, client, hosts, resolve

            self.close()
            self._client = client.Resolver(resolv="/etc/resolv.conf", reactor=reactor)
            self._made = resolve.ResolverChain(
                [hosts.Resolver(), cache.CacheResolver(reactor=reactor), self._client]
            )
            self._made_for = reactor
        return self._made

    def close(self) -> None:
        if self._client is not None:
            stop_watching_configuration(self._client)
        self._client = self._made = self._made_for = None

    @takes_callback
    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> AddressList:
        if is_address(host, port):
            return parse_address(host, port, family)
        resolver = self._resolver()
        questions = []
        if family in (socket.AF_UNSPEC, socket.AF_INET):
            questions.append(resolver.lookupAddress(host))
        if family in (socket.AF_UNSPEC, socket.AF_INET6):
            questions.append(resolver.lookupIPV6Address(host))
        addresses: AddressList = []
        error: Exception | None = None
        for question in questions:
            try:
                answers, _, _ = await as_future(question)
            except Exception as e:
                error = e
            else:
                addresses += _addresses(answers, port)
        if not addresses:
            raise OSError(socket.EAI_NONAME, f"no address for {host!r}: {error or 'none found'}")
        return addresses


def _addresses(answers: Any, port: int) -> AddressList:
    found: AddressList = []
    for record in answers:
        payload = record.payload
        kind = type(payload).__name__
        if kind == "Record_A":
            found.append((socket.AF_INET, (payload.dottedQuad(), port)))
        elif kind == "Record_AAAA":
            text = socket.inet_ntop(socket.AF_INET6, payload.address)
            found.append((socket.AF_INET6, (text, port, 0, 0)))
    return found
