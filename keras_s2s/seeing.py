"""What makes regions of a picture: convolutions that are trained with the rest, or a frozen network that others trained.

Either is a class with the same members; `of_config` chooses. A frozen network's features are always the same, so they are made
once for each set and kept as data/NAME.features.npy, in half precision: 100 kB a picture of 224 pixels with MobileNetV2.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_s2s.config import Config, require
from keras_s2s.files import write_whole
from keras_s2s.media import FileRows
from keras_s2s.terminal import Bar

WEIGHTS = "backbone.weights.h5"
TOGETHER = 32  # pictures that a frozen network looks at together
KEPT = np.float16


class Convolutions:
    """A small network that learns with the rest. Each of `image.filters` is a convolution of 3 x 3 that halves the sides, a
    layer normalization (Ba et al., 2016), which unlike one over batches is the same in training and after it, and a ReLU.

    Call: pixels [B, H, W, 3] in [-1, 1] -> [B, R, C, F].

    Attributes:
        grid: (R, C), regions from above to below and from left to right.
        given: what `prepare` makes of a picture, its shape and its name.
        stored: of what training reads in the place of pictures; None where it reads those.
        variables: weights that `prepare` uses.
        digest: of those.
    """

    stored: tf.TensorSpec | None = None
    variables: tuple[Any, ...] = ()
    digest = ""

    def __init__(self, config: Config):
        self.image = image = config.image
        side = math.ceil(image.size / 2 ** len(image.filters))
        self.grid, self.given = (side, side), ((image.size, image.size, 3), "pixels")
        self.layers = [layer for number, filters in enumerate(image.filters, 1) for layer in (
            keras.layers.Conv2D(filters, 3, strides=2, padding="same", name=f"source_convolution_{number}",
                                kernel_initializer="he_normal"),
            keras.layers.LayerNormalization(name=f"source_normalization_{number}"),
            keras.layers.ReLU(name=f"source_relu_{number}"))]

    def save(self, folder: Path) -> None:
        """There is nothing but what is trained."""

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """uint8 [B, H, W, 3] -> float32 in [-1, 1]; with a `seed` moved by a few pixels, and lighter or darker."""
        pixels = tf.cast(raw, tf.float32) / 127.5 - 1.0
        return pixels if seed is None else self.augmented(pixels, seed)

    def augmented(self, pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Moved by at most `image.shift` pixels, each picture otherwise; contrast and lightness changed by at most
        `image.jitter`. Never mirrored: left and right may be what the caption tells."""
        image, batch = self.image, tf.shape(pixels)[0]
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

    def cached(self, rows: FileRows) -> FileRows:
        """The rows as training reads them: as they are."""
        return rows

    def __call__(self, prepared: Any) -> Any:
        for layer in self.layers:
            prepared = layer(prepared)
        return prepared


class Backbone:
    """A network of keras.applications without its top, as it was trained elsewhere; it looks in `prepare` and learns nothing.

    Args:
        config: its `image` names the network.
        weights: a file of its weights.

    Call: features [B, R, C, F] -> the same, normalized. Attributes: as of `Convolutions`.

    Raises:
        ValueError: the file is not of such weights.
    """

    def __init__(self, config: Config, weights: Path):
        self.image = image = config.image
        make = getattr(keras.applications, image.backbone)
        self.module = getattr(keras.applications, make.__module__.rpartition(".")[2])  # which has its preprocessing
        try:
            self.network = make(include_top=False, weights=None, input_shape=(image.size, image.size, 3), name="backbone")
        except ValueError as error:
            raise ValueError(f"`image.size` {image.size} is too small for {image.backbone}: {error}") from None
        self.network.trainable = False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of lists that hold no weights of their own
                self.network.load_weights(weights)
        except (ValueError, OSError, KeyError, TypeError) as error:
            why = " ".join(str(error).split())[:200]
            raise ValueError(f"`image.weights` must be weights of {image.backbone} without its top (include_top=False), as "
                             f".keras, .weights.h5 or .h5; {str(weights)!r} is not: {why}") from None
        _, *shape = self.network.output_shape
        self.grid, self.given = (shape[0], shape[1]), (tuple(shape), "features")
        self.stored = tf.TensorSpec([None, *shape], KEPT, name="features")
        self.variables = tuple(self.network.variables)
        self.digest = hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in self.network.get_weights())).hexdigest()
        self.normalization = keras.layers.LayerNormalization(name="source_normalization")

    def save(self, folder: Path) -> None:
        """Writes its weights, so that the run needs the file no more."""
        with tempfile.TemporaryDirectory() as scratch:
            self.network.save_weights(Path(scratch) / WEIGHTS)
            with open(Path(scratch) / WEIGHTS, "rb") as file:
                write_whole(folder / WEIGHTS, lambda output: shutil.copyfileobj(file, output))

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """uint8 [B, H, W, 3], or features as they are kept -> features float32 [B, R, C, F]. There is no augmentation: a `seed`
        changes nothing."""
        if raw.dtype == KEPT:
            return tf.cast(raw, tf.float32)
        return tf.cast(self.network(self.module.preprocess_input(tf.cast(raw, tf.float32)), training=False), tf.float32)

    def cached(self, rows: FileRows) -> FileRows:
        """The rows with features in the place of pictures, which are made now unless they are there."""
        path = rows.path.with_suffix(".features.npy")
        of = hashlib.sha256(self.digest.encode() + rows.digests.tobytes()).hexdigest()
        if not _is_of(path, of):
            write_whole(path, lambda output: self._write(output, rows))
            write_whole(path.with_suffix(".json"), json.dumps({"of": of, "is": _digest(path)}).encode())
        return FeatureRows(rows.path, np.load(path, mmap_mode="r"))

    def _write(self, output: Any, rows: FileRows) -> None:
        look, count = tf.function(self.prepare, reduce_retracing=True), len(rows.digests)
        most = np.finfo(KEPT).max
        np.lib.format.write_array_header_1_0(output, {
            "descr": np.lib.format.dtype_to_descr(np.dtype(KEPT)), "fortran_order": False, "shape": (count, *self.given[0])})
        bar = Bar(f"{self.image.backbone} on {rows.path.stem}", count, unit=" pictures")
        for start in range(0, count, TOGETHER):
            some = [rows.array(item) for item in range(start, min(start + TOGETHER, count))]
            output.write(look(tf.constant(np.stack(some))).numpy().clip(-most, most).astype(KEPT).tobytes())
            bar.advance(by=len(some))
        bar.close()

    def __call__(self, prepared: Any) -> Any:
        return self.normalization(prepared)


class FeatureRows(FileRows):
    """Pairs whose pictures training reads as features [R, C, F]; everything else is as in `FileRows`.

    Args:
        path: of those.
        features: [files, R, C, F].
    """

    def __init__(self, path: Path, features: np.ndarray):
        super().__init__(path)
        self.features = features

    def read(self, indices: Iterable[int]) -> tuple[list[np.ndarray], list[bytes]]:
        rows = [int(row) for row in indices]
        return [self.features[self.items[row]] for row in rows], [self.texts[row][1] for row in rows]


def of_config(config: Config, folder: Path | None = None) -> Convolutions | Backbone:
    """What a configuration sees with; a frozen network from the run's assets/ in `folder`, or as the user has it.

    Raises:
        ValueError: its weights are not there, or are no such weights.
    """
    if not config.image.backbone:
        return Convolutions(config)
    if folder is not None:
        require((folder / WEIGHTS).is_file(), f"the run must have {folder / WEIGHTS}; it has not. Copy the run again.")
        return Backbone(config, folder / WEIGHTS)
    config.image.require_weights()
    return Backbone(config, Path(config.image.weights).expanduser())


def _is_of(path: Path, of: str) -> bool:
    """Whether the features at `path` are whole, and of what they should be."""
    try:
        told = json.loads(path.with_suffix(".json").read_bytes())
        return told == {"of": of, "is": _digest(path)}
    except (OSError, ValueError):
        return False


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
