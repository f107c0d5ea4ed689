"""How series become numbers near 1 and back, in-graph, by statistics of the training part; and what the calendar tells.

With x a value, m and s mean and standard deviation of the training part, `last` the last value known:

    none        z = (x - m) / s
    difference  z = (x - last) / d          d: how far values usually get in half a horizon
    log         z = log(x / last) / d       log-returns since the last value
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_s2s.config import Series, require
from keras_s2s.files import write_whole
from keras_s2s.series import Layout, Table

MINUTES = {"hour": 1440, "weekday": 7 * 1440, "year": 525_949}  # of a turn of the calendar
TINIEST = 1e-12  # the least value that has a logarithm here


@dataclass(frozen=True)
class Scaling:
    """What is learnt of series: a number for each.

    Args:
        layout: names and step.
        relative: what values are relative to, a key of the table above.
        season: steps of the seasonal-naive forecast; 1: there is none.
        mean, std: of the values, of their logarithms for `log`.
        distance: root mean square of what a value changes by in half a horizon.
        naive: mean absolute error of the seasonal-naive forecast on the training part, what MASE divides by.
    """

    layout: Layout
    relative: str
    season: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    distance: tuple[float, ...]
    naive: tuple[float, ...]

    @classmethod
    def fit(cls, series: Series, tables: Iterable[Table]) -> Scaling:
        """Learns from tables, which miss values as NaN.

        Raises:
            ValueError: values that have no logarithm, or no calendar.
        """
        tables = list(tables)
        layout = tables[0].layout
        require(layout.dated or not series.calendar, "`series.calendar` needs dates; the times of these series are numbers. "
                "Leave it empty: --set series.calendar=")
        levels = [table.steps[:, 1:] for table in tables]
        if series.relative == "log":
            low = np.nanmin([np.nanmin(level, axis=0) for level in levels], axis=0)
            bad = [name for name, value in zip(layout.columns, low) if value <= 0]
            require(not bad, f"`series.relative` log needs values above 0; {', '.join(bad)} has others. Use difference.")
            levels = [np.log(level) for level in levels]
        season = series.season or layout.season()
        season = season if season <= series.window else 1
        every = np.concatenate(levels)
        std = np.nanstd(every, axis=0)
        return cls(layout, series.relative, season, *(tuple(np.where(value > 0, value, 1.0).tolist()) if i else
                   tuple(value.tolist()) for i, value in enumerate((
                       np.nanmean(every, axis=0), std, _changes(levels, max(1, series.horizon // 2), 2, std),
                       _changes(levels, season, 1, std)))))

    def save(self, file: Path) -> None:
        write_whole(file, (json.dumps({**asdict(self), "layout": self.layout._asdict()}, indent=1, ensure_ascii=False)
                           + "\n").encode())

    @classmethod
    def load(cls, file: Path) -> Scaling:
        """Reads what `save` wrote.

        Raises:
            ValueError: it is not there, or damaged.
        """
        try:
            tree = json.loads(file.read_text(encoding="utf-8"))
            lists = {name: tuple(map(float, tree[name])) for name in ("mean", "std", "distance", "naive")}
            return cls(Layout.from_tree(tree["layout"]), str(tree["relative"]), int(tree["season"]), **lists)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} cannot be read: {error}. Copy the whole run directory again.") from None

    def pick(self, names: Sequence[str]) -> tuple[Scaling, list[int]]:
        """Only these series (all where none is named), and their places among the columns.

        Raises:
            ValueError: there is no such series.
        """
        known = self.layout.columns
        for name in names:
            require(name in known, f"`series.targets` must be among the series that are read, {', '.join(known)}; "
                    f"got {name!r}.")
        places = [known.index(name) for name in names] or list(range(len(known)))
        lists = {name: tuple(getattr(self, name)[i] for i in places) for name in ("mean", "std", "distance", "naive")}
        layout = self.layout._replace(columns=tuple(known[i] for i in places))
        return Scaling(layout, self.relative, self.season, **lists), places

    def summary(self) -> str:
        """A few words for the terminal."""
        shown = [f"{name} {mean:.4g} ± {std:.3g}" for name, mean, std in zip(self.layout.columns, self.mean, self.std)]
        said = ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")
        return said + (" (of logarithms)" if self.relative == "log" else "")

    def scaled(self, values: Any, last: Any) -> tf.Tensor:
        """Values [..., T, F], the last known [..., 1, F], of any float type -> float32 [..., T, F]."""
        if self.relative == "none":
            return tf.cast((values - self._of(self.mean, values)) / self._of(self.std, values), tf.float32)
        changes = self.levels(values) - self.levels(last)
        return tf.cast(changes / self._of(self.distance, values), tf.float32)

    def unscaled(self, scaled: Any, last: Any) -> Any:
        """What `scaled` made, undone: float32 [..., T, F], last [..., 1, F] -> values of last's type."""
        scaled = tf.cast(scaled, last.dtype)
        if self.relative == "none":
            return scaled * self._of(self.std, scaled) + self._of(self.mean, scaled)
        levels = self.levels(last) + scaled * self._of(self.distance, scaled)
        return tf.exp(levels) if self.relative == "log" else levels

    def levels(self, values: Any) -> Any:
        """What errors are taken of: the values, or their logarithms."""
        return tf.math.log(tf.maximum(values, tf.constant(TINIEST, values.dtype))) if self.relative == "log" else values

    @staticmethod
    def _of(numbers: tuple[float, ...], like: Any) -> tf.Tensor:
        return tf.constant(numbers, like.dtype)


def _changes(levels: list[np.ndarray], steps: int, power: int, least: np.ndarray) -> np.ndarray:
    """Mean of |x[t + steps] - x[t]| to a power, its root; `least` where the tables are too short."""
    changes = [np.abs(level[steps:] - level[:-steps]) for level in levels if len(level) > steps]
    if not changes or not np.isfinite(np.concatenate(changes)).any(axis=0).all():
        return least
    return np.nanmean(np.concatenate(changes) ** power, axis=0) ** (1 / power)


def minutes(seconds: Any) -> tf.Tensor:
    """Times in seconds since 1970, float64 -> int32 minutes, which phones know."""
    return tf.cast(tf.math.floor(seconds / 60), tf.int32)


def calendar(names: Sequence[str], time: Any) -> tf.Tensor | None:
    """Minutes since 1970 [...] int32 -> where in the day, the week, the year that is, as sines and cosines [..., 2 C]."""
    if not names:
        return None
    turns = [tf.cast(tf.math.floormod(time, MINUTES[name]), tf.float32) * (2 * math.pi / MINUTES[name]) for name in names]
    return tf.stack([wave(turn) for turn in turns for wave in (tf.sin, tf.cos)], axis=-1)
