"""CSV files of series -> a table on a grid of times, with every repair told and every fault named.

    read(config.series, ["ETTh1.csv"]) -> Table, Log of what was repaired

Stated repairs: rows out of order are sorted, rows that stand twice are dropped, missing times become missing values.
"""

from __future__ import annotations

import csv
import datetime
import difflib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_s2s.config import Series
from keras_s2s.files import write_whole
from keras_s2s.reading import Log, find_files, lines_of
from keras_s2s.rows import CorpusError

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}  # what stands for no value, whatever its case
MOST_MISSING = 0.2  # of the grid's times: beyond that it is not a grid with gaps
LINE = 1 << 20  # bytes of a line at most
UTC = datetime.timezone.utc
DAY = 86400.0


class Layout(NamedTuple):
    """What there is to know of a table beside its numbers."""

    time: str  # name of the column of times
    columns: tuple[str, ...]  # names of the series
    step: float  # seconds from one step to the next; steps, where times are numbers
    dated: bool  # times are dates, kept as seconds since 1970 in UTC; else they are numbers

    def save(self, path: Path) -> None:
        write_whole(path, (json.dumps(self._asdict(), indent=1, ensure_ascii=False) + "\n").encode())

    @classmethod
    def from_tree(cls, tree: dict[str, Any]) -> Layout:
        """From what JSON made of it."""
        return cls(str(tree["time"]), tuple(tree["columns"]), float(tree["step"]), bool(tree["dated"]))

    def shown(self, time: float) -> str:
        """A time as people write it."""
        if not self.dated:
            return f"{time:g}"
        whole = datetime.datetime.fromtimestamp(round(time), UTC)
        return whole.strftime("%Y-%m-%d" if self.step % DAY == 0 and time % DAY == 0 else "%Y-%m-%d %H:%M:%S")

    def season(self) -> int:
        """Steps that usually make a season: a day of hours or minutes, a week of days, a year of longer steps; else 1."""
        if not self.dated:
            return 1
        for length, of in ((DAY, self.step < DAY), (7 * DAY, DAY <= self.step < 7 * DAY), (365.25 * DAY, True)):
            if of:
                return max(1, round(length / self.step))
        return 1


class Table(NamedTuple):
    """Series side by side, a row for each step."""

    layout: Layout
    steps: np.ndarray  # [N, 1 + F] float64: the time, then the values; NaN where one is missing


def read(series: Series, items: Iterable[str], log: Log, columns: Sequence[str] = ()) -> Table:
    """Reads files as one table, whatever the order of their rows.

    Args:
        series: the settings.
        items: CSV files (parted by commas, semicolons or TABs; .gz too), or glob patterns.
        log: hears of repairs and progress.
        columns: the series wanted; those of the settings where not given.

    Raises:
        CorpusError: what is wrong, with its file and line.
    """
    found: list[tuple[str, int, float, list[float]]] = []
    names: list[str] = []
    kinds: dict[bool, str] = {}
    for file in (file for item in items for files in find_files(item) for file in files):
        rows = _rows(file, log)
        number, head = next(rows, (0, []))
        wanted = _wanted(str(file), head, series.time, list(columns or series.columns) or names)
        names = [head[i] for i in wanted[1:]]
        for number, cells in rows:
            time, dated = _time(cells[wanted[0]] if cells else "", file, number)
            kinds.setdefault(dated, f"{file}, line {number:,}")
            found.append((str(file), number, time, [_value(cells, i, file, number, head) for i in wanted[1:]]))
        name = head[wanted[0]]
    if not found:
        raise CorpusError("series need rows of a time and values; there are none. Give a CSV with a line of names on top.")
    if len(kinds) > 1:
        raise CorpusError(f"times must all be dates or all be numbers; dates stand in {kinds[True]}, numbers in "
                          f"{kinds[False]}. Write them alike.")
    return _on_grid(series, found, name, tuple(names), next(iter(kinds)), log)


def _rows(path: Path, log: Log) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells; the first are the names. Empty lines are left out."""
    lines = (line.decode("utf-8-sig", "replace").rstrip("\r") for line in lines_of(path, LINE, log))
    head = next(lines, "")
    sign = max(",;\t", key=head.count)
    names = [name.strip() for name in _cells(path, 1, head, sign)]
    yield 1, names
    for number, line in enumerate(lines, 2):
        if line.strip():
            cells = _cells(path, number, line, sign)
            if len(cells) != len(names):
                raise CorpusError(f"{path}, line {number:,} must have {len(names)} cells like the first; it has {len(cells)}: "
                                  f"{line[:60]!r}. Mend the line.")
            yield number, cells


def _cells(path: Path, number: int, line: str, sign: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=sign), [])
    except csv.Error as error:
        raise CorpusError(f"{path}, line {number:,} is no line of a CSV: {error}. Mend the line.") from None


def _wanted(file: str, head: list[str], time: str, names: list[str]) -> list[int]:
    """Places of the time and of the series in a line."""
    if len(head) < 2:
        raise CorpusError(f"{file} must have a column of times and one or more series, named in its first line; it begins "
                          f"{','.join(head)[:60]!r}.")
    if all(name.replace(".", "", 1).lstrip("-").isdigit() for name in head[1:]) and head[0][:1].isdigit():
        raise CorpusError(f"the first line of {file} must name the columns, such as date,load; it is {','.join(head)[:60]!r}. "
                          "Put names on top.")
    time = time or head[0]
    wanted = [time, *(names or [name for name in head if name != time])]
    for name in wanted:
        if name not in head:
            near = difflib.get_close_matches(name, head, 1)
            raise CorpusError(f"{file} has no column {name!r}" + (f". Did you mean {near[0]!r}?" if near else
                              f"; it has {', '.join(head)}. Choose with --set series.time=... series.columns=..."))
    if len(set(wanted)) < len(wanted) or len(set(head)) < len(head):
        raise CorpusError(f"columns must have different names; got {', '.join(head)}.")
    return [head.index(name) for name in wanted]


def _time(text: str, file: Path, number: int) -> tuple[float, bool]:
    """A time, and whether it is a date: seconds since 1970 in UTC, or the number that it is."""
    text = text.strip()
    try:
        value = float(text)
        if math.isfinite(value):
            return value, False
    except ValueError:
        try:
            date = datetime.datetime.fromisoformat(text.replace("/", "-"))
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp(), True
        except ValueError:
            pass
    raise CorpusError(f"{file}, line {number:,}: a time must be written like 2024-01-31 or 2024-01-31 13:00:00, or be a "
                      f"number; got {text[:40]!r}. Name the column of the times with --set series.time=NAME.")


def _value(cells: list[str], i: int, file: Path, number: int, head: list[str]) -> float:
    text = cells[i].strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise CorpusError(f"{file}, line {number:,}: {head[i]} must be a finite number such as 12.5, or empty; got "
                          f"{text[:40]!r}. Mend it, or leave the column out with --set series.columns=...")
    return value


def _on_grid(series: Series, found: list[tuple[str, int, float, list[float]]], name: str, columns: tuple[str, ...],
             dated: bool, log: Log) -> Table:
    """Sorts the rows, drops those that stand twice, and puts them onto a grid of times where there is to be one."""
    order = sorted(range(len(found)), key=lambda i: found[i][2])
    moved = sum(i != j for i, j in enumerate(order))
    steps = np.array([[found[i][2], *found[i][3]] for i in order])
    same = np.flatnonzero(np.diff(steps[:, 0]) == 0)
    layout = Layout(name, columns, 1.0, dated)
    for i in same:
        if not np.array_equal(steps[i], steps[i + 1], equal_nan=True):
            one, other = found[order[i]], found[order[i + 1]]
            raise CorpusError(f"a time must have one row; {layout.shown(one[2])} stands in {one[0]}, line {one[1]:,}, and in "
                              f"{other[0]}, line {other[1]:,}, with other values. Keep one of them.")
    steps = np.delete(steps, same, axis=0)
    for count, what in ((moved, "rows out of order, sorted"), (len(same), "rows that stood twice, dropped")):
        log.notices.update({what: count} if count else {})
    if len(steps) < 3:
        raise CorpusError(f"series need more than a few steps; got {len(steps)}.")
    distances = np.diff(steps[:, 0])
    step = Counter(np.round(distances, 6).tolist()).most_common(1)[0][0]
    if not series.regular:
        return Table(layout._replace(step=float(np.median(distances))), steps)
    layout = layout._replace(step=step)
    places = (steps[:, 0] - steps[0, 0]) / step
    whole = np.round(places)
    _require_grid(layout, steps[:, 0], places, whole)
    grid = np.full((int(whole[-1]) + 1, steps.shape[1]), np.nan)
    grid[:, 0] = steps[0, 0] + step * np.arange(len(grid))
    grid[whole.astype(np.int64)] = steps
    if len(grid) > len(steps):
        log.notices["missing times, now missing values"] += len(grid) - len(steps)
    return Table(layout, grid)


def _require_grid(layout: Layout, times: np.ndarray, places: np.ndarray, whole: np.ndarray) -> None:
    """Raises CorpusError unless the times are whole steps apart, nearly all of them one."""
    advice = "Set series.regular=false to take each row as a step whatever its time, as for trading days."
    off = np.flatnonzero((np.abs(places - whole) > 0.01) | (np.diff(whole, prepend=-1) < 1))
    step = f"{layout.step:g}{' seconds' if layout.dated else ''}"
    if len(off):
        raise CorpusError(f"times must be {step} apart, or a multiple of it; {layout.shown(times[off[0]])} is not. {advice}")
    missing = 1 - len(whole) / (whole[-1] + 1)
    if missing > MOST_MISSING:
        gap = int(np.argmax(np.diff(whole)))
        raise CorpusError(f"times {step} apart may be missing here and there; {100 * missing:.0f} % are, the most between "
                          f"{layout.shown(times[gap])} and {layout.shown(times[gap + 1])}. {advice}")


def filled(steps: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    """The steps with the last value known in the place of missing ones, where at most so many follow each other.

    Only the past is looked at, so that nothing of the future gets into a window.

    Returns:
        the steps, a copy where anything changed, and how many values were filled in.
    """
    missing = np.isnan(steps)
    if not missing.any() or not most:
        return steps, 0
    places = np.where(missing, -1, np.arange(len(steps))[:, None])
    known = np.maximum.accumulate(places, axis=0)  # the last place with a value
    upcoming = np.minimum.accumulate(np.where(missing, len(steps), np.arange(len(steps))[:, None])[::-1], axis=0)[::-1]
    mend = missing & (known >= 0) & (upcoming - known - 1 <= most)
    result = np.where(mend, np.take_along_axis(steps, np.maximum(known, 0), axis=0), steps)
    return result, int(mend.sum())
