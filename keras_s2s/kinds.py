"""What every kind of source and target does: it learns from the training corpus, is kept in the run, and says what it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import tensorflow as tf

from keras_s2s.config import Config


class Kind:
    """What a source and a target have in common.

    Args:
        config: the run's configuration.
    """

    learnt_from = 1_000_000  # raws, evenly spaced, that `fit` is given at most
    signature: tf.TensorSpec  # of a batch [B, ...] of what `batch` makes of raws, such as strings [B]

    def __init__(self, config: Config):
        self.config = config

    @classmethod
    def fit(cls, config: Config, raws: Iterable[Any]) -> Self:
        """Makes it from the training corpus, of which `raws` are what `Rows.learnable` gives: learns a vocabulary, a scale."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Writes what `fit` learnt to the run's assets/."""
        raise NotImplementedError

    @classmethod
    def load(cls, config: Config, folder: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            ValueError: it is not there.
        """
        raise NotImplementedError

    def summary(self) -> str:
        """A few words for the terminal on what `fit` learnt."""
        raise NotImplementedError

    def like(self, other: Kind) -> bool:
        """Whether the other one makes the same steps of the same raws, so that two models may answer together."""
        raise NotImplementedError

    @property
    def resources(self) -> list[Any]:
        """What a SavedModel must carry: tables, models of tokenizers."""
        return []

    @property
    def embeddings(self) -> tuple[list[str], Any] | None:
        """Labels and vectors [V, E] of a vocabulary, for people to look at; None where there is none."""
        return None

    def labels(self, steps: Any) -> list[str]:
        """Names of the steps of one prepared source, or of `Teaching.outputs`, for alignments."""
        raise NotImplementedError

    def batch(self, raws: Any) -> Any:
        """Raws as `Rows.read` or a caller has them -> an array [B, ...] of `signature`."""
        raise NotImplementedError
