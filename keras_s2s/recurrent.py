"""A stack of LSTM or GRU layers with one state layout, run over a whole sequence or one step at a time.

State is a flat list, layer by layer: [h1, c1, h2, c2, ...] for LSTM, [h1, h2, ...] for GRU, each [B, H]. A bidirectional
layer has units // 2 a direction and joins the two last states, so an encoder's last state is a decoder's first, as it is.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_s2s import loops
from keras_s2s.config import Model, require


class Layer:
    """What both kinds add to Keras's layer. Weights, names and numbers stay Keras's.

    - While training on CPUs the loop over time is the one of loops.py, which does the same in larger pieces. With a GPU
      Keras's own stays, which is cuDNN's where the mask allows; so it does for inference and for float16.
    - Masks of recurrent dropout are drawn in training alone. Keras 3.15 draws them in inference too, where nothing uses
      them: an export would carry random numbers, and each evaluation would move the seeds on.
    """

    def call(self, sequences, initial_state=None, mask=None, training=False):
        cell, rate = self.cell, self.cell.recurrent_dropout
        cell.recurrent_dropout = rate if training else 0.0
        try:
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        finally:
            cell.recurrent_dropout = rate

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not training or self.compute_dtype == "float16" or tf.config.list_physical_devices("GPU"):
            return super().inner_loop(sequences, initial_state, mask, training=training)
        steps = tf.transpose(sequences, [1, 0, 2])
        mask = None if mask is None else tf.transpose(mask)[:, :, None]
        if self.go_backwards:
            steps, mask = tf.reverse(steps, [0]), None if mask is None else tf.reverse(mask, [0])
        cell = self.cell
        weights = [tf.convert_to_tensor(weight) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias)]
        dropped = cell.get_recurrent_dropout_mask(initial_state[0])
        if isinstance(dropped, list):  # Keras draws one for each gate; one for all is the paper's "tied" variant
            dropped = dropped[0]
        outputs, *last = self.loop(steps, mask, *initial_state, *weights, dropped)
        return last[0], tf.transpose(outputs, [1, 0, 2]), last


@keras.saving.register_keras_serializable("keras_s2s")
class LSTM(Layer, keras.layers.LSTM):
    """`keras.layers.LSTM`."""

    loop = staticmethod(loops.lstm)


@keras.saving.register_keras_serializable("keras_s2s")
class GRU(Layer, keras.layers.GRU):
    """`keras.layers.GRU` with its default `reset_after`."""

    loop = staticmethod(loops.gru)


LAYERS: dict[str, Any] = {"lstm": LSTM, "gru": GRU}
STATES = {"lstm": ("h", "c"), "gru": ("h",)}


class RecurrentStack:
    """Layers of `model.cell`, dropout after each, residual connections from layer `model.residual_from` on.

    Args:
        model: cell, units, num_layers, residual_from and the dropouts.
        name: prefix of the layers' names: "encoder" gives encoder_lstm_1, encoder_dropout_1, ...
        bidirectional: each layer reads both ways.
        go_backwards: each layer reads from the last step to the first; outputs keep the order of the steps.
        numbers: of the layers it has, counted from 1; all of `num_layers` if not given.

    Call: steps [B, T, E], mask [B, T] bool or None, state or None (zeros) -> outputs [B, T, H], state.
    """

    def __init__(self, model: Model, name: str, bidirectional: bool = False, go_backwards: bool = False,
                 numbers: range | None = None):
        self.model, self.name, self.bidirectional, self.go_backwards = model, name, bidirectional, go_backwards
        self.numbers = range(1, model.num_layers + 1) if numbers is None else numbers
        self.layers = [self._layer(number) for number in self.numbers]
        self.dropouts = [keras.layers.Dropout(model.dropout, name=f"{name}_dropout_{number}") if model.dropout else None
                         for number in self.numbers]

    def _layer(self, number: int) -> keras.layers.Layer:
        kind = LAYERS[self.model.cell]
        layer = kind(self.model.units // (2 if self.bidirectional else 1), return_sequences=True, return_state=True,
                     recurrent_dropout=self.model.recurrent_dropout, name=f"{self.name}_{self.model.cell}_{number}",
                     go_backwards=self.go_backwards)
        return keras.layers.Bidirectional(layer, name=f"{self.name}_bidirectional_{number}") if self.bidirectional else layer

    @property
    def state_names(self) -> list[str]:
        """Names of the state's tensors, in order: state_h_1, state_c_1, ..."""
        return [f"state_{part}_{number}" for number in self.numbers for part in STATES[self.model.cell]]

    def __call__(self, steps, mask=None, state=None):
        new_state = []
        for i, layer in enumerate(self.layers):
            initial = None if state is None else self._of_layer(state, i)
            outputs, *last = layer(steps, mask=mask, initial_state=initial)
            if self.go_backwards:
                outputs = ops.flip(outputs, axis=1)
            new_state += self._join_directions(last)
            steps = self._after(i, steps, outputs)
        return steps, new_state

    def step(self, steps, state):
        """One step, without dropout: steps [B, E], state -> outputs [B, H], state. Equal to a call with T = 1."""
        require(not (self.bidirectional or self.go_backwards), f"{self.name} reads backwards: it cannot go step by step.")
        new_state = []
        for i, layer in enumerate(self.layers):
            outputs, last = layer.cell(steps, self._of_layer(state, i))
            new_state += last
            steps = outputs + steps if self._residual(i) else outputs
        return steps, new_state

    def _after(self, i: int, steps, outputs):
        """What follows layer i: the residual connection, then dropout."""
        if self._residual(i):
            outputs = keras.layers.Add(name=f"{self.name}_residual_{self.numbers[i]}")([outputs, steps])
        dropout = self.dropouts[i]
        return outputs if dropout is None else dropout(outputs)

    def _residual(self, i: int) -> bool:
        """Whether what goes into layer i is added to what comes out; the first one's input may be of another size."""
        return self.numbers[i] >= self.model.residual_from

    def _of_layer(self, state, i: int) -> list:
        parts = len(STATES[self.model.cell])
        return list(state[i * parts:(i + 1) * parts])

    def _join_directions(self, last: list) -> list:
        """[forward h, c, backward h, c] -> [h, c]."""
        if not self.bidirectional:
            return last
        half = len(last) // 2
        return [ops.concatenate([forward, backward], axis=-1) for forward, backward in zip(last[:half], last[half:])]
