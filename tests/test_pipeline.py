"""pipeline.py: batches that are a pure function of the step, with every row in each epoch and little padding."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_s2s.corpus import Rows
from keras_s2s.pipeline import GROWTH, Batches, by_length, deal, measure, scoring_batches, training_batches
from keras_s2s.tokenizers import EOS
from small import NAMED, PAIRS, build, write_tsv

LENGTHS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60)), min_size=1, max_size=200).map(np.array)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    pairs = PAIRS + NAMED
    rows = Rows(write_tsv(tmp_path_factory.mktemp("corpus") / "train.tsv", pairs))
    return pairs, rows, build("data.subword_sampling=0.2", pairs=pairs)


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, batch_tokens=st.integers(1, 300), seed=st.integers(0, 2**31 - 1))
def test_every_row_comes_exactly_once_an_epoch(lengths, batch_tokens, seed):
    batches = Batches(lengths, batch_tokens, seed)
    for epoch in range(3):
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        seen = np.concatenate([batches.rows_of(step) for step in steps])
        assert sorted(seen) == list(range(len(lengths)))


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, batch_tokens=st.integers(1, 300))
def test_a_batch_holds_at_most_its_tokens_and_rows_of_like_length(lengths, batch_tokens):
    batches = Batches(lengths, batch_tokens, 1)
    for step in range(batches.steps_per_epoch):
        longest = np.maximum(1, lengths[batches.rows_of(step)].max(axis=1))
        assert longest.max() * len(longest) <= batch_tokens or len(longest) == 1
        assert longest.max() <= max(longest.min() + 1, GROWTH * longest.min() + 1)


def test_a_batch_is_a_pure_function_of_seed_and_step():
    lengths = np.random.default_rng(0).integers(1, 40, (500, 2))
    forward, jumping = Batches(lengths, 200, 3), Batches(lengths, 200, 3)
    last = 4 * forward.steps_per_epoch
    expected = [forward.rows_of(step).tolist() for step in range(last)]
    for step in np.random.default_rng(1).permutation(last):
        assert jumping.rows_of(step).tolist() == expected[step]
    other = Batches(lengths, 200, 4)
    assert [other.rows_of(step).tolist() for step in range(last)] != expected
    assert expected[:forward.steps_per_epoch] != expected[forward.steps_per_epoch:2 * forward.steps_per_epoch]


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=200).map(np.array), batch_tokens=st.integers(1, 300))
def test_batches_by_length_hold_every_row_once(lengths, batch_tokens):
    parts = list(by_length(lengths, batch_tokens))
    assert sorted(np.concatenate(parts)) == list(range(len(lengths)))
    for part in parts:
        assert len(part) == 1 or len(part) * lengths[part].max() <= batch_tokens
    assert not list(by_length(np.zeros(0, int), 10))


def test_padding_is_a_small_share_of_real_lengths(corpus):
    _, rows, core = corpus
    lengths = measure(rows, core.source, core.target)
    batches = Batches(lengths, 200, 1)
    padded = sum(lengths[batches.rows_of(step)].max(axis=0).sum() * len(batches.rows_of(step))
                 for step in range(batches.steps_per_epoch))
    assert lengths.sum() / padded > 0.8


def test_lengths_are_those_of_the_prepared_rows(corpus):
    pairs, rows, core = corpus
    calls = []
    lengths = measure(rows, core.source, core.target, lambda done, total: calls.append((done, total)))
    for (source, target), (s, t) in zip(pairs, lengths):
        assert core.source.tokenizer.tokenize(tf.constant([source])).row_lengths()[0] == s
        assert core.target.tokenizer.tokenize(tf.constant([target])).row_lengths()[0] + 1 == t
    assert calls[-1] == (len(pairs), len(pairs))


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=200).map(np.array), data=st.data())
def test_a_pool_is_dealt_out_whole_to_batches_of_like_length_and_size(lengths, data):
    count = data.draw(st.integers(1, len(lengths)))
    order, sizes = deal(lengths, count, np.array([1, 2]))
    assert sorted(order) == list(range(len(lengths))) and len(sizes) == count and sizes.min() > 0
    parts = sorted(lengths[part].tolist() for part in np.split(order, np.cumsum(sizes)[:-1]))
    assert sum(parts, []) == sorted(lengths)
    if len(lengths) >= 4 * count:
        share = np.maximum(1, lengths).sum() / count
        assert max(sum(max(1, length) for length in part) for part in parts) <= share + 2 * 60


def test_every_step_is_of_one_pool():
    batches = Batches(np.full((50, 2), 9), 36, 1, pool=4)  # 13 batches
    steps = range(3 * batches.steps_per_epoch)
    assert [step for pool in range(batches.pool_of(steps[-1])[0] + 1) for step in batches.steps_of(pool)] == list(steps)
    for step in steps:
        pool, before = batches.pool_of(step)
        assert batches.steps_of(pool)[before] == step


def test_pools_keep_padding_small_where_lengths_are_drawn(corpus):
    _, rows, core = corpus
    lengths = measure(rows, core.source, core.target)

    def real(pool):
        batches = Batches(lengths, 100, 7, pool)
        made = [weights for *_, weights in training_batches(rows, batches, core.source, core.target, 0, batches.steps_per_epoch)]
        return sum(float(tf.reduce_sum(weights)) for weights in made) / sum(float(tf.size(weights)) for weights in made)

    assert real(24) > 0.85 > real(1)


@pytest.mark.parametrize("pool", [1, 4])
def test_training_batches_begun_anywhere_are_the_same(corpus, pool):
    _, rows, core = corpus
    batches = Batches(measure(rows, core.source, core.target), 300, 7, pool)
    last = 2 * batches.steps_per_epoch

    def read(first):
        return [tf.nest.map_structure(lambda x: x.numpy().tolist(), batch)
                for batch in training_batches(rows, batches, core.source, core.target, first, last)]

    whole = read(0)
    assert len(whole) == last
    assert read(5) == whole[5:]
    assert read(batches.steps_per_epoch + 1) == whole[batches.steps_per_epoch + 1:]


@pytest.mark.parametrize("pool", [1, 4])
def test_a_training_batch_is_its_rows_with_another_segmentation_each_epoch(corpus, pool):
    pairs, rows, core = corpus
    batches = Batches(measure(rows, core.source, core.target), 300, 7, pool)
    epochs = []
    for epoch in range(2):
        first = epoch * batches.steps_per_epoch
        read, cut = [], []
        for batch in training_batches(rows, batches, core.source, core.target, first, first + batches.steps_per_epoch):
            (source, target_in), target_out, weights = batch
            np.testing.assert_array_equal(weights, target_out != 0)
            real = tf.where((target_out == EOS) | (target_out == 0), -1, target_out)
            tokens = tf.RaggedTensor.from_tensor(real, padding=-1)
            sources = core.source.tokenizer.detokenize(tf.RaggedTensor.from_tensor(source, padding=0)).numpy()
            read += zip((text.decode() for text in sources),
                        (text.decode() for text in core.target.tokenizer.detokenize(tokens).numpy()))
            cut += [(pair, tuple(row)) for pair, row in zip(read[-len(sources):], source.numpy().tolist())]
        assert sorted(read) == sorted(pairs)
        epochs.append({pair: tuple(token for token in row if token) for pair, row in cut})
    assert sum(epochs[0][pair] != epochs[1][pair] for pair in epochs[0]) > len(pairs) / 2


def test_the_dev_set_is_scored_whole_and_without_sampling(corpus):
    pairs, rows, core = corpus
    lengths = measure(rows, core.source, core.target)
    rows_seen, tokens = 0, 0.0
    for (source, _), _, weights in scoring_batches(rows, lengths, 100, core.source, core.target):
        rows_seen += source.shape[0]
        tokens += float(tf.reduce_sum(weights))
    assert (rows_seen, tokens) == (len(pairs), lengths[:, 1].sum())
