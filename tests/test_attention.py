"""attention.py against the equations it cites."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.attention import ATTENTIONS

B, T, S, H = 3, 4, 5, 6
LENGTHS = [5, 2, 1]


def inputs(seed=0):
    random = np.random.default_rng(seed)
    outputs, values = (tf.constant(random.normal(size=shape), tf.float32) for shape in ((B, T, H), (B, S, H)))
    return outputs, values, tf.sequence_mask(LENGTHS, S)


def expected_scores(kind, layer, h, s):
    """The score of one decoder output against one source step, written as in the paper."""
    if kind.endswith("luong"):
        return (h @ layer.query.kernel.numpy()) @ s / (np.sqrt(H) if kind == "scaled_luong" else 1)
    return np.tanh(h @ layer.query.kernel.numpy() + s @ layer.key.kernel.numpy()) @ layer.v.numpy()


@pytest.mark.parametrize("kind", list(ATTENTIONS))
def test_attention_is_the_equation_of_its_paper(kind):
    layer = ATTENTIONS[kind](H)
    outputs, values, mask = inputs()
    found = layer(outputs, values, mask).numpy()
    weights = layer.alignments(outputs, layer.remember(values, mask)).numpy()
    for b in range(B):
        for t in range(T):
            h, real = outputs[b, t].numpy(), values[b, :LENGTHS[b]].numpy()
            scores = np.array([expected_scores(kind, layer, h, s) for s in real])
            share = np.exp(scores) / np.exp(scores).sum()
            np.testing.assert_allclose(weights[b, t, :LENGTHS[b]], share, atol=1e-5)
            np.testing.assert_array_equal(weights[b, t, LENGTHS[b]:], 0)
            context = share @ real
            mixed = np.tanh(np.concatenate([context, h]) @ layer.mix.kernel.numpy())
            np.testing.assert_allclose(found[b, t], mixed, atol=1e-5)


@pytest.mark.parametrize("kind", list(ATTENTIONS))
def test_attention_step_by_step_is_attention_at_once(kind):
    layer = ATTENTIONS[kind](H)
    outputs, values, mask = inputs()
    at_once = layer(outputs, values, mask)
    memory = layer.remember(values, mask)
    by_step = tf.concat([layer.attend(outputs[:, t:t + 1], memory) for t in range(T)], axis=1)
    np.testing.assert_allclose(by_step, at_once, atol=1e-6)


@pytest.mark.parametrize("kind", list(ATTENTIONS))
def test_masked_steps_may_hold_anything(kind):
    layer = ATTENTIONS[kind](H)
    outputs, values, mask = inputs()
    garbage = tf.where(mask[:, :, None], values, 1e4)
    np.testing.assert_allclose(layer(outputs, garbage, mask), layer(outputs, values, mask), atol=1e-6)


@pytest.mark.parametrize("kind", list(ATTENTIONS))
def test_in_half_precision_the_weights_still_sum_to_one(kind):
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = ATTENTIONS[kind](H)
    outputs, values, mask = (tf.cast(x, tf.bfloat16) if x.dtype == tf.float32 else x for x in inputs())
    assert layer(outputs, values, mask).dtype == tf.bfloat16
    weights = layer.alignments(outputs, layer.remember(values, mask))
    assert weights.dtype == tf.float32
    np.testing.assert_allclose(tf.reduce_sum(weights, -1), 1, atol=1e-6)
