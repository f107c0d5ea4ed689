"""Series as a target: taught on the values one step late, rolled out, shown as values in the series' own units."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_s2s.config import Config, Search
from keras_s2s.losses import series_loss
from keras_s2s.scaled import Scaled
from keras_s2s.scaling import Scaling, calendar, minutes
from keras_s2s.scoring.series import SeriesScoring
from keras_s2s.search import roll_out
from keras_s2s.targets.base import Target, Teaching


class Rolled(NamedTuple):
    """Forecasts as the model makes them."""

    values: tf.Tensor  # [B, H, F * Q] scaled
    last: tf.Tensor  # [B, 1, 1 + columns read], raw: what they go on from


class Forecast(NamedTuple):
    """The answer to one window: the line, then the other quantiles, rising."""

    values: np.ndarray  # [K, H, F] in the series' units
    levels: np.ndarray  # [K] of the quantiles

    @property
    def best(self) -> np.ndarray:
        return self.values[0]


class SeriesTarget(Scaled, Target):
    """The H steps after a window; a raw one is [1 + H, 1 + columns read] float64, its first step the last that is known.

        inputs   x0  x1 ... x(H-1)   scaled, and the calendar of the step to be forecast      weights  1 1 ... 1
        outputs  x1  x2 ... xH       scaled

    Args:
        config: the run's configuration.
        scaling: of all series that are read.
    """

    side = "target"
    signature = tf.TensorSpec([None, None, None], tf.float64, name="target_series")

    def __init__(self, config: Config, scaling: Scaling):
        super().__init__(config, scaling)
        series = config.series
        self.scaling, self.places = scaling.pick(series.targets)
        self.signature = tf.TensorSpec([None, 1 + series.horizon, 1 + len(scaling.mean)], tf.float64, name="target_series")
        self.quantiles = series.quantiles if series.loss == "quantiles" else (0.5,)
        self.middle = self.quantiles.index(0.5)
        self.embedding = keras.layers.Dense(config.model.embedding_dim, name="target_embedding")
        self.projection = keras.layers.Dense(len(self.places) * len(self.quantiles), dtype="float32", name="projection")
        self.scoring = SeriesScoring().of(self.scaling, self.places, self.quantiles)

    def labels(self, steps) -> list[str]:
        """Steps after the last known: +1, ..., +H."""
        return [f"+{i + 1}" for i in range(len(steps))]

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> Teaching:
        values = tf.gather(raw[..., 1:], self.places, axis=-1)
        scaled = self.scaling.scaled(values, values[:, :1])
        before = scaled[:, :-1] if self.config.series.feedback else tf.repeat(scaled[:, :1], tf.shape(scaled)[1] - 1, axis=1)
        told = calendar(self.config.series.calendar, minutes(raw[:, 1:, 0]))
        inputs = before if told is None else tf.concat([before, told], axis=-1)
        return Teaching(inputs, scaled[:, 1:], tf.ones_like(scaled[:, 1:, 0]))

    def input(self) -> keras.KerasTensor:
        return keras.Input((None, len(self.places) + 2 * len(self.config.series.calendar)), dtype="float32", name="target_in")

    def embed(self, inputs):
        return self.embedding(inputs)

    def project(self, outputs):
        return self.projection(outputs)

    def line(self, logits):
        """What is forecast, of all that is projected: logits [..., F * Q] -> [..., F]."""
        return self._by_quantile(logits)[..., self.middle]

    def _by_quantile(self, logits):
        lead = [tf.shape(logits)[i] if size is None else size for i, size in enumerate(logits.shape[:-1])]
        return tf.reshape(logits, [*lead, len(self.places), len(self.quantiles)])

    def loss(self, outputs, logits, weights):
        loss = series_loss(outputs, self._by_quantile(logits), weights, self.config.series.loss, self.quantiles)
        return loss, loss

    def mean(self, logits):
        return tf.add_n(list(logits)) / len(logits)

    def divergence(self, one, other, weights):
        return tf.reduce_mean((one - other) ** 2, axis=-1) * weights

    def accuracy(self, outputs, logits):
        """The share of values that are nearer to the truth than 0, which is the last value known, or the mean."""
        return tf.reduce_mean(tf.cast(tf.abs(self.line(logits) - outputs) < tf.abs(outputs), tf.float32), axis=-1)

    def next_input(self, logits, following):
        if not self.config.series.feedback:
            return following
        return tf.concat([self.line(logits), following[..., len(self.places):]], axis=-1)

    def beams(self, settings: Search) -> int:
        return 1

    def search(self, step, state, memory, source_lengths: tf.Tensor, settings: Search, seed: tf.Tensor,
               gaps: bool = False, last: Any = None, listed: Any = None) -> Rolled:
        """Rolls the forecast out from the last raw step [B, 1, 1 + columns read]."""
        ahead = tf.range(1, self.config.series.horizon + 1)[None]
        times = last[..., 0] + tf.cast(ahead, last.dtype) * tf.constant(self.scaling.layout.step, last.dtype)
        return Rolled(self.roll(step, state, memory, last[..., 1:], minutes(times)), last)

    def roll(self, step, state, memory, last: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
        """From the last values [B, 1, columns read] and the minutes [B, H] to be forecast -> scaled values [B, H, F * Q]."""
        values = tf.gather(last, self.places, axis=-1)
        first = self.scaling.scaled(values, values)[:, 0]
        told = calendar(self.config.series.calendar, times)

        def advance(values, state):
            t, state = state
            given = self.line(values) if self.config.series.feedback else first
            inputs = given if told is None else tf.concat([given, tf.gather(told, t, axis=1)], axis=-1)
            values, state = step(inputs, state, memory)
            return values, [t + 1, state]

        return roll_out(advance, tf.repeat(first, len(self.quantiles), axis=-1), [tf.constant(0), state],
                        self.config.series.horizon)

    def values(self, scaled: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        """Scaled [B, H, F * Q], the last values [B, 1, columns read] -> [B, K, H, F]: the line, then the other quantiles."""
        ordered = tf.sort(self._by_quantile(scaled), axis=-1) if len(self.quantiles) > 1 else self._by_quantile(scaled)
        known = tf.gather(last, self.places, axis=-1)
        order = [self.middle, *(i for i in range(len(self.quantiles)) if i != self.middle)]
        return tf.stack([self.scaling.unscaled(ordered[..., i], known) for i in order], axis=1)

    @property
    def levels(self) -> list[float]:
        """The quantiles in the order of `values`."""
        return [0.5, *(level for level in self.quantiles if level != 0.5)]

    def render(self, found: Rolled, copied: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        values = self.values(found.values, found.last[..., 1:])
        return {"values": values, "level": tf.tile(tf.constant([self.levels]), [tf.shape(values)[0], 1])}

    def answers(self, rendered: dict[str, Any], settings: Search) -> list[Forecast]:
        return [Forecast(values, levels) for values, levels in zip(rendered["values"], rendered["level"])]
