"""Training: Keras's `fit` with our own step.

The step computes the exact mean over the real tokens of the whole batch, on one device or many: replicas add up their sums,
the sum of gradients is divided by the global count of tokens, and only then clipped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_s2s.checkpoints import State
from keras_s2s.model import EncoderDecoder
from keras_s2s.pipeline import Batches, scoring_batches, training_batches
from keras_s2s.schedules import build_optimizer


class TeacherForced(keras.Model):
    """The training model with its step: teacher forcing, or scheduled sampling where `teacher_forcing` is below 1.

    Args:
        model: the encoder-decoder, whose layers and variables this shares.
        total_steps: of the whole training, for the learning rate's schedule.

    Each step reports the loss (nats a real token, without label smoothing), token accuracy, the norm of the gradient before
    clipping, and the real tokens of the target.
    """

    def __init__(self, model: EncoderDecoder, total_steps: int):
        super().__init__(model.training_model.inputs, model.training_model.outputs, name="teacher_forced")
        self.core = model
        self.settings = model.config.train
        optimizer = build_optimizer(self.settings, total_steps, self.trainable_variables)
        if self.settings.precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        # Else `fit` would end by putting the average into the weights; but it ends where an epoch was broken off as well.
        optimizer.finalize_variable_values = lambda variables: None
        self.compile(optimizer=optimizer, jit_compile=False)
        self.optimizer.build(self.trainable_variables)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        replicas = tf.distribute.get_replica_context()
        tokens = replicas.all_reduce("SUM", tf.reduce_sum(data[2]))
        scale = self.optimizer.scale_loss(tf.constant(1.0))  # above 1 with float16 only
        done = [self._part(inputs, wanted, weights, scale / tokens) for inputs, wanted, weights in self._parts(data)]
        plain, right, gradients = (tf.nest.map_structure(lambda *sums: tf.add_n(sums), *sums) for sums in zip(*done))
        gradients = [g / tf.cast(scale, g.dtype) for g in replicas.all_reduce("SUM", gradients)]
        norm = tf.linalg.global_norm(gradients)
        if self.settings.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip_norm, norm)
        again = scale / replicas.num_replicas_in_sync  # Keras sums over replicas once more, and takes the scale out
        self.optimizer.apply([g * tf.cast(again, g.dtype) for g in gradients], self.trainable_variables)
        plain, right = replicas.all_reduce("SUM", [plain, right])
        return {"loss": plain / tokens, "accuracy": right / tokens, "gradient_norm": norm, "tokens": tokens}

    def _parts(self, data: Any) -> list[Any]:
        """The batch cut into `train.parts` of like size. TensorFlow runs what does not depend on each other at the same time,
        so on a CPU each core has a part of its own; the sum of the parts' gradients is the batch's gradient.

        Of a batch with fewer rows than parts the last row stands for what is missing, with weights of 0: some operations cannot
        take no rows at all.
        """
        count = 1 if tf.config.list_physical_devices("GPU") else self.settings.parts
        if count == 1:
            return [data]
        rows = tf.shape(data[2])[0]
        parts = [tf.nest.map_structure(lambda x: x[tf.minimum(i, rows - 1)::count], data) for i in range(count)]
        return [(inputs, wanted, weights * tf.cast(i < rows, weights.dtype))
                for i, (inputs, wanted, weights) in enumerate(parts)]

    def _part(self, inputs: Any, target_out: Any, weights: tf.Tensor, scale: tf.Tensor) -> tuple[Any, Any, list[tf.Tensor]]:
        """Sums over the real tokens of a part: plain loss, right answers, gradients of scale * loss."""
        source, target_in = inputs
        if self.settings.teacher_forcing < 1:
            target_in = self.mix(source, target_in)
        with tf.GradientTape() as tape:
            logits, loss, plain = self._passes(source, target_in, target_out, weights)
            objective = tf.reduce_sum(loss) * scale
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(objective, self.trainable_variables)]
        right = tf.reduce_sum(self.core.target.accuracy(target_out, logits) * weights)
        return tf.reduce_sum(plain), right, gradients

    def _passes(self, source: tf.Tensor, target_in: tf.Tensor, target_out: tf.Tensor, weights: tf.Tensor) -> tuple[Any, ...]:
        """The logits, the loss to minimise and the plain loss [B, T]: of one pass or, with R-Drop, the means of two whose
        dropout differs, and how far they disagree (Liang et al., 2021, eq. 4, halved: of the size of one loss)."""
        target = self.core.target
        if not self.settings.r_drop:
            logits = self([source, target_in], training=True)
            return logits, *target.loss(target_out, logits, weights)
        both = self([tf.concat([source, source], 0), tf.concat([target_in, target_in], 0)], training=True)
        one, other = tf.split(both, 2)
        pairs = zip(target.loss(target_out, one, weights), target.loss(target_out, other, weights))
        loss, plain = (0.5 * (first + second) for first, second in pairs)
        return one, loss + 0.5 * self.settings.r_drop * target.divergence(one, other, weights), plain

    def mix(self, source: tf.Tensor, target_in: tf.Tensor) -> tf.Tensor:
        """Scheduled sampling (Bengio et al., 2015): each true previous token stays with probability `teacher_forcing`, else
        the model's own takes its place.

        The model goes step by step, without dropout, and what it was given is noted; training then takes that as its input.
        No gradient flows through the choice of a token, so this equals training inside the loop, at the cost of a forward pass.
        """
        keep = tf.random.stateless_uniform(
            tf.shape(target_in)[:2], seed=tf.stack([self.settings.seed, tf.cast(self.optimizer.iterations, tf.int32)]))
        keep = keep < self.settings.teacher_forcing
        encoded = self.core.encode(source)
        memory = self.core.decoder.remember(encoded)
        steps = tf.shape(target_in)[1]

        def advance(t, given, inputs, state):
            inputs = inputs.write(t, given)
            logits, state = self.core.step(given, state, memory)
            after = tf.minimum(t + 1, steps - 1)
            following = target_in[:, after]
            own = self.core.target.next_input(logits, following)
            given = tf.where(tf.reshape(keep[:, after], [-1] + [1] * (following.shape.rank - 1)), following, own)
            return t + 1, given, inputs, state

        inputs = tf.TensorArray(target_in.dtype, steps)
        _, _, inputs, _ = tf.while_loop(lambda t, *_: t < steps, advance,
                                        [tf.constant(0), target_in[:, 0], inputs, encoded.state])
        return tf.stop_gradient(tf.einsum("tb...->bt...", inputs.stack()))

    @tf.function(reduce_retracing=True, autograph=False)
    def _sums(self, inputs: Any, target_out: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        logits = self(list(inputs), training=False)
        _, plain = self.core.target.loss(target_out, logits, weights)
        right = self.core.target.accuracy(target_out, logits) * weights
        return tf.reduce_sum(plain), tf.reduce_sum(right), tf.reduce_sum(weights)

    def score(self, batches: Iterable[Any]) -> dict[str, float]:
        """Loss and token accuracy over all real tokens of a data set."""
        totals = [0.0, 0.0, 0.0]
        for inputs, target_out, weights in batches:
            totals = [total + float(part) for total, part in zip(totals, self._sums(inputs, target_out, weights))]
        return {"loss": totals[0] / totals[2], "accuracy": totals[1] / totals[2]}

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the weights are their moving average where `train.ema` asks for one; after it, all is as it was before.

        The dropout seeds too: Keras draws the masks of recurrent dropout even where it does not use them.
        """
        optimizer: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        averages = zip(self.trainable_variables, optimizer._model_variables_moving_average) if self.settings.ema else ()
        own = [(variable, variable.numpy()) for variable in self.variables]
        try:
            for variable, average in averages:
                variable.assign(average)
            yield
        finally:
            for variable, value in own:
                variable.assign(value)

    @property
    def state_variables(self) -> list[keras.Variable]:
        """All that the next step depends on: weights, dropout seeds, optimizer slots."""
        return [*self.variables, *self.optimizer.variables]


def train(model: TeacherForced, rows: Any, batches: Batches, state: State, callbacks: list[keras.callbacks.Callback]) -> None:
    """Runs `fit` from `state.step` to the last epoch; an epoch that was broken off is finished first."""
    length, epochs, patience = batches.steps_per_epoch, model.settings.epochs, model.settings.patience
    core = model.core
    if state.sums and state.step % length == 0:
        end_epoch(model, callbacks, len(state.history))
    if state.done(epochs, patience):
        return
    for first, last in pieces(state.step, length, epochs):
        data = training_batches(rows, batches, core.source, core.target, first, last)
        model.fit(data, initial_epoch=first // length, epochs=-(-last // length),
                  steps_per_epoch=min(length, last - first), callbacks=callbacks, verbose=0,
                  shuffle=False)
        if model.stop_training:
            return


def end_epoch(model: TeacherForced, callbacks: list[keras.callbacks.Callback], epoch: int) -> None:
    """What follows the last step of an epoch, for a training that ended between the two."""
    every = keras.callbacks.CallbackList(callbacks, model=model)
    every.on_train_begin()
    every.on_epoch_begin(epoch)
    every.on_epoch_end(epoch, {})
    every.on_train_end()


def pieces(step: int, steps_per_epoch: int, epochs: int) -> list[tuple[int, int]]:
    """The steps that are left, as (first, last) of one or two calls of `fit`: the rest of an epoch, whole epochs."""
    end = steps_per_epoch * epochs
    edge = min(end, -(-step // steps_per_epoch) * steps_per_epoch)
    return [(first, last) for first, last in ((step, edge), (edge, end)) if first < last]


def dev_batches(rows: Any, lengths: Any, model: EncoderDecoder) -> tf.data.Dataset:
    """The dev set as `TeacherForced.score` takes it."""
    return scoring_batches(rows, lengths, 2 * model.config.train.batch_tokens, model.source, model.target)
