"""The target tokens that a source may need, so that a step projects onto them alone and not onto the whole vocabulary.

With a large vocabulary most of a step is its projection, onto tokens that nothing in the source asks for. So for each source
token the target tokens are kept that go with it in the training set, and an answer is searched among those of the source's
tokens and the most frequent ones (Jean et al., 2015, section 3.3, who take them from an aligner's dictionary). Here they are
ranked by how much a pair of tokens depends on each other, phi squared (Gale and Church, 1991), for which one pass over the
training set is enough. Probabilities are then of what is listed; what is not listed cannot be said.

    assets/shortlist.npy    [V of the source + 1, MOST] int32, the best first, PAD where there are no more; made when first
                            wanted. The last line are the most frequent.

Axes: B batch, S source steps, N rows of a step, L listed tokens, V vocabulary of the target.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_s2s.files import write_whole
from keras_s2s.rows import CorpusError
from keras_s2s.search import NEVER
from keras_s2s.terminal import Bar
from keras_s2s.tokenized import Tokenized
from keras_s2s.tokenizers import PAD, SPECIALS

MOST = 100  # target tokens kept for each source token
SAMPLE = 100_000  # pairs that are learned from at most, evenly spaced
ROWS, LINKS = 256, 10_000_000  # looked at together; counted together
NAME = "shortlist.npy"


class Narrow(NamedTuple):
    """A search among some tokens: what `search` takes, for a batch."""

    step: Callable[..., Any]  # logits [N, L], NEVER where a token is of other sources: an answer is its own source's alone
    memory: Any
    tokens: tf.Tensor | None  # [L] int32, ascending; None: all


class Lexicon:
    """What is known of a run's tokens, learned from its training set when it is first asked.

    Args:
        assets: the run's folder of that name.
        training_set: gives its `Rows`.
        source, target: of its model.
    """

    def __init__(self, assets: Path, training_set: Callable[[], Any], source: Any, target: Any):
        self.assets, self.training_set, self.source, self.target = assets, training_set, source, target

    @functools.cached_property
    def table(self) -> np.ndarray:
        """As in assets/shortlist.npy.

        Raises:
            ValueError: source or target is no text.
            CorpusError: neither table nor training set is there.
        """
        if not (isinstance(self.source, Tokenized) and isinstance(self.target, Tokenized)):
            data = self.source.config.data
            raise ValueError(f"`search.shortlist` needs text on both sides; this run reads {data.source} and says "
                             f"{data.target}. Leave it 0.")
        path, sizes = self.assets / NAME, (self.source.tokenizer.vocabulary_size, self.target.tokenizer.vocabulary_size)
        with contextlib.suppress(OSError, ValueError, EOFError):
            table = np.load(path, allow_pickle=False)
            if table.shape == (sizes[0] + 1, MOST) and table.dtype == np.int32 and 0 <= table.min() <= table.max() < sizes[1]:
                return table
        table = learn(self._chunks(), *sizes)
        with contextlib.suppress(OSError):
            write_whole(path, lambda output: np.save(output, table))
        return table

    def _chunks(self):
        """Tokens of pairs of the training set: padded arrays of both sides, some rows at a time."""
        try:
            rows = self.training_set()
        except CorpusError as why:
            raise CorpusError(f"a shortlist (`search.shortlist`) is learned from the run's training set: {why}") from None
        chosen = range(0, len(rows), -(-len(rows) // SAMPLE))
        bar = Bar("learning a shortlist", len(chosen), unit=" pairs")
        for start in range(0, len(chosen), ROWS):
            sides = rows.read(chosen[start:start + ROWS])
            yield tuple(kind.tokens(tf.constant(kind.batch(texts)), None).to_tensor(PAD).numpy()
                        for kind, texts in zip((self.source, self.target), sides))
            bar.advance(by=min(ROWS, len(chosen) - start))
        bar.close()


class Shortlist:
    """Narrows a search.

    Args:
        lexicon: where the tokens are from.
        count: target tokens of each source token, and most frequent ones besides; at most MOST.

    Raises:
        ValueError: no lexicon, or one of another kind than text; see also `Lexicon.table`.
    """

    def __init__(self, lexicon: Lexicon | None, count: int):
        if lexicon is None:
            raise ValueError("`search.shortlist` needs a trained run, from whose training set it is learned: "
                             "keras_s2s.load(RUN).")
        table = lexicon.table
        self.of_token = table[:-1, :count]
        self.always = np.zeros(lexicon.target.tokenizer.vocabulary_size, bool)
        self.always[[*range(len(SPECIALS)), *table[-1, :count]]] = True

    def narrow(self, model: Any, prepared: tf.Tensor, memory: Any) -> Narrow:
        """The model's step for sources [B, S] and its memory, among what they may need."""
        marks = self.marks(prepared)
        tokens = tf.cast(tf.where(tf.reduce_any(marks, 0))[:, 0], tf.int32)
        step = model.narrowed(tokens)

        def own_step(inputs, state, memory):
            inner, own = memory  # own [B, L]: what the row's source may need
            logits, state = step(inputs, state, inner)
            each = tf.reshape(logits, [tf.shape(own)[0], -1, tf.shape(tokens)[0]])
            return tf.reshape(tf.where(own[:, None], each, NEVER), tf.shape(logits)), state

        return Narrow(own_step, (memory, tf.gather(marks, tokens, axis=1)), tokens)

    def marks(self, prepared: tf.Tensor) -> tf.Tensor:
        """Source tokens [B, S] -> whether each of the target's is listed, bool [B, V]."""
        listed = tf.gather(self.of_token, prepared)  # [B, S, count]
        rows = tf.zeros_like(listed) + tf.range(tf.shape(listed)[0])[:, None, None]
        places = tf.reshape(tf.stack([rows, listed], -1), [-1, 2])
        marks = tf.scatter_nd(places, tf.ones_like(places[:, 0]), [tf.shape(listed)[0], len(self.always)]) > 0
        return marks | self.always


def learn(chunks: Any, source_size: int, target_size: int) -> np.ndarray:
    """The table of assets/shortlist.npy, from chunks of pairs: arrays of tokens [R, S] and [R, T], padded with PAD.

    Of n pairs, n_s hold the source token s, n_t the target token t, a both:

        phi^2 = (n a - n_s n_t)^2 / (n_s n_t (n - n_s) (n - n_t)),   where n a > n_s n_t

    Memory grows with the pairs of tokens that occur together, 16 bytes each.
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
    table = np.full((source_size + 1, MOST), PAD, np.int32)
    frequent = np.argsort(-of_target[len(SPECIALS):], kind="stable")[:MOST] + len(SPECIALS)
    table[-1, :len(frequent)] = frequent
    one, other = of_source[sources], of_target[targets]
    together = total * both - one * other
    linked = together > 0
    sources, targets, one, other, together = (x[linked] for x in (sources, targets, one, other, together))
    phi = together**2 / np.maximum(one * other * (total - one) * (total - other), 1)
    order = np.lexsort((targets, -phi, sources))
    sources, targets = sources[order], targets[order]
    place = np.arange(len(sources)) - np.searchsorted(sources, sources)
    best = place < MOST
    table[sources[best], place[best]] = targets[best]
    return table


def _once(side: np.ndarray) -> np.ndarray:
    """Each row's tokens once, PAD in the others' places."""
    ordered = np.sort(side, axis=1)
    return np.where(np.diff(ordered, axis=1, prepend=PAD) == 0, PAD, ordered)


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
        new, times = np.unique(np.concatenate([self.numbers[:0], *self.waiting]), return_counts=True)
        numbers, place = np.unique(np.concatenate([self.numbers, new]), return_inverse=True)
        self.times = np.bincount(place, np.concatenate([self.times, times]), len(numbers)).astype(np.int64)
        self.numbers, self.waiting = numbers, []
