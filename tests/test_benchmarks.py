"""The benchmarks: what is made of the numbers, told, written and drawn."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

import tests.conversations  # noqa: F401 - finds the benchmarks

# isort: split
from benchmarks import _plot, _record, _statistics, _tables
from benchmarks._model import Figure, Result
from benchmarks._record import Record, RecordError
from benchmarks.jobs import all_jobs

RATE, COST = Figure("rate", "requests/s"), Figure("cost", "µs", higher_is_better=False)
HOSTILE = "<&\"'> \x00\x1b[31m \ud800 ]]> %s {x}"


def result(values: dict[str, list[float]], *, name: str = "job", figure: Figure = RATE) -> Result:
    """A job of one figure."""
    told = {contestant: {figure.name: each} for contestant, each in values.items()}
    return Result(name, f"Title of {name}", "Group", (figure,), told)


class StatisticsTests(SynchronousTestCase):
    def test_summary(self) -> None:
        """Median and quartiles are the middle and the ends of the middle half."""
        found = _statistics.summary([9, 1, 5, 3, 7])
        self.assertEqual((found.low, found.median, found.high), (3, 5, 7))

    def test_one_value(self) -> None:
        """One value is median and quartiles at once."""
        self.assertEqual(_statistics.summary([4.5]), _statistics.Summary(4.5, 4.5, 4.5))

    def test_no_value(self) -> None:
        """Of nothing there is no median, and that is said."""
        with self.assertRaisesRegex(ValueError, "nothing was measured"):
            _statistics.summary([])

    def test_ratio_both_ways(self) -> None:
        """Above 1 we are better, whether more is better or less."""
        self.assertEqual(_statistics.ratio(300, 100, True), 3)
        self.assertEqual(_statistics.ratio(300, 150, False), 0.5)

    def test_ratio_of_zeros(self) -> None:
        """Two zeros are alike, one is better or worse beyond bounds."""
        self.assertEqual(_statistics.ratio(0, 0, True), 1)
        self.assertEqual(_statistics.ratio(5, 0, True), math.inf)
        self.assertEqual(_statistics.ratio(5, 0, False), 0)

    def test_ratios_round_by_round(self) -> None:
        """Ratios are those of each round, as far as both got."""
        told = result({"txtornado": [10, 20, 30], "peer": [5, 40]})
        self.assertEqual(_statistics.ratios(told, "peer", RATE), [2, 0.5])
        self.assertEqual(_statistics.ratios(told, "nobody", RATE), [])

    def test_verdicts(self) -> None:
        """A peer is ahead of us or level according to where the quartiles of the ratios lie."""
        told = result(
            {
                "txtornado": [10, 10, 10],
                "better": [20, 21, 22],
                "level": [9, 10.5, 11],
                "worse": [1, 2, 3],
            }
        )
        (verdict,) = _statistics.verdicts([told])
        self.assertEqual(verdict.best, "better")
        self.assertEqual((verdict.behind, verdict.level), (("better",), ("level",)))
        self.assertAlmostEqual(verdict.ratio.median, 10 / 21)

    def test_verdict_less_is_better(self) -> None:
        """Where less is better, the best peer is the one with least."""
        told = result({"txtornado": [10], "dear": [30], "cheap": [20]}, figure=COST)
        (verdict,) = _statistics.verdicts([told])
        self.assertEqual((verdict.best, verdict.ratio.median, verdict.behind), ("cheap", 2, ()))

    def test_no_peers(self) -> None:
        """The ceiling and our own variants are no peers."""
        told = result({"txtornado": [1], "ceiling": [9], "txtornado-curl": [9]})
        self.assertEqual(list(_statistics.verdicts([told])), [])


class TableTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A row has the median, the quartiles, and how many times as good we are."""
        told = _tables.table(result({"txtornado": [30000, 20000, 10000], "tornado": [4000] * 3}))
        lines = [line.split() for line in told.splitlines()]
        self.assertEqual(lines[0], ["Title", "of", "job", "[job]"])
        self.assertEqual(lines[1], ["requests/s", "quartiles", "ratio"])
        self.assertEqual(lines[2], ["txtornado", "20,000", "15,000–25,000"])
        self.assertEqual(lines[3], ["tornado", "4,000", "4,000–4,000", "5.00"])

    def test_one_round(self) -> None:
        """After a single round there are no quartiles."""
        told = result({"txtornado": [30000], "tornado": [4000]})
        self.assertNotIn("quartiles", _tables.table(told))
        self.assertIn("7.50", _tables.table(told))

    def test_failed(self) -> None:
        """A contestant that failed stands there with the reason, also if nobody succeeded."""
        told = result({})
        told.failures["tornado"] = "no answer to GET /"
        for table in (_tables.table, _tables.long_table):
            self.assertIn("tornado failed: no answer to GET /", table(told))

    def test_many_figures(self) -> None:
        """A job of many figures has a row for each, told apart by name where units are alike."""
        figures = tuple(Figure(name, "µs", higher_is_better=False) for name in "abcd")
        values = {
            "txtornado": {name: [2.0] for name in "abcd"},
            "peer": {name: [3.0] for name in "abd"},
        }
        lines = _tables.told(Result("job", "Title", "Group", figures, values)).splitlines()
        self.assertEqual(lines[1].split(), ["txtornado", "peer", "/peer"])
        self.assertEqual(lines[2].split(), ["a,", "µs", "2.00", "3.00", "1.50"])
        self.assertEqual(lines[4].split(), ["c,", "µs", "2.00", "-", "-"])

    def test_spread_of_many_figures(self) -> None:
        """After several rounds, medians have half the distance of their quartiles behind them."""
        figures = tuple(Figure(name, "µs", higher_is_better=False) for name in "abcd")
        values = {"txtornado": {name: [80.0, 90.0, 100.0, 110.0, 120.0] for name in "abcd"}}
        told = _tables.told(Result("job", "Title", "Group", figures, values))
        self.assertEqual(told.splitlines()[2].split(), ["a,", "µs", "100", "±10%"])

    def test_report_has_groups(self) -> None:
        """Each group has a heading, once."""
        record = Record(results=[result({"txtornado": [1]}, name=name) for name in ("one", "two")])
        self.assertEqual(_tables.report(record).count("Group\n====="), 1)

    def test_numbers(self) -> None:
        """Numbers have about three digits that count."""
        for value, text in (
            (0, "0"),
            (0.01234, "0.012"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234567.8, "1,234,568"),
        ):
            self.assertEqual(_tables.number(value), text)
        self.assertEqual(_tables.times(math.inf), "∞")

    def test_verdict(self) -> None:
        """The verdict names the peers that we are behind, and counts the figures."""
        told = [
            result({"txtornado": [10], "fast": [20], "slow": [5]}, name="one"),
            result({"txtornado": [10], "slow": [5]}, name="two"),
        ]
        text, behind = _tables.told_verdict(told)
        self.assertEqual(behind, 1)
        self.assertIn("BEHIND fast", text)
        self.assertIn("behind a peer in 1 of 2 figures", text)

    def test_verdict_of_nothing(self) -> None:
        """Without a peer there is no verdict, and that is said."""
        text, behind = _tables.told_verdict([result({"txtornado": [10]})])
        self.assertEqual(behind, 0)
        self.assertIn("nowhere measured together", text)

    def test_busy_load(self) -> None:
        """Where the load took its processor whole, the report warns."""
        told = result({"txtornado": [1], "ceiling": [1]})
        told.values["txtornado"]["load busy"] = [0.5]
        told.values["ceiling"]["load busy"] = [0.99]
        (words,) = _tables.warnings(Record(results=[told]))
        self.assertIn("job, ceiling", words)

    def test_changes(self) -> None:
        """Between two runs, what lies outside of the other's quartiles is better or worse."""
        before, after = Record({"date": "then", "kernel": "1"}), Record({"kernel": "2"})
        before.results = [
            result({"txtornado": [10, 11, 12]}, name="up"),
            result({"txtornado": [10, 11, 12]}, name="down", figure=COST),
            result({"txtornado": [10, 20, 30]}, name="same"),
            result({"txtornado": [10]}, name="gone"),
        ]
        after.results = [
            result({"txtornado": [20, 22, 24]}, name="up"),
            result({"txtornado": [20, 22, 24]}, name="down", figure=COST),
            result({"txtornado": [15, 21, 25]}, name="same"),
            result({"txtornado": [10]}, name="new"),
        ]
        text = _tables.changes(before, after)
        lines = {line.split(",")[0].strip(): line.split()[-2:] for line in text.splitlines()}
        self.assertEqual(lines["up"], ["2.00", "better"])
        self.assertEqual(lines["down"], ["0.50", "WORSE"])
        self.assertEqual(lines["same"][-1], "1.05")
        self.assertIn("only then: gone", text)
        self.assertIn("only now: new", text)
        self.assertIn("kernel 1 -> 2", text)

    def test_changes_beside_peers(self) -> None:
        """Where the peers changed too, our change is also told in proportion to theirs."""
        before, after = Record(), Record()
        before.results = [result({"txtornado": [10], "a": [10], "b": [10], "ceiling": [10]})]
        after.results = [result({"txtornado": [30], "a": [20], "b": [20], "ceiling": [90]})]
        lines = [line.split() for line in _tables.changes(before, after).splitlines()]
        (ours,) = (line for line in lines if "txtornado" in line)
        self.assertEqual(ours[-3:], ["3.00", "1.50", "better"])


class RecordTests(SynchronousTestCase):
    def test_round_trip(self) -> None:
        """What is written is read again, every value of it."""
        told = result({"txtornado": [1.5, 2.25], "peer": [0.1]}, figure=COST)
        told.failures["other"] = "did not answer"
        told.axis = "connections"
        record = Record({"kernel": "Linux"}, {"Twisted": "26"}, [told])
        path = Path(self.mktemp())
        _record.write(path, record)
        self.assertEqual(_record.read(path), record)

    def test_all_jobs(self) -> None:
        """The results of every job there is can be written and read."""
        record = Record(results=[Result.of(job) for job in all_jobs()])
        self.assertEqual(_record.from_json(_record.to_json(record)), record)

    def test_no_run(self) -> None:
        """A file of another kind is refused with its name and the reason."""
        for text in (
            "",
            "[]",
            "nonsense",
            '{"format": 99}',
            '{"format": 1}',
            '{"format": 1, "about": {}, "packages": {}, "results": [{"figures": [{}]}]}',
            '{"format": 1, "about": 3, "packages": {}, "results": []}',
        ):
            path = Path(self.mktemp())
            path.write_text(text)
            with self.assertRaisesRegex(RecordError, path.name):
                _record.read(path)

    def test_no_file(self) -> None:
        """A file that is not there is an error with its name."""
        with self.assertRaisesRegex(RecordError, "nowhere.json cannot be read"):
            _record.read(Path("nowhere.json"))

    def test_machine(self) -> None:
        """A run tells what it depended on, and when it was."""
        about = _record.machine()
        self.assertEqual(set(about), {"date", "processor", "processors", "kernel", "txtornado"})
        self.assertTrue(all(about.values()), about)


class PlotTests(SynchronousTestCase):
    def drawn(self, *results: Result) -> ElementTree.Element:
        return ElementTree.fromstring(_plot.drawing(Record({"rounds": "3"}, {}, list(results))))

    def words(self, element: ElementTree.Element) -> list[str]:
        return [each.text or "" for each in element.iter("{http://www.w3.org/2000/svg}text")]

    def bars(self, element: ElementTree.Element) -> list[float]:
        found = element.iter("{http://www.w3.org/2000/svg}rect")
        return [float(each.attrib["width"]) for each in found if float(each.attrib["height"]) == 11]

    def test_bars(self) -> None:
        """Each contestant has a bar whose length is how good it is, and its number beside it."""
        told = result({"txtornado": [1000], "tornado": [250], "fast": [2000]})
        element = self.drawn(told)
        legend, bars = 3, self.bars(element)[3:]
        self.assertEqual(len(self.bars(element)), legend + 3)
        self.assertAlmostEqual(bars[1] / bars[0], 0.25, places=2)
        self.assertAlmostEqual(bars[2] / bars[0], 2, places=2)
        self.assertIn("250 requests/s (0.25)", self.words(element))

    def test_less_is_better(self) -> None:
        """A bar is longer where less of something is better."""
        element = self.drawn(result({"txtornado": [10], "tornado": [40]}, figure=COST))
        bars = self.bars(element)[2:]
        self.assertAlmostEqual(bars[1] / bars[0], 0.25, places=2)

    def test_far(self) -> None:
        """A bar of many times ours is cut, which a point shows; its number is told."""
        element = self.drawn(result({"txtornado": [1], "ceiling": [100]}))
        bars = self.bars(element)[2:]
        self.assertAlmostEqual(bars[1] / bars[0], _plot.FAR, places=2)
        self.assertEqual(len(list(element.iter("{http://www.w3.org/2000/svg}polygon"))), 1)
        self.assertIn("100 requests/s (100)", self.words(element))

    def test_ours_failed(self) -> None:
        """Where we failed there are no bars, and that is said."""
        element = self.drawn(result({"tornado": [1]}))
        self.assertIn("nothing to compare: txtornado failed", self.words(element))

    def test_ours_alone(self) -> None:
        """What nobody else does is not drawn."""
        self.assertNotIn("Title of job", self.words(self.drawn(result({"txtornado": [1]}))))

    def test_many_figures(self) -> None:
        """Of a job of many figures the first is drawn, and named."""
        figures = tuple(Figure(name, "µs") for name in "abcde")
        values = {"txtornado": {"a": [1.0]}, "tornado": {"a": [1.0]}}
        words = self.words(self.drawn(Result("job", "Title", "Group", figures, values)))
        self.assertIn("Title: a (one of 5 figures)", words)

    def test_lines(self) -> None:
        """What tells how something grows has a line for each contestant, a point for each figure."""
        figures = tuple(Figure(name, "requests/s") for name in ("1", "10", "100"))
        values = {name: {each.name: [7.0] for each in figures} for name in ("txtornado", "tornado")}
        told = Result("job", "Title", "Group", figures, values, axis="connections")
        element = self.drawn(told)
        lines = list(element.iter("{http://www.w3.org/2000/svg}polyline"))
        self.assertEqual([len(line.attrib["points"].split()) for line in lines], [3, 3])
        self.assertIn("connections", self.words(element))

    def test_hostile_names(self) -> None:
        """Whatever names, titles and units have in them, the drawing is well-formed."""
        figures = (Figure(HOSTILE, HOSTILE),)
        values = {HOSTILE: {HOSTILE: [1.0]}, "txtornado": {HOSTILE: [2.0]}}
        told = [
            Result(HOSTILE, HOSTILE, HOSTILE, figures, values, axis=axis) for axis in ("", HOSTILE)
        ]
        text = _plot.drawing(Record({"kernel": HOSTILE, "rounds": HOSTILE}, {}, told))
        words = "".join(self.words(ElementTree.fromstring(text.encode())))
        self.assertIn("<&\"'>", words)

    def test_extremes(self) -> None:
        """Zeros, and results of nobody or of others alone, do no harm."""
        self.drawn()
        self.drawn(result({}))
        self.drawn(result({"tornado": [1]}))
        self.drawn(result({"txtornado": [0], "tornado": [0], "other": [5]}))
        lines = result({"txtornado": [0], "tornado": [0]})
        lines.axis = "x"
        self.drawn(lines)

    def test_scale(self) -> None:
        """Its ends are those of the length; what lies beyond stays at them."""
        for logarithmic in (False, True):
            scale = _plot.Scale(1, 100, 200, logarithmic)
            self.assertEqual((scale(1), scale(100), scale(0.1), scale(1e9)), (0, 200, 0, 200))
        self.assertAlmostEqual(_plot.Scale(1, 100, 200, True)(10), 100)

    def test_ticks(self) -> None:
        """Ticks are round, within the scale, and neither few nor many."""
        self.assertEqual(_plot.ticks(_plot.Scale(0, 5, 1)), [0, 1, 2, 3, 4, 5])
        self.assertEqual(_plot.ticks(_plot.Scale(0.6, 12, 1, True)), [1, 2, 5, 10])
        for high in (0.003, 0.7, 1, 9.99, 31, 12345, 7e8):
            for scale in (_plot.Scale(0, high, 1), _plot.Scale(high / 5000, high, 1, True)):
                found = _plot.ticks(scale)
                self.assertTrue(3 <= len(found) <= 8, (scale, found))
                self.assertTrue(all(scale.low <= each <= scale.high * 1.001 for each in found))
