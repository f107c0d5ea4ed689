"""Recordings at the border of a phone file: samples in, a text out.

| signature | in | out |
|---|---|---|
| transcribe | waveform float32 [1, N] between -1 and 1, zeros behind the end | as `translate`, see tflite.py |
| prepare | the same | features float32 [1, F, M + 1], frames int32 [1] |
| encode | features | as there; a step is `audio.strides` frames |

N is `audio.max_seconds` at `audio.sample_rate`. A recording that fills all N samples is taken for the beginning of a longer one
and marked as truncated. Only as many frames as there are samples for are computed. The frames are `mel.log_mel`: nothing of the
model is written here again.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from export.phone_text import Read, Signatures
from keras_s2s import mel
from keras_s2s.media import arrays
from keras_s2s.sources.audio import AudioSource


class AudioInput:
    """A recording of at most N samples.

    Args:
        source: the model's source.
        max_bytes: of texts; nothing here.
    """

    def __init__(self, source: AudioSource, max_bytes: int):
        self.source = source
        self.samples = int(source.audio.max_seconds * source.audio.sample_rate)
        self.frames = int(mel.frames_of(self.samples, source.audio))
        self.steps = int(source.steps(self.frames))
        self.arguments = {"waveform": tf.TensorSpec([1, self.samples], tf.float32)}
        self.prepared = tf.TensorSpec([1, self.frames, source.audio.mels + 1], tf.float32, name="features")

    def feed(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """A recording as a host gives it to the file."""
        waveform = np.zeros((1, self.samples), np.float32)
        given = self.source.batch(arrays([raw]))[0, :self.samples]
        waveform[0, :len(given)] = given
        return {"waveform": waveform}

    def read(self, waveform: tf.Tensor) -> Read:
        return Read(self.source.prepare(waveform), tf.reduce_any(waveform != 0), waveform[0, -1] != 0)

    def real(self, prepared: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """The frames of so many steps."""
        return prepared[:, :tf.minimum(self.frames, steps * self.source.together)]

    def signatures(self) -> Signatures:
        return {"prepare": (self.prepare, self.arguments)}

    def prepare(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
        features = self.source.prepare(waveform)[0]
        count = tf.shape(features)[0]
        whole = tf.scatter_nd(tf.range(count)[:, None], features, [self.frames, features.shape[1]])
        return {"features": whole[None], "frames": count[None]}
