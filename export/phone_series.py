"""Series at the border of a phone file: a window of numbers in, the forecast out, in the series' own units.

| signature | in | out |
|---|---|---|
| forecast | values float32 [1, W, F], and time int32 [1, W] | values float32 [K, H, F'], level float32 [K] |
| prepare | the same | steps float32 [1, W, F + 2 C] |
| encode | steps | state_h_1, state_c_1, ... float32 [1, U]; with attention outputs [1, W, U], mask int32 [1, W] |
| decode_step | given float32 [1, F' + 2 C], the states (outputs, mask) | logits float32 [1, F' Q], the states |

`time`, minutes since 1970 UTC, is there where the run uses the calendar. The first of the K answers is the line, the others
are the band's quantiles, rising; `level` says which they are. Scaling and calendar are `scaling.Scaling`, the loop is
`search.roll_out`: nothing of the model is written here again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from export.phone_text import Signatures
from keras_s2s.config import Search
from keras_s2s.encoder import Encoded
from keras_s2s.model import EncoderDecoder
from keras_s2s.sources.series import SeriesSource
from keras_s2s.targets.series import SeriesTarget


class Read(NamedTuple):
    """A window as it came over the border."""

    prepared: tf.Tensor  # [1, W, F + 2 C]
    time: tf.Tensor  # [1, W] int32 minutes; 0 where there is no calendar
    values: tf.Tensor  # [1, W, F] float32

    @property
    def given(self) -> tf.Tensor:
        """There is always something to go on from."""
        return tf.constant(True)

    @property
    def truncated(self) -> tf.Tensor:
        """A window is whole."""
        return tf.constant(False)


class SeriesInput:
    """A window of W steps.

    Args:
        source: the model's source.
        max_bytes: of texts; nothing here.
    """

    def __init__(self, source: SeriesSource, max_bytes: int):
        self.source = source
        series, count = source.config.series, len(source.scaling.mean)
        self.arguments = {"values": tf.TensorSpec([1, series.window, count], tf.float32)}
        if series.calendar:
            self.arguments["time"] = tf.TensorSpec([1, series.window], tf.int32)
        self.prepared = tf.TensorSpec([1, *source.input().shape[1:]], tf.float32, name="steps")
        self.steps = series.window

    def feed(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """A window [W, 1 + F] as a host gives it to the file."""
        given = {"values": raw[None, :, 1:].astype(np.float32), "time": np.floor(raw[None, :, 0] / 60).astype(np.int32)}
        return {name: given[name] for name in self.arguments}

    def read(self, values: tf.Tensor, time: tf.Tensor | None = None) -> Read:
        time = tf.zeros(values.shape[:2], tf.int32) if time is None else time
        return Read(self.source.steps(time, values), time, values)

    @staticmethod
    def real(prepared: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """All its steps are."""
        return prepared

    def signatures(self) -> Signatures:
        return {"prepare": (lambda **given: {"steps": self.read(**given).prepared}, self.arguments)}


class SeriesOutput:
    """H steps of K lines.

    Args:
        target: the model's target.
        max_bytes, width: of texts; nothing here.
    """

    def __init__(self, target: SeriesTarget, max_bytes: int, width: int):
        self.target = target
        self.given = tf.TensorSpec([1, target.input().shape[2]], tf.float32, name="given")

    def answer(self, model: EncoderDecoder, encoded: Encoded, read: Read, search: Search) -> dict[str, tf.Tensor]:
        """Rolls out and scales back."""
        target, last = self.target, read.values[:, -1:]
        ahead = np.arange(1, target.config.series.horizon + 1) * target.scaling.layout.step / 60
        times = read.time[:, -1:] + tf.constant(np.floor(ahead).astype(np.int32)[None])
        values = target.values(target.roll(model.step, encoded.state, model.remember(encoded), last, times), last)
        return {"values": values[0], "level": tf.constant(target.levels)}

    def signatures(self) -> Signatures:
        return {}
