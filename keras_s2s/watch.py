"""What shows a training to a person while it runs: TensorBoard's curves, the terminal's bar and lines."""

from __future__ import annotations

import contextlib
import math
import time
from typing import Any

import keras
import tensorflow as tf

from keras_s2s.checkpoints import State
from keras_s2s.run import Run
from keras_s2s.terminal import Bar, say


class TensorBoard(keras.callbacks.Callback):
    """Scalars for `tensorboard --logdir runs`; a disk that takes no log never stops training."""

    EVERY = 20  # steps between two points of a training curve

    def __init__(self, run: Run, state: State):
        super().__init__()
        self.state, self.before, self.since = state, 0.0, 0
        self.writer = tf.summary.create_file_writer(str(run.logs))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.state.step % self.EVERY:
            return
        now = time.monotonic()
        self._write(loss=float(logs["loss"]), perplexity=math.exp(min(50.0, float(logs["loss"]))),
                    accuracy=float(logs["accuracy"]), gradient_norm=float(logs["gradient_norm"]),
                    learning_rate=float(self.model.optimizer.learning_rate),
                    tokens_per_second=float(logs["tokens"]) / max(1e-9, (now - self.before) / self.since))
        self.before, self.since = now, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.since += 1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.before, self.since = time.monotonic(), 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        dev = {name.removeprefix("dev_"): value for name, value in logs.items() if name.startswith("dev_")}
        self._write("dev", perplexity=math.exp(min(50.0, dev["loss"])), **dev)
        self.writer.flush()

    def _write(self, group: str = "train", **scalars: float) -> None:
        with contextlib.suppress(tf.errors.OpError), self.writer.as_default(step=self.state.step):
            for name, value in scalars.items():
                tf.summary.scalar(f"{group}/{name}", value)


class Progress(keras.callbacks.Callback):
    """A bar for each epoch with loss, tokens/s and the time left; a line for each evaluation."""

    def __init__(self, state: State, steps_per_epoch: int, evaluate: Any):
        super().__init__()
        self.state, self.length, self.evaluate = state, steps_per_epoch, evaluate

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        done = self.state.step - epoch * self.length
        self.bar = Bar(f"epoch {epoch + 1}/{self.model.settings.epochs}", self.length, done)
        self.begun, self.tokens = time.monotonic(), 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tokens += float(logs["tokens"])
        self.bar.advance(f"loss {float(logs['loss']):.3f}  "
                         f"{self.tokens / (time.monotonic() - self.begun):,.0f} tokens/s")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.bar.close()
        before = next((e["dev_bleu"] for e in reversed(self.state.history[:-1]) if "dev_bleu" in e), None)
        line = (f"epoch {epoch + 1:>3}  loss {logs['loss']:.3f}  dev loss {logs['dev_loss']:.3f}  "
                f"accuracy {100 * logs['dev_accuracy']:.1f} %")
        if "dev_bleu" in logs:
            change = "" if before is None else f" ({logs['dev_bleu'] - before:+.1f})"
            line += f"  BLEU {logs['dev_bleu']:.1f}{change}  chrF {logs['dev_chrf']:.1f}"
        say(line + f"  {logs['tokens_per_second']:,.0f} tokens/s" + ("  best" if self.state.best_epoch == epoch + 1 else ""))
        if "dev_bleu" in logs:
            i = epoch * 37 % len(self.evaluate.sources)
            say(f"           {self.evaluate.sources[i]}  ->  {self.evaluate.hypotheses[i]}  "
                f"(reference: {self.evaluate.references[i]})")
