"""Text at the border of a phone file: UTF-8 bytes in, UTF-8 bytes out, in fixed shapes.

    text uint8 [1, N] --decode, tidy, tokenize--> tokens     tokens --detokenize, tidy, emit--> text uint8 [W], length
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from export import text_ops
from export.detokenizing import detokenizing
from export.tokenizing import Tokens, tokenizing
from keras_s2s.search import Hypotheses
from keras_s2s.sources import Source
from keras_s2s.targets import Target

Signatures = dict[str, tuple[Callable, dict[str, tf.TensorSpec]]]  # name -> function, its arguments


class Read(NamedTuple):
    """A source as it came over the border."""

    prepared: tf.Tensor  # [1, S], of as many steps as it has: what `Source.prepare` gives
    given: tf.Tensor  # [] bool: there is something to answer
    truncated: tf.Tensor  # [] bool


class Rendered(NamedTuple):
    """An answer as it goes over the border."""

    text: tf.Tensor  # [W] uint8, 0 after the end
    length: tf.Tensor  # [] int32, bytes
    truncated: tf.Tensor  # [] bool


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
        self.arguments = {"text": tf.TensorSpec([1, max_bytes], tf.uint8)}
        self.prepared = tf.TensorSpec([1, self.tokenizing.width], tf.int32)  # at the border, in full width

    def read(self, text: tf.Tensor) -> Read:
        tokens, truncated = self._tokens(text)
        steps = tf.maximum(tokens.count, 1)
        return Read(tf.slice(tokens.ids[None], [0, 0], tf.stack([1, steps])), tokens.count > 0, truncated)

    def signatures(self) -> Signatures:
        return {"tokenize": (self.tokenize, self.arguments)}

    def tokenize(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens, truncated = self._tokens(text)
        return {"ids": tokens.ids[None], "truncated": flag(truncated)}

    def _tokens(self, text: tf.Tensor) -> tuple[Tokens, tf.Tensor]:
        data = tf.cast(text[0], tf.int32)
        full = data[-1] != 0
        codes = text_ops.decode(data, tf.constant(self.max_bytes), full)
        tokens = self.tokenizing(text_ops.tidy(codes))
        return tokens, full | tokens.cut


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

    def render(self, found: Hypotheses) -> list[Rendered]:
        """Hypotheses [1, K] -> K answers."""
        return [self._clean(ids) for ids in tf.unstack(found.tokens[0])]

    def render_all(self, found: Hypotheses) -> Rendered:
        """Hypotheses [1, K] -> texts [K, W], lengths [K], truncated []; one body for all, so that the file stays small."""
        beams = found.tokens.shape[1]
        row = tf.range(beams)

        def advance(k, texts, lengths, truncated):
            made = self._clean(tf.gather(found.tokens[0], k))
            here = row == k
            return (k + 1, tf.where(here[:, None], tf.cast(made.text, tf.int32)[None], texts),
                    tf.where(here, made.length, lengths), truncated | made.truncated)

        _, texts, lengths, truncated = tf.while_loop(lambda k, *_: k < beams, advance, (
            tf.constant(0), tf.zeros([beams, self.max_bytes], tf.int32), tf.zeros([beams], tf.int32), tf.constant(False)))
        return Rendered(tf.cast(texts, tf.uint8), lengths, truncated)

    def signatures(self) -> Signatures:
        return {"detokenize": (self.detokenize, {"ids": tf.TensorSpec([1, self.width], tf.int32)})}

    def detokenize(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        codes = self.detokenizing(ids[0])
        made = self._bytes(codes, tf.zeros_like(codes, tf.bool))
        return {"text": made.text[None], "length": made.length[None], "truncated": flag(made.truncated)}

    def _clean(self, ids: tf.Tensor) -> Rendered:
        return self._bytes(*text_ops.tidy(self.detokenizing(ids)))

    def _bytes(self, codes: tf.Tensor, spaced: tf.Tensor) -> Rendered:
        emitted = text_ops.emit(codes, spaced, self.max_bytes)
        return Rendered(tf.cast(emitted.data, tf.uint8), emitted.length, emitted.cut)


def flag(value: tf.Tensor) -> tf.Tensor:
    """A bool [] as it goes over the border: int32 [1]."""
    return tf.cast(value, tf.int32)[None]


INPUTS: dict[str, Any] = {"text": TextInput}
OUTPUTS: dict[str, Any] = {"text": TextOutput}
