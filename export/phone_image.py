"""Pictures at the border of a phone file: pixels in.

| signature | in | out |
|---|---|---|
| caption, caption_beam | image uint8 [1, H, W, 3], red green blue | as `translate`, see tflite.py |
| prepare | the same | pixels float32 [1, H, W, 3] in [-1, 1]; with a frozen network its features [1, R, C, F] |
| encode | what prepare gives | as of text; S is the number of regions |

The app brings a picture to that size, with grey bars (127) at its sides where the run has `image.fit` letterbox.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from export.phone_text import Read, Signatures
from keras_s2s.media import arrays
from keras_s2s.sources.image import ImageSource


class ImageInput:
    """A picture.

    Args:
        source: the model's source.
        max_bytes: of texts; nothing here.
    """

    def __init__(self, source: ImageSource, max_bytes: int):
        self.source = source
        self.arguments = {"image": tf.TensorSpec([1, *source.signature.shape[1:]], tf.uint8)}
        shape, name = source.seeing.given
        self.prepared = tf.TensorSpec([1, *shape], tf.float32, name=name)
        self.steps = source.regions

    def feed(self, raw: Any) -> dict[str, np.ndarray]:
        """A raw source as a host gives it to the file: the arguments by name."""
        return {"image": arrays([raw])[0][None]}

    def read(self, image: tf.Tensor) -> Read:
        return Read(self.source.prepare(image), tf.constant(True), tf.constant(False))

    @staticmethod
    def real(prepared: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """All its regions are."""
        return prepared

    def signatures(self) -> Signatures:
        return {"prepare": (lambda image: {self.prepared.name: self.source.prepare(image)}, self.arguments)}
