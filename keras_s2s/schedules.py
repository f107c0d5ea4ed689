"""The learning rate over a run, and the optimizer that follows it."""

from __future__ import annotations

import math
from typing import Any, Iterable

import keras
import tensorflow as tf
from keras import ops

from keras_s2s.config import SCHEDULES, Train


@keras.saving.register_keras_serializable(package="keras_s2s")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to the peak during warm-up, then stays (constant) or falls (linear, cosine, inverse_sqrt).

    With n = step + 1, for steps are counted from 0, w warm-up steps and N steps in all:

        warm-up        peak * n / w                                     while n < w; the first step already learns
        constant       peak
        linear         peak * (1 - x),              x = (step - w) / (N - w), from 0 to 1
        cosine         peak * (1 + cos(pi x)) / 2   (Loshchilov and Hutter, 2017, eq. 5, one cycle)
        inverse_sqrt   peak * sqrt(w / n)           (Vaswani et al., 2017, eq. 3, scaled to the peak)

    Linear and cosine end at 0 and stay there: their values depend on N, so a run that is resumed for more steps needs a
    new schedule with its new N. A warm-up that is longer than the run is cut off with it, below the peak.

    Args:
        learning_rate: the peak.
        schedule: constant, linear, cosine or inverse_sqrt.
        warmup_steps: w; 0: none.
        total_steps: N, the steps of the whole run.

    Call: step, a number or scalar tensor -> the learning rate, a float32 scalar.

    Raises:
        ValueError: an unknown schedule, or fewer than one step.
    """

    def __init__(self, learning_rate: float, schedule: str, warmup_steps: int, total_steps: int) -> None:
        super().__init__()
        if schedule not in SCHEDULES:
            raise ValueError(f"`schedule` must be one of {', '.join(SCHEDULES)}; got {schedule!r}.")
        if total_steps < 1:
            raise ValueError(f"`total_steps` must be at least 1; got {total_steps}. "
                             "It is epochs times batches an epoch.")
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        warm = ops.minimum(1.0, (step + 1) / max(self.warmup_steps, 1))
        progress = ops.clip((step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1), 0.0, 1.0)
        if self.schedule == "linear":
            decay = 1 - progress
        elif self.schedule == "cosine":
            decay = (1 + ops.cos(math.pi * progress)) / 2
        elif self.schedule == "inverse_sqrt":
            peak = float(max(self.warmup_steps, 1))
            decay = ops.sqrt(peak / ops.maximum(step + 1, peak))
        else:
            decay = 1.0
        return self.learning_rate * warm * decay

    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate, "schedule": self.schedule, "warmup_steps": self.warmup_steps,
                "total_steps": self.total_steps}


class OneUpdate:
    """Adam's update of a variable as one operation of TensorFlow's instead of a dozen; the formula is Keras's own."""

    def update_step(self, gradient, variable, learning_rate):
        if tf.distribute.has_strategy():  # there a variable has a copy for each replica, which Keras knows how to reach
            return super().update_step(gradient, variable, learning_rate)
        step = ops.cast(self.iterations + 1, variable.dtype)
        slots = [slot[self._get_variable_index(variable)].value.handle for slot in (self._momentums, self._velocities)]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=slots[0], v=slots[1], grad=ops.cast(gradient, variable.dtype),
            beta1_power=ops.power(ops.cast(self.beta_1, variable.dtype), step),
            beta2_power=ops.power(ops.cast(self.beta_2, variable.dtype), step),
            lr=ops.cast(learning_rate, variable.dtype), beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon)


@keras.saving.register_keras_serializable("keras_s2s")
class Adam(OneUpdate, keras.optimizers.Adam):
    """`keras.optimizers.Adam` (Kingma and Ba, 2015)."""


@keras.saving.register_keras_serializable("keras_s2s")
class AdamW(OneUpdate, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`."""


def build_schedule(train: Train, total_steps: int) -> WarmupSchedule:
    """The schedule that the section `train` asks for, over a run of `total_steps`."""
    return WarmupSchedule(train.learning_rate, train.schedule, train.warmup_steps, total_steps)


def build_optimizer(train: Train, total_steps: int, variables: Iterable[Any] = ()) -> keras.optimizers.Optimizer:
    """The optimizer that the section `train` asks for, with its schedule and, if asked, an average of the weights.

    It does not clip gradients: Keras would clip each replica's before they are added up, and the step does it after.
    With `train.ema` the optimizer keeps the average beside the weights and never overwrites them by itself;
    `optimizer.finalize_variable_values(variables)` puts the average in their place.

    Args:
        train: the section `train` of the configuration.
        total_steps: of the whole run; see WarmupSchedule for what it means on resuming.
        variables: the model's trainable variables, for adamw: its decay (Loshchilov and Hutter, 2019) spares those with
            one axis or none, which are biases and scales. Without them it spares what is named "bias".
    """
    common: dict[str, Any] = {"learning_rate": build_schedule(train, total_steps)}
    if train.ema > 0:
        common |= {"use_ema": True, "ema_momentum": train.ema, "ema_overwrite_frequency": None}
    if train.optimizer == "sgd":
        return keras.optimizers.SGD(**common)
    if train.optimizer == "momentum":
        return keras.optimizers.SGD(momentum=0.9, nesterov=True, **common)
    if train.optimizer == "adam":
        return Adam(**common)
    optimizer = AdamW(weight_decay=train.weight_decay, **common)
    optimizer.exclude_from_weight_decay([v for v in variables if len(v.shape) < 2], ["bias"])
    return optimizer
