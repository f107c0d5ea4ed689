"""Pictures as a source: pixels -> a grid of regions, each a vector -> read like the words of a sentence, line by line.

    uint8 [B, H, W, 3] --prepare--> float32 in [-1, 1] --convolutions--> [B, R, C, E] --rows after each other--> [B, R C, E]
"""

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

from keras_s2s import images
from keras_s2s.config import Config
from keras_s2s.files import write_whole
from keras_s2s.media import arrays
from keras_s2s.sources.base import Source

FILE = "source.json"


class ImageSource(Source):
    """Pictures of one size, seen by a small convolutional network that is trained with the rest.

    Each of `image.filters` is a convolution of 3 x 3 that halves the picture's sides, with a layer normalization (Ba et al.,
    2016), which unlike one over batches is the same in training and after it, and a ReLU. A region's vector says what is seen
    there and, by an embedding of its own, where (as in Xu et al., 2015, regions are what attention looks at).

    Args:
        config: the run's configuration.
    """

    signature = tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")
    verb, given = "caption", " photo.jpg"

    def __init__(self, config: Config):
        super().__init__(config)
        image = config.image
        self.signature = tf.TensorSpec([None, image.size, image.size, 3], tf.uint8, name=type(self).signature.name)
        self.side = math.ceil(image.size / 2 ** len(image.filters))  # regions of a row
        self.layers = [layer for number, filters in enumerate(image.filters, 1) for layer in (
            keras.layers.Conv2D(filters, 3, strides=2, padding="same", name=f"source_convolution_{number}",
                                kernel_initializer="he_normal"),
            keras.layers.LayerNormalization(name=f"source_normalization_{number}"),
            keras.layers.ReLU(name=f"source_relu_{number}"))]
        self.projection = keras.layers.Dense(config.model.embedding_dim, name="source_projection")
        self.places = keras.layers.Embedding(self.side ** 2, config.model.embedding_dim, name="source_places")

    @classmethod
    def decode(cls, content: bytes, config: Config) -> np.ndarray:
        return images.decode(content, config.image.size, config.image.fit)

    @classmethod
    def fit(cls, config: Config, raws: Iterable[Any]) -> Self:
        return cls(config)

    def save(self, folder: Path) -> None:
        write_whole(folder / FILE, json.dumps({"size": self.config.image.size, "regions": self.side ** 2}).encode())

    @classmethod
    def load(cls, config: Config, folder: Path) -> Self:
        if not (folder / FILE).is_file():
            raise ValueError(f"{folder / FILE} is not there: prepare the run again.")
        return cls(config)

    def like(self, other) -> bool:
        return isinstance(other, ImageSource) and self.config.image == other.config.image

    def summary(self) -> str:
        return f"pictures of {self.config.image.size} x {self.config.image.size} pixels, {self.side} x {self.side} regions"

    def labels(self, steps) -> list[str]:
        """Row and column of each region, from 1, the upper left first."""
        return [f"{i // self.side + 1},{i % self.side + 1}" for i in range(len(steps))]

    def names(self, prepared: np.ndarray, length: int) -> list[str]:
        return self.labels(range(length))

    def picture(self, raw: Any) -> dict[str, Any]:
        return {"png": base64.b64encode(images.to_png(arrays([raw])[0])).decode(), "grid": [self.side, self.side]}

    def batch(self, raws) -> np.ndarray:
        return np.stack(arrays(raws)) if len(raws) else np.zeros((0, *self.signature.shape[1:]), np.uint8)

    def counted(self, raws) -> np.ndarray:
        return np.full(len(raws), self.side ** 2, np.int32)

    def sizes(self, raws) -> np.ndarray:
        return np.full(len(raws), self.side ** 2, np.int64)

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """[B, H, W, 3] -> float32 in [-1, 1]; with a `seed` moved by a few pixels, and lighter or darker."""
        pixels = tf.cast(raw, tf.float32) / 127.5 - 1.0
        return pixels if seed is None else self.augmented(pixels, seed)

    def augmented(self, pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Moved by at most `image.shift` pixels, each picture otherwise; contrast and lightness changed by at most
        `image.jitter`. Never mirrored: left and right may be what the caption tells."""
        image, batch = self.config.image, tf.shape(pixels)[0]
        if image.shift:
            most, size = image.shift, image.size
            corner = tf.random.stateless_uniform([batch, 2], seed, 0, 2 * most + 1, tf.int32)
            padded = tf.pad(pixels, [[0, 0], [most, most], [most, most], [0, 0]], "SYMMETRIC")
            rows = tf.gather(padded, corner[:, :1] + tf.range(size), axis=1, batch_dims=1)
            pixels = tf.gather(rows, corner[:, 1:] + tf.range(size), axis=2, batch_dims=1)
        if image.jitter:
            change = tf.random.stateless_uniform([2, batch, 1, 1, 1], seed + 1, -image.jitter, image.jitter)
            pixels = tf.clip_by_value(pixels * (1 + change[0]) + change[1], -1.0, 1.0)
        return pixels

    def lengths(self, prepared: tf.Tensor) -> tf.Tensor:
        return tf.fill([tf.shape(prepared)[0]], self.side ** 2)

    def input(self) -> keras.KerasTensor:
        return keras.Input((self.config.image.size, self.config.image.size, 3), dtype="float32", name="source")

    def __call__(self, prepared):
        seen = prepared
        for layer in self.layers:
            seen = layer(seen)
        regions = self.projection(ops.reshape(seen, (-1, self.side ** 2, seen.shape[-1])))
        return regions + self.places(ops.arange(self.side ** 2))[None], ops.ones_like(regions[..., 0], dtype="bool")
