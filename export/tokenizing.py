"""The package's tokenizers in operations that TFLite has built in: cleaned text -> exactly the tokens that the library gives.

One class a kind, found by `tokenizing`; each takes what `text_ops.tidy` gives and returns `Tokens`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from export import text_ops, trie
from export.text_ops import LEAD_SIZES, Tidy, before
from keras_s2s import tokenizers
from keras_s2s.config import require
from keras_s2s.tokenizers import SPACE, UNK, Tokenizer

NEVER = -1e30
UNKNOWN_PENALTY = np.float32(10)  # below the worst piece, SentencePiece's own


class Tokens(NamedTuple):
    """A tokenised text."""

    ids: tf.Tensor  # [S] int32, PAD after the end
    count: tf.Tensor  # [] int32
    cut: tf.Tensor  # [] bool: not all characters fitted
    spans: tuple[tf.Tensor, ...] = ()  # of whole words: the text [W] int32, starts [S] and lengths [S] of its tokens in it


class Tokenizing:
    """What all kinds share.

    Args:
        tokenizer: the package's.
        max_bytes: of a cleaned text.

    Attributes:
        width: S, the most tokens that such a text can have.
    """

    def __init__(self, tokenizer: Tokenizer, max_bytes: int):
        self.tokenizer, self.max_bytes, self.width = tokenizer, max_bytes, max_bytes

    def __call__(self, text: Tidy) -> Tokens:
        raise NotImplementedError


class BytesTokenizing(Tokenizing):
    """A byte is its own token."""

    def __call__(self, text: Tidy) -> Tokens:
        data, length, _, cut = text_ops.emit(text.codes, text.spaced, self.max_bytes)
        first = len(tokenizers.SPECIALS)
        return Tokens(tf.where(tf.range(self.width) < length, data + first, 0), length, cut)


class LookedUp(Tokenizing):
    """Tokens are whole strings of a table; subclasses say where each begins."""

    prefix = False  # a space before the text

    def __init__(self, tokenizer: Tokenizer, max_bytes: int):
        super().__init__(tokenizer, max_bytes)
        first = len(tokenizers.SPECIALS)
        self.trie = trie.double_array({piece.replace(SPACE, " ").encode(): first + i
                                       for i, piece in enumerate(tokenizer.pieces[first:])})

    def begins(self, text: Tidy, emitted: text_ops.Emitted) -> tf.Tensor:
        """[W] bool: a token begins at this byte."""
        raise NotImplementedError

    def __call__(self, text: Tidy) -> Tokens:
        if self.prefix:
            text = text._replace(spaced=tf.concat([[True], text.spaced[1:]], 0))
        width = self.max_bytes + self.prefix
        emitted = text_ops.emit(text.codes, text.spaced, width)
        inside = tf.range(width) < emitted.length
        begins = self.begins(text, emitted) & inside
        count = tf.reduce_sum(tf.cast(begins, tf.int32))
        number = tf.cumsum(tf.cast(begins, tf.int32)) - 1  # of the token that a byte is of
        starts = text_ops.pack(tf.range(width), begins, self.width)
        lengths = tf.scatter_nd(tf.where(inside, number, self.width)[:, None], tf.ones_like(number), [self.width + 1])
        lengths = lengths[:self.width]
        spans = (emitted.data, starts, lengths) if self.tokenizer.whole_words else ()
        return Tokens(self._look_up(emitted.data, starts, lengths), count, emitted.cut, spans)

    def _look_up(self, data: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Walks the trie for all strings at once: starts [S], lengths [S] (0: none) -> ids [S]."""
        def advance(step, state, alive):
            byte = tf.gather(data, tf.minimum(starts + step, data.shape[0] - 1))
            going = step < lengths
            following = text_ops.look_up(self.trie.base, state) + byte
            known = text_ops.look_up(self.trie.check, following) == state
            return step + 1, tf.where(going & known, following, state), alive & (known | tf.logical_not(going))

        steps = tf.minimum(tf.reduce_max(lengths), self.trie.longest)
        _, state, alive = tf.while_loop(lambda step, state, alive: step < steps, advance, (
            tf.constant(0), tf.zeros_like(starts), tf.ones_like(starts, tf.bool)))
        ids = text_ops.look_up(self.trie.value, state)
        known = alive & (lengths <= self.trie.longest) & (ids >= 0)
        return tf.where(lengths > 0, tf.where(known, ids, UNK), 0)


class CharactersTokenizing(LookedUp):
    """A token begins at each character, spaces too."""

    def begins(self, text: Tidy, emitted: text_ops.Emitted) -> tf.Tensor:
        return text_ops.look_up(LEAD_SIZES, emitted.data) > 0


class WordsTokenizing(LookedUp):
    """A token begins at a space, at a sign, and at a letter that follows a sign."""

    prefix = True

    def __init__(self, tokenizer: Tokenizer, max_bytes: int):
        super().__init__(tokenizer, max_bytes)
        self.pages, self.letters = _letters()

    def begins(self, text: Tidy, emitted: text_ops.Emitted) -> tf.Tensor:
        code = tf.maximum(text.codes, 0)
        page = text_ops.look_up(self.pages, code // 256)
        letter = text_ops.look_up(self.letters, page * 256 + code % 256) > 0
        letter |= text.codes < 0  # a nukta that became part of the letter before it
        first = text.spaced | tf.logical_not(letter) | tf.logical_not(before(letter, 1))
        starts = tf.where(first & (text.codes >= 0), emitted.starts, emitted.data.shape[0])
        return tf.scatter_nd(starts[:, None], tf.ones_like(starts), [emitted.data.shape[0] + 1])[:-1] > 0


def _letters() -> tuple[np.ndarray, np.ndarray]:
    """Which code points run together into words, by the tokenizer's expression: page of each 256 [4352], pages [P * 256]."""
    codes = np.concatenate([np.arange(0x21, 0xD800), np.arange(0xE000, 0x110000)]).astype(np.int32)  # no surrogates
    probes = tf.strings.unicode_encode(tf.stack([tf.fill(codes.shape, ord("a")), codes], 1), "UTF-8")
    table = np.zeros(0x110000, np.uint8)
    table[codes] = tf.strings.regex_full_match(probes, tokenizers.WORD)
    pages, of_page = np.unique(table.reshape(-1, 256), axis=0, return_inverse=True)
    return of_page.reshape(-1).astype(np.int32), pages.reshape(-1)


class SentencePieceTokenizing(Tokenizing):
    """The likeliest segmentation into pieces (Kudo, 2018), ties and roundings as in the library.

    A trie of the pieces spelt backwards is walked from the end of every byte at once; then Viterbi's algorithm goes
    once over the text. Scores are summed in float32 from left to right, as the library does it: sums that are equal but
    for rounding are common. They are stored as int32 multiples of a power of two, which float32 takes in exactly.
    """

    def __init__(self, tokenizer: tokenizers.SentencePiece, max_bytes: int):
        super().__init__(tokenizer, max_bytes)
        self.width = max_bytes + 1
        processor, size = tokenizer.processor, tokenizer.vocabulary_size
        usable = [i for i in range(size) if not (
            processor.is_control(i) or processor.is_unknown(i) or processor.is_byte(i) or processor.is_unused(i))]
        byte_ids = [processor.piece_to_id(f"<0x{byte:02X}>") for byte in range(256)]
        require(SPACE in tokenizer.pieces and UNK not in byte_ids,
                "a phone file needs a SentencePiece vocabulary with byte fallback and a piece for the space; this one lacks "
                "them. Train the vocabulary with keras_s2s.")
        self.byte_ids = np.array(byte_ids, np.int32)
        self.trie = trie.double_array({tokenizer.pieces[i].replace(SPACE, " ").encode()[::-1]: i for i in usable})
        self.longest = max(4, self.trie.longest)
        self.unknown, self.none = size, size + 1  # numbers beside those of pieces: one character in bytes; nothing
        scores = np.array([processor.get_score(i) for i in range(size)], np.float32)
        worst = scores[usable].min()
        self.scores, self.scale = _fixed_point(np.concatenate([scores, [worst - UNKNOWN_PENALTY, 0]]).astype(np.float32))

    def __call__(self, text: Tidy) -> Tokens:
        emitted = text_ops.emit(text.codes, tf.concat([[True], text.spaced[1:]], 0), self.width)
        data, position = emitted.data, tf.range(self.width)
        length = 1 + tf.reduce_max(tf.where((position < emitted.length) & (data != 0x20), position, -1))
        candidates = self._candidates(data, length)
        steps = self._best_steps(candidates, length)
        pieces = self._follow(candidates, steps, length)
        spelt = pieces == self.unknown
        size = text_ops.look_up(LEAD_SIZES, data)
        in_bytes = spelt
        for k in (1, 2, 3):
            in_bytes |= before(spelt & (size > k), k)
        ids = tf.where(in_bytes, text_ops.look_up(self.byte_ids, data), pieces)
        wanted = in_bytes | (pieces < self.unknown)
        return Tokens(text_ops.pack(ids, wanted, self.width), tf.reduce_sum(tf.cast(wanted, tf.int32)), emitted.cut)

    def _candidates(self, data: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """[W, M]: the pieces that end with each byte, by their length in bytes, the longest (M) first; or `none`."""
        width, longest = self.width, self.longest
        end = tf.range(width)
        column = tf.range(longest)

        def advance(step, state, alive, found):
            byte = tf.gather(data, tf.maximum(end - step, 0))
            following = text_ops.look_up(self.trie.base, state) + byte
            alive &= (text_ops.look_up(self.trie.check, following) == state) & (end >= step)
            state = tf.where(alive, following, 0)
            piece = text_ops.look_up(self.trie.value, state)
            # A character without a piece of its own is `unknown`. The lead byte tells that a character has been gone over.
            character = (text_ops.look_up(LEAD_SIZES, byte) == step + 1) & (end >= step) & (end < length)
            piece = tf.where(alive & (piece >= 0), piece, tf.where(character, self.unknown, self.none))
            return step + 1, state, alive, tf.where(column == longest - 1 - step, piece[:, None], found)

        return tf.while_loop(
            lambda step, state, alive, found: (step < longest) & ((step < 4) | tf.reduce_any(alive)), advance,
            (tf.constant(0), tf.zeros([width], tf.int32), end < length, tf.fill([width, longest], self.none)))[3]

    def _best_steps(self, candidates: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """[W]: the column of the piece that the best segmentation up to each byte ends with."""
        longest = self.longest
        scores = tf.cast(text_ops.look_up(self.scores, candidates), tf.float32) * self.scale
        scores = tf.where(candidates == self.none, NEVER, scores)
        order = tf.range(longest)

        def advance(end, reached, steps):
            added = tf.gather(scores, end)
            sums, errors = _exact_sum(reached, added)
            best = tf.reduce_max(sums)
            # The library keeps a float, and compares it to the next candidate's exact sum in double precision. So the
            # first of equals wins, unless a later one was rounded down; a spelt character's sum is rounded before.
            rounded_down = (errors > 0) & (tf.gather(candidates, end) != self.unknown)
            rank = tf.where(sums == best, tf.where(rounded_down, longest + order, longest - 1 - order), -1)
            step = tf.argmax(rank, output_type=tf.int32)
            return (end + 1, tf.concat([reached[1:], best[None]], 0),
                    tf.where(tf.range(self.width) == end, step, steps))

        start = tf.constant([NEVER] * (longest - 1) + [0.0])
        return tf.while_loop(lambda end, reached, steps: end < length, advance,
                             (tf.constant(0), start, tf.zeros([self.width], tf.int32)))[2]

    def _follow(self, candidates: tf.Tensor, steps: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """[W]: the piece of the best segmentation that starts at each byte, or `none`."""
        flat = tf.reshape(candidates, [-1])

        def advance(end, pieces):
            step = tf.gather(steps, end - 1)
            piece = tf.gather(flat, (end - 1) * self.longest + step)
            end -= self.longest - step
            return end, tf.where(tf.range(self.width) == end, piece, pieces)

        return tf.while_loop(lambda end, pieces: end > 0, advance, (length, tf.fill([self.width], self.none)))[1]


def _exact_sum(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The rounded sum and what rounding took from it (Knuth's TwoSum)."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _fixed_point(scores: np.ndarray) -> tuple[np.ndarray, float]:
    """float32 scores as int32 multiples of a power of two, without loss."""
    exponent = 30 - int(np.ceil(np.log2(max(1.0, float(np.abs(scores).max())))))
    fixed = np.round(scores.astype(np.float64) * 2.0**exponent).astype(np.int32)
    require(bool((fixed.astype(np.float32) * np.float32(2.0**-exponent) == scores).all()),
            "a piece of the SentencePiece vocabulary has a score so near 0 that a phone file cannot hold it exactly. "
            "Train the vocabulary on more text, or use another tokenizer.")
    return fixed, 2.0**-exponent


KINDS: dict[type[Tokenizer], type[Tokenizing]] = {
    tokenizers.SentencePiece: SentencePieceTokenizing, tokenizers.Characters: CharactersTokenizing,
    tokenizers.Words: WordsTokenizing, tokenizers.Bytes: BytesTokenizing}


def tokenizing(tokenizer: Tokenizer, max_bytes: int) -> Tokenizing:
    """The tokenizer's form in built-in operations."""
    return KINDS[type(tokenizer)](tokenizer, max_bytes)
