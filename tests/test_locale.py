"""Tests for `txtornado.locale`."""

import datetime
import doctest
import gettext
import os
import struct
import unittest

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtornado import locale
from txtornado.locale import CSVLocale, GettextLocale, Locale, parse_accept_language

STATE = ("_translations", "_supported_locales", "_use_gettext", "_default_locale")

ES_LA = """\
"I love you","Te amo"
"%(name)s liked this","A %(name)s les gust\u00f3 esto","plural"
"%(name)s liked this","A %(name)s le gust\u00f3 esto","singular"
"""


def catalogue(messages):
    """A ``.mo`` file (GNU gettext manual, 10.3) with these messages."""
    pairs = sorted((key.encode(), value.encode()) for key, value in messages.items())
    start = 28 + 16 * len(pairs)
    tables = [[], []]
    data = b""
    for column in (0, 1):
        for pair in pairs:
            tables[column].append(struct.pack("<2I", len(pair[column]), start + len(data)))
            data += pair[column] + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return header + b"".join(tables[0] + tables[1]) + data


FRENCH = {
    "": "Content-Type: text/plain; charset=utf-8\nPlural-Forms: nplurals=2; plural=(n > 1);\n",
    "school": "\u00e9cole",
    "%(n)d school\0%(n)d schools": "%(n)d \u00e9cole\0%(n)d \u00e9coles",
    "law\x04right": "le droit",
    "good\x04right": "le bien",
    "stick\x04club\0clubs": "le b\u00e2ton\0les b\u00e2tons",
}


class LocaleTestCase(SynchronousTestCase):
    """Puts back what is loaded; catches the log."""

    def setUp(self):
        for name in STATE:
            self.patch(locale, name, getattr(locale, name))
        self.patch(Locale, "_cache", {})
        self.log = []
        self.patch(locale.gen_log, "error", lambda text, *args: self.log.append(text % args))
        self.patch(locale.gen_log, "warning", lambda text, *args: self.log.append(text % args))

    def folder(self, **files):
        """A directory with these files; underscores before the last are kept."""
        root = self.mktemp()
        os.mkdir(root)
        for name, content in files.items():
            self.write(root, f"{name}.csv", content)
        return root

    def write(self, root, name, content):
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def support(self, *codes):
        """Have locales without any translations."""
        locale._install({code: {} for code in codes}, use_gettext=False)


class CSVTests(LocaleTestCase):
    def test_documented_example(self):
        """2.3's documentation, chapter 2.5: singular, plural, and neither."""
        locale.load_translations(self.folder(es_LA=ES_LA))
        user_locale = locale.get("es_LA")
        self.assertIsInstance(user_locale, CSVLocale)
        self.assertEqual(user_locale.translate("I love you"), "Te amo")
        liked = "%(name)s liked this"
        self.assertEqual(
            user_locale.translate(liked, liked, 1) % {"name": "Ana"}, "A Ana le gust\u00f3 esto"
        )
        self.assertEqual(user_locale.translate(liked, liked, 2), "A %(name)s les gust\u00f3 esto")
        self.assertEqual(user_locale.translate("Sign out"), "Sign out")

    def test_list_in_a_message(self):
        """Chapter 2.5's other example: who is online."""
        user_locale = locale.get("es_LA")
        for people, expected in ((["A"], "A is online"), (["A", "B"], "A and B are online")):
            message = user_locale.translate(
                "%(list)s is online", "%(list)s are online", len(people)
            )
            self.assertEqual(message % {"list": user_locale.list(people)}, expected)

    def test_plural_needs_count(self):
        """A plural form without a count is an error."""
        self.assertRaises(TypeError, locale.get("en_US").translate, "one", "many")

    def test_encodings(self):
        """Byte order marks tell UTF-8 and UTF-16; without one it is UTF-8; or it is said."""
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            locale.load_translations(self.folder(fr="school,\u00e9cole".encode(encoding)))
            self.assertEqual(locale.get("fr").translate("school"), "\u00e9cole", encoding)
        big_endian = b"\xfe\xff" + "school,\u00e9cole".encode("utf-16-be")
        locale.load_translations(self.folder(fr=big_endian))
        self.assertEqual(locale.get("fr").translate("school"), "\u00e9cole")
        locale.load_translations(self.folder(fr="school,\u00e9cole".encode("latin-1")), "latin-1")
        self.assertEqual(locale.get("fr").translate("school"), "\u00e9cole")

    def test_empty_file(self):
        """An empty file is a locale without translations."""
        locale.load_translations(self.folder(fr=b""))
        self.assertIn("fr", locale.get_supported_locales())

    def test_bad_rows(self):
        """Rows that say nothing are passed over; an unknown form is named with its line."""
        text = 'one\n\na,b\n" c , d",x,y,z\nm,"n\no"\ne,f,dual\ng, h , singular ,rest\n'
        locale.load_translations(self.folder(fr=text))
        self.assertEqual(
            locale._translations["fr"],
            {"unknown": {"a": "b", "m": "n\no"}, "singular": {"g": "h"}},
        )
        self.assertEqual(
            self.log,
            [
                "Unrecognized plural indicator 'y' in fr.csv line 4",
                "Unrecognized plural indicator 'dual' in fr.csv line 7",
            ],
        )

    def test_bad_names(self):
        """Files that are not named after a locale are named in the log; others are ignored."""
        root = self.folder(**{"es": "a,b", "ES": "a,b", "es-LA": "a,b", "../x/fil_PH": "a,b"})
        self.write(root, "es.v2.csv", "a,b")
        self.write(root, "README.txt", "hello")
        locale.load_translations(root)
        self.assertEqual(set(locale.get_supported_locales()), {"es", "en_US"})
        self.assertEqual(len(self.log), 3)
        self.assertIn("Unrecognized locale 'ES' (path: ", self.log[0])

    def test_failure_changes_nothing(self):
        """When a file cannot be read, what was loaded before stays."""
        locale.load_translations(self.folder(fr="a,b"))
        self.assertRaises(OSError, locale.load_translations, self.mktemp())
        self.assertRaises(UnicodeError, locale.load_translations, self.folder(de=b"a,\xff"))
        self.assertEqual(locale.get("fr", "de").translate("a"), "b")
        self.assertNotIn("de", locale.get_supported_locales())

    def test_loading_again(self):
        """What is loaded replaces what was, in locales that were asked for before as well."""
        locale.load_translations(self.folder(fr="a,b", de="a,c"))
        self.assertEqual(locale.get("fr").translate("a"), "b")
        locale.load_translations(self.folder(fr="a,d"))
        self.assertEqual(locale.get("fr").translate("a"), "d")
        self.assertNotIn("de", locale.get_supported_locales())

    def test_pgettext(self):
        """CSV files know no context: the message is translated without, and the log told once."""
        locale.load_translations(self.folder(fr="right,droit"))
        french = locale.get("fr")
        self.assertEqual(french.pgettext("law", "right"), "droit")
        self.assertEqual(french.pgettext("stick", "club", "clubs", 2), "clubs")
        self.assertEqual(self.log, ["pgettext is not supported by CSVLocale"])
        self.assertEqual(locale.get("en_US").pgettext("law", "right"), "right")
        self.assertEqual(len(self.log), 1)


class GettextTests(LocaleTestCase):
    def load(self):
        root = self.folder()
        self.write(root, "fr_FR/LC_MESSAGES/app.mo", catalogue(FRENCH))
        self.write(root, "de/LC_MESSAGES/app.mo", b"broken")
        self.write(root, "es/LC_MESSAGES/other.mo", catalogue(FRENCH))
        self.write(root, ".svn/LC_MESSAGES/app.mo", catalogue(FRENCH))
        self.write(root, "file", b"")
        locale.load_gettext_translations(root, "app")

    def test_supported(self):
        """Languages with a catalogue of the domain are loaded; a broken one is named in the log."""
        self.load()
        self.assertEqual(set(locale.get_supported_locales()), {"fr_FR", "en_US"})
        self.assertEqual(len(self.log), 1)
        self.assertIn("Cannot load translation for 'de': ", self.log[0])

    def test_translate(self):
        """Messages, and their plural by the language's own rule."""
        self.load()
        french = locale.get("fr_FR")
        self.assertIsInstance(french, GettextLocale)
        self.assertEqual(french.translate("school"), "\u00e9cole")
        self.assertEqual(french.translate("nothing"), "nothing")
        forms = ("%(n)d school", "%(n)d schools")
        self.assertEqual(
            [french.translate(*forms, n) % {"n": n} for n in (0, 1, 2)],
            ["0 \u00e9cole", "1 \u00e9cole", "2 \u00e9coles"],
        )
        self.assertEqual(french.translate("a", "b", 2), "b")
        self.assertRaises(TypeError, french.translate, "a", "b")
        self.assertEqual(french.gettext("school"), "\u00e9cole")
        self.assertEqual(french.ngettext(*forms, 1), "%(n)d \u00e9cole")

    def test_pgettext(self):
        """A context tells equal messages apart."""
        self.load()
        french = locale.get("fr_FR")
        self.assertEqual(french.pgettext("law", "right"), "le droit")
        self.assertEqual(french.pgettext("good", "right"), "le bien")
        self.assertEqual(french.pgettext("hand", "right"), "right")
        self.assertEqual(french.pgettext("stick", "club", "clubs", 1), "le b\u00e2ton")
        self.assertEqual(french.pgettext("stick", "club", "clubs", 2), "les b\u00e2tons")
        self.assertEqual(french.pgettext("night", "club", "clubs", 2), "clubs")
        self.assertRaises(TypeError, french.pgettext, "stick", "club", "clubs")

    def test_default_locale(self):
        """The default locale needs no catalogue."""
        self.load()
        self.assertEqual(locale.get("en_US").translate("school"), "school")

    def test_csv_afterwards(self):
        """CSV files loaded later take the place of catalogues."""
        self.load()
        locale.load_translations(self.folder(fr_FR="school,lyc\u00e9e"))
        self.assertEqual(locale.get("fr_FR").translate("school"), "lyc\u00e9e")

    def test_no_directory(self):
        """A directory that is not there is an error, and changes nothing."""
        self.load()
        self.assertRaises(OSError, locale.load_gettext_translations, self.mktemp(), "app")
        self.assertEqual(locale.get("fr_FR").translate("school"), "\u00e9cole")

    def test_separator(self):
        """The separator of contexts is gettext's."""
        self.assertEqual(
            gettext.GNUTranslations.CONTEXT % ("a", "b"), f"a{locale.CONTEXT_SEPARATOR}b"
        )


class ChoiceTests(LocaleTestCase):
    def check(self, expected, *codes):
        self.assertEqual(locale.get(*codes).code, expected, codes)

    def test_closest(self):
        """The first code that is there, exactly or by its language, wins."""
        self.support("es", "fr_FR", "pt_BR", "zh_CN")
        self.check("es", "es")
        self.check("es", "es_GT")
        self.check("fr_FR", "fr_FR")
        self.check("fr_FR", "de", "fr_FR", "es")
        self.check("es", "zz", "es_MX", "fr_FR")

    def test_spelling(self):
        """Hyphens and other case are understood, and a script between language and region."""
        self.support("es", "fr_FR", "zh_CN")
        self.check("fr_FR", "fr-fr")
        self.check("es", "ES")
        self.check("es", "Es-419")
        self.check("zh_CN", "zh-Hans-CN")

    def test_default(self):
        """Where nothing fits, the default does; a language does not stand for its regions."""
        self.support("fr_FR")
        for codes in ((), ("",), (None,), ("*",), ("fr",), ("fr_CA",), ("-",), ("../x",)):
            self.check("en_US", *codes)

    def test_set_default(self):
        """The default can be set, counts as supported, and needs no translations."""
        self.support("fr_FR")
        locale.set_default_locale("de_DE")
        self.assertEqual(set(locale.get_supported_locales()), {"fr_FR", "de_DE"})
        self.check("de_DE", "en_US")
        self.assertEqual(locale.get("de_DE").translate("x"), "x")

    def test_same_object(self):
        """A locale is made once."""
        self.support("fr_FR")
        self.assertIs(locale.get("fr-FR"), Locale.get("fr_FR"))

    def test_get_exactly(self):
        """``Locale.get`` takes exactly what is supported, and says what that is."""
        self.support("fr_FR")
        error = self.assertRaises(ValueError, Locale.get, "fr")
        self.assertIn("'fr'; there are: en_US, fr_FR", str(error))


class AcceptLanguageTests(SynchronousTestCase):
    def check(self, header, *expected):
        self.assertEqual(parse_accept_language(header), list(expected), header)

    def test_docstring(self):
        """The docstring's example does what it says."""
        result = unittest.TestResult()
        doctest.DocTestSuite(locale).run(result)
        self.assertEqual((result.testsRun, result.failures, result.errors), (1, [], []))

    def test_weights(self):
        """The highest weight comes first; without one it is 1; equals keep their order."""
        self.check("fr-FR,de;q=0.5", "fr-FR", "de")
        self.check("de;q=0.5,fr-FR", "fr-FR", "de")
        self.check("a;q=0.5, b;q=0.50 ,c;q=0.501", "c", "a", "b")
        self.check(" de ; q=0.1 ,\tes;Q = 0.2", "es", "de")

    def test_left_out(self):
        """A weight of 0, or one that is no number above 0, leaves a language out."""
        self.check("de;q=0,fr;q=0.0,es;q=x,it;q=-1,pt;q=nan,nl;q=,en;q=0.1", "en")

    def test_odd(self):
        """Other parameters do not matter, weights above 1 are 1, and nothing is nothing."""
        self.check("de;level=1;q=0.5,es;q=0.6;x=1", "es", "de")
        self.check("de;q=2,es,fr;q=inf", "de", "es", "fr")
        self.check("*,de", "*", "de")
        self.check("")
        self.check(",, ;q=1,")

    @given(st.text("ad-,;=q0.19 \t*"))
    def test_anything(self, header):
        """Whatever a client sends, what comes out stands in the header, and has a locale."""
        codes = parse_accept_language(header)
        for code in codes:
            self.assertIn(code, header)
        self.assertIsInstance(locale.get(*codes), Locale)


class PropertyTests(LocaleTestCase):
    def test_names(self):
        """A locale has its language's own name for itself, if there is one."""
        self.assertEqual(CSVLocale("es_LA", {}).name, "Espa\u00f1ol")
        self.assertEqual(CSVLocale("xx", {}).name, "Unknown")
        self.assertEqual(locale.LOCALE_NAMES["de_DE"], {"name": "Deutsch", "name_en": "German"})

    def test_right_to_left(self):
        """Languages written from right to left are known, by language and not by letters."""
        for code, expected in (
            ("ar", True),
            ("ar_AR", True),
            ("fa_IR", True),
            ("he_IL", True),
            ("ur", True),
            ("arn_CL", False),
            ("en_US", False),
            ("es", False),
        ):
            self.assertIs(CSVLocale(code, {}).rtl, expected, code)

    def test_abstract(self):
        """The base class has no texts of its own."""
        base = Locale("en_US", {})
        self.assertRaises(NotImplementedError, base.translate, "x")
        self.assertRaises(NotImplementedError, base.pgettext, "x", "y")

    def test_list(self):
        """Lists are joined as sentences have it."""
        english = CSVLocale("en_US", {})
        for parts, expected in (
            ([], ""),
            (["A"], "A"),
            (("A", "B"), "A and B"),
            (["A", "B", "C"], "A, B and C"),
        ):
            self.assertEqual(english.list(parts), expected)
        self.assertEqual(CSVLocale("fa_IR", {}).list("abc"), "a \u0648 b and c")
        german = CSVLocale(
            "de", {"unknown": {"%(commas)s and %(last)s": "%(commas)s und %(last)s"}}
        )
        self.assertEqual(german.list("abc"), "a, b und c")

    def test_friendly_number(self):
        """Thousands are told apart in English."""
        english = CSVLocale("en_US", {})
        for number, expected in (
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1234567, "1,234,567"),
            (-123, "-123"),
            (-123456, "-123,456"),
            ("1234", "1,234"),
            (1234.5, "1,234.5"),
        ):
            self.assertEqual(english.friendly_number(number), expected)
        self.assertEqual(CSVLocale("en", {}).friendly_number(1000), "1,000")
        self.assertEqual(CSVLocale("de_DE", {}).friendly_number(1000), "1000")


#: What ``datetime.datetime.now`` says in the tests: a Saturday.
NOW = datetime.datetime(2026, 11, 21, 6, 11, 10, tzinfo=datetime.UTC)


class FixedDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW.astimezone(tz)


class DateTests(LocaleTestCase):
    def setUp(self):
        super().setUp()
        module = type(datetime)("datetime")
        vars(module).update(vars(datetime), datetime=FixedDatetime)
        self.patch(locale, "datetime", module)
        self.english = CSVLocale("en_US", {})

    def check(self, expected, age, /, **arguments):
        """What is said of a date that lies ``age`` back."""
        self.assertEqual(self.english.format_date(NOW - age, **arguments), expected)

    def ago(self, **age):
        return datetime.timedelta(**age)

    def test_seconds_minutes_hours(self):
        """Within a day it is said how long ago it was."""
        self.check("0 seconds ago", self.ago())
        self.check("1 second ago", self.ago(seconds=1))
        self.check("49 seconds ago", self.ago(seconds=49))
        self.check("1 minute ago", self.ago(seconds=50))
        self.check("1 minute ago", self.ago(seconds=89))
        self.check("2 minutes ago", self.ago(seconds=90))
        self.check("49 minutes ago", self.ago(minutes=49))
        self.check("1 hour ago", self.ago(minutes=50))
        self.check("2 hours ago", self.ago(minutes=91))
        self.check("24 hours ago", self.ago(hours=23, minutes=50))

    def test_not_relative(self):
        """Without relative words there is the time of day, and then the weekday."""
        self.check("6:10 am", self.ago(minutes=1), relative=False)
        self.check("Friday at 6:11 am", self.ago(days=1), relative=False)

    def test_days(self):
        """Then come yesterday, the weekday, the day, and the day with its year."""
        for age, long, short in (
            (self.ago(days=1), "yesterday at 6:11 am", "yesterday"),
            (self.ago(days=1, hours=12), "Thursday at 6:11 pm", "Thursday"),
            (self.ago(days=4, hours=23), "Monday at 7:11 am", "Monday"),
            (self.ago(days=5), "November 16 at 6:11 am", "November 16"),
            (self.ago(days=333), "December 23 at 6:11 am", "December 23"),
            (self.ago(days=334), "December 22, 2025 at 6:11 am", "December 22, 2025"),
        ):
            self.check(long, age)
            self.check(short, age, shorter=True)

    def test_full(self):
        """The full form is as asked for, however near the date."""
        self.check("November 21, 2026 at 6:11 am", self.ago(seconds=5), full_format=True)
        self.check("November 21, 2026", self.ago(seconds=5), full_format=True, shorter=True)

    def test_future(self):
        """The future is written in full, but for the next minute."""
        self.check("0 seconds ago", self.ago(seconds=-59))
        self.check("November 21, 2026 at 6:12 am", self.ago(seconds=-60))
        self.check("November 22, 2026", self.ago(days=-1, seconds=-30), shorter=True)
        self.check("November 21, 2026 at 6:11 am", self.ago(seconds=-30), relative=False)

    def test_kinds_of_dates(self):
        """Seconds, and datetimes without a zone, are in UTC; a zone's own clock is shown."""
        for date in (NOW.timestamp() - 120, int(NOW.timestamp()) - 120):
            self.assertEqual(self.english.format_date(date), "2 minutes ago")
        naive = (NOW - self.ago(minutes=2)).replace(tzinfo=None)
        self.assertEqual(self.english.format_date(naive), "2 minutes ago")
        zone = datetime.timezone(self.ago(hours=2))
        aware = (NOW - self.ago(minutes=2)).astimezone(zone)
        self.assertEqual(self.english.format_date(aware), "2 minutes ago")
        self.assertEqual(
            self.english.format_date(aware, full_format=True), "November 21, 2026 at 8:09 am"
        )

    def test_offset(self):
        """The offset is the user's distance west, in minutes; it decides what yesterday is."""
        age = self.ago(days=1, hours=1)
        self.check("yesterday at 5:11 am", age)
        self.check("Thursday at 11:11 pm", age, gmt_offset=360)
        self.check("yesterday at 7:11 am", age, gmt_offset=-120)

    def test_clocks(self):
        """The hour is written as the language does."""
        for code, morning, noon, night in (
            ("en", "1:05 am", "12:05 pm", "11:05 pm"),
            ("en_US", "1:05 am", "12:05 pm", "11:05 pm"),
            ("zh_CN", "\u4e0a\u53481:05", "\u4e0b\u534812:05", "\u4e0b\u534811:05"),
            ("de_DE", "1:05", "12:05", "23:05"),
        ):
            for hour, expected in ((1, morning), (12, noon), (23, night)):
                date = datetime.datetime(2013, 1, 1, hour, 5)
                self.assertEqual(
                    CSVLocale(code, {}).format_date(date), f"January 1, 2013 at {expected}"
                )
        midnight = datetime.datetime(2013, 1, 1, 0, 0)
        self.assertEqual(self.english.format_date(midnight), "January 1, 2013 at 12:00 am")

    def test_translated(self):
        """Patterns, months and weekdays are translated, and may change their order."""
        german = CSVLocale(
            "de_DE",
            {
                "unknown": {
                    "December": "Dezember",
                    "Friday": "Freitag",
                    "%(month_name)s %(day)s, %(year)s": "%(day)s. %(month_name)s %(year)s",
                    "%(weekday)s at %(time)s": "%(weekday)s um %(time)s",
                },
                "singular": {"1 hour ago": "vor einer Stunde"},
                "plural": {"%(hours)d hours ago": "vor %(hours)d Stunden"},
            },
        )
        self.assertEqual(
            german.format_date(NOW - self.ago(days=334), shorter=True), "22. Dezember 2025"
        )
        self.assertEqual(
            german.format_date(NOW - self.ago(days=1), relative=False), "Freitag um 6:11"
        )
        self.assertEqual(german.format_date(NOW - self.ago(hours=1)), "vor einer Stunde")
        self.assertEqual(german.format_date(NOW - self.ago(hours=3)), "vor 3 Stunden")

    def test_format_day(self):
        """A day of the year, with or without its weekday."""
        date = datetime.datetime(2013, 4, 28, 1, 35)
        self.assertEqual(self.english.format_day(date), "Sunday, April 28")
        self.assertEqual(self.english.format_day(date, dow=False), "April 28")
        self.assertEqual(self.english.format_day(date, gmt_offset=120), "Saturday, April 27")
