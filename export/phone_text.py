"""Text at the border of a phone file: UTF-8 bytes in, UTF-8 bytes out, in fixed shapes.

    text uint8 [1, N] --decode, tidy, tokenize--> tokens     tokens --detokenize, tidy, emit--> text uint8 [W], length
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from export import text_ops
from export.detokenizing import Copied, detokenizing
from export.runtime import padded
from export.tokenizing import Tokens, tokenizing
from keras_s2s.config import Search
from keras_s2s.encoder import Encoded
from keras_s2s.model import EncoderDecoder
from keras_s2s.search import Hypotheses, answer_limits
from keras_s2s.sources import Source
from keras_s2s.targets import Target

Signatures = dict[str, tuple[Callable, dict[str, tf.TensorSpec]]]  # name -> function, its arguments


class Read(NamedTuple):
    """A source as it came over the border."""

    prepared: tf.Tensor  # [1, S], of as many steps as it has: what `Source.prepare` gives
    given: tf.Tensor  # [] bool: there is something to answer
    truncated: tf.Tensor  # [] bool: it did not fit
    spans: tuple[tf.Tensor, ...] = ()  # of whole words, to be copied: see `Tokens`


class Rendered(NamedTuple):
    """K answers as they go over the border."""

    text: tf.Tensor  # [K, W] uint8, 0 after the end
    length: tf.Tensor  # [K] int32, bytes
    truncated: tf.Tensor  # [] bool: one of them was cut


class TextInput:
    """A text of at most N bytes, zero-padded.

    A text that fills all N bytes is taken for the beginning of a longer one: it is cut at a character and marked as cut.

    Args:
        source: the model's text source.
        max_bytes: N.
    """

    def __init__(self, source: Source, max_bytes: int):
        self.max_bytes = max_bytes
        self.tokenizing = tokenizing(source.tokenizer, max_bytes)  # type: ignore[attr-defined]
        self._work = tf.function(self._read, autograph=False)
        self.arguments = {"text": tf.TensorSpec([1, max_bytes], tf.uint8)}
        self.prepared = tf.TensorSpec([1, self.tokenizing.width], tf.int32, name="ids")  # at the border, in full width
        self.steps = self.tokenizing.width  # that the encoder reads at most

    def feed(self, raw: str) -> dict[str, np.ndarray]:
        """A raw source as a host gives it to the file: the arguments by name."""
        return {"text": padded(unicodedata.normalize("NFC", raw).encode("utf-8", "replace"), self.max_bytes)}

    def read(self, text: tf.Tensor) -> Read:
        tokens, truncated = self._tokens(text)
        steps = tf.maximum(tokens.count, 1)
        return Read(tf.slice(tokens.ids[None], [0, 0], tf.stack([1, steps])), tokens.count > 0, truncated, tokens.spans)

    @staticmethod
    def real(prepared: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """So many steps of the full width."""
        return tf.slice(prepared, [0, 0], tf.stack([1, steps]))

    def signatures(self) -> Signatures:
        return {"tokenize": (self.tokenize, self.arguments)}

    def tokenize(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens, truncated = self._tokens(text)
        return {"ids": tokens.ids[None], "count": tokens.count[None], "truncated": flag(truncated)}

    def _tokens(self, text: tf.Tensor) -> tuple[Tokens, tf.Tensor]:
        full, ids, count, cut, *spans = text_ops.once(self._work, text)
        return Tokens(ids, count, cut, tuple(spans)), full | cut

    def _read(self, text: tf.Tensor) -> tuple[tf.Tensor, ...]:
        data = tf.cast(text[0], tf.int32)
        full = data[-1] != 0
        codes = text_ops.decode(data, tf.constant(self.max_bytes), full)
        tokens = self.tokenizing(text_ops.tidy(codes))
        return full, tokens.ids, tokens.count, tokens.cut, *tokens.spans


class TextOutput:
    """A text of at most W bytes, zero-padded, cut at a character where the answer is longer.

    Args:
        target: the model's text target.
        max_bytes: W.
        width: tokens that the signature `detokenize` takes.
    """

    def __init__(self, target: Target, max_bytes: int, width: int):
        self.max_bytes, self.width = max_bytes, width
        self.detokenizing = detokenizing(target.tokenizer, max_bytes)  # type: ignore[attr-defined]
        self._work = tf.function(self.clean, autograph=False)

    given = tf.TensorSpec([1], tf.int32, name="token")  # what a step of the decoder takes

    def answer(self, model: EncoderDecoder, encoded: Encoded, read: Read, search: Search) -> dict[str, tf.Tensor]:
        """Searches and renders; nothing is answered where nothing was given."""
        lengths = model.source.lengths(read.prepared)
        found = model.target.search(model.step, encoded.state, model.remember(encoded), lengths, search,
                                    tf.zeros([2], tf.int32), gaps=model.copies)
        made = self.render(found, read, model.pointed(encoded, found) if model.copies else None)
        steps = tf.minimum(found.lengths[0] + 1, tf.maximum(answer_limits(lengths, search), 1))
        scores = found.log_probabilities[0] / tf.cast(steps, tf.float32)
        something = tf.cast(read.given, tf.int32)
        return {"text": tf.cast(tf.cast(made.text, tf.int32) * something, tf.uint8), "length": made.length * something,
                "score": tf.where(read.given, scores, 0.0), "truncated": flag(made.truncated & read.given | read.truncated)}

    def render(self, found: Hypotheses, read: Read, pointed: tf.Tensor | None) -> Rendered:
        """Hypotheses [1, K] -> K answers; `pointed` [1, K, T]: source steps that unknown words are copied from, if any are."""
        made = []
        for k in range(found.tokens.shape[1]):
            copied = () if pointed is None else self._copied(read, pointed[0, k], found.tokens.shape[2])
            made.append(text_ops.once(self._work, found.tokens[0, k], *copied))
        texts, lengths, truncated = zip(*made)
        return Rendered(tf.stack(texts), tf.stack(lengths), tf.reduce_any(tf.stack(truncated)))

    @staticmethod
    def _copied(read: Read, steps: tf.Tensor, width: int) -> Copied:
        data, starts, lengths = read.spans
        steps = tf.scatter_nd(tf.range(tf.shape(steps)[0])[:, None], steps, [width])
        return Copied(data, tf.gather(starts, steps), tf.gather(lengths, steps))

    def signatures(self) -> Signatures:
        return {"detokenize": (self.detokenize, {"ids": tf.TensorSpec([1, self.width], tf.int32)})}

    def detokenize(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        codes = self.detokenizing(ids[0])
        text, length, cut = self._bytes(codes, tf.zeros_like(codes, tf.bool))
        return {"text": text[None], "length": length[None], "truncated": flag(cut)}

    def clean(self, ids: tf.Tensor, *copied: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Tokens [T] -> a text [W] uint8, its length [], and whether it was cut []."""
        return self._bytes(*text_ops.tidy(self.detokenizing(ids, Copied(*copied) if copied else None)))

    def _bytes(self, codes: tf.Tensor, spaced: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """One text [W] uint8, its length [], and whether it was cut []."""
        emitted = text_ops.emit(codes, spaced, self.max_bytes)
        return tf.cast(emitted.data, tf.uint8), emitted.length, emitted.cut


def flag(value: tf.Tensor) -> tf.Tensor:
    """A bool [] as it goes over the border: int32 [1]."""
    return tf.cast(value, tf.int32)[None]
