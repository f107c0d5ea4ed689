"""The contract of a target: how it is taught, what a step takes and gives, how an answer is found and shown.

    raw --prepare--> Teaching(inputs, outputs, weights)          the shift, the padding, the loss weights: here only
    inputs --embed--> vectors [B, T, E] --decoder--> outputs [B, T, H] --project--> logits --loss--> [B, T]
    search(step, state) --> found --render--> raw
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_s2s.config import Config, Search


class Teaching(NamedTuple):
    """A batch of targets as teacher forcing uses them."""

    inputs: Any  # [B, T] or [B, T, F] what the decoder is given: the true target, one step late
    outputs: Any  # [B, T] or [B, T, F] what it must answer
    weights: Any  # [B, T] float32, 1 where the step is real, 0 where it is padding

    def lengths(self) -> tf.Tensor:
        """Real steps of each target: [B] int32."""
        return tf.reduce_sum(tf.cast(self.weights, tf.int32), axis=1)

    def part(self, rows: tf.Tensor) -> Teaching:
        """Some rows, without the steps that are padding in all of them."""
        steps = tf.reduce_max(tf.gather(self.lengths(), rows))
        return Teaching(*(tf.gather(values, rows)[:, :steps] for values in self))


class Target:
    """What a model says.

    Args:
        config: the run's configuration.
    """

    signature: tf.TensorSpec  # of a batch of raw targets

    def __init__(self, config: Config):
        self.config = config

    @classmethod
    def fit(cls, config: Config, raws: Iterable[str]) -> Target:
        """Makes the target from the training corpus."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Writes what `fit` learnt to the run's assets/."""
        raise NotImplementedError

    @classmethod
    def load(cls, config: Config, folder: Path) -> Target:
        """Reads what `save` wrote."""
        raise NotImplementedError

    def summary(self) -> str:
        """A few words for the terminal on what `fit` learnt."""
        raise NotImplementedError

    @property
    def resources(self) -> list[Any]:
        """What a SavedModel must carry for `render`: tables, models of tokenizers."""
        return []

    @property
    def embeddings(self) -> tuple[list[str], Any] | None:
        """Labels and vectors [V, E] of a vocabulary, for people to look at; None where there is none."""
        return None

    def labels(self, outputs: Any) -> list[str]:
        """Names of the steps of one target, for alignments."""
        raise NotImplementedError

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> Teaching:
        """Raw targets [B] -> Teaching; a `seed` asks for training's augmentation."""
        raise NotImplementedError

    def input(self) -> keras.KerasTensor:
        """The functional models' input for `Teaching.inputs`."""
        raise NotImplementedError

    def embed(self, inputs) -> Any:
        """inputs [B, T] (or one step [B]) -> vectors [B, T, E] ([B, E])."""
        raise NotImplementedError

    def project(self, outputs) -> Any:
        """The decoder's outputs [..., H] -> logits [..., V], float32."""
        raise NotImplementedError

    def loss(self, outputs, logits, weights) -> tuple[Any, Any]:
        """What `Teaching` wants and the logits -> the loss to minimise and the plain loss, both [B, T]."""
        raise NotImplementedError

    def accuracy(self, outputs, logits) -> Any:
        """[B, T]: 1 where the step is answered right."""
        raise NotImplementedError

    def next_input(self, logits) -> Any:
        """The model's own answer as the next step's input: logits [B, V] -> [B]."""
        raise NotImplementedError

    @property
    def copies(self) -> bool:
        """Whether an answer may have gaps, to be filled with strings of the source that attention points at."""
        return False

    def search(self, step: Callable, state: Any, source_lengths: tf.Tensor, settings: Search, seed: tf.Tensor,
               gaps: bool = False) -> Any:
        """Finds answers by step(inputs [N], state) -> logits [N, V], state, over any state tree; with gaps on request."""
        raise NotImplementedError

    def taught(self, found: Any) -> tf.Tensor:
        """What the decoder was given to find the answers: `Teaching.inputs` of each [B, K, T]; only where `copies`."""
        raise NotImplementedError

    def render(self, found: Any, copied: tf.Tensor | None = None) -> tf.Tensor:
        """Answers -> raw [B, K]; a gap is filled with the string of `copied` [B, K, T] at its step."""
        raise NotImplementedError
