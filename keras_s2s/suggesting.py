"""Which word comes next, and how likely: the probabilities of its pieces multiplied, and summed over what may follow it.

Knows no model, only a function and a state, as search.py does. A word is all up to the next space or the end:

    p(word) = sum over the ways to spell it of p(pieces) * (sum of p(token) of all tokens that begin with a space, and of EOS)

The K likeliest beginnings of words are followed side by side, as in beam search, until none can become likelier than the K
words found. So a probability is exact but for spellings dropped on the way, and never too high. `likeliest` then makes words of
spellings.

Everything is in-graph and, with a fixed batch, in TFLite's built-in operations.

Axes: B batch, K beams, T pieces of a word, V vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_s2s.search import NEVER, Hypotheses, Memory, State, Step, Symbols
from keras_s2s.stepping import follow, of_parents, repeat_rows, take, tensors, write


class Spelling(NamedTuple):
    """How a vocabulary writes words."""

    begins: np.ndarray  # [V] bool: the token begins with a space, so a word before it has ended
    blank: np.ndarray  # [V] bool: the token is nothing but a space, so no word has begun with it


class _Beginnings(NamedTuple):
    """The state of the loop: K beginnings of words, and the K likeliest words so far."""

    t: tf.Tensor  # [] int32: pieces of each beginning
    tokens: tf.Tensor  # [B, K] int32: the last piece of each, fed next
    answers: tf.Tensor  # [B, K, T] int32
    log_p: tf.Tensor  # [B, K] float32
    begun: tf.Tensor  # [B, K] bool: it is more than a space
    ended_answers: tf.Tensor  # [B, K, T] int32
    ended_log_p: tf.Tensor  # [B, K] float32, falling; NEVER: none yet
    state: State  # of the model, B * K rows


def next_words(step: Step, state: State, rows: Any, beams: int, most: int, spelling: Spelling,
               symbols: Symbols = Symbols(), memory: Memory = ()) -> Hypotheses:
    """Finds the likeliest next words.

    Args:
        step: what may come next, see search.py.
        state: the state before the first step, B rows.
        rows: B.
        beams: K.
        most: T, pieces of a word at most.
        spelling: of the vocabulary.
        symbols: PAD, BOS, EOS and the banned tokens, none of which is ever part of a word.
        memory: what each step looks at, B rows.

    Returns:
        K spellings [B, K, T], the likeliest first. `scores` and `log_probabilities` are both log p.
    """
    special = np.zeros(len(spelling.begins), bool)
    special[[symbols.pad, symbols.bos, symbols.eos, *symbols.banned]] = True
    ending = spelling.begins.copy()
    ending[symbols.eos] = True
    fixed = [np.where(mask, low, high).astype(np.float32) for mask, low, high in (
        (ending, 0.0, NEVER), (special, NEVER, 0.0), (special | ending, NEVER, 0.0))]
    nothing, never = tf.fill([rows, beams, most], symbols.pad), tf.fill([rows, beams], NEVER)
    alone = tf.zeros([rows, 1]) + tf.constant([[0.0] + [NEVER] * (beams - 1)])  # K equal beginnings are one

    def advance(loop: _Beginnings) -> _Beginnings:
        logits, state = step(tf.reshape(loop.tokens, [-1]), loop.state, memory)
        log_p = tf.reshape(tf.nn.log_softmax(tf.cast(logits, tf.float32)), [-1, beams, len(special)])
        loop = _end(loop, tf.reduce_logsumexp(log_p + fixed[0], axis=-1))
        log_p += tf.where(loop.begun[:, :, None], fixed[2], fixed[1])
        return _extend(loop._replace(state=state), log_p, spelling.blank)

    def going(loop: _Beginnings) -> tf.Tensor:
        hope = tf.reduce_any(loop.log_p[:, 0] > loop.ended_log_p[:, -1])  # a word is no likelier than its beginning
        return (loop.t <= most) & hope

    found = follow(going, advance, _Beginnings(
        tf.constant(0), tf.fill([rows, beams], symbols.bos), nothing, alone, tf.zeros([rows, beams], tf.bool), nothing, never,
        repeat_rows(tensors(state), beams)))
    lengths = tf.reduce_sum(tf.cast(found.ended_answers != symbols.pad, tf.int32), -1)
    return Hypotheses(found.ended_answers, lengths, found.ended_log_p, found.ended_log_p)


def likeliest(same: tf.Tensor, log_p: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Spellings -> words: what is spelt in several ways is one.

    Args:
        same: [B, K, K] bool, two spellings are of one word; false on the diagonal where one is no word at all.
        log_p: of each spelling [B, K].
        count: words wanted, at most K.

    Returns:
        which spelling says each word [B, count] int32 and the words' p [B, count], falling; 0: there is no further word.
    """
    size = same.shape[1]
    earlier = tf.constant(np.tril(np.ones((size, size), bool), -1))
    first = tf.logical_not(tf.reduce_any(same & earlier, axis=2))
    p = tf.reduce_sum(tf.cast(same, tf.float32) * tf.exp(log_p)[:, None, :], axis=2)
    p, places = tf.math.top_k(tf.where(first, p, 0.0), count)  # among equals the likelier spelling
    return places, p


def _end(loop: _Beginnings, end: tf.Tensor) -> _Beginnings:
    """What has begun may also be a whole word, log p of its end [B, K]; the K likeliest stay."""
    real = loop.begun & (loop.log_p > NEVER / 2)
    all_log_p = tf.concat([loop.ended_log_p, tf.where(real, loop.log_p + end, NEVER)], 1)
    log_p, order = tf.math.top_k(all_log_p, loop.log_p.shape[1])  # among equals the older
    answers = tf.gather(tf.concat([loop.ended_answers, loop.answers], 1), order, batch_dims=1)
    return loop._replace(ended_answers=answers, ended_log_p=log_p)


def _extend(loop: _Beginnings, log_p: tf.Tensor, blank: np.ndarray) -> _Beginnings:
    """The K likeliest beginnings that are one piece longer; log p of each piece [B, K, V]."""
    beams, size = log_p.shape[1:]
    totals = tf.maximum(loop.log_p[:, :, None] + log_p, NEVER)
    best, index = tf.math.top_k(tf.reshape(totals, [-1, beams * size]), beams)
    parents = index // size
    tokens = index - parents * size
    answers = write(tf.gather(loop.answers, parents, batch_dims=1), loop.t, tokens, 2)
    visible = tf.gather(tf.constant(1 - blank.astype(np.int32)), tokens)
    begun = tf.gather(tf.cast(loop.begun, tf.int32), parents, batch_dims=1) + visible
    return loop._replace(t=loop.t + 1, tokens=tokens, answers=answers, log_p=best, begun=begun > 0,
                         state=take(loop.state, of_parents(parents, beams)))
