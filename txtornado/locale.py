"""Texts, dates and numbers in the user's language (Tornado 0.2; 2.3's documentation, chapter 2.5).

    load_translations("/srv/site/translations")
    user_locale = get("es_LA")
    message = user_locale.translate("%(list)s is online", "%(list)s are online", len(people))
    message % {"list": user_locale.list(people)}

An application calls `load_translations` (CSV files) or `load_gettext_translations` (``.mo`` files)
once, when it starts: they read files, and what they load counts for the whole process.  With
neither, every text is its own translation.  `get` never fails: it gives the closest locale there is.

Codes are ``es`` or ``es_LA``; a hyphen and other case are understood.
"""

from __future__ import annotations

import builtins
import codecs
import csv
import datetime
import gettext
import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar

from txtornado._locale_data import LOCALE_NAMES, RIGHT_TO_LEFT
from txtornado.log import gen_log

__all__ = [
    "CONTEXT_SEPARATOR",
    "LOCALE_NAMES",
    "CSVLocale",
    "GettextLocale",
    "Locale",
    "get",
    "get_supported_locales",
    "load_gettext_translations",
    "load_translations",
    "parse_accept_language",
    "set_default_locale",
]

#: Between context and message in a gettext catalogue (GNU gettext manual, 10.3).
CONTEXT_SEPARATOR = "\x04"

# What is loaded.  Loading replaces these as a whole, so that a failure leaves what was there.
_default_locale = "en_US"
_translations: dict[str, Any] = {}
_supported_locales: frozenset[str] = frozenset({_default_locale})
_use_gettext = False


def get(*locale_codes: str) -> Locale:
    """The locale closest to the first of these codes that there is one for (Tornado 0.2).

    See `Locale.get_closest`.
    """
    return Locale.get_closest(*locale_codes)


def set_default_locale(code: str) -> None:
    """Set the language that the application's own texts are in; ``en_US`` if never called.

    It needs no translation file, and is what `get` falls back on.
    """
    global _default_locale, _supported_locales
    _default_locale = code
    _supported_locales = frozenset({*_translations, code})


def get_supported_locales() -> Iterable[str]:
    """The codes of all locales there are: those loaded, and the default."""
    return _supported_locales


def _install(translations: dict[str, Any], use_gettext: bool) -> None:
    global _translations, _supported_locales, _use_gettext
    _translations = translations
    _supported_locales = frozenset({*translations, _default_locale})
    _use_gettext = use_gettext
    Locale._cache = {}
    gen_log.debug("Supported locales: %s", sorted(_supported_locales))


# CSV

_CSV_LOCALE = re.compile(r"[a-z]+(_[A-Z]+)?")
_FORMS = ("plural", "singular", "unknown")

#: By form, each message's translation.
_Catalogue = dict[str, dict[str, str]]


def load_translations(directory: str, encoding: str | None = None) -> None:
    """Load the files ``LOCALE.csv`` of a directory, such as ``es_GT.csv`` (Tornado 0.2).

    A row has a message, its translation, and optionally which form it is: ``singular``, ``plural``,
    or (the default) ``unknown``, for messages that are not asked for with a count.  A message
    whose verb changes has a row for each form::

        "Welcome","Bienvenido"
        "%(names)s wrote a letter","%(names)s escribieron una carta","plural"
        "%(names)s wrote a letter","%(names)s escribió una carta","singular"

    The dialect is the `csv` module's default: no blank after a comma.  Files and rows that cannot
    be used are named in the log and left out.

    Args:
        directory: Where the files are.
        encoding: Theirs; None (Tornado 4.3) for UTF-8, or UTF-16 where a byte order mark says so.

    Raises:
        OSError: The directory or a file cannot be read; what was loaded before stays.
        UnicodeError: A file is not in that encoding; what was loaded before stays.
    """
    translations: dict[str, _Catalogue] = {}
    for filename in sorted(os.listdir(directory)):
        code, extension = os.path.splitext(filename)
        if extension != ".csv":
            continue
        path = os.path.join(directory, filename)
        if not _CSV_LOCALE.fullmatch(code):
            gen_log.error("Unrecognized locale %r (path: %s)", code, path)
            continue
        translations[code] = _read_csv(path, encoding or _csv_encoding(path))
    _install(translations, use_gettext=False)


def _csv_encoding(path: str) -> str:
    with open(path, "rb") as file:
        start = file.read(2)
    utf_16 = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if utf_16 else "utf-8-sig"


def _read_csv(path: str, encoding: str) -> _Catalogue:
    catalogue: _Catalogue = {}
    with open(path, encoding=encoding, newline="") as file:
        reader = csv.reader(file)
        for row in reader:
            if len(row) < 2:
                continue
            message, translation, form = (*(cell.strip() for cell in row[:3]), "")[:3]
            form = form or "unknown"
            if form not in _FORMS:
                gen_log.error(
                    "Unrecognized plural indicator %r in %s line %d",
                    form,
                    os.path.basename(path),
                    reader.line_num,
                )
                continue
            catalogue.setdefault(form, {})[message] = translation
    return catalogue


# gettext


def load_gettext_translations(directory: str, domain: str) -> None:
    """Load ``{directory}/{lang}/LC_MESSAGES/{domain}.mo`` for every language (Tornado 1.2).

    To make such files: collect the messages, merge them with earlier translations, compile::

        xgettext --language=Python --keyword=_:1,2 --keyword=pgettext:1c,2 \\
            --keyword=pgettext:1c,2,3 -d mydomain file1.py file2.html
        msgmerge old.po mydomain.po > new.po
        msgfmt new.po -o {directory}/pt_BR/LC_MESSAGES/mydomain.mo

    A language without that file is left out; one whose file is broken is named in the log, too.

    Raises:
        OSError: The directory cannot be read; what was loaded before stays.
    """
    translations: dict[str, gettext.NullTranslations] = {}
    for code in sorted(os.listdir(directory)):
        path = os.path.join(directory, code, "LC_MESSAGES", f"{domain}.mo")
        if code.startswith(".") or not os.path.isfile(path):
            continue
        try:
            with open(path, "rb") as file:
                translations[code] = gettext.GNUTranslations(file)
        except Exception as error:  # whatever a broken catalogue makes gettext raise
            gen_log.error("Cannot load translation for %r: %s", code, error)
    _install(translations, use_gettext=True)


# Choosing

_WEIGHT = re.compile(r"\s*[qQ]\s*=(.*)", re.DOTALL)


def _weight(parameters: Sequence[str]) -> float:
    """The ``q`` of a list element, from 0 to 1; 1 without one, 0 when it is not a number."""
    for parameter in parameters:
        if match := _WEIGHT.fullmatch(parameter):
            try:
                weight = float(match[1])
            except ValueError:
                return 0.0
            return min(weight, 1.0) if weight > 0 else 0.0
    return 1.0


def parse_accept_language(header: str) -> list[str]:
    """The languages of an ``Accept-Language`` header, the most wanted first.

    RFC 9110, section 12.5.4.  Those of equal weight keep their order; those of weight 0, or of a
    weight that is none, are left out.  The result is meant for `get`.

    >>> parse_accept_language("da, en-GB;q=0.7, fr;q=0, en;q=0.8")
    ['da', 'en', 'en-GB']
    """
    weighted = []
    for element in header.split(","):
        code, *parameters = element.split(";")
        weight = _weight(parameters)
        if code.strip() and weight:
            weighted.append((weight, code.strip()))
    weighted.sort(key=lambda each: -each[0])
    return [code for _, code in weighted]


def _candidates(code: str) -> list[str]:
    """The locales that satisfy a code, the best first."""
    language, *rest = code.replace("-", "_").split("_")
    language = language.lower()
    # Of zh-Hans-CN the last part is the region; what stands between is a script.
    region = [f"{language}_{rest[-1].upper()}"] if rest else []
    return [*region, language]


class Locale:
    """A language, and what is particular to it (Tornado 0.2).

    Get one from `get`.  This class is what `CSVLocale` and `GettextLocale` have in common.

    Args:
        code: The locale's code.
        translations: Where texts come from (Tornado 0.2 to 2.4 passed it here); kept, not used.

    Attributes:
        code: The code, such as ``en_US``.
        name: The language's own name for itself, ``"Unknown"`` when it is not in `LOCALE_NAMES`.
        rtl: Whether it is written from right to left.
    """

    _cache: ClassVar[dict[str, Locale]] = {}

    def __init__(self, code: str, translations: Any = None) -> None:
        self.code = code
        self.name = LOCALE_NAMES.get(code, {}).get("name", "Unknown")
        self.rtl = code.partition("_")[0].lower() in RIGHT_TO_LEFT
        self.translations = translations

    @classmethod
    def get_closest(cls, *locale_codes: str) -> Locale:
        """The locale for the first of the codes that there is one for, else the default.

        ``es_GT`` is satisfied by ``es_GT`` and else by ``es`` (but ``es`` not by ``es_GT``), and
        ``zh-Hans-CN`` by ``zh_CN`` too.  Empty codes and None are passed over.
        """
        for code in locale_codes:
            for candidate in _candidates(code or ""):
                if candidate in _supported_locales:
                    return cls.get(candidate)
        return cls.get(_default_locale)

    @classmethod
    def get(cls, code: str) -> Locale:
        """The locale of exactly this code; the same object every time.

        Raises:
            ValueError: There is none.
        """
        found = cls._cache.get(code)
        if found is not None:
            return found
        if code not in _supported_locales:
            known = ", ".join(sorted(_supported_locales))
            raise ValueError(f"Unsupported locale {code!r}; there are: {known}")
        translations = _translations.get(code)
        locale: Locale
        if translations is None:
            locale = CSVLocale(code, {})
        elif _use_gettext:
            locale = GettextLocale(code, translations)
        else:
            locale = CSVLocale(code, translations)
        cls._cache[code] = locale
        return locale

    def translate(
        self, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        """``message`` in this language, or as it is when there is no translation.

        Args:
            message: The text, singular where that matters.
            plural_message: The text for another ``count`` than 1.
            count: How many; required with ``plural_message``.

        Raises:
            TypeError: ``plural_message`` without ``count``.
        """
        raise NotImplementedError

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """`translate`, with a context that tells equal messages apart (Tornado 4.2)."""
        raise NotImplementedError

    # Dates

    @cached_property
    def _months(self) -> builtins.list[str]:
        return [self.translate(name) for name in _MONTHS]

    @cached_property
    def _weekdays(self) -> builtins.list[str]:
        return [self.translate(name) for name in _WEEKDAYS]

    def format_date(
        self,
        date: int | float | datetime.datetime,
        gmt_offset: int = 0,
        relative: bool = True,
        shorter: bool = False,
        full_format: bool = False,
    ) -> str:
        """``date`` as one would say it now: "2 minutes ago", "yesterday", "July 10, 1980".

        For dates of the past; those of the future are written in full, apart from the next
        minute, for clocks differ.

        Args:
            date: Seconds since 1970, or a datetime; without a zone (`datetime.tzinfo`) it is in
                UTC, with one (Tornado 6.4) it is shown as its own clock says.
            gmt_offset: Minutes to subtract from what is shown: the user's distance west of UTC,
                as JavaScript's ``getTimezoneOffset`` gives it.
            relative: Whether "2 minutes ago" and "yesterday" may be said.
            shorter: Whether to leave out the time of day.
            full_format: Write the date in full, however near it is.
        """
        if isinstance(date, int | float):
            date = datetime.datetime.fromtimestamp(date, datetime.UTC)
        elif date.tzinfo is None:
            date = date.replace(tzinfo=datetime.UTC)
        now = datetime.datetime.now(datetime.UTC)
        if date > now:
            if relative and date - now < _CLOCK_SKEW:
                date = now
            else:
                full_format = True
        age = now - date
        if not full_format and relative and age.days == 0:
            return self._ago(age.seconds)
        offset = datetime.timedelta(minutes=gmt_offset)
        local = date - offset
        yesterday = now.astimezone(date.tzinfo) - offset - datetime.timedelta(days=1)
        was_yesterday = relative and age.days == 1 and local.date() == yesterday.date()
        pattern = _LONGEST if full_format else _pattern(age.days, was_yesterday)
        return self.translate(pattern[shorter]) % {
            "month_name": self._months[local.month - 1],
            "weekday": self._weekdays[local.weekday()],
            "day": str(local.day),
            "year": str(local.year),
            "time": self._time(local),
        }

    def _ago(self, seconds: int) -> str:
        """How long ago something less than a day old was."""
        if seconds < 50:
            return self.translate("1 second ago", "%(seconds)d seconds ago", seconds) % {
                "seconds": seconds
            }
        if seconds < 50 * 60:
            minutes = round(seconds / 60)
            return self.translate("1 minute ago", "%(minutes)d minutes ago", minutes) % {
                "minutes": minutes
            }
        hours = round(seconds / 3600)
        return self.translate("1 hour ago", "%(hours)d hours ago", hours) % {"hours": hours}

    def _time(self, moment: datetime.datetime) -> str:
        hour = moment.hour % 12 or 12
        if self.code in ("en", "en_US"):
            return f"{hour}:{moment.minute:02} {'am' if moment.hour < 12 else 'pm'}"
        if self.code == "zh_CN":
            return f"{'上午' if moment.hour < 12 else '下午'}{hour}:{moment.minute:02}"
        return f"{moment.hour}:{moment.minute:02}"

    def format_day(self, date: datetime.datetime, gmt_offset: int = 0, dow: bool = True) -> str:
        """``date`` as a day of this year: "Monday, January 22".

        Args:
            date: A datetime.
            gmt_offset: Minutes to subtract from it.
            dow: Whether to name the day of the week.
        """
        local = date - datetime.timedelta(minutes=gmt_offset)
        pattern = "%(weekday)s, %(month_name)s %(day)s" if dow else "%(month_name)s %(day)s"
        return self.translate(pattern) % {
            "weekday": self._weekdays[local.weekday()],
            "month_name": self._months[local.month - 1],
            "day": str(local.day),
        }

    # Lists and numbers

    def list(self, parts: Any) -> str:
        """The texts in ``parts`` as a sentence has them: "A, B and C", "A and B", "A"."""
        *commas, last = parts or [""]
        if not commas:
            return str(last)
        comma = " و " if self.code.startswith("fa") else ", "
        return self.translate("%(commas)s and %(last)s") % {
            "commas": comma.join(commas),
            "last": last,
        }

    def friendly_number(self, value: int) -> str:
        """``value`` with commas between its thousands in ``en`` and ``en_US``, else as it is."""
        if self.code not in ("en", "en_US"):
            return str(value)
        return f"{int(value) if isinstance(value, str) else value:,}"


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

#: How far in the future a date may lie and still be now, on a clock that runs ahead of ours.
_CLOCK_SKEW = datetime.timedelta(minutes=1)

# Messages for translators, each with its shorter form.
_Pattern = tuple[str, str]
_YESTERDAY: _Pattern = ("yesterday at %(time)s", "yesterday")
_LONGEST: _Pattern = (
    "%(month_name)s %(day)s, %(year)s at %(time)s",
    "%(month_name)s %(day)s, %(year)s",
)

#: Below so many days of age: how a date is written.
_BY_AGE: tuple[tuple[int, _Pattern], ...] = (
    (1, ("%(time)s", "%(time)s")),
    (5, ("%(weekday)s at %(time)s", "%(weekday)s")),
    (334, ("%(month_name)s %(day)s at %(time)s", "%(month_name)s %(day)s")),
)


def _pattern(days: int, was_yesterday: bool) -> _Pattern:
    if was_yesterday:
        return _YESTERDAY
    for limit, pattern in _BY_AGE:
        if days < limit:
            return pattern
    return _LONGEST


def _require_count(count: int | None) -> int:
    if count is None:
        raise TypeError("a plural message needs a count")
    return count


class CSVLocale(Locale):
    """A locale whose texts come from `load_translations`.

    Args:
        code: The locale's code.
        translations: By ``"singular"``, ``"plural"`` and ``"unknown"``, translations by message.
    """

    translations: _Catalogue

    def __init__(self, code: str, translations: _Catalogue) -> None:
        super().__init__(code, translations)
        self._warned = False

    def translate(
        self, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        form = "unknown"
        if plural_message is not None:
            form = "singular"
            if _require_count(count) != 1:
                message, form = plural_message, "plural"
        return self.translations.get(form, {}).get(message, message)

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """`translate`: CSV files know no context, which the log is told once."""
        if self.translations and not self._warned:
            self._warned = True
            gen_log.warning("pgettext is not supported by CSVLocale")
        return self.translate(message, plural_message, count)


class GettextLocale(Locale):
    """A locale whose texts come from `load_gettext_translations` (Tornado 1.2).

    Args:
        code: The locale's code.
        translations: The catalogue.

    Attributes:
        gettext: The catalogue's method.
        ngettext: The catalogue's method.
    """

    translations: gettext.NullTranslations

    def __init__(self, code: str, translations: gettext.NullTranslations) -> None:
        super().__init__(code, translations)
        self.gettext = translations.gettext
        self.ngettext = translations.ngettext

    def translate(
        self, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        if plural_message is None:
            return self.gettext(message)
        return self.ngettext(message, plural_message, _require_count(count))

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """`translate` within a context::

        pgettext("law", "right")
        pgettext("good", "right")
        pgettext("organization", "club", "clubs", len(clubs))
        pgettext("stick", "club", "clubs", len(clubs))
        """
        if plural_message is None:
            return self.translations.pgettext(context, message)
        return self.translations.npgettext(context, message, plural_message, _require_count(count))
