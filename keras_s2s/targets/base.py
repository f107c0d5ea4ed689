"""The contract of a target: how it is taught, what a step takes and gives, how an answer is found and shown.

    raw --prepare--> Teaching(inputs, outputs, weights)          the shift, the padding, the loss weights: here only
    inputs --embed--> vectors [B, T, E] --decoder--> outputs [B, T, H] --project--> logits --loss--> [B, T]
    search(step, state, memory) --> found --render--> raw
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_s2s.config import Config, Search
from keras_s2s.kinds import Kind
from keras_s2s.scoring import Scoring, scoring_of

STEP_ROWS = 1536  # answers followed at once by `predict`, over all sources of a batch
STEP_LOGITS = 3 * 2**20  # numbers in the logits of a step of theirs: 13 MB, of which a search holds some copies


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


class Target(Kind):
    """What a model says.

    Args:
        config: the run's configuration.
    """

    scoring: Scoring  # how answers are measured and shown

    def __init__(self, config: Config):
        super().__init__(config)
        self.scoring = scoring_of(config)

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

    def narrowed(self, listed) -> Callable[[Any], Any]:
        """`project` onto tokens listed [L] alone: gathered once, then outputs [..., H] -> logits [..., L]."""
        raise NotImplementedError

    def loss(self, outputs, logits, weights) -> tuple[Any, Any]:
        """What `Teaching` wants and the logits -> the loss to minimise and the plain loss, both [B, T]."""
        raise NotImplementedError

    def mean(self, logits) -> Any:
        """What several models foretell together: logits [..., V] of each -> logits [..., V]."""
        raise NotImplementedError

    def divergence(self, one, other, weights) -> Any:
        """How far two passes over the same steps disagree: logits of each -> [B, T], 0 where they are the same."""
        raise NotImplementedError

    def accuracy(self, outputs, logits) -> Any:
        """[B, T]: 1 where the step is answered right."""
        raise NotImplementedError

    def next_input(self, logits, following) -> Any:
        """The model's own answer as the next step's input: logits [B, V], the true input -> an input like that, which keeps
        of the true one only what is known beforehand."""
        raise NotImplementedError

    @property
    def copies(self) -> bool:
        """Whether an answer may have gaps, to be filled with strings of the source that attention points at."""
        return False

    def beams(self, settings: Search) -> int:
        """Answers to a source that a search follows at once."""
        return settings.beam_size

    def batch_size(self, settings: Search) -> int:
        """Sources that `predict` answers in a batch at most."""
        return max(1, STEP_ROWS // self.beams(settings))

    def search(self, step: Callable, state: Any, memory: Any, source_lengths: tf.Tensor, settings: Search, seed: tf.Tensor,
               gaps: bool = False, last: Any = None, listed: tf.Tensor | None = None) -> Any:
        """Finds answers by step(inputs [N], state, memory) -> logits [N, V], state; see search.py. With gaps on request.
        `last` is what the source says that the answer goes on from; `listed` [L] are the tokens that the logits are of, if not
        all."""
        raise NotImplementedError

    def taught(self, found: Any) -> tf.Tensor:
        """What the decoder was given to find the answers: `Teaching.inputs` of each [B, K, T]; only where `copies`."""
        raise NotImplementedError

    def render(self, found: Any, copied: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Answers -> arrays [B, K, ...] by name, the best first; a gap is filled with the string of `copied` [B, K, T]."""
        raise NotImplementedError

    def answers(self, rendered: dict[str, Any], settings: Search) -> list[Any]:
        """What `render` gave, as numpy arrays -> an object for each source, whose `best` is as `Rows.raws` has a target."""
        raise NotImplementedError

    def nothing(self, settings: Search) -> Any:
        """The answer to a source that has nothing to be answered."""
        raise NotImplementedError
