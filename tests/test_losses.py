"""The loss against Keras's own on one-hot targets, and against padding, batching and float16."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.losses import TokenLoss, sum_tokens, symmetric_divergence, token_cross_entropy

V = 11


def batch(rows=3, steps=5, seed=0, scale=3.0):
    random = np.random.default_rng(seed)
    logits = tf.constant(random.normal(size=(rows, steps, V)) * scale, tf.float32)
    target = tf.constant(random.integers(0, V, (rows, steps)), tf.int32)
    lengths = np.maximum(1, steps - np.arange(rows))
    weights = tf.cast(np.arange(steps) < lengths[:, None], tf.float32)
    return target, logits, weights


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.5])
def test_loss_and_gradient_equal_keras_on_one_hot_targets(label_smoothing):
    target, logits, weights = batch()
    reference = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing, reduction=None)
    plain = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=None)
    one_hot = tf.one_hot(target, V)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        expected = reference(one_hot, logits) * weights
        losses = token_cross_entropy(target, logits, weights, label_smoothing)
    np.testing.assert_allclose(losses.loss, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(losses.unsmoothed, plain(one_hot, logits) * weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(losses.loss, logits), tape.gradient(expected, logits), atol=1e-6)


def test_a_uniform_model_loses_the_logarithm_of_the_vocabulary():
    target, logits, weights = batch()
    for label_smoothing in (0.0, 0.1):
        sums = sum_tokens(token_cross_entropy(target, tf.zeros_like(logits), weights, label_smoothing), weights)
        np.testing.assert_allclose(sums.mean, np.log(V), rtol=1e-6)
        np.testing.assert_allclose(sums.perplexity, V, rtol=1e-5)


def test_padding_changes_neither_sums_nor_mean():
    target, logits, weights = batch()
    junk = tf.random.stateless_normal([3, 4, V], (1, 2)) * 50
    padded = (tf.pad(target, [[0, 0], [0, 4]], constant_values=7), tf.concat([logits, junk], 1),
              tf.pad(weights, [[0, 0], [0, 4]]))
    sums, same = (sum_tokens(token_cross_entropy(*x, label_smoothing=0.1), x[2])
                  for x in ((target, logits, weights), padded))
    np.testing.assert_allclose(same, sums, rtol=1e-6)
    assert sums.tokens == 5 + 4 + 3


def test_the_sums_of_parts_make_the_mean_of_the_whole():
    target, logits, weights = batch(rows=4)
    whole = sum_tokens(token_cross_entropy(target, logits, weights), weights)
    parts = [sum_tokens(token_cross_entropy(target[i:j], logits[i:j], weights[i:j]), weights[i:j])
             for i, j in ((0, 1), (1, 4))]
    np.testing.assert_allclose(sum(p.loss for p in parts) / sum(p.tokens for p in parts), whole.mean, rtol=1e-6)
    assert abs(float(tf.reduce_mean([p.mean for p in parts])) - float(whole.mean)) > 1e-3  # the trap this avoids


def test_a_batch_without_tokens_costs_nothing():
    target, logits, weights = batch()
    sums = sum_tokens(token_cross_entropy(target, logits, weights * 0), weights * 0)
    assert sums.mean == 0 and sums.perplexity == 1


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_logits_are_computed_in_float32(dtype):
    target = tf.constant([[0, 1]])
    logits = tf.cast([[[60000.0, -60000.0, 0.0], [60000.0, -60000.0, 0.0]]], dtype)
    losses = token_cross_entropy(target, logits, tf.ones([1, 2], dtype), 0.1)
    assert losses.loss.dtype == tf.float32 and np.all(np.isfinite(losses.loss))
    np.testing.assert_allclose(losses.unsmoothed[0], [0, 120000], rtol=0.01)


def test_it_runs_in_a_graph_of_unknown_shape():
    run = tf.function(lambda *x: token_cross_entropy(*x), input_signature=[
        tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None, V]), tf.TensorSpec([None, None])])
    target, logits, weights = batch()
    losses = run(target, logits, weights)
    assert isinstance(losses, TokenLoss)
    np.testing.assert_allclose(losses.loss, token_cross_entropy(target, logits, weights).loss, rtol=1e-6)


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.0])
def test_smoothing_out_of_range_is_refused(label_smoothing):
    with pytest.raises(ValueError, match=f"at least 0 and below 1; got {label_smoothing}"):
        token_cross_entropy(*batch(), label_smoothing)


def test_the_divergence_of_two_passes_is_the_mean_of_both_kullback_leibler_divergences():
    one, other = np.random.default_rng(1).normal(size=(2, 2, 3, 5)).astype(np.float32)
    p, q = tf.nn.softmax(one).numpy(), tf.nn.softmax(other).numpy()
    expected = 0.5 * (np.sum(p * np.log(p / q), -1) + np.sum(q * np.log(q / p), -1))
    weights = np.array([[1, 1, 0], [1, 1, 1]], np.float32)
    np.testing.assert_allclose(symmetric_divergence(one, other, weights), expected * weights, rtol=1e-5)
    np.testing.assert_allclose(symmetric_divergence(one, one, weights), 0, atol=1e-6)
