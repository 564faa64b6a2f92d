"""HTTP's dates: IMF-fixdate of RFC 9110, section 5.6.7."""

import calendar
import datetime
import time

__all__ = ["current_date", "format_timestamp"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The second that was formatted last: (seconds since the epoch, its text).
_last: tuple[int, str] = (-1, "")


def format_timestamp(
    ts: int | float | tuple[int, ...] | time.struct_time | datetime.datetime,
) -> str:
    """Format a time as HTTP does.  Since Tornado 3.0.

    Args:
        ts: seconds since the epoch; or a UTC time tuple as `time.gmtime` returns it; or a
            ``datetime``, taken as UTC when it has no time zone.

    >>> format_timestamp(1359312200)
    'Sun, 27 Jan 2013 18:43:20 GMT'
    """
    if isinstance(ts, (int, float)):
        seconds = int(ts // 1)
    elif isinstance(ts, datetime.datetime):
        seconds = calendar.timegm(ts.utctimetuple())
    elif isinstance(ts, (tuple, time.struct_time)):
        seconds = calendar.timegm(ts)
    else:
        raise TypeError(
            f"a timestamp must be a number, a time tuple or a datetime, not {type(ts).__name__}"
        )
    return _format(seconds)


def current_date() -> str:
    """Return the time of now for a ``Date`` header; formats it once a second; ours."""
    global _last
    now = int(time.time())
    last = _last
    if last[0] != now:
        _last = last = (now, _format(now))
    return last[1]


def _format(seconds: int) -> str:
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    return (
        f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year:04d} "
        f"{hour:02d}:{minute:02d}:{second:02d} GMT"
    )
