"""What steers a training: a guard against NaN, means, scores of the dev set, the best weights, saves, a clean stop.

Each callback does one thing and they run in the order of `callbacks()`; what they share is the run's `State`. What only
shows a training to a person is in watch.py.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_s2s.checkpoints import Checkpoints, State
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, lexicon
from keras_s2s.stopping import Signals, Stopped, handled
from keras_s2s.training import TeacherForced
from keras_s2s.watch import Progress, TensorBoard

EVALUATED = 2000  # dev pairs answered at most after an epoch


class TrainingStopped(ValueError):
    """Training cannot go on; the message says why, where, and what to do."""


class Guard(keras.callbacks.Callback):
    """Stops at a loss that is not a number; what was saved last stays the last good state."""

    def __init__(self, run: Run, state: State):
        super().__init__()
        self.run, self.state = run, state

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss, norm = float(logs["loss"]), float(logs["gradient_norm"])
        skipped = self.model.settings.precision == "mixed_float16" and not math.isfinite(norm)  # Keras lowers its loss scale
        if math.isfinite(loss) and (math.isfinite(norm) or skipped):
            self.state.step += 1
            return
        rate = self.model.settings.learning_rate
        raise TrainingStopped(
            f"the loss became {loss} and the gradient's norm {norm} at step {self.state.step + 1:,} (epoch "
            f"{len(self.state.history) + 1}). The weights of the last save are kept in {self.run.path}. Start a new run with "
            f"a lower learning rate, such as --set train.learning_rate={rate / 4:g}"
            + ("." if self.model.settings.clip_norm else ", and with clipping: --set train.clip_norm=1."))


class Evaluate(keras.callbacks.Callback):
    """After an epoch: dev loss, and every `train.evaluate_every` epochs the dev set's translations and their scores.

    Adds to the epoch's logs: dev_loss, dev_accuracy, dev_ and each score of the target's scoring, dev_seconds. Saves the best
    weights by `train.monitor`, of equals those with less dev loss (on a small dev set a score is soon at its end, and training
    still makes the model surer), and ends training when `train.patience` evaluations brought nothing better.
    """

    def __init__(self, predictor: Predictor, dev: Any, batches: tf.data.Dataset, state: State, checkpoints: Checkpoints,
                 asked: Signals):
        super().__init__()
        self.predictor, self.batches, self.state, self.checkpoints = predictor, batches, state, checkpoints
        self.asked = asked
        self.scoring = predictor.model.target.scoring
        self.sources, self.references = dev.raws(self.scoring.chosen(len(dev), EVALUATED))
        self.answers: list[Any] = []
        self.signatures: dict[str, str] = {}  # of the scores

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        train, begun = self.model.settings, time.monotonic()
        with self.model.averaged():
            scores = {f"dev_{name}": value for name, value in self.model.score(self.asked.between(self.batches)).items()}
            last = epoch + 1 == train.epochs
            if (epoch + 1) % train.evaluate_every == 0 or last:
                self.answers = self.predictor.predict(self.sources, lambda _: self.asked.check())
                found = self.scoring.measure(self.answers, self.references, self.sources)
                self.signatures = found.signatures
                scores |= {f"dev_{name}": value for name, value in found.scores.items()}
            logs.update(scores, dev_seconds=time.monotonic() - begun)
            self._keep_best(epoch, scores, train)

    def _keep_best(self, epoch: int, scores: dict[str, float], train: Any) -> None:
        if f"dev_{train.monitor}" not in scores:
            return
        score = scores[f"dev_{train.monitor}"] * (-1 if train.monitor in self.scoring.falling else 1)
        best, history = self.state.best, self.state.history
        surer = best == score and scores["dev_loss"] < history[self.state.best_epoch - 1]["dev_loss"]
        if best is None or score > best or surer:
            self.state.best, self.state.best_epoch, self.state.waited = score, epoch + 1, 0
            self.checkpoints.save_best(self.state, self.model.core.training_model.weights)
        else:
            self.state.waited += 1
            self.model.stop_training = bool(train.patience) and self.state.waited >= train.patience


class History(keras.callbacks.Callback):
    """Means over each epoch, into the logs; the sums are part of the run's state, for an epoch that is broken off."""

    def __init__(self, state: State):
        super().__init__()
        self.state, self.mark = state, 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.mark = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        now, tokens = time.monotonic(), float(logs["tokens"])
        self.state.seconds += now - self.mark
        for name, value in {"tokens": tokens, "seconds": now - self.mark, "loss": tokens * float(logs["loss"]),
                            "accuracy": tokens * float(logs["accuracy"])}.items():
            self.state.sums[name] = self.state.sums.get(name, 0.0) + value
        self.mark = now

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        sums = self.state.sums
        logs.update(loss=sums["loss"] / sums["tokens"], accuracy=sums["accuracy"] / sums["tokens"], seconds=sums["seconds"],
                    tokens_per_second=sums["tokens"] / sums["seconds"], learning_rate=float(self.model.optimizer.learning_rate))


class Record(keras.callbacks.Callback):
    """Puts the finished epoch's logs into the history that is saved; the next epoch's sums begin at nothing."""

    def __init__(self, state: State):
        super().__init__()
        self.state = state

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        kept = {name: float(value) for name, value in logs.items() if name not in ("gradient_norm", "tokens")}
        self.state.history.append({"epoch": epoch + 1, "step": self.state.step, **kept})
        self.state.sums = {}


class Save(keras.callbacks.Callback):
    """Saves everything the next step depends on: at each end of an epoch, by steps, by minutes, and when asked to stop."""

    def __init__(self, state: State, checkpoints: Checkpoints, asked: Signals):
        super().__init__()
        self.state, self.checkpoints, self.asked = state, checkpoints, asked
        self.saved = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        train = self.model.settings
        due = train.save_every_steps and self.state.step % train.save_every_steps == 0
        due = due or train.save_every_minutes and time.monotonic() - self.saved > 60 * train.save_every_minutes
        if due and batch + 1 < self.params["steps"]:  # the last step of an epoch is saved with what follows it
            self._save()
        self.asked.check()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._save()

    def _save(self) -> None:
        self.checkpoints.save(self.state, self.model.state_variables)
        self.saved = time.monotonic()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Within, Ctrl-C and SIGTERM end training after the batch at hand, with everything saved."""
        with handled(self.asked.note):
            try:
                yield
                self.asked.check()
            except Stopped as stopped:
                self._save()
                raise Stopped(stopped.number, f" after step {self.state.step:,}; all is saved") from None


def callbacks(run: Run, state: State, model: TeacherForced, dev: Any, dev_batches: tf.data.Dataset,
              steps_per_epoch: int) -> list[keras.callbacks.Callback]:
    """All callbacks of a training, in their order; `Save` is the last."""
    checkpoints, asked = run.checkpoints, Signals()
    evaluate = Evaluate(Predictor(model.core, lexicon=lexicon(run, model.core)), dev, dev_batches, state, checkpoints, asked)
    return [Guard(run, state), History(state), evaluate, Record(state), TensorBoard(run, state, evaluate),
            Progress(state, steps_per_epoch, evaluate), Save(state, checkpoints, asked)]
