"""Forecasts of two runs on the same steps: the windows that both forecast, and the difference of their errors.

The runs may read windows of other lengths, other columns, learn other things; what is compared are the series and the steps
ahead that both forecast, as z-scores by the first run's training part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_s2s.config import require
from keras_s2s.terminal import Bar

TOGETHER = 512  # windows forecast together
ERRORS = ("mse", "mae")
SAMPLES, SEED = 1000, 12345  # of the bootstrap


def paired(predictors: Sequence[Any], rows: Sequence[Any], labels: Sequence[str]) -> dict[str, Any]:
    """Mean squared and absolute errors of two runs: see `Scoring.compare`.

    Raises:
        ValueError: they forecast nothing alike.
    """
    scorings = [predictor.model.target.scoring for predictor in predictors]
    names = [list(scoring.scaling.layout.columns) for scoring in scorings]
    shared = [name for name in names[0] if name in names[1]]
    require(bool(shared), f"runs must forecast a series that they share to be compared; {labels[0]} forecasts "
            f"{', '.join(names[0])}, {labels[1]} {', '.join(names[1])}.")
    horizon = min(predictor.config.series.horizon for predictor in predictors)
    errors = [_errors(*one, shared, horizon, scorings[0]) for one in zip(predictors, rows, labels)]
    ends = sorted(errors[0].keys() & errors[1].keys())
    require(bool(ends), "runs must be tested on the same times to be compared; the windows of these end at others. Give a "
            "table with --data FILE.")
    both = [np.array([one[end] for end in ends]) for one in errors]  # [N, 2] each
    found: dict[str, Any] = {"count": len(ends), "of": f"windows, {', '.join(shared)}, {horizon} steps"}
    for place, name in enumerate(ERRORS):
        interval, p_value = block_bootstrap(both[1][:, place] - both[0][:, place], horizon)
        scores = [float(one[:, place].mean()) for one in both]
        found[name] = {"scores": scores, "difference": scores[1] - scores[0], "interval": interval, "p_value": p_value}
    return found


def _errors(predictor: Any, rows: Any, label: str, names: list[str], horizon: int, by: Any) -> dict[float, np.ndarray]:
    """When each window ends -> its mean squared and absolute error [2] in z-scores of `by`, over the named series.

    Memory: two numbers a window.
    """
    scoring = predictor.model.target.scoring
    own = [list(scoring.scaling.layout.columns).index(name) for name in names]
    of_first = [list(by.scaling.layout.columns).index(name) for name in names]
    found: dict[float, np.ndarray] = {}
    bar = Bar(label, len(rows), unit=" windows")

    def levels(values: np.ndarray) -> np.ndarray:
        """[N, H, own series] -> z-scores [N, horizon, names]."""
        wide = np.zeros((*values.shape[:1], horizon, len(by.scaling.layout.columns))) + 1.0
        wide[..., of_first] = values[:, :horizon, own]
        return by.levels(wide)[..., of_first]

    for start in range(0, len(rows), TOGETHER):
        sources, references = rows.raws(range(start, min(start + TOGETHER, len(rows))))
        said = np.array([answer.values[0] for answer in predictor.predict(sources)])
        away = levels(said) - levels(scoring.truth(references))
        both = np.stack([away ** 2, np.abs(away)], axis=1).mean(axis=(2, 3))
        found.update(zip((float(source[-1, 0]) for source in sources), both))
        bar.advance(by=len(sources))
    bar.close()
    return found


def block_bootstrap(differences: np.ndarray, horizon: int, samples: int = SAMPLES,
                    seed: int = SEED) -> tuple[list[float], float]:
    """The middle 95 % of the mean, and twice how often it lies beyond 0, by circular blocks (Politis and Romano, 1992).

    Windows that overlap err alike, so whole blocks of them are drawn: as long as a window's forecast reaches.

    Args:
        differences: of each window [N], in the order of time.
        horizon: steps that a forecast reaches.
        samples, seed: of the bootstrap.

    Returns:
        the interval and p, two-sided: 1 where all differences are 0.
    """
    count = len(differences)
    block = min(max(horizon, round(count ** (1 / 3))), count)
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([differences, differences[:block]]))])
    starts = np.random.default_rng(seed).integers(0, count, (samples, -(-count // block)))
    means = (sums[starts + block] - sums[starts]).mean(axis=1) / block
    p_value = 2 * min((means <= 0).mean(), (means >= 0).mean())
    return [float(edge) for edge in np.quantile(means, [0.025, 0.975])], min(1.0, float(p_value))
