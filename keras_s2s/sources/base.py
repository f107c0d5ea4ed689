"""The contract of a source: two halves and a signature.

    raw --prepare--> arrays --__call__--> vectors [B, S, E], mask [B, S]

`prepare` has no weights and is in-graph: it runs in tf.data while training and inside the SavedModel when serving.
`__call__` holds the weights and is part of the functional models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_s2s.config import Config
from keras_s2s.kinds import Kind


class Source(Kind):
    """What a model reads.

    Args:
        config: the run's configuration.
    """

    verb = "translate"  # what answering is called, in an export's signatures

    @property
    def command(self) -> str:
        """What the command that answers is called."""
        return self.verb

    given = ""  # what the command of that name is given, for those who do not know it

    @classmethod
    def decode(cls, content: bytes, config: Config) -> np.ndarray:
        """The bytes of a file -> what is kept of it, always of one type and rank; only where sources lie in files.

        Raises:
            Rejected: it is not what it should be, broken, too long.
        """
        raise ValueError("this run reads no files")

    @property
    def stored(self) -> tf.TensorSpec:
        """Of a batch of what training reads: raws, or what `cached` puts in their place, which `prepare` takes as well."""
        return self.signature

    def cached(self, rows: Any) -> Any:
        """The rows of a set as training reads them. What is costly and always the same is made once, and kept beside them."""
        return rows

    @property
    def variables(self) -> Sequence[Any]:
        """Weights that `prepare` uses, which are no part of the models and learn nothing."""
        return ()

    def counted(self, raws: Any) -> np.ndarray | None:
        """What `lengths` would give for raw sources [N] int32, where that is known without preparing them."""
        return None

    def sizes(self, raws: Any) -> np.ndarray:
        """About how much work each raw source is [N] int64, for batches of like ones; 0 where there is nothing to answer."""
        raise NotImplementedError

    @property
    def copied(self) -> bool:
        """Whether each step stands for a string that an answer may repeat."""
        return False

    def strings(self, raw: tf.Tensor) -> tf.Tensor:
        """Raw sources [B] -> what each step of `prepare` stands for, as strings [B, S]; only where `copied`."""
        raise NotImplementedError

    def last(self, raw: tf.Tensor) -> tf.Tensor | None:
        """What an answer goes on from: the last raw step of each source; None where an answer is a thing of its own."""
        return None

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Raw sources [B] -> the arrays the model takes. A `seed` (int64 [2]) asks for training's augmentation, of which
        the result is then a pure function."""
        raise NotImplementedError

    def lengths(self, prepared: tf.Tensor) -> tf.Tensor:
        """Real steps of each prepared source, as the encoder will read it: [B] int32."""
        raise NotImplementedError

    def names(self, prepared: np.ndarray, length: int) -> list[str]:
        """Labels of the steps of one prepared source that has so many."""
        return self.labels(prepared[:length])

    def picture(self, raw: Any) -> dict[str, Any] | None:
        """What a raw source looks like, as a map of attention is laid over it: {"png": base64, "grid": [R, C]}, whose R x C
        parts are the steps, row by row; None where it is nothing to look at."""
        return None

    def trim(self, prepared: tf.Tensor) -> tf.Tensor:
        """Prepared sources without the steps that are padding in all of them, where there can be such steps."""
        return prepared

    def input(self) -> keras.KerasTensor:
        """The functional models' input for what `prepare` gives."""
        raise NotImplementedError

    def __call__(self, prepared) -> tuple[Any, Any]:
        """prepared -> vectors [B, S, E], mask [B, S] bool; S may be less than what `prepare` gives."""
        raise NotImplementedError
