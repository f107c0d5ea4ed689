"""The target tokens that a source may need, so that a step projects onto them alone and not onto the whole vocabulary.

With a large vocabulary most of a step is its projection, onto tokens that nothing in the source asks for. So for each source
token the target tokens are kept that go with it in the training set, and an answer is searched among those of the source's
tokens and the most frequent ones (Jean et al., 2015, section 3.3, who take them from an aligner's dictionary). Here they are
ranked by how much a pair of tokens depends on each other, phi squared (Gale and Church, 1991), for which one pass over the
training set is enough. Probabilities are then of what is listed; what is not listed cannot be said.

    shortlist.npy    [V of the source + 1, MOST_LISTED] int32, the best first, PAD where there are no more; made when first
                     wanted. The last line are the most frequent.

A source token that is in none of the pairs learned from, at most SAMPLE of them, has the most frequent ones alone.

Axes: B batch, S source steps, N rows of a step, L listed tokens, V vocabulary of the target.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_s2s.analogy import Analogies
from keras_s2s.config import MOST_LISTED
from keras_s2s.files import write_whole
from keras_s2s.rows import CorpusError
from keras_s2s.terminal import Bar
from keras_s2s.tokenizers import PAD, SPECIALS

SAMPLE = 100_000  # pairs that are learned from at most, evenly spaced
ROWS, LINKS = 256, 10_000_000  # looked at together; counted together


class Lexicon:
    """What a run's training set tells a search, learned when it is first asked: of tokens, and of whole pairs.

    Args:
        path: where it is kept.
        training_set: gives its `Rows`.
        source, target: of its model.
    """

    def __init__(self, path: Path, training_set: Callable[[], Any], source: Any, target: Any):
        self.path, self.training_set, self.source, self.target = path, training_set, source, target

    @functools.cached_property
    def table(self) -> np.ndarray:
        """As in shortlist.npy.

        Raises:
            CorpusError: neither table nor training set is there.
        """
        sizes = self.source.tokenizer.vocabulary_size, self.target.tokenizer.vocabulary_size
        with contextlib.suppress(OSError, ValueError, EOFError):
            table = np.load(self.path, allow_pickle=False)
            if (table.shape == (sizes[0] + 1, MOST_LISTED) and table.dtype == np.int32
                    and 0 <= table.min() <= table.max() < sizes[1]):
                return table
        with tf.init_scope():  # an answer may be wanted while a graph is traced
            table = learn(self._tokens(), *sizes)
        with contextlib.suppress(OSError):
            write_whole(self.path, lambda output: np.save(output, table))
        return table

    @functools.cached_property
    def analogies(self) -> Analogies:
        """Of all pairs; memory grows with their number.

        Raises:
            CorpusError: the training set is not there.
        """
        return Analogies(self.pairs(), self.target.config.data.target_tokenizer == "words")

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Those of the training set that analogies are learned from, which are all.

        Raises:
            CorpusError: the training set is not there.
        """
        for sides in self._read("learning analogies", "analogies (`search.analogy`) are"):
            for source, target in zip(*sides):
                yield source.decode(), target.decode()

    def _tokens(self) -> Iterator[tuple[np.ndarray, ...]]:
        """Tokens of pairs of the training set: padded arrays of both sides, some rows at a time."""
        for sides in self._read("learning a shortlist", "a shortlist (`search.shortlist`) is", SAMPLE):
            yield tuple(kind.tokens(tf.constant(kind.batch(texts)), None).to_tensor(PAD).numpy()
                        for kind, texts in zip((self.source, self.target), sides))

    def _read(self, doing: str, what: str, most: int = sys.maxsize) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Sources and targets of the training set, some rows at a time; of more pairs than `most` those evenly spaced."""
        try:
            rows = self.training_set()
        except CorpusError as why:
            raise CorpusError(f"{what} learned from the run's training set: {why}") from None
        if not len(rows):
            raise CorpusError(f"{what} learned from the run's training set, which holds no pairs.")
        chosen = range(0, len(rows), -(-len(rows) // most))
        bar = Bar(doing, len(chosen), unit=" pairs")
        for start in range(0, len(chosen), ROWS):
            yield rows.read(chosen[start:start + ROWS])
            bar.advance(by=min(ROWS, len(chosen) - start))
        bar.close()


class Shortlist:
    """What sources may need of the target's vocabulary.

    Args:
        lexicon: where it is from.
        count: target tokens of each source token, and most frequent ones besides; at most MOST_LISTED.

    Call: source tokens [B, S] -> listed [L] int32, ascending, what any of them may need; own [B, L] bool, what each may.

    Raises:
        CorpusError: see `Lexicon.table`.
    """

    def __init__(self, lexicon: Lexicon, count: int):
        self.of_token = lexicon.table[:-1, :count]
        self.always = np.zeros(lexicon.target.tokenizer.vocabulary_size, bool)
        self.always[[*range(len(SPECIALS)), *lexicon.table[-1, :count]]] = True

    def __call__(self, prepared: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        needed = self.needed(prepared)
        listed = tf.cast(tf.where(tf.reduce_any(needed, 0))[:, 0], tf.int32)
        return listed, tf.gather(needed, listed, axis=1)

    def needed(self, prepared: tf.Tensor) -> tf.Tensor:
        """Source tokens [B, S] -> whether each may need each of the target's, bool [B, V]."""
        tokens = tf.gather(self.of_token, prepared)  # [B, S, count]
        rows = tf.zeros_like(tokens) + tf.range(tf.shape(tokens)[0])[:, None, None]
        places = tf.reshape(tf.stack([rows, tokens], -1), [-1, 2])
        times = tf.scatter_nd(places, tf.ones_like(places[:, 0]), [tf.shape(tokens)[0], len(self.always)])
        return (times > 0) | self.always


def learn(chunks: Any, source_size: int, target_size: int) -> np.ndarray:
    """The table of shortlist.npy, from chunks of pairs: arrays of tokens [R, S] and [R, T], padded with PAD.

    Of n pairs, n_s hold the source token s, n_t the target token t, a both:

        phi^2 = (n a - n_s n_t)^2 / (n_s n_t (n - n_s) (n - n_t)),   where n a > n_s n_t

    Memory grows with the pairs of tokens that occur together: some 100 bytes each at the end.
    """
    counts, total = _Counts(), 0
    of_source, of_target = np.zeros(source_size), np.zeros(target_size)
    for source, target in chunks:
        total += len(source)
        source, target = _once(source), _once(target)
        of_source += np.bincount(source[source != PAD], minlength=source_size)
        of_target += np.bincount(target[target != PAD], minlength=target_size)
        links = source[:, :, None].astype(np.int64) * target_size + target[:, None]
        counts.add(links[(source != PAD)[:, :, None] & (target != PAD)[:, None]])
    sources, targets, both = counts.found(target_size)
    table = np.full((source_size + 1, MOST_LISTED), PAD, np.int32)
    frequent = np.argsort(-of_target[len(SPECIALS):], kind="stable")[:MOST_LISTED] + len(SPECIALS)
    table[-1, :len(frequent)] = frequent
    one, other = of_source[sources], of_target[targets]
    together = total * both - one * other
    linked = (together > 0) & (targets >= len(SPECIALS))
    sources, targets, one, other, together = (x[linked] for x in (sources, targets, one, other, together))
    phi = together**2 / np.maximum(one * other * (total - one) * (total - other), 1)
    order = np.lexsort((targets, -phi, sources))
    sources, targets = sources[order], targets[order]
    place = np.arange(len(sources)) - np.searchsorted(sources, sources)
    best = place < MOST_LISTED
    table[sources[best], place[best]] = targets[best]
    return table


def _once(side: np.ndarray) -> np.ndarray:
    """Each row's tokens once, behind as much PAD as the row with most of them leaves."""
    ordered = np.sort(side, axis=1)
    ordered = np.sort(np.where(np.diff(ordered, axis=1, prepend=PAD) == 0, PAD, ordered), axis=1)
    return ordered[:, (ordered == PAD).all(axis=0).sum():]


class _Counts:
    """How often each number was added; many are counted together."""

    def __init__(self) -> None:
        self.numbers, self.times = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.waiting: list[np.ndarray] = []

    def add(self, numbers: np.ndarray) -> None:
        self.waiting.append(numbers)
        if sum(map(len, self.waiting)) > LINKS:
            self._count()

    def found(self, width: int) -> tuple[np.ndarray, ...]:
        """Each number, as a multiple of `width` and what is left, and how often it was added."""
        self._count()
        return *np.divmod(self.numbers, width), self.times

    def _count(self) -> None:
        new, times = np.unique(np.concatenate([np.zeros(0, np.int64), *self.waiting]), return_counts=True)
        numbers, place = np.unique(np.concatenate([self.numbers, new]), return_inverse=True)
        self.times = np.bincount(place, np.concatenate([self.times, times]), len(numbers)).astype(np.int64)
        self.numbers, self.waiting = numbers, []
