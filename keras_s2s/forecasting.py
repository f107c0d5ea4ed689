"""`keras-s2s forecast`: the steps after the end of a CSV, as a CSV on standard output and as a picture."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import datetime
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from keras_s2s import plots
from keras_s2s.files import write_whole
from keras_s2s.predictor import Predictor
from keras_s2s.reading import Log
from keras_s2s.rows import CorpusError
from keras_s2s.run import load
from keras_s2s.series import UTC, Layout, Table, filled, read
from keras_s2s.targets.series import SeriesTarget
from keras_s2s.terminal import say

PANELS = 8  # series drawn at most


class Ahead(NamedTuple):
    """A forecast and what it goes on from."""

    layout: Layout  # of the series that are forecast
    past: np.ndarray  # [W, 1 + F]: times, values
    came: np.ndarray  # [at most H, F]: what is known of the steps forecast
    times: np.ndarray  # [H]
    values: np.ndarray  # [K, H, F]: the line, then the other quantiles
    levels: list[float]  # [K]


def forecast(arguments: argparse.Namespace) -> int:
    """Runs the command; returns the exit status."""
    predictor = load(arguments.run)
    predictor.require("forecast")
    table = latest(predictor, arguments.data)
    found = ahead(predictor, table, arguments.back)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    if arguments.plot:
        write_whole(arguments.plot, lambda output: draw(found).savefig(output, format=arguments.plot.suffix[1:], dpi=110))
        say(f"drawn: {arguments.plot}")
    print(as_json(found)) if arguments.json else write_csv(found)
    return 0


def latest(predictor: Predictor, file: Path) -> Table:
    """The series of a file, missing values filled where the run's settings say so; repairs are told.

    Raises:
        CorpusError: what is wrong with the file, for this run.
    """
    source: Any = predictor.model.source
    layout, log = source.scaling.layout, Log()
    table = read(dataclasses.replace(predictor.config.series, time=layout.time), [str(file)], log, layout.columns)
    off = predictor.config.series.regular and abs(table.layout.step - layout.step) > 0.01 * layout.step
    if table.layout.dated != layout.dated or off:
        asked, got = (f"{of.step:g}{' seconds' if of.dated else ''}" for of in (layout, table.layout))
        raise CorpusError(f"a step must be {asked}, as it was in training; in {file} it is {got}. Resample the series.")
    steps, count = filled(table.steps, predictor.config.series.fill)
    log.notices.update({"missing values, the last one known in their place": count} if count else {})
    if log.notices:
        say("repaired: " + ", ".join(f"{count:,} {what}" for what, count in log.notices.items()))
    return Table(layout, steps)


def ahead(predictor: Predictor, table: Table, back: int = 0) -> Ahead:
    """Forecasts what follows a table, or its last `back` steps and what follows them.

    Raises:
        CorpusError: the last window is too short, or misses values.
    """
    series, target = predictor.config.series, cast(SeriesTarget, predictor.model.target)
    end = len(table.steps) - back
    if back < 0 or end < series.window:
        raise CorpusError(f"a forecast reads {series.window:,} steps (series.window); there are {max(0, end):,}"
                          + (f" before the last {back:,}" if back else "") + ". Give a longer file.")
    window = np.array(table.steps[end - series.window:end])
    missing = np.isnan(window)
    if missing.any():
        row, column = np.argwhere(missing)[-1]
        raise CorpusError(f"the last {series.window:,} steps must have all values; {table.layout.columns[column - 1]!r} misses "
                          f"{missing[:, column].sum():,}, the last at {table.layout.shown(window[row, 0])}, more in a row than "
                          f"`series.fill` {series.fill} fills. Fill them in the file.")
    [answer] = predictor.predict([window])
    places = [1 + place for place in target.places]
    return Ahead(target.scaling.layout, window[:, [0, *places]], table.steps[end:end + series.horizon][:, places],
                 window[-1, 0] + table.layout.step * np.arange(1, series.horizon + 1), answer.values,
                 [round(float(level), 6) for level in answer.levels])


def order(found: Ahead) -> list[int]:
    """The quantiles rising."""
    return sorted(range(len(found.levels)), key=found.levels.__getitem__)


def write_csv(found: Ahead) -> None:
    """A row for each step; with a band a column for each quantile, such as load@0.9."""
    alone = len(found.levels) == 1
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([found.layout.time, *(name if alone else f"{name}@{found.levels[k]:g}"
                                          for name in found.layout.columns for k in order(found))])
    for step, time in enumerate(found.times):
        writer.writerow([found.layout.shown(float(time)), *(f"{found.values[k, step, i]:.6g}"
                        for i in range(len(found.layout.columns)) for k in order(found))])


def as_json(found: Ahead) -> str:
    """The same as one JSON object."""
    tree: dict[str, Any] = {found.layout.time: [found.layout.shown(float(time)) for time in found.times]}
    for i, name in enumerate(found.layout.columns):
        tree[name] = {f"{found.levels[k]:g}": [float(f"{value:.6g}") for value in found.values[k, :, i]] for k in order(found)}
    return json.dumps(tree, indent=1, ensure_ascii=False)


def draw(found: Ahead) -> Any:
    """The series one above the other, over time."""
    times: list[Any] = [*found.past[:, 0].tolist(), *found.times.tolist()]
    if found.layout.dated:
        times = [datetime.datetime.fromtimestamp(time, UTC) for time in times]
    windows = []
    for i, name in enumerate(found.layout.columns[:PANELS]):
        lines = found.values[:, :, i]
        band = [lines.min(axis=0), lines.max(axis=0)] if len(lines) > 1 else []
        windows.append({"series": name, "past": found.past[:, 1 + i], "truth": found.came[:, i], "line": lines[0],
                        "band": band})
    if len(found.layout.columns) > PANELS:
        say(f"{PANELS} of {len(found.layout.columns)} series are drawn")
    return plots.forecasts(windows, times)
