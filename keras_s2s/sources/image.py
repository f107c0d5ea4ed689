"""Pictures as a source: pixels -> a grid of regions, each a vector -> read like the words of a sentence, line by line.

    uint8 [B, H, W, 3] --prepare--> float32 --seeing.py--> [B, R, C, F] --rows after each other--> [B, R C, E]
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
from keras_s2s.seeing import Backbone, Convolutions, of_config
from keras_s2s.sources.base import Source

FILE = "source.json"


class ImageSource(Source):
    """Pictures of one size. A region's vector says what is seen there and, by an embedding of its own, where (as in Xu et al.,
    2015, regions are what attention looks at).

    Args:
        config: the run's configuration.
        seeing: what makes regions of a picture; by default as the configuration says.
    """

    signature = tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")
    verb, given = "caption", " photo.jpg"

    def __init__(self, config: Config, seeing: Convolutions | Backbone | None = None):
        super().__init__(config)
        self.seeing, size = seeing or of_config(config), config.image.size
        self.regions = math.prod(self.seeing.grid)
        self.signature = tf.TensorSpec([None, size, size, 3], tf.uint8, name=type(self).signature.name)
        self.projection = keras.layers.Dense(config.model.embedding_dim, name="source_projection")
        self.places = Places(name="source_places")

    @classmethod
    def decode(cls, content: bytes, config: Config) -> np.ndarray:
        return images.decode(content, config.image.size, config.image.fit)

    @classmethod
    def fit(cls, config: Config, raws: Iterable[Any]) -> Self:
        return cls(config, of_config(config))

    def save(self, folder: Path) -> None:
        self.seeing.save(folder)
        write_whole(folder / FILE, json.dumps({"weights": self.seeing.digest}).encode())

    @classmethod
    def load(cls, config: Config, folder: Path) -> Self:
        if not (folder / FILE).is_file():
            raise ValueError(f"{folder / FILE} is not there: prepare the run again.")
        return cls(config, of_config(config, folder))

    def like(self, other) -> bool:
        return isinstance(other, ImageSource) and (
            self.config.image, self.seeing.digest) == (other.config.image, other.seeing.digest)

    @property
    def resources(self) -> list[Any]:
        return [*self.seeing.variables]

    @property
    def variables(self) -> tuple[Any, ...]:
        return self.seeing.variables

    @property
    def stored(self) -> tf.TensorSpec:
        return self.seeing.stored or self.signature

    def cached(self, rows: Any) -> Any:
        return self.seeing.cached(rows)

    def summary(self) -> str:
        rows, columns = self.seeing.grid
        return (f"pictures of {self.config.image.size} x {self.config.image.size} pixels, {rows} x {columns} regions"
                + (f" of {self.config.image.backbone}, frozen" if self.config.image.backbone else ""))

    def labels(self, steps) -> list[str]:
        """Row and column of each region, from 1, the upper left first."""
        return [f"{i // self.seeing.grid[1] + 1},{i % self.seeing.grid[1] + 1}" for i in range(len(steps))]

    def names(self, prepared: np.ndarray, length: int) -> list[str]:
        return self.labels(range(length))

    def picture(self, raw: Any) -> dict[str, Any]:
        return {"png": base64.b64encode(images.to_png(arrays([raw])[0])).decode(), "grid": list(self.seeing.grid)}

    def batch(self, raws) -> np.ndarray:
        return np.stack(arrays(raws)) if len(raws) else np.zeros((0, *self.signature.shape[1:]), np.uint8)

    def counted(self, raws) -> np.ndarray:
        return np.full(len(raws), self.regions, np.int32)

    def sizes(self, raws) -> np.ndarray:
        return np.full(len(raws), self.regions, np.int64)

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """[B, H, W, 3] -> float32: pixels, with a `seed` augmented, or a frozen network's features; see seeing.py."""
        return self.seeing.prepare(raw, seed)

    def lengths(self, prepared: tf.Tensor) -> tf.Tensor:
        return tf.fill([tf.shape(prepared)[0]], self.regions)

    def input(self) -> keras.KerasTensor:
        return keras.Input(self.seeing.given[0], dtype="float32", name="source")

    def __call__(self, prepared):
        seen = self.seeing(prepared)
        regions = self.projection(ops.reshape(seen, (-1, self.regions, seen.shape[-1])))
        return self.places(regions), ops.ones_like(regions[..., 0], dtype="bool")


@keras.saving.register_keras_serializable("keras_s2s")
class Places(keras.layers.Layer):
    """Adds to each region a vector of its own, which says where it is: [B, S, E] -> [B, S, E]."""

    def build(self, shape) -> None:
        first = keras.initializers.RandomNormal(stddev=0.05)
        self.vectors = self.add_weight(shape=shape[1:], initializer=first, name="vectors")
        self.built = True

    def call(self, regions):
        return regions + ops.cast(self.vectors, regions.dtype)
