"""Proof that an exported file forecasts what the model forecasts.

Of series RUN/export/report.json has, beside what parity.py says of texts:

    {"keras": {"mse": 0.05, "mae": 0.17},                   of z-scores, on windows of the dev set
     "saved_model": {"identical": 250, "largest_difference": 0.0, "mse": .., "mse_difference": .., "mse_change": 0.0},
     "files": {"model-int8.tflite": {"identical": 0, "largest_difference": 0.01, "mse": .., "mse_change": 0.3, ...}}}

`identical` counts windows whose z-scores are all within 1e-4, `largest_difference` is of z-scores, `mse_change` in percent.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from export.proof import ParityError, Proof, quantiles
from export.tflite import Phone
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run
from keras_s2s.terminal import quiet

__all__ = ["ParityError", "SeriesProof"]

MOST = 500  # windows forecast
CLOSE = 1e-4  # of z-scores: float32 in another order of sums
MAX_CHANGE = 5.0  # percent of MSE that quantizing may cost


class SeriesProof(Proof):
    """Series: a file forecasts what Keras forecasts, to float32's rounding, within a few percent of MSE when quantized.

    Args:
        run, phone: see `Proof`.
        predictor: the run's model.
    """

    def __init__(self, run: Run, phone: Phone, predictor: Predictor):
        rows = run.rows("dev")
        self.sources, self.references = rows.raws(range(0, len(rows), -(-len(rows) // MOST)))
        super().__init__(run, phone, len(self.sources))
        self.scoring: Any = predictor.model.target.scoring
        self.input = phone.input
        self.keras = np.array([answer.values for answer in predictor.predict(self.sources)])
        self.tree["keras"] = self.errors(self.keras)

    def errors(self, values: np.ndarray) -> dict[str, float]:
        """MSE and MAE of forecasts [N, K, H, F]."""
        errors = self.scoring.levels(values[:, 0]) - self.scoring.levels(self.scoring.truth(self.references))
        return {"mse": float(np.mean(errors ** 2)), "mae": float(np.mean(np.abs(errors)))}

    def compare(self, values: np.ndarray) -> dict[str, Any]:
        """Forecasts beside Keras's."""
        away = np.abs(self.scoring.levels(values) - self.scoring.levels(self.keras)).reshape(len(values), -1).max(axis=1)
        found = self.errors(values)
        return {"identical": int((away <= CLOSE).sum()), "largest_difference": float(away.max()), **found,
                **{f"{name}_difference": value - self.tree["keras"][name] for name, value in found.items()},
                "mse_change": 100 * (found["mse"] / max(self.tree["keras"]["mse"], 1e-12) - 1)}

    def saved_model(self, predictor: Predictor) -> None:
        import tensorflow as tf

        verb = predictor.model.source.verb
        loaded: Any = tf.saved_model.load(str(self.served())).signatures[f"{verb}_n_best"]
        raw = predictor.model.source.signature.name
        parts = [loaded(**{raw: tf.constant(self.sources[i:i + 64])})["values"].numpy()
                 for i in range(0, len(self.sources), 64)]
        self.tree["saved_model"] = self.compare(np.concatenate(parts))

    def measure(self, path: Path) -> dict[str, Any]:
        values, milliseconds, load_ms = forecasts(path, map(self.input.feed, self.sources))
        return {**self.compare(values), "latency_ms": quantiles(milliseconds), "load_ms": round(load_ms, 2)}

    def problem(self, entry: dict[str, Any], quantize: str, max_drop: float) -> str:
        total = self.tree["fitting"]
        if quantize == "none" and entry["identical"] < total:
            return (f"float32 must forecast what Keras forecasts, to {CLOSE:g} of a z-score; {total - entry['identical']} of "
                    f"{total} windows differ, by up to {entry['largest_difference']:.2g}. That is a fault of the export: "
                    "please report it with the run's config.json.")
        if entry["mse_change"] > MAX_CHANGE:
            return (f"its MSE on the dev set is {entry['mse_change']:.1f} % above Keras's; at most {MAX_CHANGE:g} % is "
                    "allowed. Use --quantize float16.")
        return ""

    def summary(self, name: str, entry: dict[str, Any]) -> str:
        largest = f"{entry['largest_difference']:.2g}"
        return (f"{'exported' if entry['passed'] else 'refused'} {name} ({entry['bytes'] / 1e6:.2f} MB): {entry['identical']} "
                f"of {self.tree['fitting']} windows as Keras forecasts them, all within {largest} of a z-score, MSE "
                f"{entry['mse']:.4f} ({entry['mse_change']:+.2f} %), {entry['latency_ms']['median']:.1f} ms a window on one "
                "thread")


def forecasts(path: Path, sources: Iterable[dict[str, np.ndarray]]) -> tuple[np.ndarray, list[float], float]:
    """A file's answers [N, K, H, F] to windows as `SeriesInput.feed` gives them, milliseconds of each, and of loading."""
    from ai_edge_litert.interpreter import Interpreter

    begun = time.perf_counter()
    with quiet():
        forecast = Interpreter(str(path), num_threads=1).get_signature_runner("forecast")
    loaded = time.perf_counter()
    answers, milliseconds = list[np.ndarray](), list[float]()
    for given in sources:
        if not answers:
            forecast(**given)  # the first one warms up as well
        start = time.perf_counter()
        answers.append(forecast(**given)["values"])
        milliseconds.append(1e3 * (time.perf_counter() - start))
    return np.array(answers), milliseconds, 1e3 * (loaded - begun)
