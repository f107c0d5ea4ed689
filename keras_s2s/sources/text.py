"""Text as a source: strings -> tokens -> embeddings."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_s2s.config import Config
from keras_s2s.normalize import normalize, normalize_in_graph
from keras_s2s.sources.base import Source
from keras_s2s.tokenized import Tokenized
from keras_s2s.tokenizers import PAD, Tokenizer

COMMANDS = {"pairs": "translate", "sentences": "complete"}  # what the corpus was -> what the model is asked


class TextSource(Tokenized, Source):
    """Sentences, tokenised in-graph; an empty one is a single step of padding's own, so that no batch is ever empty.

    Args:
        config: the run's configuration.
        tokenizer: of the source language.
    """

    side = "source"
    signature = tf.TensorSpec([None], tf.string, name="text")

    def __init__(self, config: Config, tokenizer: Tokenizer):
        super().__init__(config, tokenizer)
        self.embedding = keras.layers.Embedding(
            tokenizer.vocabulary_size, config.model.embedding_dim, name="source_embedding",
            embeddings_initializer=keras.initializers.RandomNormal(stddev=config.model.embedding_stddev))

    @property
    def command(self) -> str:
        return COMMANDS[self.config.data.corpus]

    def sizes(self, raws) -> np.ndarray:
        return np.array([len(raw.encode("utf-8", "replace")) if normalize(raw) else 0 for raw in raws], np.int64)

    @property
    def copied(self) -> bool:
        return self.tokenizer.whole_words

    def strings(self, raw: tf.Tensor) -> tf.Tensor:
        return _padded(self.tokenizer.words(normalize_in_graph(raw)), "")

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Strings [B] -> tokens [B, S] int32, PAD at the end; S is at least 1."""
        return _padded(self.tokens(raw, seed), PAD)

    def lengths(self, prepared: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.cast(prepared != PAD, tf.int32), axis=1)

    def trim(self, prepared: tf.Tensor) -> tf.Tensor:
        return prepared[:, :tf.maximum(1, tf.reduce_max(self.lengths(prepared)))]

    def input(self) -> keras.KerasTensor:
        return keras.Input((None,), dtype="int32", name="source")

    def __call__(self, prepared):
        return self.vectors(prepared), self._real(prepared)

    @staticmethod
    def _real(prepared):
        """The mask; the first step of an empty sentence counts, for cuDNN and attention want one."""
        return ops.concatenate([ops.ones_like(prepared[:, :1], dtype="bool"), ops.not_equal(prepared[:, 1:], PAD)], axis=1)


def _padded(steps: tf.RaggedTensor, padding: int | str) -> tf.Tensor:
    """Steps [B, None] -> [B, S] with the padding at the end; S is at least 1."""
    padded = steps.to_tensor(padding)
    return tf.pad(padded, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(padded)[1])]], constant_values=padding)
