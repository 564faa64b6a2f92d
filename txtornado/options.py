"""Options from the command line and from configuration files, defined where they are used.

Every module defines the options it needs, when it is imported::

    from txtornado.options import define, options

    define("port", default=8888, help="where to listen")
    define("mirrors", type=str, multiple=True, help="hosts that get a copy of everything")

    def serve(application):
        application.listen(options.port)

and the program parses them once, without knowing any of them::

    import txtornado.options

    txtornado.options.parse_config_file("/etc/server.conf", final=False)
    txtornado.options.parse_command_line()

On the command line an option is ``--name=value``.  A configuration file is Python: what its
global names are bound to become the options of these names.  Dashes and underscores mean the same
in an option's name (since 4.3).

Parsing also sets up logging (`txtornado.log.enable_pretty_logging`), unless ``--logging=none`` is
given or ``options.logging`` set to None before.

`options` and the functions of this module are one `OptionParser`; a program may make others, for
the options of a subcommand, say.
"""

from __future__ import annotations

import datetime
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from txtornado.escape import to_unicode
from txtornado.log import define_logging_options, enable_pretty_logging
from txtornado.util import exec_in

__all__ = [
    "Error",
    "OptionParser",
    "add_parse_callback",
    "define",
    "enable_pretty_logging",
    "options",
    "parse_command_line",
    "parse_config_file",
    "print_help",
]


class Error(Exception):
    """An option that does not exist, exists twice, or has a value of the wrong kind."""


class _BadValue(Error, ValueError):
    """A value whose text cannot be read."""


class OptionParser:
    """A set of options: defined with `define`, set by parsing, read as attributes or by index.

    Reading an option that was never defined raises `AttributeError`.  Setting one
    (``options.port = 80``) takes a value of the option's type, not text to be parsed.
    """

    _options: dict[str, _Option]
    _parse_callbacks: list[Callable[[], None]]

    def __init__(self) -> None:
        # Past __setattr__, which knows options only.
        self.__dict__["_options"] = {}
        self.__dict__["_parse_callbacks"] = []
        self._add(
            _Option(
                "help",
                type=bool,
                help="show this help information",
                callback=self._help_callback,
            )
        )

    def __getattr__(self, name: str) -> Any:
        option = self._options.get(_normalized(name))
        if option is None:
            raise AttributeError(f"Unrecognized option {name!r}")
        return option.value()

    def __setattr__(self, name: str, value: Any) -> None:
        option = self._options.get(_normalized(name))
        if option is None:
            raise AttributeError(f"Unrecognized option {name!r}")
        option.set(value)

    def __getitem__(self, name: str) -> Any:
        return self.__getattr__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.__setattr__(name, value)

    def __iter__(self) -> Iterator[str]:
        return (option.name for option in self._options.values())

    def __contains__(self, name: str) -> bool:
        return _normalized(name) in self._options

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names and values of all options (since 3.1)."""
        return [(option.name, option.value()) for option in self._options.values()]

    def as_dict(self) -> dict[str, Any]:
        """The options as a new dictionary (since 3.1)."""
        return dict(self.items())

    def groups(self) -> set[str]:
        """The names of the groups that there are (since 3.1)."""
        return {option.group_name for option in self._options.values()}

    def group_dict(self, group: str) -> dict[str, Any]:
        """The options of one group (since 3.1): ``Application(**options.group_dict("app"))``."""
        return {o.name: o.value() for o in self._options.values() if group in ("", o.group_name)}

    def define(
        self,
        name: str,
        default: Any = None,
        type: type | None = None,
        help: str | None = None,
        metavar: str | None = None,
        multiple: bool = False,
        group: str | None = None,
        callback: Callable[[Any], None] | None = None,
    ) -> None:
        """Defines an option.

        Args:
            name: its name, of which there must be one only.
            default: its value while nothing sets it.
            type: `str`, `int`, `float`, `bool`, `datetime.datetime`, `datetime.timedelta`, or
                any class that is made from text.  The type of ``default`` when not given, `str`
                when there is none either.
            help: what `print_help` says about it.
            metavar: what `print_help` shows as its value: ``--name=METAVAR``.
            multiple: whether its value is a list of ``type``: separated by commas, and for
                integers with ranges, ``1,4:6`` being ``[1, 4, 5, 6]``.
            group: what `print_help` lists it under; the file that defines it when not given.
            callback: called with each new value, in the middle of parsing (since 4.1): so that
                ``callback=lambda path: parse_config_file(path, final=False)`` lets later
                arguments override the file.

        Raises:
            Error: there is an option of that name.
        """
        if type is None:
            type = str if multiple or default is None else default.__class__
        file_name = _defining_file()
        self._add(
            _Option(
                name,
                default,
                type,
                help,
                metavar,
                multiple,
                file_name,
                group or file_name,
                callback,
            )
        )

    def _add(self, option: _Option) -> None:
        existing = self._options.setdefault(_normalized(option.name), option)
        if existing is not option:
            where = existing.file_name or "txtornado itself"
            raise Error(f"Option {option.name!r} already defined in {where}")

    def parse_command_line(self, args: list[str] | None = None, final: bool = True) -> list[str]:
        """Parses the options among ``args``.

        Args:
            args: program name and arguments; `sys.argv` when None.
            final: whether to run the parse callbacks, which set up logging: False for all but
                the last of several calls (since 3.1).

        Returns:
            The arguments from the first one that is no option, or after ``--``.

        Raises:
            Error: an unknown option, or a value that is missing or wrong.
        """
        arguments = list(sys.argv if args is None else args)[1:]
        remaining: list[str] = []
        for index, argument in enumerate(arguments):
            if argument == "--":
                remaining = arguments[index + 1 :]
                break
            if argument == "-" or not argument.startswith("-"):
                remaining = arguments[index:]
                break
            self._parse_argument(argument)
        if final:
            self.run_parse_callbacks()
        return remaining

    def _parse_argument(self, argument: str) -> None:
        name, equals, value = argument.lstrip("-").partition("=")
        option = self._options.get(_normalized(name))
        if option is None:
            self.print_help()
            raise Error(f"Unrecognized command line option: {name!r}")
        if not equals:
            if option.type is not bool:
                raise Error(f"Option {name!r} requires a value: --{name}=VALUE")
            value = "true"
        option.parse(value)

    def parse_config_file(self, path: str, final: bool = True) -> None:
        """Runs the Python file at ``path`` and takes its global names as options.

        Names that are no options are left alone; ``__file__`` is the file's absolute path (since
        4.5).  A text value is parsed as on the command line (since 4.3, and for every type but
        `str` itself); any other value must have the option's type.

        Args:
            path: of the file, in UTF-8 or what its coding line says.
            final: as for `parse_command_line`.

        Raises:
            Error: a value of the wrong kind.
            OSError: the file cannot be read.
        """
        path = os.path.abspath(path)
        namespace: dict[str, Any] = {"__file__": path}
        with open(path, "rb") as f:
            exec_in(compile(f.read(), path, "exec", dont_inherit=True), namespace, namespace)
        for name, value in namespace.items():
            option = self._options.get(_normalized(name))
            if option is not None:
                option.take(value)
        if final:
            self.run_parse_callbacks()

    def print_help(self, file: TextIO | None = None) -> None:
        """Writes the usage of all options to ``file``, standard error when None."""
        out = sys.stderr if file is None else file
        lines = [f"Usage: {sys.argv[0]} [OPTIONS]", "", "Options:", ""]
        for group in sorted(self.groups()):
            if group:
                lines += ["", f"{os.path.normpath(group)} options:", ""]
            members = (o for o in self._options.values() if o.group_name == group)
            for option in sorted(members, key=lambda o: o.name):
                lines += option.help_lines()
        print("\n".join(lines), file=out, end="\n\n")

    def _help_callback(self, value: Any) -> None:
        if value:
            self.print_help()
            sys.exit(0)

    def add_parse_callback(self, callback: Callable[[], None]) -> None:
        """Has ``callback`` called at the end of each final parse."""
        self._parse_callbacks.append(callback)

    def run_parse_callbacks(self) -> None:
        """Calls what `add_parse_callback` was given."""
        for callback in self._parse_callbacks:
            callback()

    def mockable(self) -> _Mockable:
        """A face of these options for `unittest.mock.patch.object`.

        It restores options instead of deleting them::

            with mock.patch.object(options.mockable(), "port", 80):
                assert options.port == 80
        """
        return _Mockable(self)


class _Mockable:
    """Turns the deletion with which ``mock.patch`` ends into setting the former value."""

    def __init__(self, parser: OptionParser) -> None:
        self.__dict__["_parser"] = parser
        self.__dict__["_former"] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._former:
            raise AssertionError("use a mockable() object for one patch only")
        self._former[name] = getattr(self._parser, name)
        setattr(self._parser, name, value)

    def __delattr__(self, name: str) -> None:
        setattr(self._parser, name, self._former.pop(name))


_UNSET: Any = object()


class _Option:
    """One option: its definition, its value, and how to read the value from text."""

    UNSET = _UNSET

    def __init__(
        self,
        name: str,
        default: Any = None,
        type: type = str,
        help: str | None = None,
        metavar: str | None = None,
        multiple: bool = False,
        file_name: str = "",
        group_name: str = "",
        callback: Callable[[Any], None] | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.help = help
        self.metavar = metavar
        self.multiple = multiple
        self.file_name = file_name
        self.group_name = group_name
        self.callback = callback
        self.default = [] if multiple and default is None else default
        self._value: Any = _UNSET

    def value(self) -> Any:
        return self.default if self._value is _UNSET else self._value

    def parse(self, text: str) -> Any:
        """Sets the value that ``text`` stands for, and returns it."""
        try:
            value = self._parsed(text)
        except Error:
            raise
        except ValueError as error:
            kind = getattr(self.type, "__name__", self.type)
            detail = f": {error}" if str(error) else ""
            raise _BadValue(f"Option {self.name!r} needs {kind}, not {text!r}{detail}") from error
        self._assign(value)
        return value

    def _parsed(self, text: str) -> Any:
        read = _READERS.get(self.type, self.type)
        if not self.multiple:
            return read(text)
        values: list[Any] = []
        for part in text.split(","):
            low, colon, high = part.partition(":")
            if colon and self.type is int:
                values.extend(range(int(low), int(high) + 1))
            else:
                values.append(read(part))
        return values

    def set(self, value: Any) -> None:
        """Sets the value, which must be of the option's type or None."""
        kind = getattr(self.type, "__name__", self.type)
        if self.multiple:
            if not isinstance(value, list) or not all(map(self._fits, value)):
                raise Error(f"Option {self.name!r} is required to be a list of {kind}")
        elif not self._fits(value):
            raise Error(f"Option {self.name!r} is required to be a {kind} ({type(value)} given)")
        self._assign(value)

    def take(self, value: Any) -> None:
        """Sets the value that a configuration file gives: text to be parsed, or the value."""
        if self.multiple and not isinstance(value, list | str):
            kind = getattr(self.type, "__name__", self.type)
            raise Error(
                f"Option {self.name!r} is required to be a list of {kind}"
                " or a comma-separated string"
            )
        if isinstance(value, str) and (self.multiple or self.type is not str):
            self.parse(value)
        else:
            self.set(value)

    def _fits(self, value: Any) -> bool:
        return value is None or isinstance(value, self.type)

    def _assign(self, value: Any) -> None:
        self._value = value
        if self.callback is not None:
            self.callback(value)

    def help_lines(self) -> list[str]:
        """What `OptionParser.print_help` says about this option."""
        prefix = "--" + _normalized(self.name)
        if self.metavar:
            prefix += "=" + self.metavar
        text = self.help or ""
        if self.default is not None and self.default != "":
            text = f"{text} (default {self.default})".strip()
        lines = textwrap.wrap(text, 79 - _HELP_COLUMN) or [""]
        if len(prefix) > _HELP_COLUMN - 4:
            lines.insert(0, "")
        indent = " " * _HELP_COLUMN
        first = f"  {prefix}".ljust(_HELP_COLUMN) + lines[0]
        return [first.rstrip(), *(indent + line for line in lines[1:])]


_HELP_COLUMN = 35


def _normalized(name: str) -> str:
    return name.replace("_", "-")


def _defining_file() -> str:
    """The file of the nearest caller outside this module."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename


# What is tried after ISO 8601.
_DATETIME_FORMATS = ["%a %b %d %H:%M:%S %Y", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M", "%H:%M:%S", "%H:%M"]


def _read_datetime(text: str) -> datetime.datetime:
    # Of a time alone ("05:16") ISO 8601 makes nothing, strptime a time in 1900.
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        pass
    for date_format in _DATETIME_FORMATS:
        try:
            return datetime.datetime.strptime(text, date_format)
        except ValueError:
            continue
    raise _BadValue(f"Unrecognized date/time format: {text!r}")


_UNITS = {
    "weeks": ("w", "week"),
    "days": ("d", "day"),
    "hours": ("h", "hr", "hrs", "hour"),
    "minutes": ("m", "min", "mins", "minute"),
    "seconds": ("", "s", "sec", "secs", "second"),
    "milliseconds": ("ms", "millisecond"),
    "microseconds": ("us", "microsecond"),
}
_UNIT_OF = {name: unit for unit, names in _UNITS.items() for name in (unit, *names)}

_SPAN = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def _read_timedelta(text: str) -> datetime.timedelta:
    """The sum of spans like ``1h 30m``; a number without a unit is one of seconds."""
    total = datetime.timedelta()
    position = 0
    while position < len(text):
        span = _SPAN.match(text, position)
        unit = _UNIT_OF.get(span[2].lower()) if span else None
        if span is None or unit is None:
            raise _BadValue(f"Unrecognized time span: {text!r} (write 45s, 1h 30m, 2 days)")
        total += datetime.timedelta(**{unit: float(span[1])})
        position = span.end()
    return total


def _read_bool(text: str) -> bool:
    return text.lower() not in ("false", "0", "f")


_READERS: dict[Any, Callable[[str], Any]] = {
    datetime.datetime: _read_datetime,
    datetime.timedelta: _read_timedelta,
    bool: _read_bool,
    str: to_unicode,
}


#: The options of the program; the functions below are its methods.
options = OptionParser()


def define(
    name: str,
    default: Any = None,
    type: type | None = None,
    help: str | None = None,
    metavar: str | None = None,
    multiple: bool = False,
    group: str | None = None,
    callback: Callable[[Any], None] | None = None,
) -> None:
    """Defines an option of the program, see `OptionParser.define`."""
    options.define(
        name,
        default=default,
        type=type,
        help=help,
        metavar=metavar,
        multiple=multiple,
        group=group,
        callback=callback,
    )


def parse_command_line(args: list[str] | None = None, final: bool = True) -> list[str]:
    """Parses the program's command line, see `OptionParser.parse_command_line`."""
    return options.parse_command_line(args, final=final)


def parse_config_file(path: str, final: bool = True) -> None:
    """Parses a configuration file, see `OptionParser.parse_config_file`."""
    options.parse_config_file(path, final=final)


def print_help(file: TextIO | None = None) -> None:
    """Writes the usage of the program's options, see `OptionParser.print_help`."""
    options.print_help(file)


def add_parse_callback(callback: Callable[[], None]) -> None:
    """Has ``callback`` called at the end of a final parse."""
    options.add_parse_callback(callback)


define_logging_options(options)
