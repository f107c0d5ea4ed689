"""The loops written out for CPUs against Keras's own layers: the same numbers, forward and backward."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s import loops, recurrent

UNITS, STEPS, LENGTHS = 12, 7, (7, 3, 1, 5)
KERAS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def outputs_and_gradients(layer, x, mask, initial, weights, training=True):
    """What a layer says, and the gradient of a weighted sum of it, which every part of the loop takes part in."""
    @tf.function
    def run():
        with tf.GradientTape() as tape:
            tape.watch([x, *initial])
            outputs, *state = layer(x, mask=mask, initial_state=initial, training=training)
            total = tf.reduce_sum(outputs * weights[0]) + sum(tf.reduce_sum(s * w) for s, w in zip(state, weights[1:]))
        variables = [variable.value for variable in layer.trainable_variables]
        return [outputs, *state], tape.gradient(total, [x, *initial, *variables])
    return run()


@pytest.mark.parametrize("cell, go_backwards, masked", [*itertools.product(KERAS, (False, True), (False, True))])
def test_the_written_out_loop_equals_keras_forward_and_backward(cell, go_backwards, masked):
    random = np.random.default_rng(3)
    draw = lambda *shape: tf.constant(random.normal(0, 0.5, shape), tf.float32)  # noqa: E731
    ours, theirs = (kind(UNITS, return_sequences=True, return_state=True, go_backwards=go_backwards)
                    for kind in (recurrent.LAYERS[cell], KERAS[cell]))
    x = draw(len(LENGTHS), STEPS, 5)
    theirs(x)
    theirs.set_weights([random.normal(0, 0.3, weight.shape) for weight in theirs.get_weights()])
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    mask = tf.sequence_mask(LENGTHS, STEPS) if masked else None
    initial = [draw(len(LENGTHS), UNITS) for _ in recurrent.STATES[cell]]
    weights = [draw(len(LENGTHS), STEPS, UNITS), *(draw(len(LENGTHS), UNITS) for _ in initial)]
    if masked:  # what stands at a padded step is nobody's business
        real = tf.reverse(mask, [1]) if go_backwards else mask
        weights[0] *= tf.cast(real, tf.float32)[:, :, None]
    found, wanted = (outputs_and_gradients(layer, x, mask, initial, weights) for layer in (ours, theirs))
    if masked:
        for side in (found, wanted):
            side[0][0] = tf.where(real[:, :, None], side[0][0], 0)
    for ours_is, theirs_is in zip(tf.nest.flatten(found), tf.nest.flatten(wanted)):
        np.testing.assert_allclose(ours_is, theirs_is, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", KERAS)
def test_recurrent_dropout_multiplies_the_state_by_one_mask_for_all_steps(cell):
    layer = recurrent.LAYERS[cell](UNITS, return_sequences=True, return_state=True)
    x, mask = tf.random.normal([2, STEPS, 5], seed=1), tf.constant([[0.0, 2.0] * (UNITS // 2)] * 2)
    layer(x)
    weights = [tf.convert_to_tensor(weight) for weight in layer.get_weights()]
    zeros = [tf.zeros([2, UNITS])] * len(recurrent.STATES[cell])
    outputs, *_ = layer.loop(tf.transpose(x, [1, 0, 2]), None, *zeros, *weights, mask)
    # Rows of U that meet a dropped unit might as well be zero, and the others doubled.
    layer.set_weights([weights[0], weights[1] * mask[0][:, None], weights[2]])
    np.testing.assert_allclose(tf.transpose(outputs, [1, 0, 2]), layer(x, training=False)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", KERAS)
def test_mixed_precision_rounds_what_goes_into_the_products_and_nothing_else(cell):
    random = np.random.default_rng(5)
    draw = lambda *shape: tf.constant(random.normal(0, 0.5, shape), tf.float32)  # noqa: E731
    whole, mixed = (recurrent.LAYERS[cell](UNITS, return_sequences=True, return_state=True, dtype=kind)
                    for kind in ("float32", "mixed_bfloat16"))
    x, mask = draw(len(LENGTHS), STEPS, 5), tf.sequence_mask(LENGTHS, STEPS)
    for layer in (whole, mixed):
        layer.build(x.shape)
        layer.set_weights([random.normal(0, 0.3, weight.shape) for weight in whole.get_weights()] if layer is whole
                          else whole.get_weights())
    initial = [draw(len(LENGTHS), UNITS) for _ in recurrent.STATES[cell]]
    shapes = [draw(len(LENGTHS), STEPS, UNITS), *(draw(len(LENGTHS), UNITS) for _ in initial)]
    wanted = outputs_and_gradients(whole, x, mask, initial, shapes)
    found = outputs_and_gradients(mixed, x, mask, initial, [tf.cast(shape, "bfloat16") for shape in shapes])
    assert {part.dtype for part in found[0]} == {tf.bfloat16}
    assert {part.dtype for part in found[1][-3:]} == {tf.float32}  # of the weights, which stay whole
    for rough, exact in zip(tf.nest.flatten(found), tf.nest.flatten(wanted)):
        apart = tf.norm(tf.cast(rough, tf.float32) - exact) / tf.norm(exact)
        assert 0 < apart < 0.02, apart


@pytest.mark.parametrize("flags, slow", [("fma avx512f avx512_bf16 avx512_vnni", False), ("fma amx_bf16", False), ("fp asimd bf16", False),
                                         ("fma avx2 avx512f", True), (None, False)])
def test_a_processor_without_bfloat16_is_known_by_its_flags(flags, slow, tmp_path, monkeypatch):
    monkeypatch.setattr(loops, "PROCESSOR", tmp_path / "cpuinfo")
    if flags:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n\n")
    assert loops.bfloat16_is_slow() == slow
