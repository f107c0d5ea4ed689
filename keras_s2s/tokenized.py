"""Text on either side: what a source and a target of tokens have in common."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from keras_s2s import tokenizers
from keras_s2s.config import Config
from keras_s2s.kinds import Kind
from keras_s2s.normalize import normalize_in_graph
from keras_s2s.sampling import tokenize_for_training
from keras_s2s.tokenizers import Tokenizer


class Tokenized(Kind):
    """Strings that become tokens by a tokenizer, and vectors by an embedding.

    Args:
        config: the run's configuration.
        tokenizer: of that side's language.

    Attributes:
        side: source or target; settings and files are called by it.
        embedding: the layer of the tokens' vectors.
    """

    side: str
    embedding: Any

    def __init__(self, config: Config, tokenizer: Tokenizer):
        super().__init__(config)
        self.tokenizer = tokenizer
        model = config.model
        rates = {"dropout": (model.input_dropout, None), "word_dropout": (model.word_dropout, (None, None, 1))}
        self.dropouts = [keras.layers.Dropout(rate, noise_shape=shape, name=f"{self.side}_{name}")
                         for name, (rate, shape) in rates.items() if rate]

    @classmethod
    def fit(cls, config: Config, raws: Iterable[str]) -> Self:
        size = getattr(config.data, f"{cls.side}_vocabulary_size")
        return cls(config, tokenizers.TOKENIZERS[cls.kind(config)].train(raws, size))

    @classmethod
    def load(cls, config: Config, folder: Path) -> Self:
        return cls(config, tokenizers.load(cls.kind(config), folder, cls.side))

    @classmethod
    def kind(cls, config: Config) -> str:
        """Of the tokenizer."""
        return getattr(config.data, f"{cls.side}_tokenizer")

    def like(self, other: Kind) -> bool:
        return isinstance(other, Tokenized) and self.tokenizer.to_bytes() == other.tokenizer.to_bytes()

    def save(self, folder: Path) -> None:
        tokenizers.save(self.tokenizer, folder, self.side)

    def summary(self) -> str:
        return f"{self.tokenizer.vocabulary_size:,} {self.kind(self.config)} tokens"

    @property
    def resources(self) -> list[Any]:
        return self.tokenizer.resources

    @property
    def embeddings(self) -> tuple[list[str], Any]:
        return self.tokenizer.pieces, self.embedding.embeddings

    def labels(self, steps) -> list[str]:
        return [self.tokenizer.pieces[token] for token in steps]

    def batch(self, raws) -> np.ndarray:
        return np.array([raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace") for raw in raws], object)

    def vectors(self, tokens) -> Any:
        """Tokens [B, T], or one step of them [B] -> their embeddings [B, T, E] ([B, E]), after the dropouts of the input."""
        vectors = self.embedding(tokens)
        for dropout in self.dropouts:
            vectors = dropout(vectors)
        return vectors

    def tokens(self, raw: tf.Tensor, seed: tf.Tensor | None) -> tf.RaggedTensor:
        """Strings [B] -> tokens [B, None] int32; with a `seed` as training draws them."""
        return tokenize_for_training(self.tokenizer, normalize_in_graph(raw), self.config.data.subword_sampling, seed)
