"""Tokens -> text in operations that TFLite has built in: exactly the characters that the package's tokenizers give."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from export import text_ops
from export.text_ops import NONE, look_up
from keras_s2s import tokenizers
from keras_s2s.tokenizers import SPACE, SPECIALS, UNK, Tokenizer

SLACK = 64  # bytes that cleaning may take away and that others then take the place of


class Copied(NamedTuple):
    """What is said in the place of each UNK."""

    data: tf.Tensor  # [N] int32, the source's bytes
    offsets: tf.Tensor  # [T] int32, into them
    lengths: tf.Tensor  # [T] int32


class Detokenizing:
    """The pieces' bytes side by side, put together by their lengths; subclasses give the pieces and what is done at the ends.

    Args:
        tokenizer: the package's.
        max_bytes: of the text.
    """

    per_byte = False  # how what is not UTF-8 is replaced, see `text_ops.decode`

    def __init__(self, tokenizer: Tokenizer, max_bytes: int):
        self.width = max_bytes + SLACK
        pieces = self.strings(tokenizer)
        self.lengths = np.array([len(piece) for piece in pieces], np.int32)
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)[:-1]]).astype(np.int32)
        self.bytes = np.frombuffer(b"".join(pieces) or b"\0", np.uint8)

    def strings(self, tokenizer: Tokenizer) -> list[bytes]:
        """What each token stands for."""
        raise NotImplementedError

    def __call__(self, ids: tf.Tensor, copied: Copied | None = None) -> tf.Tensor:
        """Tokens [T] int32, PAD among them -> code points [W], NONE among them."""
        ids = text_ops.bounded(ids, len(self.lengths) - 1)
        lengths, offsets = self.trim(ids, look_up(self.lengths, ids), look_up(self.offsets, ids))
        data = tf.constant(self.bytes)
        if copied is not None:
            lengths = tf.where(ids == UNK, copied.lengths, lengths)
            offsets = tf.where(ids == UNK, len(self.bytes) + copied.offsets, offsets)
            data = tf.concat([data, tf.cast(copied.data, tf.uint8)], 0)
        ends = tf.cumsum(lengths)
        starts, total = ends - lengths, ends[-1]
        begun = tf.scatter_nd(tf.minimum(starts, self.width)[:, None], tf.ones_like(starts), [self.width + 1])
        token = tf.cumsum(begun[:-1]) - 1  # of empty tokens that start at the same byte, the one that is not empty
        place = tf.gather(offsets, token) + tf.range(self.width) - tf.gather(starts, token)
        said = tf.cast(tf.gather(data, text_ops.bounded(place, data.shape[0] - 1)), tf.int32)
        return self.finish(text_ops.decode(said, total, total > self.width, self.per_byte))

    def trim(self, ids: tf.Tensor, lengths: tf.Tensor, offsets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes bytes off the pieces' beginnings."""
        return lengths, offsets

    def finish(self, codes: tf.Tensor) -> tf.Tensor:
        """What is done to the code points [W]."""
        return codes


class BytesDetokenizing(Detokenizing):
    """A token is a byte."""

    def strings(self, tokenizer: Tokenizer) -> list[bytes]:
        return [b""] * len(SPECIALS) + [bytes([byte]) for byte in range(256)]


class LookedUpDetokenizing(Detokenizing):
    """A token is a string of the table; spaces at the ends go."""

    def strings(self, tokenizer: Tokenizer) -> list[bytes]:
        specials = [b"", SPECIALS[UNK].encode(), b"", b""]
        return specials + [piece.replace(SPACE, " ").encode() for piece in tokenizer.pieces[len(specials):]]

    def finish(self, codes: tf.Tensor) -> tf.Tensor:
        place = tf.range(self.width)
        kept = (codes != NONE) & (codes != 0x20)
        first = tf.reduce_min(tf.where(kept, place, self.width))
        last = tf.reduce_max(tf.where(kept, place, -1))
        return tf.where((place >= first) & (place <= last), codes, NONE)


class SentencePieceDetokenizing(Detokenizing):
    """A token is a piece or a byte; as long as nothing has been said, the space that a piece begins with is not said."""

    per_byte = True

    def __init__(self, tokenizer: Tokenizer, max_bytes: int):
        super().__init__(tokenizer, max_bytes)
        self.begin_with_space = np.array([piece.startswith(SPACE) for piece in tokenizer.pieces], np.int32)

    def strings(self, tokenizer: Tokenizer) -> list[bytes]:
        processor = tokenizer.processor  # type: ignore[attr-defined]
        pieces = []
        for i, piece in enumerate(tokenizer.pieces):
            if processor.is_control(i):
                pieces.append(b"")
            elif processor.is_byte(i):
                pieces.append(bytes([int(piece[3:5], 16)]))
            else:
                said = processor.decode([i]) if processor.is_unknown(i) else piece.replace(SPACE, " ")
                pieces.append(said.encode())
        return pieces

    def trim(self, ids: tf.Tensor, lengths: tf.Tensor, offsets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        begin = look_up(self.begin_with_space, ids)
        said = tf.cast(lengths > begin, tf.int32)
        silent = tf.cumsum(said, exclusive=True) == 0
        spaces = tf.where(silent, begin, 0)
        return lengths - spaces, offsets + spaces


KINDS: dict[type[Tokenizer], type[Detokenizing]] = {
    tokenizers.SentencePiece: SentencePieceDetokenizing, tokenizers.Characters: LookedUpDetokenizing,
    tokenizers.Words: LookedUpDetokenizing, tokenizers.Bytes: BytesDetokenizing}


def detokenizing(tokenizer: Tokenizer, max_bytes: int) -> Detokenizing:
    """The tokenizer's way back in built-in operations."""
    return KINDS[type(tokenizer)](tokenizer, max_bytes)
