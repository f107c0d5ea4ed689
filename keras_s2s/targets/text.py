"""Text as a target: taught on shifted tokens, searched token by token, shown as a sentence."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_s2s.config import Config, Search
from keras_s2s.losses import symmetric_divergence, token_cross_entropy
from keras_s2s.normalize import normalize_in_graph
from keras_s2s.search import Hypotheses, Symbols, answer_limits, search
from keras_s2s.suggesting import Spelling, next_words
from keras_s2s.targets.base import STEP_LOGITS, Target, Teaching
from keras_s2s.tokenized import Tokenized
from keras_s2s.tokenizers import BOS, EOS, PAD, UNK, Tokenizer

PIECES = 40  # of a suggested word at most


class Answer(NamedTuple):
    """The K best answers to one source."""

    texts: list[str]
    scores: list[float]  # log-probability / length penalty, and what `search.analogy` adds; the best first

    @property
    def best(self) -> str:
        return self.texts[0]


class TextTarget(Tokenized, Target):
    """Sentences. Teacher forcing on "a b c":

        inputs   BOS  a  b  c    PAD        weights  1  1  1  1    0
        outputs  a    b  c  EOS  PAD

    Args:
        config: the run's configuration.
        tokenizer: of the target language.
    """

    side = "target"
    signature = tf.TensorSpec([None], tf.string, name="target_text")
    symbols = Symbols(pad=PAD, bos=BOS, eos=EOS, banned=(UNK,))

    def __init__(self, config: Config, tokenizer: Tokenizer):
        super().__init__(config, tokenizer)
        model = config.model
        self.embedding = keras.layers.ReversibleEmbedding(
            tokenizer.vocabulary_size, model.embedding_dim, reverse_dtype="float32", name="target_embedding",
            embeddings_initializer=keras.initializers.RandomNormal(stddev=model.embedding_dim**-0.5),
        ) if model.tied_embeddings else keras.layers.Embedding(
            tokenizer.vocabulary_size, model.embedding_dim, name="target_embedding",
            embeddings_initializer=keras.initializers.RandomNormal(stddev=model.embedding_stddev))
        self.projection = None if model.tied_embeddings else keras.layers.Dense(
            tokenizer.vocabulary_size, dtype="float32", name="projection")

    def prepare(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> Teaching:
        return self.shift(self.tokens(raw, seed))

    @staticmethod
    def shift(tokens: tf.RaggedTensor) -> Teaching:
        """Tokens [B, None] -> Teaching with T one longer than the longest."""
        padded = tokens.to_tensor(PAD)
        inputs = tf.pad(padded, [[0, 0], [1, 0]], constant_values=BOS)
        ends = tf.one_hot(tokens.row_lengths(), tf.shape(inputs)[1], on_value=EOS, off_value=PAD, dtype=tf.int32)
        outputs = tf.pad(padded, [[0, 0], [0, 1]], constant_values=PAD) + ends  # PAD is 0
        return Teaching(inputs, outputs, tf.cast(outputs != PAD, tf.float32))

    def input(self) -> keras.KerasTensor:
        return keras.Input((None,), dtype="int32", name="target_in")

    def embed(self, inputs):
        return self.vectors(inputs)

    def project(self, outputs):
        return self.embedding(outputs, reverse=True) if self.projection is None else self.projection(outputs)

    def narrowed(self, listed):
        if self.projection is None:
            kernel, bias = tf.transpose(tf.gather(self.embedding.embeddings, listed)), 0.0
        else:
            kernel, bias = tf.gather(self.projection.kernel, listed, axis=1), tf.gather(self.projection.bias, listed)
        return lambda outputs: tf.matmul(tf.cast(outputs, tf.float32), kernel) + bias

    def loss(self, outputs, logits, weights):
        return token_cross_entropy(outputs, logits, weights, self.config.train.label_smoothing)

    def mean(self, logits):
        """The logarithm of the mean probability."""
        return tf.reduce_logsumexp(tf.stack([tf.nn.log_softmax(each) for each in logits]), axis=0) - math.log(len(logits))

    def divergence(self, one, other, weights):
        return symmetric_divergence(one, other, weights)

    def accuracy(self, outputs, logits):
        return tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == outputs, tf.float32)

    def next_input(self, logits, following):
        return tf.argmax(logits, axis=-1, output_type=tf.int32)

    @property
    def copies(self) -> bool:
        return self.tokenizer.whole_words

    def search(self, step, state, memory, source_lengths: tf.Tensor, settings: Search, seed: tf.Tensor,
               gaps: bool = False, last: Any = None, listed: tf.Tensor | None = None) -> Hypotheses:
        symbols = self.symbols._replace(banned=() if gaps else self.symbols.banned, listed=listed)
        limits = answer_limits(source_lengths, settings)
        return search(step, state, limits, settings, memory=memory, symbols=symbols, seed=seed)

    def next_words(self, step, state, memory, rows: Any, beams: int) -> Hypotheses:
        """The likeliest words that an answer begins with, as `suggesting.next_words` finds them."""
        return next_words(step, state, rows, beams, PIECES, Spelling(*self.tokenizer.spaces()), self.symbols, memory)

    def taught(self, found: Hypotheses) -> tf.Tensor:
        """BOS and the answers but for their last tokens, as long as the longest answer."""
        longest = tf.maximum(1, tf.reduce_max(found.lengths))
        return tf.concat([tf.fill(tf.shape(found.tokens[:, :, :1]), BOS), found.tokens[:, :, :longest - 1]], axis=2)

    def render(self, found: Hypotheses, copied: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        shape, lengths = tf.shape(found.tokens), tf.reshape(found.lengths, [-1])  # B, K, T

        def ragged(steps: tf.Tensor) -> tf.RaggedTensor:
            return tf.RaggedTensor.from_tensor(tf.reshape(steps, [-1, tf.shape(steps)[2]]), lengths=lengths)

        texts = self.tokenizer.detokenize(ragged(found.tokens), None if copied is None else ragged(copied))
        return {"text": tf.reshape(normalize_in_graph(texts), shape[:2]), "score": found.scores}

    def answers(self, rendered: dict[str, Any], settings: Search) -> list[Answer]:
        return [Answer([word.decode() for word in words], scores.tolist())
                for words, scores in zip(rendered["text"], rendered["score"])]

    def batch_size(self, settings: Search) -> int:
        return max(1, min(super().batch_size(settings), STEP_LOGITS // (self.tokenizer.vocabulary_size * self.beams(settings))))

    def nothing(self, settings: Search) -> Answer:
        return Answer([""] * settings.n_best, [0.0] * settings.n_best)
