"""The learning rate by hand at the corners of a run, and optimizers that do what the configuration says."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s import schedules
from keras_s2s.config import OPTIMIZERS, SCHEDULES, Train
from keras_s2s.schedules import WarmupSchedule, build_optimizer, build_schedule


def rates(schedule, steps=(0, 1, 9, 10, 60, 110, 500), warmup_steps=10, total_steps=110):
    built = build_schedule(Train(learning_rate=0.1, schedule=schedule, warmup_steps=warmup_steps), total_steps)
    return [float(built(step)) for step in steps]


@pytest.mark.parametrize("schedule, expected", [
    ("constant", [0.01, 0.02, 0.1, 0.1, 0.1, 0.1, 0.1]),
    ("linear", [0.01, 0.02, 0.1, 0.1, 0.05, 0, 0]),
    ("cosine", [0.01, 0.02, 0.1, 0.1, 0.05, 0, 0]),
    ("inverse_sqrt", [0.01, 0.02, 0.1, 0.1 * (10 / 11) ** 0.5, 0.1 * (10 / 61) ** 0.5, 0.1 * (10 / 111) ** 0.5,
                      0.1 * (10 / 501) ** 0.5]),
])
def test_rates_are_those_computed_by_hand(schedule, expected):
    np.testing.assert_allclose(rates(schedule), expected, atol=1e-8)


def test_the_cosine_bends_where_the_line_does_not():
    np.testing.assert_allclose(rates("cosine", [35, 85]), [0.05 * (1 + 0.5 ** 0.5), 0.05 * (1 - 0.5 ** 0.5)], rtol=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup_steps", [0, 1, 7, 200])
def test_rates_rise_during_warm_up_and_never_after(schedule, warmup_steps):
    run = np.diff(rates(schedule, range(120), warmup_steps, 100))
    peak = max(warmup_steps - 1, 0)
    assert np.all(run[:peak] > 0) and np.all(run[peak:] <= 1e-9)
    assert all(rate > 0 for rate in rates(schedule, range(100), warmup_steps, 100))  # every step of the run learns


def test_a_schedule_survives_its_configuration_and_a_saved_optimizer():
    schedule = build_schedule(Train(), 1000)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert isinstance(again, WarmupSchedule) and again.get_config() == schedule.get_config()
    optimizer = keras.optimizers.deserialize(keras.optimizers.serialize(build_optimizer(Train(), 1000)))
    assert float(optimizer.learning_rate) == pytest.approx(Train().learning_rate / 100)  # the first of 100 warm-up steps


def test_a_schedule_runs_in_a_graph():
    schedule = build_schedule(Train(), 1000)
    run = tf.function(schedule, input_signature=[tf.TensorSpec([], tf.int64)])
    for step in (0, 99, 500):
        np.testing.assert_allclose(run(step), schedule(step), rtol=1e-6)


def test_wrong_schedules_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="one of constant, linear, cosine, inverse_sqrt; got 'step'"):
        WarmupSchedule(0.1, "step", 0, 10)
    with pytest.raises(ValueError, match="at least 1; got 0. It is epochs times batches"):
        build_schedule(Train(), 0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill_and_does_not_clip(name):
    variable = keras.Variable([[3.0, -2.0]])
    train = Train(optimizer=name, learning_rate=0.05, warmup_steps=0, schedule="constant", clip_norm=0.1)
    optimizer = build_optimizer(train, 10, [variable])
    assert optimizer.clipnorm is optimizer.global_clipnorm is optimizer.clipvalue is None
    for _ in range(10):
        optimizer.apply([2 * variable.value], [variable])
    assert float(tf.reduce_sum(variable.value ** 2)) < 12
    assert int(optimizer.iterations) == 10


def test_plain_sgd_and_nesterov_momentum_step_as_computed_by_hand():
    for name, expected in (("sgd", 0.9), ("momentum", 1 - 0.1 * 1.9)):
        variable = keras.Variable([1.0])
        train = Train(optimizer=name, learning_rate=0.1, warmup_steps=0, schedule="constant")
        build_optimizer(train, 10).apply([tf.constant([1.0])], [variable])
        np.testing.assert_allclose(variable.value, [expected], rtol=1e-6)


def test_weight_decay_spares_biases_and_scales():
    kernel, bias, scale = (keras.Variable(keras.ops.ones(shape), name=name) for shape, name in
                           (((2, 2), "kernel"), ((2,), "bias"), ((2,), "scale")))
    train = Train(optimizer="adamw", learning_rate=0.1, weight_decay=0.5, warmup_steps=0, schedule="constant")
    variables = [kernel, bias, scale]
    build_optimizer(train, 10, variables).apply([tf.zeros(v.shape) for v in variables], variables)
    np.testing.assert_allclose(kernel.value, np.full((2, 2), 0.95), rtol=1e-6)
    assert np.all(bias.value == 1) and np.all(scale.value == 1)


def test_the_average_of_the_weights_is_kept_beside_them():
    variable = keras.Variable([0.0])
    train = Train(optimizer="sgd", learning_rate=1.0, warmup_steps=0, schedule="constant", ema=0.5)
    optimizer = build_optimizer(train, 10)
    for _ in range(3):
        optimizer.apply([tf.constant([-1.0])], [variable])
    assert float(variable.value[0]) == 3.0
    optimizer.finalize_variable_values([variable])
    assert 1.0 < float(variable.value[0]) < 3.0
    assert not build_optimizer(Train(), 10).use_ema


@pytest.mark.parametrize("ours, keras_own", [(schedules.Adam, keras.optimizers.Adam), (schedules.AdamW, keras.optimizers.AdamW)])
def test_one_operation_updates_a_variable_as_keras_does(ours, keras_own):
    random = np.random.default_rng(0)
    first = random.normal(size=(7, 5)).astype("float32")
    gradients = [keras.ops.array(random.normal(size=(7, 5)), "float32") for _ in range(5)]
    found = []
    for kind in (ours, keras_own):
        variable, optimizer = keras.Variable(first), kind(0.05)
        optimizer.build([variable])
        for gradient in gradients:
            optimizer.apply([gradient], [variable])
        found.append(variable.numpy())
    assert np.abs(found[0] - first).max() > 0.1
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)
