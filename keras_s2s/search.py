"""From a model's next step to whole answers: greedy, beam search, sampling, and the roll-out of series.

Knows no model, only a function, a state and a memory. The function tells what may come next and moves the state on:

    step(tokens [N] int32, state, memory) -> logits [N, V] of any float type, state

Where they are of some tokens alone (`Symbols.listed`), V is the number of those.

The state is any nest (lists, tuples, dicts) of tensors whose first axis is N, the memory one of tensors whose first axis is
B: what stays the same at every step (encoder outputs, their mask). Row n of a step looks at row n // (N / B) of the memory.

Every loop is an in-graph `tf.while_loop`. It serves any batch size. Where that is open, answers that are done leave the
loop, so that the short ones do not wait for the longest; with a fixed one the loop is plain and its buffers hold
`settings.max_length` tokens, and greedy and beam search convert to TFLite's built-in operations. Sampling needs
TensorFlow's random numbers.

Axes: B batch, K beams, N rows of a step (B for greedy search and sampling, B * K for beam search), T steps of the
answer, V vocabulary, F features.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import numpy as np
import tensorflow as tf

from keras_s2s.config import Search
from keras_s2s.stepping import follow, largest, of_parents, row_count, size, take, tensors, until_done, write

NEVER = -1e9  # the log-probability of what cannot be; finite, so that sums and products stay numbers

State = Any
Memory = Any
Step = Callable[[tf.Tensor, State, Memory], tuple[tf.Tensor, State]]


class Symbols(NamedTuple):
    """The tokens with a meaning of their own."""

    pad: int = 0  # fills the buffer after the end; never said
    bos: int = 2  # the first token fed; never said
    eos: int = 3  # ends an answer
    banned: tuple[int, ...] = ()  # never said either, such as (1,) for UNK
    listed: tf.Tensor | None = None  # [L] int32, ascending, those above among them: what the logits are of; None: all, in order

    def at(self, columns: tf.Tensor) -> tf.Tensor:
        """The tokens that columns of the logits are of."""
        return columns if self.listed is None else tf.gather(self.listed, columns)


class Hypotheses(NamedTuple):
    """Answers, the best first; K is 1 unless beam search found them.

    A hypothesis is ended by EOS or by its limit. Where fewer than K exist at all (a tiny vocabulary), the rest are
    empty with score NEVER.
    """

    tokens: tf.Tensor  # [B, K, T] int32: PAD after the end, EOS itself removed
    lengths: tf.Tensor  # [B, K] int32: tokens of the answer, EOS not counted
    scores: tf.Tensor  # [B, K] float32: log-probability / length penalty; what they are ranked by
    log_probabilities: tf.Tensor  # [B, K] float32: the sum of log p over the tokens and EOS, as the model gave them


def search(step: Step, state: State, limits: tf.Tensor, settings: Search, *, memory: Memory = (),
           symbols: Symbols = Symbols(), seed: Any = None) -> Hypotheses:
    """Finds answers in the way that `settings` asks for: sampling, beam search, or greedy search.

    Args:
        step: what may come next, see the top of this file.
        state: the state before the first step, B rows; beam search repeats it.
        limits: [B] int32, tokens of each answer at most, EOS not needed then; kept within 1 and `settings.max_length`.
        settings: the section `search` of the configuration.
        memory: what each step looks at, B rows.
        symbols: PAD, BOS, EOS and the banned tokens.
        seed: int32 [2], for sampling only; the same seed gives the same answers.
    """
    if settings.temperature > 0:
        return sample(step, state, limits, settings, seed, symbols, memory)
    if settings.beam_size == 1:
        return greedy(step, state, limits, settings, symbols, memory)
    return beam(step, state, limits, settings, symbols, memory)


def answer_limits(source_lengths: tf.Tensor, settings: Search) -> tf.Tensor:
    """Tokens of an answer at most [B] int32: `max_length_ratio` times the source's, plus 10, within `max_length`."""
    tokens = tf.cast(source_lengths, tf.float32) * settings.max_length_ratio + 10.0
    return tf.cast(tf.minimum(tokens, float(settings.max_length)), tf.int32)


# --- one hypothesis: greedy search and sampling --------------------------------------------------------------------


class _Line(NamedTuple):
    """The state of a loop that follows one hypothesis a sentence (N = B)."""

    t: tf.Tensor  # [] int32: the position about to be filled
    tokens: tf.Tensor  # [N] int32: the last token said, fed next
    answer: tf.Tensor  # [N, T] int32: what has been said, PAD from position t on
    steps: tf.Tensor  # [N] int32: the tokens scored so far, EOS counted
    log_p: tf.Tensor  # [N] float32: the sum of their log-probabilities
    done: tf.Tensor  # [N] bool: ended by EOS or by its limit
    limits: tf.Tensor  # [N] int32: tokens of each answer at most
    state: State  # of the model, N rows


def greedy(step: Step, state: State, limits: tf.Tensor, settings: Search,
           symbols: Symbols = Symbols(), memory: Memory = ()) -> Hypotheses:
    """Says the likeliest token at every step; among equals the lowest id. Arguments: see `search`."""
    return _follow(step, state, limits, settings, symbols, memory,
                   lambda logits, t: tf.argmax(logits, axis=-1, output_type=tf.int32))


def sample(step: Step, state: State, limits: tf.Tensor, settings: Search, seed: Any,
           symbols: Symbols = Symbols(), memory: Memory = ()) -> Hypotheses:
    """Draws every token from p^(1 / temperature), cut to the `top_k` likeliest and to the nucleus `top_p`.

    The nucleus is the smallest set of likeliest tokens that together reach `top_p` (Holtzman et al., 2020, eq. 2-3).
    The answers are a pure function of the seed and the batch. Arguments: see `search`.

    Raises:
        ValueError: no seed, or a temperature of 0.
    """
    if seed is None:
        raise ValueError("sampling needs `seed`, two integers such as tf.constant([1, 2]); got None. "
                         "Pass another pair for another sample.")
    if settings.temperature <= 0:
        raise ValueError(f"sampling needs `search.temperature` above 0; got {settings.temperature:g}. "
                         "Use 1 for the model's own probabilities, or call greedy().")

    def choose(logits: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        columns = size(logits, 1)
        kept = tf.minimum(settings.top_k or columns, columns)
        values, tokens = tf.math.top_k(logits / settings.temperature, kept)  # [N, kept], the likeliest first
        if settings.top_p < 1:
            likelier = tf.cumsum(tf.nn.softmax(values), axis=-1, exclusive=True)  # the first is always 0, so it stays
            values = tf.where(likelier < settings.top_p, values, NEVER / settings.temperature)
        drawn = tf.random.stateless_categorical(values, 1, tf.random.fold_in(seed, t), dtype=tf.int32)  # [N, 1]
        return tf.gather(tokens, drawn[:, 0], batch_dims=1)

    return _follow(step, state, limits, settings, symbols, memory, choose)


def _follow(step: Step, state: State, limits: tf.Tensor, settings: Search, symbols: Symbols, memory: Memory,
            choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Hypotheses:
    """Says what stands in the column choose(logits [N, V], t) -> [N] at every step until all have ended."""
    limits = tf.clip_by_value(limits, 1, settings.max_length)
    rows = row_count(limits)

    def advance(line: _Line, memory: Memory) -> _Line:
        logits, state = step(line.tokens, line.state, memory)
        logits, normalizer = _normalized(logits, line.answer, line.t, settings, symbols)
        columns = choose(logits, line.t)
        gained, tokens = tf.gather(logits, columns, batch_dims=1) - normalizer, symbols.at(columns)
        tokens = tf.where(line.done | (tokens == symbols.eos), symbols.pad, tokens)
        return line._replace(
            t=line.t + 1, tokens=tokens, answer=write(line.answer, line.t, tokens, 1),
            steps=line.steps + tf.cast(~line.done, tf.int32), log_p=line.log_p + tf.where(line.done, 0.0, gained),
            done=line.done | (tokens == symbols.pad) | (line.t + 1 >= line.limits), state=state)

    def finish(line: _Line) -> Hypotheses:
        scores = line.log_p / _length_penalty(line.steps, settings)
        return _hypotheses(line.answer[:, None], scores[:, None], line.log_p[:, None], symbols)

    first = _Line(tf.constant(0), tf.fill([rows], symbols.bos), tf.fill([rows, _width(limits, settings)], symbols.pad),
                  tf.zeros([rows], tf.int32), tf.zeros([rows]), tf.zeros([rows], tf.bool), limits, tensors(state))
    return until_done(advance, finish, first, tensors(memory))


# --- K hypotheses: beam search -------------------------------------------------------------------------------------


class _Beams(NamedTuple):
    """The state of the beam search loop: K hypotheses that go on (before the first step 1) and the K best that have ended."""

    t: tf.Tensor  # [] int32: the position about to be filled
    tokens: tf.Tensor  # [B, K] int32: the last token of each hypothesis that goes on, fed next
    answers: tf.Tensor  # [B, K, T] int32: what each has said, PAD from position t on
    log_p: tf.Tensor  # [B, K] float32: sum of log-probabilities; below NEVER / 2: there is no such hypothesis
    ended_answers: tf.Tensor  # [B, K, T] int32
    ended_log_p: tf.Tensor  # [B, K] float32
    ended_scores: tf.Tensor  # [B, K] float32: with the length penalty, descending; NEVER: none yet
    done: tf.Tensor  # [B] bool: nothing that goes on can still change the answer
    limits: tf.Tensor  # [B] int32: tokens of each answer at most
    state: State  # of the model, B * K rows


def beam(step: Step, state: State, limits: tf.Tensor, settings: Search, symbols: Symbols = Symbols(),
         memory: Memory = ()) -> Hypotheses:
    """Keeps the K likeliest beginnings and the K best answers, which are ranked with a length penalty.

    score(Y) = log p(Y) / lp(Y),  lp(Y) = ((5 + |Y|) / 6)^alpha  (Wu et al., 2016, eq. 14), where |Y| counts EOS.

    As in Sutskever et al. (2014), a hypothesis ends when EOS is among the K best continuations, and leaves its place to
    one that goes on. A sentence is done when none that goes on could rank among the `settings.n_best` ended ones if its next
    token ended it (`settings.early_stopping`), or even if all its further tokens were certain: log p only falls, and lp is
    largest at the limit. Asking for fewer stops sooner, and then gives the same ones. Arguments: see `search`.
    """
    beams = settings.beam_size
    limits = tf.clip_by_value(limits, 1, settings.max_length)
    rows = row_count(limits)
    nothing = tf.fill([rows, beams, _width(limits, settings)], symbols.pad)
    never = tf.fill([rows, beams], NEVER)
    memory = tensors(memory)

    def advance(loop: _Beams, memory: Memory) -> _Beams:
        return _select(*_extend(step, loop, memory, settings, symbols), settings, symbols)

    def finish(loop: _Beams) -> Hypotheses:
        answers, scores, log_p = (x[:, :settings.n_best] for x in (loop.ended_answers, loop.ended_scores, loop.ended_log_p))
        return _hypotheses(answers, scores, log_p, symbols)

    alone = _Beams(tf.constant(0), tf.fill([rows, 1], symbols.bos), nothing[:, :1], tf.zeros([rows, 1]), nothing, never, never,
                   tf.zeros([rows], tf.bool), limits, tensors(state))  # there is one way to begin
    return until_done(advance, finish, advance(alone, memory), memory, beams)


def _extend(step: Step, loop: _Beams, memory: Memory, settings: Search, symbols: Symbols) -> tuple[_Beams, tf.Tensor]:
    """The 2K likeliest continuations (tokens, answers and log_p of 2K columns) and the rows [B, 2K] they continue.

    2K, because at most K of them are EOS: so K go on whatever happens.
    """
    wanted, before = 2 * settings.beam_size, loop.tokens.shape[1]
    logits, state = step(tf.reshape(loop.tokens, [-1]), loop.state, memory)
    answers = tf.reshape(loop.answers, [-1, size(loop.answers, 2)])
    logits, normalizer = _normalized(logits, answers, loop.t, settings, symbols)
    columns = size(logits, 1)
    totals = tf.reshape(logits + (tf.reshape(loop.log_p, [-1]) - normalizer)[:, None], [-1, before * columns])
    best, index = largest(_at_least(wanted, totals), wanted)
    index = tf.minimum(index, before * columns - 1)
    parents = index // columns
    tokens = symbols.at(index - parents * columns)
    tokens = tf.where(tokens == symbols.eos, symbols.pad, tokens)  # in the answer an end is PAD
    answers = write(tf.gather(loop.answers, parents, batch_dims=1), loop.t, tokens, 2)
    rows = tf.reshape(of_parents(parents, before), [-1, wanted])
    return loop._replace(tokens=tokens, answers=answers, log_p=best, state=state), rows


def _at_least(columns: int, totals: tf.Tensor) -> tf.Tensor:
    """The log-probabilities with columns for what cannot be, where fewer than so many can."""
    lacking = columns - size(totals, 1)
    return totals if isinstance(lacking, int) and lacking <= 0 else tf.pad(
        totals, [[0, 0], [0, tf.maximum(lacking, 0)]], constant_values=NEVER)


def _select(loop: _Beams, rows: tf.Tensor, settings: Search, symbols: Symbols) -> _Beams:
    """Sorts the 2K continuations into those that end here and those that go on, K of each."""
    beams = settings.beam_size
    ends = (loop.tokens == symbols.pad) | (loop.t + 1 >= loop.limits)[:, None]  # [B, 2K]
    # Only the K likeliest may end: an EOS below them is an end that the search would not have chosen.
    real = ends[:, :beams] & (loop.log_p[:, :beams] > NEVER / 2)
    scores = tf.where(real, loop.log_p[:, :beams] / _length_penalty(loop.t + 1, settings), NEVER)
    ended_scores, order = tf.math.top_k(tf.concat([loop.ended_scores, scores], 1), beams)  # among equals the older
    ended_answers = tf.gather(tf.concat([loop.ended_answers, loop.answers[:, :beams]], 1), order, batch_dims=1)
    ended_log_p = tf.gather(tf.concat([loop.ended_log_p, loop.log_p[:, :beams]], 1), order, batch_dims=1)

    log_p, order = tf.math.top_k(tf.where(ends, NEVER, loop.log_p), beams)
    tokens, answers, rows = (tf.gather(x, order, batch_dims=1) for x in (loop.tokens, loop.answers, rows))
    longest = loop.t + 2 if settings.early_stopping else loop.limits  # [] or [B]: tokens, EOS counted
    hope = tf.where(log_p[:, 0] > NEVER / 2, log_p[:, 0] / _length_penalty(longest, settings), NEVER)  # [B]
    done = loop.done | (hope <= ended_scores[:, settings.n_best - 1])
    log_p = tf.where(done[:, None], NEVER, log_p)  # so that a done sentence stays as it is while others go on

    return _Beams(loop.t + 1, tokens, answers, log_p, ended_answers, ended_log_p, ended_scores, done, loop.limits,
                  take(loop.state, tf.reshape(rows, [-1])))


# --- series --------------------------------------------------------------------------------------------------------


def roll_out(step: Callable[[tf.Tensor, State], tuple[tf.Tensor, State]], first: tf.Tensor, state: State,
             length: int) -> tf.Tensor:
    """Feeds a series its own predictions: `length` times step(values [N, F], state) -> values [N, F], state.

    Args:
        step: the next values, predicted from the last.
        first: [N, F], the last values known.
        state: before the first step, N rows.
        length: steps to predict.

    Returns:
        [N, T, F], the predicted values; `first` is not among them.
    """
    first = tf.convert_to_tensor(first)
    series = tf.zeros([row_count(first), length, first.shape[1]], first.dtype)

    def advance(loop: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        t, values, series, state = loop
        values, state = step(values, state)
        return t + 1, values, write(series, t, values, 1), state

    return follow(lambda loop: loop[0] < length, advance, (tf.constant(0), first, series, tensors(state)))[2]


# --- pieces --------------------------------------------------------------------------------------------------------


def _normalized(logits: tf.Tensor, answer: tf.Tensor, t: tf.Tensor, settings: Search,
                symbols: Symbols) -> tuple[tf.Tensor, tf.Tensor]:
    """The logits [N, V] as float32, NEVER added to what may not follow, and what is subtracted from them for log p [N]."""
    logits = tf.cast(logits, tf.float32)  # below: log sum exp(x) = x - log softmax(x), sooner than a log-softmax of all
    normalizer = tf.reduce_max(logits, -1) - tf.math.log(tf.reduce_max(tf.nn.softmax(logits), -1))
    logits += _unsayable(logits.shape[-1], symbols)
    if 0 < settings.no_repeat_ngram <= settings.max_length:
        logits = tf.where(_repeats(answer, t, settings.no_repeat_ngram, size(logits, 1), symbols), NEVER, logits)
    return logits, normalizer


def _unsayable(vocabulary_size: int | None, symbols: Symbols) -> Any:
    """NEVER [V] for tokens that may not be said, 0 for others."""
    tokens = [symbols.pad, symbols.bos, *symbols.banned]
    if symbols.listed is not None:
        return tf.where(tf.reduce_any(symbols.listed[:, None] == tf.constant(tokens), axis=1), NEVER, 0.0)
    if vocabulary_size is None:
        raise ValueError("the logits of `step` need a last axis of fixed size, the vocabulary's; got None. "
                         "Call set_shape on them.")
    never = np.zeros(vocabulary_size, np.float32)
    never[tokens] = NEVER
    return never


def _repeats(answer: tf.Tensor, t: tf.Tensor, n: int, columns: Any, symbols: Symbols) -> tf.Tensor:
    """True [N, V] where a token would say an n-gram of the answer [N, T] a second time; EOS never would."""
    tokens = answer[:, n - 1:]  # [N, T - n + 1]: the last token of the n-gram that starts at each position
    starts = size(tokens, 1)
    said = tf.ones_like(tokens, tf.bool) & (tf.range(starts) + n - 1 < t)  # its end is written
    for j in range(n - 1):
        recent = tf.gather(answer, tf.maximum(t - (n - 1) + j, 0), axis=1)  # [N]: of the last n - 1 tokens, number j
        said &= answer[:, j:j + starts] == recent[:, None]
    if symbols.listed is not None:
        tokens = tf.reshape(tf.searchsorted(symbols.listed, tf.reshape(tokens, [-1])), tf.shape(tokens))
    rows = tf.zeros_like(tokens) + tf.range(row_count(tokens))[:, None]
    counts = tf.scatter_nd(tf.stack([rows, tokens], -1), tf.cast(said, tf.int32), [row_count(tokens), columns])
    return counts > 0


def _length_penalty(steps: tf.Tensor, settings: Search) -> tf.Tensor:
    """lp(Y) of Wu et al. (2016), eq. 14; 1 when alpha is 0."""
    return ((5.0 + tf.cast(steps, tf.float32)) / 6.0) ** settings.length_penalty


def _hypotheses(answers: tf.Tensor, scores: tf.Tensor, log_p: tf.Tensor, symbols: Symbols) -> Hypotheses:
    """The record of the answers [B, K, T]; PAD is never said, so the others are the answer."""
    lengths = tf.reduce_sum(tf.cast(answers != symbols.pad, tf.int32), -1)
    return Hypotheses(answers, lengths, scores, log_p)


def _width(limits: tf.Tensor, settings: Search) -> Any:
    """Tokens that a buffer must hold: a number where the batch is fixed, else what the longest answer may need."""
    return settings.max_length if limits.shape[0] is not None else tf.maximum(1, tf.reduce_max(limits))
