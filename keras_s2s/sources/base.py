"""The contract of a source: two halves and a signature.

    raw --prepare--> arrays --__call__--> vectors [B, S, E], mask [B, S]

`prepare` has no weights and is in-graph: it runs in tf.data while training and inside the SavedModel when serving.
`__call__` holds the weights and is part of the functional models.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_s2s.config import Config


class Source:
    """What a model reads.

    Args:
        config: the run's configuration.
    """

    signature: tf.TensorSpec  # of a batch of raw sources, such as strings [B]

    def __init__(self, config: Config):
        self.config = config

    @classmethod
    def fit(cls, config: Config, raws: Iterable[str]) -> Source:
        """Makes the source from the training corpus: learns its vocabulary, its scaling, ..."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Writes what `fit` learnt to the run's assets/."""
        raise NotImplementedError

    @classmethod
    def load(cls, config: Config, folder: Path) -> Source:
        """Reads what `save` wrote."""
        raise NotImplementedError

    def summary(self) -> str:
        """A few words for the terminal on what `fit` learnt."""
        raise NotImplementedError

    @property
    def resources(self) -> list[Any]:
        """What a SavedModel must carry for `prepare`: tables, models of tokenizers."""
        return []

    @property
    def embeddings(self) -> tuple[list[str], Any] | None:
        """Labels and vectors [V, E] of a vocabulary, for people to look at; None where there is none."""
        return None

    def labels(self, prepared: Any) -> list[str]:
        """Names of the steps of one prepared source, for alignments."""
        raise NotImplementedError

    @property
    def copied(self) -> bool:
        """Whether each step stands for a string that an answer may repeat."""
        return False

    def strings(self, raw: tf.Tensor) -> tf.Tensor:
        """Raw sources [B] -> what each step of `prepare` stands for, as strings [B, S]; only where `copied`."""
        raise NotImplementedError

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Raw sources [B] -> the arrays the model takes. A `seed` (int64 [2]) asks for training's augmentation, of which
        the result is then a pure function."""
        raise NotImplementedError

    def lengths(self, prepared: tf.Tensor) -> tf.Tensor:
        """Real steps of each prepared source: [B] int32."""
        raise NotImplementedError

    def trim(self, prepared: tf.Tensor) -> tf.Tensor:
        """Prepared sources without the steps that are padding in all of them, where there can be such steps."""
        return prepared

    def input(self) -> keras.KerasTensor:
        """The functional models' input for what `prepare` gives."""
        raise NotImplementedError

    def __call__(self, prepared) -> tuple[Any, Any]:
        """prepared -> vectors [B, S, E], mask [B, S] bool."""
        raise NotImplementedError
