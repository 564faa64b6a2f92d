"""Logging: three loggers, a formatter for terminals and files, and a way into Twisted's log.

* `access_log` (``tornado.access``): a line per request that the HTTP server answered;
* `app_log` (``tornado.application``): errors of the application, exceptions nobody caught;
* `gen_log` (``tornado.general``): everything else, what is wrong with a peer included.

They are loggers of the standard library under the names that Tornado documents, so existing
configuration finds them.  Their records go where `logging` sends them; `TwistedLogHandler` hands
them to Twisted's logging system, which is what a server under ``twistd`` wants.
"""

from __future__ import annotations

import importlib
import logging
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger as TwistedLogger
from twisted.logger import LogLevel, LogPublisher
from twisted.python.failure import Failure

from txtornado.escape import to_unicode

if TYPE_CHECKING:
    from txtornado.options import OptionParser

    curses: ModuleType | None
    colorama: ModuleType | None

__all__ = [
    "LogFormatter",
    "TwistedLogHandler",
    "access_log",
    "app_log",
    "colorama",
    "curses",
    "define_logging_options",
    "enable_pretty_logging",
    "gen_log",
]

access_log = logging.getLogger("tornado.access")
app_log = logging.getLogger("tornado.application")
gen_log = logging.getLogger("tornado.general")


def __getattr__(name: str) -> ModuleType | None:
    """``curses`` and ``colorama``, each None where it is not installed, once they are asked for."""
    if name not in ("curses", "colorama"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module: ModuleType | None = importlib.import_module(name)
    except ImportError:
        module = None
    globals()[name] = module
    return module


class LogFormatter(logging.Formatter):
    """The line format of Tornado: level, time, module and line, in colour on a terminal.

    Whatever is logged comes out as one entry: bytes and undecodable text are shown escaped, the
    lines of a traceback are indented, so that a line that begins with ``[`` begins an entry.

    Args:
        fmt: format of a line, with the fields of `logging.LogRecord` and ``%(color)s`` and
            ``%(end_color)s`` around what is to be coloured.
        datefmt: format of ``%(asctime)s``, see `time.strftime`.
        style: of ``fmt``; only ``"%"``.  Here for `logging.config.dictConfig` (since 4.5).
        color: whether to use colours where standard error is a terminal that has them.
        colors: number of the colour for each logging level.
    """

    DEFAULT_FORMAT = (
        "%(color)s[%(levelname)1.1s %(asctime)s %(module)s:%(lineno)d]%(end_color)s %(message)s"
    )
    DEFAULT_DATE_FORMAT = "%y%m%d %H:%M:%S"
    DEFAULT_COLORS = {
        logging.DEBUG: 4,  # blue
        logging.INFO: 2,  # green
        logging.WARNING: 3,  # yellow
        logging.ERROR: 1,  # red
        logging.CRITICAL: 5,  # magenta
    }

    def __init__(
        self,
        fmt: str = DEFAULT_FORMAT,
        datefmt: str = DEFAULT_DATE_FORMAT,
        style: str = "%",
        color: bool = True,
        colors: dict[int, int] = DEFAULT_COLORS,
    ) -> None:
        super().__init__(datefmt=datefmt)
        self._fmt: str = fmt
        self._colors: dict[int, str] = {}
        self._normal = ""
        if color and _stderr_supports_color():
            self._colors, self._normal = _terminal_colors(colors)

    def format(self, record: logging.LogRecord) -> str:
        """``record`` as text, without a newline at its end."""
        color = self._colors.get(record.levelno, "")
        fields = {
            **record.__dict__,
            "message": _message_of(record),
            "asctime": self.formatTime(record, self.datefmt),
            "color": color,
            "end_color": self._normal if color else "",
        }
        line = self._fmt % fields
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        parts = [line.rstrip()]
        if record.exc_text:
            parts += [_printable(part) for part in record.exc_text.split("\n")]
        if record.stack_info:
            parts += self.formatStack(record.stack_info).split("\n")
        return "\n".join(parts).replace("\n", "\n    ")


def _message_of(record: logging.LogRecord) -> str:
    try:
        # A surrogate that no encoding takes must not cost the whole entry.
        return _printable(record.getMessage())
    except Exception as error:
        return f"Bad message ({error!r}): {record.__dict__!r}"


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _stderr_supports_color() -> bool:
    """Whether standard error is a terminal that shows colours; never an exception."""
    try:
        if not (hasattr(sys.stderr, "isatty") and sys.stderr.isatty()):
            return False
        from txtornado.log import colorama, curses

        if curses is not None:
            curses.setupterm()
            return bool(curses.tigetnum("colors") > 0)
        return colorama is not None and sys.stderr is colorama.initialise.wrapped_stderr
    except Exception:  # a terminal that curses does not know, a stand-in for stderr
        return False


def _terminal_colors(colors: dict[int, int]) -> tuple[dict[int, str], str]:
    """The control sequence of each level, and the one that ends it."""
    from txtornado.log import curses

    if curses is None:
        return {level: f"\033[2;3{code}m" for level, code in colors.items()}, "\033[0m"
    set_color = curses.tigetstr("setaf") or curses.tigetstr("setf") or b""
    sequences = {level: to_unicode(curses.tparm(set_color, code)) for level, code in colors.items()}
    return sequences, to_unicode(curses.tigetstr("sgr0") or b"")


class TwistedLogHandler(logging.Handler):
    """Hands the records of `logging` to Twisted's logging system.

    The way for what is logged here, and by any library that uses `logging`, into the log of
    ``twistd``::

        logging.getLogger().addHandler(TwistedLogHandler())

    An event keeps the record's level, its logger's name as namespace, its exception as
    ``log_failure`` and the record itself as ``record``.  What Twisted passes on to `logging`
    through `twisted.logger.STDLibLogObserver` is not sent round in a circle.

    Args:
        publisher: where the events go; Twisted's global log publisher when None.
        level: records below it are not passed on.
    """

    _LEVELS = [
        (logging.CRITICAL, LogLevel.critical),
        (logging.ERROR, LogLevel.error),
        (logging.WARNING, LogLevel.warn),
        (logging.INFO, LogLevel.info),
    ]

    def __init__(self, publisher: LogPublisher | None = None, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._publisher = publisher
        self._loggers: dict[str, TwistedLogger] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Passes ``record`` on; called by `logging`."""
        if _is_from_twisted(record):
            return
        event: dict[str, Any] = {"text": _message_of(record), "record": record}
        if record.exc_info and record.exc_info[1] is not None:
            event["log_failure"] = Failure(  # type: ignore[no-untyped-call, unused-ignore]
                record.exc_info[1], None, record.exc_info[2]
            )
        try:
            self._logger(record.name).emit(self._level_of(record), "{text}", **event)
        except Exception:
            self.handleError(record)

    def _logger(self, name: str) -> TwistedLogger:
        logger = self._loggers.get(name)
        if logger is None:
            logger = TwistedLogger(namespace=name, observer=self._publisher)
            self._loggers[name] = logger
        return logger

    def _level_of(self, record: logging.LogRecord) -> Any:
        for number, level in self._LEVELS:
            if record.levelno >= number:
                return level
        return LogLevel.debug


def _is_from_twisted(record: logging.LogRecord) -> bool:
    event = getattr(record.msg, "event", None)
    return isinstance(event, dict) and "log_level" in event


def _global_options() -> OptionParser:
    from txtornado.options import options  # which imports this module

    return options


def enable_pretty_logging(
    options: OptionParser | None = None, logger: logging.Logger | None = None
) -> None:
    """Sets the level and adds the handlers that the logging options ask for.

    `txtornado.options.parse_command_line` and ``parse_config_file`` do this by themselves.

    Args:
        options: with the options of `define_logging_options`; the global ones when None.  With
            ``logging`` None or ``"none"`` nothing is done.
        logger: the logger to configure; the root logger when None.

    Raises:
        ValueError: an option has a value that makes no sense.
    """
    if options is None:
        options = _global_options()
    if options.logging is None or options.logging.lower() == "none":
        return
    if logger is None:
        logger = logging.getLogger()
    logger.setLevel(_level_named(options.logging))
    if options.log_file_prefix:
        file_handler = _file_handler(options)
        file_handler.setFormatter(LogFormatter(color=False))
        logger.addHandler(file_handler)
    if options.log_to_stderr or (options.log_to_stderr is None and not logger.handlers):
        stderr_handler = logging.StreamHandler()
        stderr_handler.setFormatter(LogFormatter())
        logger.addHandler(stderr_handler)


def _level_named(name: str) -> int:
    level = logging.getLevelNamesMapping().get(name.upper())
    if level is None:
        raise ValueError(f"logging={name!r}: choose debug, info, warning, error or none")
    return level


def _file_handler(options: OptionParser) -> logging.Handler:
    from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler

    mode = options.log_rotate_mode
    if mode == "size":
        return RotatingFileHandler(
            filename=options.log_file_prefix,
            maxBytes=options.log_file_max_size,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    if mode == "time":
        return TimedRotatingFileHandler(
            filename=options.log_file_prefix,
            when=options.log_rotate_when,
            interval=options.log_rotate_interval,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    raise ValueError(f"The value of log_rotate_mode must be 'size' or 'time', not {mode!r}")


def define_logging_options(options: OptionParser | None = None) -> None:
    """Adds the logging options to ``options`` and lets parsing apply them (Tornado 4.2).

    The global options have them already; this is for an `~txtornado.options.OptionParser` of
    one's own.
    """
    parser = options if options is not None else _global_options()
    parser.define(
        "logging",
        default="info",
        help="Set the Python log level. If 'none', the logging configuration is left alone.",
        metavar="debug|info|warning|error|none",
    )
    parser.define(
        "log_to_stderr",
        type=bool,
        default=None,
        help="Send log output to stderr (in colour where possible). By default stderr is used"
        " if --log_file_prefix is not set and no other logging is configured.",
    )
    parser.define(
        "log_file_prefix",
        type=str,
        default=None,
        metavar="PATH",
        help="Path prefix for log files. Each of several processes needs one of its own"
        " (with the port number in it, for example).",
    )
    parser.define(
        "log_file_max_size",
        type=int,
        default=100 * 1000 * 1000,
        help="Size in bytes at which a log file is rotated",
    )
    parser.define(
        "log_file_num_backups", type=int, default=10, help="Number of old log files to keep"
    )
    parser.define(
        "log_rotate_when",
        type=str,
        default="midnight",
        help="Unit of the rotation interval: 'S', 'M', 'H', 'D', 'W0'-'W6' or 'midnight'",
    )
    parser.define(
        "log_rotate_interval", type=int, default=1, help="Units of time between two rotations"
    )
    parser.define(
        "log_rotate_mode", type=str, default="size", help="Rotate log files by 'size' or 'time'"
    )
    parser.add_parse_callback(lambda: enable_pretty_logging(parser))
