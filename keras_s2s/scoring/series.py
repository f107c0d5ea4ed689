"""Forecasts: rolling-origin errors beside those of naive forecasts, and whether the difference is more than chance.

MSE and MAE are of z-scores by the training part (of logarithms, where log-returns are forecast), averaged over all windows,
steps and series. MASE (Hyndman and Koehler, 2006) is the mean absolute error divided by that of the seasonal-naive forecast
one step ahead on the training part, averaged over series.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_s2s.files import write_whole
from keras_s2s.scoring.base import Measured, Scoring
from keras_s2s.scoring.pairing import block_bootstrap, paired
from keras_s2s.scoring.text import spread
from keras_s2s.terminal import Bar

TOGETHER = 512  # windows forecast together
KEPT = 60  # windows of a set whose forecasts are kept
RUN, LAST = "this run", "last value"


class Forecasted(NamedTuple):
    """Some windows of a set with what a run made of them."""

    sources: np.ndarray  # [N, W, 1 + columns read]
    references: np.ndarray  # [N, 1 + H, 1 + columns read]
    hypotheses: np.ndarray  # [N, K, H, F]: the line, then the other quantiles
    names: list[str]  # of the F series
    places: list[int]  # of those among the columns read


class SeriesScoring(Scoring):
    """Numbers against numbers. What needs the series' statistics is there once `of` has given them."""

    heads = {"mse": "MSE", "mae": "MAE"}
    decimals = 4
    falling = ("loss", "mse", "mae")
    token = "Loss of each scaled value"
    right = ("share of the values that are nearer to the truth than the last value known (than the mean, where values are "
             "forecast as they are)")
    about = {"dev/mse": "Mean squared error of z-scores of forecasts that know nothing after their window.",
             "dev/mae": "Mean absolute error of z-scores of forecasts that know nothing after their window.",
             "dev/coverage": "Percent of values within the band."}
    perplexity = False

    scaling: Any = None  # `scaling.Scaling` of the series that are forecast
    places: list[int] = []
    quantiles: tuple[float, ...] = (0.5,)

    def of(self, scaling: Any, places: list[int], quantiles: tuple[float, ...]) -> SeriesScoring:
        """The same with the statistics of the training part."""
        self.scaling, self.places, self.quantiles = scaling, places, quantiles
        return self

    def levels(self, values: np.ndarray) -> np.ndarray:
        """What errors are taken of, as z-scores: [..., F]."""
        values = np.log(np.maximum(values, 1e-12)) if self.scaling.relative == "log" else values
        return (values - np.array(self.scaling.mean)) / np.array(self.scaling.std)

    def chosen(self, total: int, most: int) -> range:
        """Evenly spaced ones: the first would all be of one time of the year."""
        return range(0, total, max(1, -(-total // most)))

    def measure(self, answers: Sequence[Any], references: Any, sources: Any) -> Measured:
        truth = self.truth(np.asarray(references))
        lines = np.array([answer.values for answer in answers])  # [N, K, H, F]
        errors = self.levels(lines[:, 0]) - self.levels(truth)
        found = {"mse": float(np.mean(errors ** 2)), "mae": float(np.mean(np.abs(errors)))}
        return Measured(found | ({"coverage": 100 * float(np.mean(within(lines, truth)))} if lines.shape[1] > 2 else {}), {})

    def truth(self, references: np.ndarray) -> np.ndarray:
        """[N, 1 + H, 1 + columns read] -> the values that were to be forecast [N, H, F]."""
        return references[:, 1:, 1:][..., self.places]

    def naive(self, sources: np.ndarray, horizon: int) -> dict[str, np.ndarray]:
        """What a child would say, by name: the last value, and what was a season before [N, H, F]."""
        values = sources[..., 1:][..., self.places]
        found = {LAST: np.repeat(values[:, -1:], horizon, axis=1)}
        season = self.scaling.season
        if season > 1:
            found[f"season of {season}"] = values[:, -season:][:, np.arange(horizon) % season]
        return found

    def evaluate(self, predictor: Any, rows: Any, train: Any | None, label: str) -> tuple[dict[str, Any], Forecasted]:
        """Forecasts at every step that has a window before it and a horizon after it; a few windows at a time."""
        bar, sums, begun = Bar(label, len(rows), unit=" windows"), Sums(self), time.monotonic()
        shown, kept = set(spread(len(rows), KEPT)), []
        for start in range(0, len(rows), TOGETHER):
            numbers = range(start, min(start + TOGETHER, len(rows)))
            sources, references = rows.raws(numbers)
            lines = np.array([answer.values for answer in predictor.predict(sources)])
            sums.add(sources, self.truth(references), lines)
            kept += [(sources[i], references[i], lines[i]) for i, number in enumerate(numbers) if number in shown]
            bar.advance(by=len(numbers))
        bar.close()
        found = sums.result() | {"seconds": round(time.monotonic() - begun, 2)}
        names = list(self.scaling.layout.columns)
        inputs, truths, forecasts = (np.array(side) for side in zip(*kept))
        return found, Forecasted(inputs, truths, forecasts, names, self.places)

    def keep(self, folder: Path, name: str, done: Forecasted) -> None:
        buffer, arrays = io.BytesIO(), {key: np.array(value) for key, value in done._asdict().items()}
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        write_whole(folder / f"{name}.npz", buffer.getvalue())

    def recall(self, folder: Path, name: str) -> Forecasted | None:
        try:
            with np.load(folder / f"{name}.npz", allow_pickle=False) as found:
                arrays = {key: found[key] for key in Forecasted._fields}
        except (OSError, ValueError, KeyError, EOFError):
            return None
        return Forecasted(**arrays | {key: arrays[key].tolist() for key in ("names", "places")})

    def tiles(self, row: dict[str, Any], name: str) -> dict[str, tuple[str, str]]:
        last = row["naive"][LAST]
        shown = {f"MSE on {name}": (f"{row['mse']:.4f}", f"last value: {last['mse']:.4f}"),
                 f"MAE on {name}": (f"{row['mae']:.4f}", f"last value: {last['mae']:.4f}"),
                 "MASE": (f"{row['mase']:.3f}", f"{row['windows']:,} windows")}
        if "coverage" in row:
            low, high = row["band"]
            shown["in the band"] = (f"{row['coverage']:.0f} %", f"{100 * (high - low):.0f} % are to be")
        return shown

    def table(self, results: dict[str, dict[str, Any]]) -> str:
        lines = [f"{'set':<22}{'windows':>9} {'forecast':<14}{'MSE':>9} {'MAE':>9} {'MASE':>9}{'band':>8}{'seconds':>9}"]
        for name, row in results.items():
            for i, (who, part) in enumerate({RUN: row, **row["naive"]}.items()):
                of = f"{'':<31}" if i else f"{name:<22}{row['windows']:>9,}"
                end = "" if i else f"{told(row):>8}{row['seconds']:>9.1f}"
                lines.append(f"{of} {who:<14}{part['mse']:>9.4f} {part['mae']:>9.4f} {part['mase']:>9.3f}{end}")
        for name, row in results.items():
            lines += [f"{name}: {verdict(row, who)}" for who in row["naive"]]
        return "\n".join([*lines, "MSE, MAE: of z-scores by the training part"
                          + (" of logarithms" if next(iter(results.values()))["relative"] == "log" else "")
                          + ", rolling origin. MASE: 1 is the seasonal-naive forecast on the training part."])

    def line(self, row: dict[str, Any]) -> str:
        return f"MSE {row['mse']:.4f}, MAE {row['mae']:.4f} on {row['windows']:,} windows; {verdict(row, LAST)}"

    own_rows = True

    def compare(self, predictors: Sequence[Any], rows: Sequence[Any], labels: Sequence[str]) -> dict[str, Any]:
        return paired(predictors, rows, labels)

    def require_translations(self) -> None:
        raise ValueError("only runs that translate are put on one page; of runs that forecast compare two: keras-s2s compare "
                         "RUN RUN")

    def look(self, sources: Any, references: Any, answers: Sequence[Any]) -> dict[str, Any] | None:
        chosen = spread(len(answers), 4)
        return self.kept(Forecasted(
            np.array([sources[i] for i in chosen]), np.array([references[i] for i in chosen]),
            np.array([answers[i].values for i in chosen]), list(self.scaling.layout.columns), self.places))

    def kept(self, done: Forecasted, wanted: int = 4) -> dict[str, Any]:
        """Some windows, of one series each, those that are forecast in turn."""
        windows = []
        for number, i in enumerate(spread(len(done.sources), wanted)):
            series = number % len(done.names)
            place = 1 + done.places[series]
            lines = done.hypotheses[i, :, :, series]
            windows.append({"series": done.names[series], "past": done.sources[i, :, place].tolist(),
                            "truth": done.references[i, 1:, place].tolist(), "line": lines[0].tolist(),
                            "band": [lines[1:].min(axis=0).tolist(), lines[1:].max(axis=0).tolist()] if len(lines) > 2 else []})
        return {"kind": "forecasts", "windows": windows}


def within(lines: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Which values lie within the band: lines [N, K, H, F], truth [N, H, F] -> bool [N, H, F]."""
    return (lines.min(axis=1) <= truth) & (truth <= lines.max(axis=1))


def told(row: dict[str, Any]) -> str:
    """How much of the truth lies within the band."""
    return f"{row['coverage']:.0f} %" if "coverage" in row else ""


def verdict(row: dict[str, Any], who: str) -> str:
    """Whether the run is better than a naive forecast, in words."""
    part = row["naive"][who]
    low, high = part["interval"]
    change = 100 * (row["mse"] / max(part["mse"], 1e-12) - 1)
    says = "better than" if high < 0 else "worse than" if low > 0 else "no different from"
    return (f"{says} {who}: MSE {change:+.1f} %, difference {row['mse'] - part['mse']:+.4f} "
            f"(95 % of block bootstrap: {low:+.4f} to {high:+.4f})")


class Sums:
    """Errors of a set, added up window by window; what is kept of a window is its mean errors."""

    def __init__(self, scoring: SeriesScoring):
        self.scoring = scoring
        self.windows: dict[str, list[np.ndarray]] = {}  # who -> mean squared and absolute error of each window [n, 2]
        self.totals: dict[str, Any] = {}  # who -> sums over windows [2, H, F]
        self.hits, self.values, self.band = 0.0, 0, 0

    def add(self, sources: np.ndarray, truth: np.ndarray, lines: np.ndarray) -> None:
        known = self.scoring.levels(truth)
        for who, guess in {RUN: lines[:, 0], **self.scoring.naive(sources, truth.shape[1])}.items():
            errors = self.scoring.levels(guess) - known
            both = np.stack([errors ** 2, np.abs(errors)])  # [2, n, H, F]
            self.windows.setdefault(who, []).append(both.mean(axis=(2, 3)).T)
            self.totals[who] = self.totals.get(who, 0) + both.sum(axis=1)
        self.band = lines.shape[1]
        self.hits, self.values = self.hits + within(lines, truth).sum(), self.values + truth.size

    def result(self) -> dict[str, Any]:
        """All that metrics.json says of the set."""
        scaling = self.scoring.scaling
        windows = {who: np.concatenate(parts) for who, parts in self.windows.items()}
        count, horizon = len(windows[RUN]), self.totals[RUN].shape[1]
        unit = np.array(scaling.std) / np.array(scaling.naive)

        def told(who: str) -> dict[str, Any]:
            by_series = self.totals[who].sum(axis=1) / (count * horizon)  # [2, F]
            return {"mse": float(by_series[0].mean()), "mae": float(by_series[1].mean()),
                    "mase": float(np.mean(by_series[1] * unit)),
                    "by_step": (self.totals[who][0].mean(axis=1) / count).round(6).tolist(),
                    "by_series": dict(zip(scaling.layout.columns, by_series[0].round(6).tolist()))}

        naive = {who: told(who) | {"interval": block_bootstrap(windows[RUN][:, 0] - windows[who][:, 0], horizon)[0]}
                 for who in windows if who != RUN}
        quantiles = self.scoring.quantiles
        return {"windows": count, "horizon": horizon, "relative": scaling.relative, **told(RUN), "naive": naive,
                **({"coverage": 100 * float(self.hits) / self.values, "band": [quantiles[0], quantiles[-1]]}
                   if self.band > 2 else {})}
