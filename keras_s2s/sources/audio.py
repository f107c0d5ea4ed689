"""Recordings as a source: samples -> log-mel frames -> convolutions that take several frames to a step -> vectors."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_s2s import images, mel, wav
from keras_s2s.config import Config
from keras_s2s.files import write_whole
from keras_s2s.media import arrays
from keras_s2s.sources.base import Source

FILE = "source.json"
SHOWN = (10, 99.5)  # percentiles of what is white and what is black in a picture
FLATTEST = 0.1  # of a band's standard deviation, in nats


class AudioSource(Source):
    """Recordings of one channel; a raw one is int16, or float32 between -1 and 1, [N] at `audio.sample_rate`.

    A recording ends with its last sample that is not 0, so zeros behind it change nothing. What `prepare` gives has one feature
    more than there are bands, which is 1 in each real frame.

    Args:
        config: the run's configuration.
        mean, std: of each band over the training recordings [M].
        files: how many those were.
    """

    signature = tf.TensorSpec([None, None], tf.float32, name="waveform")
    verb, given = "transcribe", " recording.wav"
    learnt_from = 2000

    def __init__(self, config: Config, mean: np.ndarray, std: np.ndarray, files: int):
        super().__init__(config)
        self.audio, self.mean, self.std, self.files = config.audio, mean, std, files
        self.together = math.prod(self.audio.strides)  # frames to a step
        width = config.model.embedding_dim
        self.convolutions = [keras.layers.Conv1D(width, self.audio.kernel, stride, name=f"source_convolution_{i}")
                             for i, stride in enumerate(self.audio.strides, 1)]
        self.norms = [keras.layers.LayerNormalization(name=f"source_norm_{i + 1}") for i in range(len(self.convolutions))]
        rate = config.model.input_dropout
        self.dropout = keras.layers.Dropout(rate, name="source_dropout") if rate else None

    @classmethod
    def decode(cls, content: bytes, config: Config) -> np.ndarray:
        return wav.decode(content, config.audio)

    @classmethod
    def fit(cls, config: Config, raws: Iterable[Any]) -> Self:
        audio, count, files = config.audio, 0, 0
        sums = np.zeros((2, audio.mels))

        @tf.function(input_signature=[cls.signature])
        def frames(samples):
            return mel.log_mel(samples, audio, mel.frames_of(tf.shape(samples)[1], audio))[0]

        for raw in raws:
            found = frames(floats(raw)[None]).numpy().astype(np.float64)
            sums += found.sum(axis=0), (found ** 2).sum(axis=0)
            count, files = count + len(found), files + 1
        mean = sums[0] / max(1, count)
        std = np.sqrt(np.maximum(sums[1] / max(1, count) - mean ** 2, FLATTEST ** 2))
        return cls(config, mean.astype(np.float32), std.astype(np.float32), files)

    def save(self, folder: Path) -> None:
        tree = {"mean": self.mean.tolist(), "std": self.std.tolist(), "files": self.files}
        write_whole(folder / FILE, (json.dumps(tree, indent=1) + "\n").encode())

    @classmethod
    def load(cls, config: Config, folder: Path) -> Self:
        try:
            tree = json.loads((folder / FILE).read_text(encoding="utf-8"))
            mean, std = (np.array(tree[name], np.float32) for name in ("mean", "std"))
            if mean.shape != (config.audio.mels,) or std.shape != mean.shape:
                raise ValueError(f"it must tell of {config.audio.mels} bands (audio.mels)")
            return cls(config, mean, std, int(tree["files"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{folder / FILE} cannot be read: {error}. Copy the whole run directory again.") from None

    def like(self, other) -> bool:
        return isinstance(other, AudioSource) and self.audio == other.audio and all(
            np.array_equal(one, two) for one, two in ((self.mean, other.mean), (self.std, other.std)))

    def summary(self) -> str:
        audio = self.audio
        return (f"{audio.mels} bands of {1e3 * audio.window:g} ms every {1e3 * audio.hop:g} ms at {audio.sample_rate:,} Hz, "
                f"a step every {1e3 * audio.hop * self.together:g} ms; means of {self.files:,} files")

    def labels(self, steps) -> list[str]:
        """When each step begins, in seconds."""
        return [f"{i * self.together * self.audio.hop:.2f}" for i in range(len(steps))]

    def names(self, prepared: np.ndarray, length: int) -> list[str]:
        return self.labels(range(length))

    def picture(self, raw: Any) -> dict[str, Any]:
        """The spectrum, high above low, the louder the darker."""
        frames = self.prepare(tf.constant(self.batch([raw])))[0, :, :-1].numpy()
        frames = np.pad(frames, [[0, -len(frames) % self.together], [0, 0]], constant_values=frames.min())
        softest, loudest = np.percentile(frames, SHOWN)
        grey = 255 * (1 - np.clip((frames - softest) / max(loudest - softest, FLATTEST), 0, 1))
        pixels = np.repeat(grey.T[::-1, :, None], 3, axis=2).astype(np.uint8)
        return {"png": base64.b64encode(images.to_png(pixels)).decode(), "grid": [1, len(frames) // self.together]}

    def batch(self, raws) -> np.ndarray:
        """Recordings [N] -> float32 [B, the longest N], zeros behind their ends."""
        made = [floats(raw) for raw in arrays(raws)]
        result = np.zeros((len(made), max((len(one) for one in made), default=1) or 1), np.float32)
        for row, one in zip(result, made):
            row[:len(one)] = one
        return result

    def counted(self, raws) -> np.ndarray:
        ends = [int(np.flatnonzero(one)[-1]) + 1 if one.any() else 0 for one in arrays(raws)]
        return self.steps(mel.frames_of(np.array(ends, np.int64), self.audio)).astype(np.int32)

    def sizes(self, raws) -> np.ndarray:
        return self.counted(raws).astype(np.int64)

    def steps(self, frames: Any) -> Any:
        """Steps that the encoder reads of so many frames."""
        return (frames + self.together - 1) // self.together

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """[B, N] -> scaled log-mel frames and whether each is real [B, F, M + 1]; F is at least 1."""
        if seed is not None:
            raw = mel.disturbed(raw, self.audio, seed)
        lengths = mel.frames_of(mel.ends(raw), self.audio)
        longest = tf.maximum(1, tf.reduce_max(lengths))
        features = (mel.log_mel(raw, self.audio, longest) - self.mean) / self.std
        if seed is not None:
            features = mel.masked(features, lengths, self.audio, seed)
        real = tf.cast(tf.range(longest)[None] < lengths[:, None], tf.float32)[:, :, None]
        return tf.concat([features * real, real], axis=2)

    def lengths(self, prepared: tf.Tensor) -> tf.Tensor:
        return self.steps(tf.reduce_sum(tf.cast(prepared[:, :, -1] > 0, tf.int32), axis=1))

    def trim(self, prepared: tf.Tensor) -> tf.Tensor:
        frames = tf.reduce_sum(tf.cast(prepared[:, :, -1] > 0, tf.int32), axis=1)
        return prepared[:, :tf.maximum(1, tf.reduce_max(frames))]

    def input(self) -> keras.KerasTensor:
        return keras.Input((None, self.audio.mels + 1), dtype="float32", name="source")

    def __call__(self, prepared):
        vectors, real = prepared, prepared[:, :, -1:]
        for convolution, norm, stride in zip(self.convolutions, self.norms, self.audio.strides):
            # So padded there are as many steps as strides, each in its place, however much padding follows the end.
            vectors = ops.pad(vectors, [[0, 0], [self.audio.kernel - stride, stride - 1], [0, 0]])
            real = real[:, ::stride]
            vectors = ops.relu(norm(convolution(vectors))) * ops.cast(real, convolution.compute_dtype)
        if self.dropout is not None:
            vectors = self.dropout(vectors)
        return vectors, ops.greater(real[:, :, 0], 0)


def floats(raw: Any) -> np.ndarray:
    """A recording as float32 between -1 and 1."""
    raw = np.asarray(raw)
    return raw.astype(np.float32) / 32768 if raw.dtype.kind in "iu" else raw.astype(np.float32)
