"""Subword regularisation that can be repeated: another segmentation of each sentence at each step of training.

Kudo (2018), eq. 8: a segmentation x of a sentence X is drawn with probability P(x)^alpha / sum over all y of P(y)^alpha, by
forward filtering and backward sampling over the lattice of pieces. tensorflow-text draws too, but takes no seed; here the
result is a pure function of (seed, step), so that a resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from keras_s2s.tokenizers import SPACE, SentencePiece, Tokenizer

NEVER = -1e30
UNKNOWN = -2  # an edge of one character that is no piece: it is spelt in bytes
PENALTY = 10.0  # of such an edge below the worst piece, SentencePiece's own
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that the rolling hash of characters spreads over 64 bits


def tokenize_for_training(tokenizer: Tokenizer, texts: tf.Tensor, alpha: float, seed: tf.Tensor | None) -> tf.RaggedTensor:
    """The best segmentation, or a drawn one where there is a `seed` (int64 [2]), `alpha` is above 0 and pieces overlap."""
    if seed is None or not alpha or not isinstance(tokenizer, SentencePiece):
        return tokenizer.tokenize(texts)
    lattice = _lattice(tokenizer)
    flat, lengths = tf.numpy_function(lambda t, s: lattice.draw(t, alpha, s), [texts, seed], [tf.int32, tf.int64])
    flat.set_shape([None])
    lengths.set_shape([None])
    return tf.RaggedTensor.from_row_lengths(flat, lengths, validate=False)


@functools.lru_cache(maxsize=4)
def _lattice(tokenizer: SentencePiece) -> Lattice:
    return Lattice(tokenizer)


class Lattice:
    """All segmentations of a batch of sentences into a SentencePiece model's pieces.

    Axes: B sentences, N characters, M characters of the longest piece.
    """

    def __init__(self, tokenizer: SentencePiece):
        processor = tokenizer.processor
        usable = [i for i in range(processor.get_piece_size())
                  if not (processor.is_control(i) or processor.is_unknown(i) or processor.is_byte(i) or processor.is_unused(i))]
        self.scores = np.array([processor.get_score(i) for i in range(processor.get_piece_size())], np.float32)
        self.unknown_score = float(self.scores[usable].min()) - PENALTY
        self.byte_ids = np.array([processor.piece_to_id(f"<0x{byte:02X}>") for byte in range(256)], np.int32)
        by_length: dict[int, list[int]] = {}
        for i in usable:
            by_length.setdefault(len(processor.id_to_piece(i)), []).append(i)
        self.longest = max(by_length)
        self.tables = []  # for each length: sorted hashes of the pieces and their ids
        for length in range(1, self.longest + 1):
            ids = np.array(by_length.get(length, []), np.int32)
            codes = np.array([[ord(c) for c in processor.id_to_piece(int(i))] for i in ids], np.uint64).reshape(-1, length)
            hashes = functools.reduce(_roll, codes.T, np.zeros(len(ids), np.uint64))
            order = np.argsort(hashes)
            self.tables.append((hashes[order], ids[order]))

    def draw(self, texts: np.ndarray, alpha: float, seed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draws a segmentation of each sentence.

        Args:
            texts: UTF-8 strings [B], normalised.
            alpha: smoothing; 0 would be uniform, infinity the best segmentation.
            seed: int64 [2].

        Returns:
            the tokens of all sentences, one after another, and their number for each sentence [B].
        """
        sentences = [(SPACE + text.decode().replace(" ", SPACE)) if text else "" for text in texts]
        codes, lengths = _characters(sentences)
        edges = self.edges(codes)  # [B, N, M]
        weights = self._weights(edges, alpha)
        random = np.random.Generator(np.random.Philox(key=seed.astype(np.uint64))).random(codes.shape, np.float32)
        jumps = _backward(_forward(weights), weights, lengths, random)  # [B, N]: the edge that ends after a character, or 0
        rows, ends = np.nonzero(jumps)
        starts = ends + 1 - jumps[rows, ends]
        ids = edges[rows, starts, jumps[rows, ends] - 1]
        if not (ids == UNKNOWN).any():
            return ids, np.bincount(rows, minlength=len(sentences))
        spelt = [[i] if i != UNKNOWN else self.byte_ids[list(chr(codes[row, start]).encode())].tolist()
                 for i, row, start in zip(ids.tolist(), rows, starts)]
        counts = np.bincount(rows, weights=[len(part) for part in spelt], minlength=len(sentences))
        return np.array([i for part in spelt for i in part], np.int32), counts.astype(np.int64)

    def edges(self, codes: np.ndarray) -> np.ndarray:
        """Code points [B, N] (0 = padding) -> [B, N, M]: the piece of m + 1 characters that begins at n, -1 where none."""
        batch, width = codes.shape
        padded = np.pad(codes.astype(np.uint64), ((0, 0), (0, self.longest)))
        edges = np.full((batch, width, self.longest), -1, np.int32)
        hashes = np.zeros((batch, width), np.uint64)
        for length, (known, ids) in enumerate(self.tables):
            hashes = _roll(hashes, padded[:, length:length + width])
            if len(known):
                place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
                edges[:, :, length] = np.where(known[place] == hashes, ids[place], -1)
        edges[:, :, 0] = np.where((edges[:, :, 0] < 0) & (codes > 0), UNKNOWN, edges[:, :, 0])
        return edges

    def _weights(self, edges: np.ndarray, alpha: float) -> np.ndarray:
        scores = np.where(edges == UNKNOWN, np.float32(self.unknown_score), self.scores[edges])
        return np.where(edges == -1, np.float32(NEVER), np.float32(alpha) * scores)


def _roll(hashes: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The rolling hash of strings one character longer."""
    return (hashes ^ codes) * _MIX + (hashes >> np.uint64(29))


def _characters(sentences: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Code points [B, N], 0 after the end, and lengths [B]."""
    lengths = np.array([len(sentence) for sentence in sentences])
    codes = np.zeros((len(sentences), max(1, lengths.max(initial=0))), np.uint32)
    for row, sentence in enumerate(sentences):
        codes[row, :len(sentence)] = np.frombuffer(sentence.encode("utf-32-le"), np.uint32)
    return codes, lengths


def _forward(weights: np.ndarray) -> np.ndarray:
    """log of the summed weights of all ways to reach the end of character n: [B, N + 1], from edge weights [B, N, M]."""
    batch, width, longest = weights.shape
    reach = np.full((batch, longest + width), NEVER, np.float32)  # reach[:, longest + n - 1] is the end of n characters
    reach[:, longest - 1] = 0
    ways = np.empty((batch, longest), np.float32)
    for n in range(1, width + 1):
        for m in range(min(n, longest)):
            ways[:, m] = reach[:, longest + n - 2 - m] + weights[:, n - 1 - m, m]
        top = ways[:, :min(n, longest)].max(axis=1)
        total = np.exp(ways[:, :min(n, longest)] - top[:, None]).sum(axis=1)
        reach[:, longest + n - 1] = np.maximum(top + np.log(total), NEVER)
    return reach[:, longest - 1:]


def _backward(reach: np.ndarray, weights: np.ndarray, lengths: np.ndarray, random: np.ndarray) -> np.ndarray:
    """Draws edges from the end to the start: jumps [B, N], at each piece's last character its length, elsewhere 0."""
    batch, width, longest = weights.shape
    jumps = np.zeros((batch, width), np.int32)
    rows = np.nonzero(lengths)[0]
    ends = lengths[rows]
    m = np.arange(longest)
    while len(rows):
        starts = ends[:, None] - 1 - m  # [rows, M]
        inside = np.maximum(starts, 0)
        ways = np.where(starts >= 0, reach[rows[:, None], inside] + weights[rows[:, None], inside, m], NEVER)
        shares = np.cumsum(np.exp(ways - ways.max(axis=1, keepdims=True)), axis=1)
        drawn = (shares < (random[rows, ends - 1] * shares[:, -1])[:, None]).sum(axis=1)
        jumps[rows, ends - 1] = drawn + 1
        ends = ends - 1 - drawn
        rows, ends = rows[ends > 0], ends[ends > 0]
    return jumps
