"""Series as a source: a window of steps -> scaled values and the calendar -> vectors."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_s2s.config import Config
from keras_s2s.scaled import Scaled
from keras_s2s.scaling import Scaling, calendar, minutes
from keras_s2s.sources.base import Source


class SeriesSource(Scaled, Source):
    """Windows of W steps; a raw one is [W, 1 + F] float64: times (seconds since 1970, or numbers) and values.

    Args:
        config: the run's configuration.
        scaling: of all series that are read.
    """

    side = "source"
    signature = tf.TensorSpec([None, None, None], tf.float64, name="series")
    verb, given = "forecast", " --data new.csv --plot forecast.png"

    def __init__(self, config: Config, scaling: Scaling):
        super().__init__(config, scaling)
        self.signature = tf.TensorSpec([None, config.series.window, 1 + len(scaling.mean)], tf.float64, name="series")
        self.projection = keras.layers.Dense(config.model.embedding_dim, name="source_projection")

    def labels(self, steps) -> list[str]:
        """Steps before the forecast: -95, ..., 0."""
        return [str(i + 1 - len(steps)) for i in range(len(steps))]

    def sizes(self, raws) -> np.ndarray:
        return np.full(len(raws), self.config.series.window + self.config.series.horizon, np.int64)

    def last(self, raw: tf.Tensor) -> tf.Tensor:
        return raw[:, -1:]

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """[B, W, 1 + F] -> scaled values and calendar [B, W, F + 2 C] float32."""
        return self.steps(minutes(raw[..., 0]), raw[..., 1:])

    def steps(self, time: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Minutes [B, W] int32, values [B, W, F] of any float type -> what the model takes."""
        scaled = self.scaling.scaled(values, values[:, -1:])
        told = calendar(self.config.series.calendar, time)
        return scaled if told is None else tf.concat([scaled, told], axis=-1)

    def lengths(self, prepared: tf.Tensor) -> tf.Tensor:
        return tf.fill([tf.shape(prepared)[0]], tf.shape(prepared)[1])

    def input(self) -> keras.KerasTensor:
        series = self.config.series
        return keras.Input((series.window, len(self.scaling.mean) + 2 * len(series.calendar)), dtype="float32", name="source")

    def __call__(self, prepared):
        return self.projection(prepared), ops.ones_like(prepared[..., 0], dtype="bool")
