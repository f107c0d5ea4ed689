"""Attention over the encoder's outputs, after a layer of the decoder, not within it, so that training runs all steps at once.

All kinds score the decoder's output against every source step, average the encoder's outputs by the softmax of the
scores over real steps only, and mix the average into the output (Luong et al., 2015, eq. 5): tanh(W [context; outputs]).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops


class Memory(NamedTuple):
    """What a decoder looks back at; made once for a source."""

    keys: Any  # [B, S, H] what outputs are scored against
    values: Any  # [B, S, H] the encoder's outputs
    mask: Any  # [B, S] bool, True where real


class Attention(keras.layers.Layer):
    """The part that all kinds of attention share; a subclass gives `remember` and `scores`.

    Args:
        units: H, of the encoder's and the decoder's outputs.

    Call: outputs [B, T, H], the encoder's outputs [B, S, H] and mask [B, S] -> outputs [B, T, H].
    Step by step: memory = remember(values, mask) once, then attend(outputs, memory); the call is just that.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.mix = keras.layers.Dense(units, activation="tanh", use_bias=False, name="mix")

    def build(self, *shapes) -> None:
        self.mix.build((None, None, 2 * self.units))
        self.built = True

    def remember(self, values, mask) -> Memory:
        """The encoder's outputs [B, S, H] and mask [B, S] -> Memory."""
        return Memory(values, values, mask)

    def scores(self, outputs, keys):
        """outputs [B, T, H], keys [B, S, H] -> [B, T, S]."""
        raise NotImplementedError

    def alignments(self, outputs, memory: Memory):
        """Alignments [B, T, S]: a distribution over the real source steps; padding gets exactly 0."""
        scores = ops.cast(self.scores(outputs, memory.keys), "float32")
        return ops.softmax(ops.where(memory.mask[:, None, :], scores, -1e9), axis=-1)

    def attend(self, outputs, memory: Memory):
        """outputs [B, T, H] -> outputs [B, T, H] that know the source."""
        context = ops.matmul(ops.cast(self.alignments(outputs, memory), self.compute_dtype), memory.values)  # [B, T, H]
        return self.mix(ops.concatenate([context, outputs], axis=-1))

    def call(self, outputs, values, source_mask):
        return self.attend(outputs, self.remember(values, source_mask))

    def compute_output_shape(self, outputs_shape, *memory_shapes):
        return outputs_shape


@keras.saving.register_keras_serializable("keras_s2s")
class LuongAttention(Attention):
    """score(h, s) = h W s, the "general" form (Luong et al., 2015, eq. 8)."""

    def build(self, *shapes) -> None:
        self.query = keras.layers.Dense(self.units, use_bias=False, name="query")
        self.query.build((None, None, self.units))
        super().build(*shapes)

    def scores(self, outputs, keys):
        return ops.matmul(self.query(outputs), ops.transpose(keys, (0, 2, 1)))


@keras.saving.register_keras_serializable("keras_s2s")
class ScaledLuongAttention(LuongAttention):
    """score(h, s) = h W s / sqrt(H), scaled as in Vaswani et al. (2017), eq. 1.

    It can say no more than the unscaled one, but learns much sooner: there, presumably, Adam's steps on W move the scores so
    far that the softmax settles on a source step before any is learnt.
    """

    def scores(self, outputs, keys):
        return super().scores(outputs, keys) * self.units**-0.5


@keras.saving.register_keras_serializable("keras_s2s")
class BahdanauAttention(Attention):
    """score(h, s) = v tanh(W h + U s) (Bahdanau et al., 2015, A.1.2); U s is computed once for a source."""

    def build(self, *shapes) -> None:
        self.query = keras.layers.Dense(self.units, use_bias=False, name="query")
        self.key = keras.layers.Dense(self.units, use_bias=False, name="key")
        self.query.build((None, None, self.units))
        self.key.build((None, None, self.units))
        self.v = self.add_weight(shape=(self.units,), initializer=keras.initializers.RandomNormal(stddev=0.1), name="v")
        super().build(*shapes)

    def remember(self, values, mask) -> Memory:
        return Memory(self.key(values), values, mask)

    def scores(self, outputs, keys):
        summed = ops.tanh(ops.expand_dims(self.query(outputs), 2) + ops.expand_dims(keys, 1))  # [B, T, S, H]
        return ops.matmul(summed, ops.cast(self.v, summed.dtype)[:, None])[..., 0]


ATTENTIONS = {"luong": LuongAttention, "scaled_luong": ScaledLuongAttention, "bahdanau": BahdanauAttention}
