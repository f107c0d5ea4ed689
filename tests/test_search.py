"""Search, tested by models that spell, by exhaustive search, and by what TFLite makes of it."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.config import Search
from keras_s2s.search import NEVER, Symbols, answer_limits, beam, greedy, roll_out, sample, search
from keras_s2s.stepping import largest, repeat_rows, row_count

PAD, BOS, EOS = 0, 2, 3
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
FIRST = 4  # the id of "a"


def spelling(words):
    """A model that spells words[n] in row n, then says EOS; its state is the position and the word's ids."""
    ids = np.full((len(words), max(map(len, words)) + 1), EOS, np.int32)
    for row, word in zip(ids, words):
        row[:len(word)] = [FIRST + ALPHABET.index(letter) for letter in word]

    def step(tokens, state, memory):
        said = tf.gather(state["word"], state["position"], batch_dims=1)
        position = tf.minimum(state["position"] + 1, ids.shape[1] - 1)
        return 20 * tf.one_hot(said, FIRST + 26), {"position": position, "word": state["word"]}

    return step, {"position": tf.zeros(len(words), tf.int32), "word": tf.constant(ids)}


def read(tokens):
    return "".join(ALPHABET[i - FIRST] for i in np.asarray(tokens) if i != PAD)


def markov(table):
    """A model whose next token depends on the last one alone: table [V, V] of logits; the state counts the steps."""
    return lambda tokens, state, memory: (tf.gather(tf.constant(table, tf.float32), tokens), [state[0] + 1])


def random_markov(seed, vocabulary_size=7, scale=2.0):
    return markov(np.random.default_rng(seed).normal(size=(vocabulary_size, vocabulary_size)) * scale)


def no_state(rows):
    return [tf.zeros(rows, tf.int32)]


def exhaustive(tables, limit, alpha, n=0):
    """All answers of a model of tables [T, V, V], best first, as (score, tokens); EOS is said below the limit."""
    log_p = tables - np.log(np.exp(tables).sum(-1, keepdims=True))
    words = [i for i in range(tables.shape[-1]) if i not in (PAD, BOS, EOS)]
    found = []
    for length in range(limit + 1):
        for answer in itertools.product(words, repeat=length):
            grams = [answer[i:i + n] for i in range(length - n + 1)] if n else []
            if len(set(grams)) < len(grams):
                continue
            said = (BOS, *answer, EOS)[:limit + 1]
            total = sum(log_p[t, a, b] for t, (a, b) in enumerate(zip(said, said[1:])))
            found.append((total / ((5 + len(said) - 1) / 6) ** alpha, answer))
    return sorted(found, reverse=True)


def answers(found):
    return [[tuple(int(i) for i in row[:n]) for row, n in zip(rows, lengths)]
            for rows, lengths in zip(found.tokens.numpy(), found.lengths.numpy())]


@pytest.mark.parametrize("beam_size", [1, 4])
def test_search_spells_the_words_of_a_fake_model(beam_size):
    words = ["sequentially", "a", "", "hindi"]
    step, state = spelling(words)
    found = search(step, state, tf.fill([4], 30), Search(beam_size=beam_size, n_best=beam_size, max_length=20))
    assert [read(row[0]) for row in found.tokens] == words
    assert found.lengths[:, 0].numpy().tolist() == [12, 1, 0, 5]
    assert found.tokens.shape == (4, beam_size, 20) and found.tokens.dtype == tf.int32
    np.testing.assert_allclose(found.log_probabilities[:, 0], 0, atol=1e-4)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_each_sentence_keeps_its_own_limit(beam_size):
    step, state = spelling(["sequentially"] * 4)
    found = search(step, state, tf.constant([3, 12, 100, 0]), Search(beam_size=beam_size, n_best=beam_size, max_length=13))
    assert [read(row[0]) for row in found.tokens] == ["seq", "sequentially", "sequentially", "s"]
    assert int(tf.reduce_max(found.lengths[0])) <= 3


def test_beam_search_leaves_the_garden_path_that_greedy_takes():
    p = np.full((7, 7), 1e-6)
    p[BOS, [4, 5]] = 0.6, 0.4  # 4 looks better at first ...
    p[4, [4, 5, 6, EOS]] = 0.25
    p[5, [6, EOS]] = 0.95, 0.05  # ... but 5 6 is 0.38 and 4 anything 0.15
    p[6, EOS] = 1.0
    step = markov(np.log(p))
    greedily = greedy(step, no_state(1), tf.constant([5]), Search(length_penalty=0))
    best = beam(step, no_state(1), tf.constant([5]), Search(beam_size=2, n_best=2, length_penalty=0))
    assert answers(best)[0][0] == (5, 6)
    np.testing.assert_allclose(best.log_probabilities[0, 0], math.log(0.38), atol=1e-3)
    assert best.log_probabilities[0, 0] > greedily.log_probabilities[0, 0]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_wide_beam_equals_exhaustive_search(alpha, n):
    settings = Search(beam_size=100, n_best=100, length_penalty=alpha, no_repeat_ngram=n, max_length=4, early_stopping=False)
    for seed in range(3):
        tables = np.random.default_rng(seed).normal(size=(4, 6, 6)) * 2  # of each step; the words are 1, 4 and 5
        tables[:, :, [PAD, BOS]] = -40  # exhaustive() says neither

        def step(tokens, state, memory):
            return tf.gather_nd(tf.constant(tables, tf.float32), tf.stack([state[0], tokens], -1)), [state[0] + 1]

        found = beam(step, no_state(2), tf.constant([4, 2]), settings)
        for b, limit in enumerate((4, 2)):
            expected = exhaustive(tables, limit, alpha, n)[:30]
            np.testing.assert_allclose(found.scores[b, :len(expected)], [score for score, _ in expected], rtol=1e-5)
            assert answers(found)[b][:len(expected)] == [answer for _, answer in expected]
            if len(expected) < 30:  # there are no more: the rest is empty
                assert np.all(found.scores[b, len(expected):] == NEVER)
                assert np.all(found.lengths[b, len(expected):] == 0)


def test_beams_of_one_are_greedy_search():
    for seed in range(20):
        step, limits = random_markov(seed), tf.constant([9, 4, 12])
        one = beam(step, no_state(3), limits, Search(length_penalty=0, max_length=12))
        line = greedy(step, no_state(3), limits, Search(length_penalty=0, max_length=12))
        assert answers(one) == answers(line)
        np.testing.assert_allclose(one.scores, line.scores, rtol=1e-5)
    default = search(step, no_state(3), limits, Search())
    assert answers(default) == answers(greedy(step, no_state(3), limits, Search()))


def test_a_wider_beam_is_seldom_worse_and_its_scores_descend():
    totals = []
    for beam_size in (1, 3, 10):
        settings = Search(beam_size=beam_size, n_best=beam_size, max_length=8)
        found = [beam(random_markov(seed), no_state(1), tf.constant([8]), settings) for seed in range(20)]
        assert all(np.all(np.diff(f.scores[0]) <= 0) for f in found)
        assert all(len(set(answers(f)[0])) == beam_size for f in found)
        totals.append(sum(float(f.scores[0, 0]) for f in found))
    assert totals == sorted(totals)


def test_fewer_hypotheses_asked_for_are_the_same_ones():
    for seed in range(10):
        limits = tf.constant([10, 6])
        every, first = (search(random_markov(seed), no_state(2), limits, Search(beam_size=5, n_best=n_best, max_length=10,
                                                                                early_stopping=False)) for n_best in (5, 2))
        assert first.tokens.shape == (2, 2, 10)
        assert answers(first) == [row[:2] for row in answers(every)]
        np.testing.assert_array_equal(first.scores, every.scores[:, :2])


def counted(p, settings):
    """The answers to one source in a model of these probabilities, and the steps that were taken to find them."""
    calls = []

    def step(tokens, state, memory):
        calls.append(1)
        return markov(np.log(p))(tokens, state, memory)

    return answers(search(step, no_state(1), tf.constant([settings.max_length]), settings))[0], len(calls)


def test_fewer_hypotheses_need_fewer_steps():
    p = np.full((6, 6), 1e-3)
    p[:, EOS] = 0.9
    steps = [counted(p, Search(beam_size=4, n_best=n_best, max_length=50, early_stopping=False))[1] for n_best in (1, 4)]
    assert steps[0] < steps[1] < 50


def test_early_stopping_takes_fewer_steps_and_gives_up_what_would_come_from_far_behind():
    p = np.full((6, 6), 1e-9)
    p[BOS, [EOS, 4, 5]] = 0.5, 0.3, 0.2
    p[4, 4] = p[5, 5] = 1.0
    soon, late = (counted(p, Search(beam_size=2, length_penalty=2, max_length=10, early_stopping=early)) for early in (True, False))
    assert soon == ([()], 1)  # log 0.5 / 1 against log 0.3 / (7/6)^2 with one token more ...
    assert late == ([(4,) * 10], 10)  # ... and log 0.3 / (15/6)^2 with nine


def test_early_stopping_changes_nothing_without_length_penalty():
    for seed in range(10):
        soon, late = (search(random_markov(seed), no_state(2), tf.constant([10, 6]), Search(
            beam_size=5, length_penalty=0, max_length=10, early_stopping=early)) for early in (True, False))
        assert answers(soon) == answers(late)


def test_the_length_penalty_changes_the_choice_as_computed_by_hand():
    p = np.full((6, 6), 1e-9)
    p[BOS, [EOS, 4]] = 0.5, 0.5
    p[4, [5, 1]] = 0.8, 0.2
    p[5, EOS] = 1.0
    step, limits = markov(np.log(p)), tf.constant([10])
    short = beam(step, no_state(1), limits, Search(beam_size=3, n_best=3, length_penalty=0, max_length=10))
    long = beam(step, no_state(1), limits, Search(beam_size=3, n_best=3, length_penalty=1.5, max_length=10))
    assert answers(short)[0][0] == () and answers(long)[0][0] == (4, 5)
    np.testing.assert_allclose(short.scores[0, 0], math.log(0.5), rtol=1e-4)
    np.testing.assert_allclose(long.scores[0, 0], math.log(0.4) / (8 / 6) ** 1.5, rtol=1e-4)  # |Y| = 3, EOS counted
    np.testing.assert_allclose(long.log_probabilities[0, 0], math.log(0.4), rtol=1e-4)


@pytest.mark.parametrize("settings", [Search(max_length=12), Search(max_length=12, beam_size=4, n_best=4, no_repeat_ngram=2)])
def test_a_sentence_alone_and_in_a_batch_gets_the_same_answer(settings):
    tables = np.random.default_rng(5).normal(size=(6, 8, 8)).astype(np.float32) * 2
    limits = np.array([12, 1, 7, 12, 3, 9], np.int32)

    def step(tokens, state, memory):
        return tf.gather(state["table"], tokens, batch_dims=1), state

    together = search(step, {"table": tf.constant(tables)}, tf.constant(limits), settings)
    for b in range(6):
        alone = search(step, {"table": tf.constant(tables[b:b + 1])}, tf.constant(limits[b:b + 1]), settings)
        assert answers(alone)[0] == answers(together)[b]
        np.testing.assert_allclose(alone.scores[0], together.scores[b], rtol=1e-6)


@pytest.mark.parametrize("settings", [Search(), Search(beam_size=3, n_best=2), Search(no_repeat_ngram=2, beam_size=2)])
def test_rows_that_are_done_leave_a_batch_of_open_size_and_nothing_else_changes(settings):
    words = [(ALPHABET * 3)[i:i + 1 + i * i // 22] for i in range(24)]  # most are short, the longest has 25 letters
    step, state = spelling(words[::-1])
    rows = tf.Variable(0)

    def counted(tokens, state, memory):
        rows.assign_add(tf.size(tokens))
        logits, state = step(tokens, state, memory)
        return logits + tf.repeat(memory, tf.size(tokens) // tf.size(memory))[:, None], state  # which p does not depend on

    def answer(position, word, limits):
        found = search(counted, {"position": position, "word": word}, limits, settings, memory=tf.cast(limits, tf.float32))
        return tf.nest.map_structure(tf.identity, found)

    open_size = tf.function(answer, input_signature=[
        tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)])
    limits = tf.range(60, 36, -1)
    taken = []
    for run in (answer, open_size):
        rows.assign(0)
        taken.append((run(state["position"], state["word"], limits), int(rows)))
    (plain, rows_of_all), (found, rows_of_some) = taken
    assert [read(row[0]) for row in found.tokens] == words[::-1]
    np.testing.assert_array_equal(found.lengths, plain.lengths)
    np.testing.assert_array_equal(found.tokens, plain.tokens[:, :, :60])
    np.testing.assert_allclose(found.scores, plain.scores, rtol=1e-5)
    assert rows_of_some < 0.55 * rows_of_all


@pytest.mark.parametrize("settings", [Search(max_length=9), Search(max_length=9, beam_size=4, n_best=3)])
def test_in_an_open_batch_each_row_keeps_its_own_memory_and_state(settings):
    fixed, open_size = Toy(settings, 50), Toy(settings, None)
    for seed in range(3):
        random = np.random.default_rng(seed)
        outputs, limits = random.normal(size=(50, 5, 8)).astype(np.float32), random.integers(1, 10, 50).astype(np.int32)
        one, other = fixed.answer(outputs, limits), open_size.answer(outputs, limits)
        np.testing.assert_array_equal(one["tokens"], other["tokens"])
        np.testing.assert_allclose(one["scores"], other["scores"], rtol=1e-5)


def test_an_empty_batch_of_open_size_has_no_answers():
    found = Toy(Search(beam_size=2, n_best=2), None).answer(np.zeros((0, 5, 8), np.float32), np.zeros(0, np.int32))
    assert found["tokens"].shape[:2] == (0, 2)


@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_no_ngram_is_said_twice(n, beam_size):
    table = np.random.default_rng(n).normal(size=(8, 8))
    table[:, EOS] = -5  # it would babble on
    found = search(markov(table), no_state(2), tf.constant([20, 20]),
                   Search(no_repeat_ngram=n, beam_size=beam_size, n_best=beam_size, max_length=20))
    assert int(tf.reduce_max(found.lengths)) >= 4
    for answer in itertools.chain(*answers(found)):
        grams = [answer[i:i + n] for i in range(len(answer) - n + 1)]
        assert len(set(grams)) == len(grams)
    free = search(markov(table), no_state(2), tf.constant([20, 20]), Search(max_length=20))
    assert len(set(answers(free)[0][0])) < 20  # without the rule it repeats itself


def test_the_end_is_never_forbidden():
    table = np.full((5, 5), -5.0)
    table[:, 4] = 5.0  # the only word, and EOS much less likely
    found = greedy(markov(table), no_state(1), tf.constant([9]), Search(no_repeat_ngram=1, max_length=9),
                   Symbols(banned=(1,)))
    assert answers(found) == [[(4,)]]


@pytest.mark.parametrize("settings", [Search(), Search(beam_size=3, n_best=3), Search(temperature=1.0)])
def test_pad_bos_and_banned_tokens_are_never_said(settings):
    table = np.zeros((6, 6))
    table[:, [PAD, 1, BOS]] = 9.0
    table[:, EOS] = -1.0
    found = search(markov(table), no_state(8), tf.fill([8], 20), settings, symbols=Symbols(banned=(1,)), seed=(1, 2))
    said = [token for rows in answers(found) for row in rows for token in row]
    assert said and set(said) <= {4, 5}
    assert np.all(found.scores > NEVER / 2)


def test_equals_are_decided_for_the_lowest_id():
    table = np.zeros((7, 7))
    table[:, EOS] = -9.0
    symbols = Symbols(banned=(1,))
    line = search(markov(table), no_state(1), tf.constant([3]), Search(max_length=3), symbols=symbols)
    beams = search(markov(table), no_state(1), tf.constant([3]), Search(max_length=3, beam_size=4, n_best=4), symbols=symbols)
    assert answers(line)[0] == [(4, 4, 4)]
    assert answers(beams)[0] == [(4, 4, 4), (4, 4, 5), (4, 4, 6), (4, 5, 4)]


def test_half_precision_logits_and_lists_for_tuples_are_welcome():
    step = random_markov(1)

    def half(tokens, state, memory):
        logits, state = step(tokens, state, memory)
        return tf.cast(logits, tf.float16), list(state)

    for beam_size in (1, 2):
        settings = Search(beam_size=beam_size, n_best=beam_size, max_length=6)
        found = search(half, (tf.zeros(2, tf.int32),), tf.constant([6, 6]), settings)
        assert found.scores.dtype == tf.float32
        assert answers(found) == answers(search(step, no_state(2), tf.constant([6, 6]), settings))


def test_sampling_among_the_likeliest_one_is_greedy():
    for seed in range(5):
        step, limits = random_markov(seed), tf.constant([8, 8])
        line = greedy(step, no_state(2), limits, Search(max_length=8))
        for settings in (Search(max_length=8, temperature=1.5, top_k=1),
                         Search(max_length=8, temperature=1.0, top_p=1e-6)):
            found = search(step, no_state(2), limits, settings, seed=(seed, 0))
            assert answers(found) == answers(line)
            np.testing.assert_allclose(found.scores, line.scores, rtol=1e-5)


@pytest.mark.parametrize("settings, expected", [
    (Search(temperature=1.0), [0.5, 0.3, 0.15, 0.05]),
    (Search(temperature=0.5), np.array([0.25, 0.09, 0.0225, 0.0025]) / 0.365),
    (Search(temperature=1.0, top_k=2), [0.625, 0.375, 0, 0]),
    (Search(temperature=1.0, top_p=0.7), [0.625, 0.375, 0, 0]),
    (Search(temperature=1.0, top_p=0.9), [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]),
    (Search(temperature=1.0, top_p=0.9, top_k=2), [0.625, 0.375, 0, 0]),
])
def test_samples_are_as_frequent_as_their_probabilities(settings, expected):
    p = np.full((8, 8), 1e-9)
    p[:, [6, 4, 7, 5]] = 0.5, 0.3, 0.15, 0.05
    found = sample(markov(np.log(p)), no_state(4000), tf.fill([4000], 1), settings, (3, 4))
    share = np.bincount(found.tokens[:, 0, 0], minlength=8)[[6, 4, 7, 5]] / 4000
    np.testing.assert_allclose(share, expected, atol=0.03)
    assert np.all(share[np.array(expected) == 0] == 0)
    first = int(found.tokens[0, 0, 0])  # scored by the model's own probability, whatever the temperature
    np.testing.assert_allclose(found.log_probabilities[0, 0], np.log(p[0, first]), atol=1e-4)


def test_the_same_seed_gives_the_same_sample_and_another_one_another():
    step, limits, settings = random_markov(0, scale=0.1), tf.fill([4], 10), Search(temperature=1.0, max_length=10)
    one, same, other = (answers(search(step, no_state(4), limits, settings, seed=seed)) for seed in
                        [(1, 2), tf.constant([1, 2]), (1, 3)])
    assert one == same != other
    assert len({row[0] for row in one}) > 1  # rows of one batch are drawn apart


def test_sampling_without_seed_or_temperature_is_refused_with_the_remedy():
    step, state, limits = random_markov(0), no_state(1), tf.constant([3])
    with pytest.raises(ValueError, match="sampling needs `seed`, two integers"):
        search(step, state, limits, Search(temperature=1.0))
    with pytest.raises(ValueError, match="above 0; got 0. Use 1"):
        sample(step, state, limits, Search(), (1, 2))


def test_a_vocabulary_of_unknown_size_is_refused():
    @tf.function(input_signature=[tf.TensorSpec([None, None])])
    def run(table):
        return greedy(lambda tokens, state, memory: (tf.gather(table, tokens), state), [], tf.constant([3]), Search()).tokens

    with pytest.raises(ValueError, match="last axis"):
        run(tf.zeros([5, 5]))


def test_limits_follow_the_source_and_stay_below_the_maximum():
    limits = answer_limits(tf.constant([0, 3, 50, 10_000]), Search(max_length=100, max_length_ratio=1.5))
    assert limits.numpy().tolist() == [10, 14, 85, 100] and limits.dtype == tf.int32


def test_rows_are_repeated_side_by_side():
    tree = repeat_rows({"mask": tf.constant([True, False]), "x": [tf.constant([[1.0], [2.0]])]}, 2)
    assert tree["mask"].numpy().tolist() == [True, True, False, False]
    assert tree["x"][0].numpy().tolist() == [[1], [1], [2], [2]]


def test_a_series_is_rolled_out_from_its_own_predictions():
    def step(values, state):
        return values * 2 + state["add"], {"add": state["add"] + 1}

    first = tf.constant([[1.0, 2.0], [0.0, 0.0]])
    series = roll_out(step, first, {"add": tf.zeros([2, 1])}, 3)
    assert series.numpy().tolist() == [[[2, 4], [5, 9], [12, 20]], [[0, 0], [1, 1], [4, 4]]]

    graph = tf.function(lambda x, add: roll_out(step, x, {"add": add}, 3),
                        input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None, 1])])
    np.testing.assert_array_equal(graph(first, tf.zeros([2, 1])), series)


class Toy(tf.Module):
    """A small recurrent decoder with attention over constant encoder outputs: what search meets in earnest."""

    def __init__(self, settings, batch, vocabulary_size=20, units=8):
        super().__init__()
        self.settings = settings
        weights = np.random.default_rng(1)
        normal = [weights.normal(size=shape).astype(np.float32) for shape in
                  ((vocabulary_size, units), (units, 4 * units), (units, 4 * units), (2 * units, vocabulary_size))]
        self.embedding, self.kernel, self.recurrent, self.output = map(tf.Variable, normal)
        self.answer = tf.function(self._answer, input_signature=[
            tf.TensorSpec([batch, 5, units], tf.float32, "outputs"), tf.TensorSpec([batch], tf.int32, "limits")])

    def step(self, tokens, state, memory):
        (h, c), (outputs, mask) = state, memory
        gates = tf.gather(self.embedding, tokens) @ self.kernel + h @ self.recurrent
        i, f, g, o = tf.split(gates, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        queries = tf.reshape(h, [row_count(outputs), -1, 1, h.shape[1]])  # [B, K, 1, H]
        scores = tf.where(mask[:, None], tf.reduce_sum(outputs[:, None] * queries, -1), -1e9)  # [B, K, S]
        context = tf.reduce_sum(tf.nn.softmax(scores)[..., None] * outputs[:, None], 2)
        return tf.concat([h, tf.reshape(context, [-1, h.shape[1]])], 1) @ self.output, [h, c]

    def _answer(self, outputs, limits):
        state, memory = [outputs[:, 0], tf.zeros_like(outputs[:, 0])], (outputs, outputs[:, :, 0] < 1.5)
        return search(self.step, state, limits, self.settings, memory=memory, symbols=Symbols(banned=(1,)))._asdict()


@pytest.mark.parametrize("settings", [
    Search(max_length=12), Search(max_length=12, no_repeat_ngram=3), Search(max_length=12, beam_size=4, n_best=4),
    Search(max_length=12, beam_size=3, n_best=3, no_repeat_ngram=3)], ids=["greedy", "greedy-3", "beam", "beam-3"])
def test_search_converts_to_tflite_builtins_and_answers_alike(settings, tmp_path):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    model = Toy(settings, batch=1)
    tf.saved_model.save(model, str(tmp_path), signatures=model.answer)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    run = interpreter.Interpreter(model_content=converter.convert()).get_signature_runner()
    dynamic = Toy(settings, batch=None)
    for seed in range(5):
        outputs = np.random.default_rng(seed).normal(size=(2, 5, 8)).astype(np.float32)
        limits = np.array([12, 5], np.int32)
        batch = dynamic.answer(outputs, limits)
        for b in range(2):
            got = run(outputs=outputs[b:b + 1], limits=limits[b:b + 1])
            np.testing.assert_array_equal(got["tokens"][0], batch["tokens"][b])
            np.testing.assert_array_equal(got["lengths"][0], batch["lengths"][b])
            np.testing.assert_allclose(got["scores"][0], batch["scores"][b], rtol=1e-4)


@pytest.mark.parametrize("columns", [1, 7, 640, 659, 2000, 9885, 10007])
@pytest.mark.parametrize("fixed", [True, False])
def test_the_largest_are_those_of_top_k_ties_and_all(columns, fixed):
    k = min(columns, 10)
    signature = tf.TensorSpec([None, columns if fixed else None])
    find = tf.function(lambda x: largest(x, k), input_signature=[signature])
    for kinds in (3, 40, 10**6):  # few different values: ties everywhere
        x = np.random.default_rng(kinds).integers(0, kinds, [50, columns]).astype(np.float32)
        values, places = find(x)
        order = np.argsort(-x, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(places, order)
        np.testing.assert_array_equal(values, np.take_along_axis(x, order, 1))


def test_the_largest_of_a_known_number_are_found_by_blocks():
    graph = tf.function(lambda x: largest(x, 10)).get_concrete_function(tf.TensorSpec([None, 10000])).graph
    assert "Max" in {op.type for op in graph.get_operations()}
