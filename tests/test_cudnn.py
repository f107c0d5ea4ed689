"""The conditions under which a GPU runs a layer with cuDNN's kernel, which is many times faster than a loop over steps.

No GPU is needed: Keras is told that there is one, and its kernels are replaced by some that say that they were called. Keras asks
for tanh and sigmoid, biases, no recurrent dropout; its kernels take masks of right-padded rows that are not all padding.
"""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.config import Model
from keras_s2s.recurrent import RecurrentStack
from small import PAIRS, build

rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
MASK = tf.sequence_mask([6, 2, 4], 6)


@pytest.fixture
def called(monkeypatch):
    """Type of the inputs of each kernel that was called."""
    kinds = []

    def lstm(inputs, h, c, kernel, recurrent, bias, mask, *_):
        return gru(inputs, h, kernel, recurrent, bias, mask)[:2] + ([h, c],)

    def gru(inputs, h, kernel, recurrent, bias, mask, *_):
        if mask is not None:
            rnn._assert_valid_mask(mask)  # Keras's own condition; raises
        kinds.append(inputs.dtype.name)
        return h, tf.repeat(h[:, None], inputs.shape[1], axis=1), [h]

    monkeypatch.setattr(rnn, "_cudnn_lstm", lstm)
    monkeypatch.setattr(rnn, "_cudnn_gru", gru)
    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["a GPU"])
    return kinds


def run(stack, training, called):
    """The stack over three rows, two of them padded, in a functional model as ours are."""
    steps, mask = keras.Input((6, 5)), keras.Input((6,), dtype="bool")
    model = keras.Model([steps, mask], stack(steps, mask)[0])
    called.clear()
    return model([tf.zeros([3, 6, 5]), MASK], training=training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("direction, times", [({}, 2), ({"bidirectional": True}, 4), ({"go_backwards": True}, 2)])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_every_layer_is_one_that_the_kernel_can_run(called, cell, direction, times, training):
    run(RecurrentStack(Model(cell=cell, units=6, num_layers=2, dropout=0.2), "test", **direction), training, called)
    assert called == ["float32"] * times


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_reaches_the_kernel(called, precision):
    keras.config.set_dtype_policy(precision)
    run(RecurrentStack(Model(units=6), "test"), True, called)
    assert called == [precision.removeprefix("mixed_")]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_recurrent_dropout_costs_the_kernel_in_training_alone(called, cell):
    stack = RecurrentStack(Model(cell=cell, units=6, recurrent_dropout=0.2), "test")
    run(stack, True, called)
    assert called == []
    run(stack, False, called)
    assert called == ["float32"]


@pytest.mark.parametrize("tokens", ["sentencepiece", "words", "characters", "bytes"])
def test_the_masks_of_sentences_are_those_that_the_kernel_takes_even_of_an_empty_one(tokens):
    source = build(f"data.source_tokenizer={tokens}").source
    texts = tf.constant([pair[0] for pair in PAIRS[:8]] + ["", "a"])
    for some in (texts, texts[-2:-1]):
        mask = source(source.prepare(some))[1]
        rnn._assert_valid_mask(mask)
        lengths = np.maximum(1, source.lengths(source.prepare(some)))
        assert tf.reduce_sum(tf.cast(mask, tf.int32), axis=1).numpy().tolist() == lengths.tolist()


def test_the_kernel_refuses_other_masks():
    """So that the tests above can fail."""
    for mask in ([[True, True], [False, False]], [[False, True], [True, True]], [[True, False, True]]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="right-padded sequences"):
            rnn._assert_valid_mask(tf.constant(mask))
