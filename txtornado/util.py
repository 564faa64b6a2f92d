"""Small tools that every other module leans on.

What applications meet of it is `Configurable`, the way Tornado lets a program choose an
implementation (of `~txtornado.ioloop.IOLoop`, of ``AsyncHTTPClient``, of ``Resolver``) once for
the whole process.  The rest is documented API of Tornado kept for the programs that use it:
`ObjectDict`, `ArgReplacer`, `GzipDecompressor`, `import_object` and friends, plus the names with
which Tornado bridged Python 2 and 3 (``bytes_type``, ``unicode_type`` ...), which are plain
aliases today.
"""

from __future__ import annotations

import asyncio
import datetime
import importlib
import inspect
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import unittest

__all__ = [
    "ArgReplacer",
    "Configurable",
    "GzipDecompressor",
    "ObjectDict",
    "TimeoutError",
    "b",
    "basestring_type",
    "bytes_type",
    "doctests",
    "errno_from_exception",
    "exec_in",
    "import_implementation",
    "import_object",
    "raise_exc_info",
    "re_unescape",
    "timedelta_to_seconds",
    "u",
    "unicode_type",
]

bytes_type = bytes
unicode_type = str
basestring_type = str

#: What every time limit of the API raises (``tornado.util.TimeoutError`` since 5.0).
TimeoutError = asyncio.TimeoutError


class ObjectDict(dict[str, Any]):
    """A dictionary whose string keys can also be read and set as attributes (Tornado 2.1).

    A missing attribute raises `AttributeError`, a missing key `KeyError`.

    >>> d = ObjectDict(colour="red")
    >>> d.size = 3
    >>> d["size"], d.colour
    (3, 'red')
    """

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class ArgReplacer:
    """Finds and replaces one argument of a call, however it was passed (Tornado 3.0).

    For decorators that must see or exchange one argument of the function they wrap.

    Args:
        func: the function whose signature names the argument.
        name: the argument's name.

    Attributes:
        arg_pos: the argument's index among the positional ones; None when ``func`` takes it by
            keyword only.
    """

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        self.name = name
        positional = _positional_names(func)
        self.arg_pos: int | None = positional.index(name) if name in positional else None

    def get_old_value(
        self, args: Sequence[Any], kwargs: dict[str, Any], default: Any = None
    ) -> Any:
        """The value the call gives to the argument; ``default`` when it gives none."""
        if self.arg_pos is not None and self.arg_pos < len(args):
            return args[self.arg_pos]
        return kwargs.get(self.name, default)

    def replace(
        self, new_value: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Any, Sequence[Any], dict[str, Any]]:
        """The call with ``new_value`` in the argument's place.

        An argument that was left out is added by keyword.  ``kwargs`` may be changed in place.

        Returns:
            ``(old value or None, args, kwargs)``.
        """
        if self.arg_pos is not None and self.arg_pos < len(args):
            changed = list(args)
            old, changed[self.arg_pos] = changed[self.arg_pos], new_value
            return old, changed, kwargs
        old = kwargs.get(self.name)
        kwargs[self.name] = new_value
        return old, args, kwargs


def _positional_names(func: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(func, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        # Compiled without a signature: an extension module may still show a code object.
        code = getattr(func, "__code__", None) or getattr(func, "func_code", None)
        if code is None:
            raise
        return list(code.co_varnames[: code.co_argcount])
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in kinds]


@dataclass(frozen=True)
class _Choice:
    """What `Configurable.configure` was told for one base class."""

    impl: type[Configurable] | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)


_NO_CHOICE = _Choice()


class Configurable:
    """An interface whose constructor makes an instance of a configured implementation.

    A hierarchy names its root with `configurable_base` and its default with
    `configurable_default`.  Calling the root builds the implementation chosen with `configure`
    (or the default); calling an implementation builds just that one, without the configured
    arguments.  Constructor arguments arrive in `initialize`, in place of ``__init__``.

    An implementation may be the root of a hierarchy of its own, with its own `configure`
    (Tornado 5.0).
    """

    #: Set on each root by `configure`; looked up there only, never inherited.
    _choice: _Choice

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        base = cls.configurable_base()
        if cls is not base:
            return _initialized(super().__new__(cls), args, kwargs)
        impl = cls.configured_class()
        kwargs = {**_choice_of(base).kwargs, **kwargs}
        if impl is not base and impl.configurable_base() is not base:
            return impl(*args, **kwargs)  # the root of a hierarchy below this one
        return _initialized(super().__new__(impl), args, kwargs)

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """The root of the hierarchy; every root must override this."""
        raise NotImplementedError(f"{cls.__qualname__} must define configurable_base()")

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """The implementation used while none is configured; every root must override this."""
        raise NotImplementedError(f"{cls.__qualname__} must define configurable_default()")

    if TYPE_CHECKING:
        initialize: Callable[..., None]
    else:

        def initialize(self) -> None:
            """Takes the constructor's arguments; override it instead of ``__init__``."""

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Chooses the class that the root builds from now on, for the whole process.

        Args:
            impl: a subclass, its dotted name, or None for the default.  A name that begins with
                ``tornado.`` means the module of the same name here.
            **kwargs: defaults for the implementation's `initialize`.

        Raises:
            ValueError: ``impl`` is not a subclass of this interface.
            ImportError: the name leads nowhere.
        """
        base = cls.configurable_base()
        chosen = import_implementation(impl) if isinstance(impl, str) else impl
        if chosen is not None and not (isinstance(chosen, type) and issubclass(chosen, cls)):
            raise ValueError(f"{impl!r} is not a subclass of {cls.__qualname__}")
        base._choice = _Choice(chosen, kwargs)

    @classmethod
    def configured_class(cls) -> type[Configurable]:
        """The implementation that the root builds at present."""
        base = cls.configurable_base()
        return _choice_of(base).impl or base.configurable_default()

    @classmethod
    def _save_configuration(cls) -> _Choice:
        """What `_restore_configuration` takes: for tests that configure something."""
        return _choice_of(cls.configurable_base())

    @classmethod
    def _restore_configuration(cls, saved: _Choice) -> None:
        cls.configurable_base()._choice = saved


def _choice_of(base: type[Configurable]) -> _Choice:
    choice: _Choice = base.__dict__.get("_choice", _NO_CHOICE)
    return choice


def _initialized(instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    instance.initialize(*args, **kwargs)
    return instance


class GzipDecompressor:
    """Takes a gzip stream apart, chunk by chunk (Tornado 3.1; RFC 1952).

    Streams of several members are followed to their end.  Whatever is no gzip member raises
    `zlib.error`, and so does the end of the input within a member (see `flush`).  The work is
    linear in input and output, however many members there are.
    """

    _FIRST_WINDOW = 256

    def __init__(self) -> None:
        self._member: Any = None  # a zlib decompression object; None between members
        self._fed = 0  # bytes the present member has taken
        self._tail = b""

    def decompress(self, value: bytes, max_length: int = 0) -> bytes:
        """Decompresses ``value``.

        Args:
            value: the next bytes, beginning with the `unconsumed_tail` of the call before.
            max_length: at most so many bytes are returned; what is then left of the input is in
                `unconsumed_tail`.  0, for no limit, is deprecated since Tornado 6.6: a few bytes
                can stand for gigabytes.

        Returns:
            The bytes won; possibly none while there is still an `unconsumed_tail`.

        Raises:
            zlib.error: not gzip data, or damaged.
        """
        if not max_length:
            warnings.warn(
                "GzipDecompressor.decompress() without max_length has no limit on its output",
                DeprecationWarning,
                stacklevel=2,
            )
        parts: list[bytes] = []
        room = max_length
        position = 0
        while position < len(value) and (room > 0 or not max_length):
            part, taken = self._step(value, position, room)
            parts.append(part)
            position += taken
            if max_length:
                room -= len(part)
        self._tail = value[position:]
        return b"".join(parts)

    def _step(self, value: bytes, position: int, room: int) -> tuple[bytes, int]:
        """Feeds one window of ``value``; the output and the number of bytes taken.

        zlib hands back copies of what it did not need.  A window that grows with the member
        keeps them in proportion, so that thousands of tiny members do not cost thousands of
        copies of the whole chunk.
        """
        if self._member is None:
            self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            self._fed = 0
        window = value[position : position + max(self._FIRST_WINDOW, self._fed)]
        member = self._member
        part: bytes = member.decompress(window, room)
        rest = member.unused_data if member.eof else member.unconsumed_tail
        taken = len(window) - len(rest)
        self._fed += taken
        if member.eof:
            self._member = None
        return part, taken

    @property
    def unconsumed_tail(self) -> bytes:
        """Input that ``max_length`` left over; the next call must begin with it."""
        return self._tail

    def flush(self) -> bytes:
        """Says that the input is at its end, and returns ``b""``.

        Raises:
            ValueError: there is an `unconsumed_tail` that was never given back.
            zlib.error: the input ended within a member.
        """
        if self._tail:
            raise ValueError("flush() with input left over: give unconsumed_tail back first")
        if self._member is not None:
            raise zlib.error("the gzip stream ended within a member")
        return b""


def import_object(name: str) -> Any:
    """The object of that dotted name: a module, or a name in a module.

    ``import_object("x.y.z")`` is ``from x.y import z``, ``import_object("x")`` is ``import x``.

    >>> import txtornado.escape
    >>> import_object("txtornado.escape") is txtornado.escape
    True
    >>> import_object("txtornado.escape.utf8") is txtornado.escape.utf8
    True
    >>> import_object("txtornado.missing")
    Traceback (most recent call last):
        ...
    ImportError: No module named missing

    Raises:
        ImportError: there is no such thing.
    """
    parent, _, leaf = name.rpartition(".")
    if not parent:
        return importlib.import_module(name)
    module = importlib.import_module(parent)
    if hasattr(module, leaf):
        return getattr(module, leaf)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, parent):
            raise  # it is there, and something that it imports is not
        raise ImportError(f"No module named {leaf}") from None


def import_implementation(name: str) -> Any:
    """`import_object` for names that applications wrote for Tornado.

    A name below ``tornado.`` is looked for in this package, so that settings like
    ``"tornado.curl_httpclient.CurlAsyncHTTPClient"`` keep their meaning.  The ``tornado`` package
    itself is never imported; what is in it counts only if the program had imported it.
    """
    if not name.startswith("tornado."):
        return import_object(name)
    try:
        return import_object("tx" + name)
    except ImportError:
        parent, _, leaf = name.rpartition(".")
        if parent in sys.modules and hasattr(sys.modules[parent], leaf):
            return getattr(sys.modules[parent], leaf)
        raise


def exec_in(code: Any, glob: dict[str, Any], loc: Mapping[str, Any] | None = None) -> None:
    """Runs ``code``, source text or a code object, in the namespaces given.

    Text is compiled without the ``__future__`` features of the caller.
    """
    if isinstance(code, str):
        code = compile(code, "<string>", "exec", dont_inherit=True)
    exec(code, glob, loc)


def raise_exc_info(
    exc_info: tuple[type | None, BaseException | None, TracebackType | None],
) -> NoReturn:
    """Raises the exception of a ``sys.exc_info()`` triple again, with its traceback."""
    error = exc_info[1]
    if error is None:
        raise TypeError("raise_exc_info() called without an exception")
    try:
        raise error.with_traceback(exc_info[2])
    finally:
        del error, exc_info  # no cycle from the traceback to this frame


def errno_from_exception(e: BaseException) -> int | None:
    """The ``errno`` of an exception: its attribute, else its first argument, else None."""
    if hasattr(e, "errno"):
        number: int | None = e.errno
        return number
    return e.args[0] if e.args else None


def timedelta_to_seconds(td: datetime.timedelta) -> float:
    """The length of ``td`` in seconds."""
    return td.total_seconds()


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def re_unescape(s: str) -> str:
    r"""The text that `re.escape` made ``s`` of (Tornado 4.4).

    >>> re_unescape(r"/favicon\.ico")
    '/favicon.ico'

    Raises:
        ValueError: `re.escape` never writes such a thing: ``\d`` and the like.
    """
    return _ESCAPED.sub(_unescaped, s)


def _unescaped(match: re.Match[str]) -> str:
    character = match[1]
    if character.isascii() and character.isalnum():
        raise ValueError(f"cannot unescape {match[0]!r}: re.escape() does not produce it")
    return character


def b(s: str) -> bytes:
    """A bytes literal of Tornado 2's days: ``b("abc")`` is ``b"abc"``."""
    return s.encode("latin1")


def u(s: str) -> str:
    """A text literal of Tornado 2's days: ``u("abc")`` is ``"abc"``."""
    return s


def _websocket_mask(mask: bytes, data: bytes) -> bytes:
    """``data`` XORed with the 4 bytes of ``mask``, repeated (RFC 6455, section 5.3).

    Raises:
        ValueError: ``mask`` has not 4 bytes.
    """
    if len(mask) != 4:
        raise ValueError("mask must be 4 bytes")
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


_websocket_mask_python = _websocket_mask


def doctests() -> unittest.TestSuite:
    """The examples in this module's docstrings, as a test suite."""
    import doctest

    return doctest.DocTestSuite(sys.modules[__name__])
