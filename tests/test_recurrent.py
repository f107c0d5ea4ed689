"""recurrent.py: one stack for reading a sequence and for going step by step."""

import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.config import Model
from keras_s2s.recurrent import RecurrentStack

LENGTHS = [6, 2, 4]


def steps(features=5, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=(3, 6, features)), tf.float32)


def stack(**settings):
    direction = settings.pop("direction", {})
    return RecurrentStack(Model(**{"units": 6, "embedding_dim": 5, "dropout": 0.0, **settings}), "test", **direction)


def near(one, other):
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=0, atol=2e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_sequence_is_its_steps_one_after_another(cell, depth):
    made = stack(cell=cell, num_layers=depth)
    expected, last = made(steps())
    state = [tf.zeros([3, 6])] * len(made.state_names)
    for t in range(6):
        outputs, state = made.step(steps()[:, t], state)
        near(outputs, expected[:, t])
    near(tf.stack(state), tf.stack(last))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_sequence_may_be_cut_anywhere_and_go_on_from_its_state(cell):
    made = stack(cell=cell, num_layers=3)
    expected, last = made(steps())
    first, state = made(steps()[:, :2])
    second, state = made(steps()[:, 2:], state=state)
    near(tf.concat([first, second], axis=1), expected)
    near(tf.stack(state), tf.stack(last))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("direction", [{}, {"bidirectional": True}, {"go_backwards": True}])
def test_masked_steps_change_nothing(cell, direction):
    made = stack(cell=cell, num_layers=3, direction=direction)
    mask = tf.sequence_mask(LENGTHS, 6)
    outputs, state = made(steps(), mask)
    soiled, soiled_state = made(tf.where(mask[:, :, None], steps(), 1e3), mask)
    near(tf.stack(soiled_state), tf.stack(state))
    near(tf.boolean_mask(soiled, mask), tf.boolean_mask(outputs, mask))
    for row, length in enumerate(LENGTHS):
        alone, alone_state = made(steps()[row:row + 1, :length], tf.ones([1, length], tf.bool))
        near(alone[0], outputs[row, :length])
        near(tf.stack(alone_state)[:, 0], tf.stack(state)[:, row])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("first", [2, 3, 4])
def test_residual_connections_begin_where_they_are_said_to(cell, first):
    """A layer whose weights are all 0 says 0: with a residual connection its input comes through, without it nothing does."""
    made = stack(cell=cell, num_layers=3, residual_from=first)
    made(steps())
    for number in (3, 2):
        for variable in made.layers[number - 1].trainable_variables:
            variable.assign(tf.zeros_like(variable))
        outputs = made(steps())[0]
        if number < first:
            assert np.abs(outputs).max() == 0
            return
        shallow = stack(cell=cell, num_layers=number - 1, residual_from=first)
        shallow(steps())
        for layer, copied in zip(shallow.layers, made.layers):
            layer.set_weights(copied.get_weights())
        near(outputs, shallow(steps())[0])


def test_a_stack_that_reads_backwards_cannot_go_step_by_step():
    made = stack(direction={"go_backwards": True})
    with pytest.raises(ValueError, match="test reads backwards: it cannot go step by step"):
        made.step(steps()[:, 0], [tf.zeros([3, 6])] * 2)
