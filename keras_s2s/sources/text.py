"""Text as a source: strings -> tokens -> embeddings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_s2s import tokenizers
from keras_s2s.config import Config
from keras_s2s.normalize import normalize, normalize_in_graph
from keras_s2s.sampling import tokenize_for_training
from keras_s2s.sources.base import Source
from keras_s2s.tokenizers import PAD, Tokenizer


class TextSource(Source):
    """Sentences, tokenised in-graph; an empty one is a single step of padding's own, so that no batch is ever empty.

    Args:
        config: the run's configuration.
        tokenizer: of the source language.
    """

    signature = tf.TensorSpec([None], tf.string, name="text")

    def __init__(self, config: Config, tokenizer: Tokenizer):
        super().__init__(config)
        self.tokenizer = tokenizer
        self.embedding = keras.layers.Embedding(
            tokenizer.vocabulary_size, config.model.embedding_dim, name="source_embedding",
            embeddings_initializer=keras.initializers.RandomNormal(stddev=config.model.embedding_stddev))
        rate = config.model.input_dropout
        self.dropout = keras.layers.Dropout(rate, name="source_dropout") if rate else None

    @classmethod
    def fit(cls, config: Config, raws: Iterable[str]) -> TextSource:
        kind = tokenizers.TOKENIZERS[config.data.source_tokenizer]
        return cls(config, kind.train(raws, config.data.source_vocabulary_size))

    def save(self, folder: Path) -> None:
        tokenizers.save(self.tokenizer, folder, "source")

    @classmethod
    def load(cls, config: Config, folder: Path) -> TextSource:
        return cls(config, tokenizers.load(config.data.source_tokenizer, folder, "source"))

    def summary(self) -> str:
        return f"{self.tokenizer.vocabulary_size:,} {self.config.data.source_tokenizer} tokens"

    @property
    def resources(self) -> list[Any]:
        return self.tokenizer.resources

    @property
    def embeddings(self) -> tuple[list[str], Any]:
        return self.tokenizer.pieces, self.embedding.embeddings

    def labels(self, prepared) -> list[str]:
        return [self.tokenizer.pieces[token] for token in prepared]

    def batch(self, raws) -> np.ndarray:
        return np.array([raw.encode("utf-8", "replace") for raw in raws], object)

    def sizes(self, raws) -> np.ndarray:
        return np.array([len(raw.encode("utf-8", "replace")) if normalize(raw) else 0 for raw in raws], np.int64)

    @property
    def copied(self) -> bool:
        return self.tokenizer.whole_words

    def strings(self, raw: tf.Tensor) -> tf.Tensor:
        return _padded(self.tokenizer.words(normalize_in_graph(raw)), "")

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Strings [B] -> tokens [B, S] int32, PAD at the end; S is at least 1."""
        tokens = tokenize_for_training(self.tokenizer, normalize_in_graph(raw), self.config.data.subword_sampling, seed)
        return _padded(tokens, PAD)

    def lengths(self, prepared: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.cast(prepared != PAD, tf.int32), axis=1)

    def trim(self, prepared: tf.Tensor) -> tf.Tensor:
        return prepared[:, :tf.maximum(1, tf.reduce_max(self.lengths(prepared)))]

    def input(self) -> keras.KerasTensor:
        return keras.Input((None,), dtype="int32", name="source")

    def __call__(self, prepared):
        vectors = self.embedding(prepared)
        return vectors if self.dropout is None else self.dropout(vectors), ops.not_equal(prepared, PAD)


def _padded(steps: tf.RaggedTensor, padding: int | str) -> tf.Tensor:
    """Steps [B, None] -> [B, S] with the padding at the end; S is at least 1."""
    padded = steps.to_tensor(padding)
    return tf.pad(padded, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(padded)[1])]], constant_values=padding)
