"""What shows a training to a person while it runs: TensorBoard's pages, the terminal's bar and lines.

Everything that TensorBoard reads goes through the run's `EventLog`, and nothing here can end a training.
"""

from __future__ import annotations

import contextlib
import math
import resource
import sys
import time
from collections import Counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_s2s import maps, overlays, plots
from keras_s2s.checkpoints import State
from keras_s2s.config import Config
from keras_s2s.eventlog import EventLog
from keras_s2s.files import write_whole
from keras_s2s.run import Run
from keras_s2s.scoring import Scoring
from keras_s2s.terminal import Bar, say

ABOUT = {
    "train/perplexity": "e to the power of the loss.",
    "train/gradient_norm": "Of the whole gradient, before clipping.",
    "speed/tokens_per_second": "Real steps of targets learnt from, a second.",
    "speed/memory_mib": "The most memory that the process has held, in MiB; on a GPU, the most it has held there.",
}
INSIDE = {
    "attention": "Where the decoder looks (across) while it says each piece (down) of its own translation.",
    "forecasts": "What was known, what came, and what was forecast, over time; a band where quantiles are forecast.",
    "context": "Context vectors of dev sentences in two dimensions (PCA); each colour joins a sentence and its nearest.",
}
EMBEDDINGS = 10_000  # pieces of a vocabulary that the projector is given


def about(scoring: Scoring) -> dict[str, str]:
    """Words on each curve."""
    return ABOUT | {
        "train/loss": f"{scoring.token} of one batch, with teacher forcing and dropout.",
        "train/accuracy": f"Of one batch the {scoring.right}, with teacher forcing and dropout.",
        "dev/loss": f"{scoring.token} of the dev set, with teacher forcing, without dropout.",
        "dev/accuracy": f"Of the dev set the {scoring.right}, with teacher forcing."} | scoring.about


def settings_shown(config: Config) -> dict[str, bool | float | str]:
    """The settings of a run that may tell it from another, by full name."""
    import dataclasses

    sections = {name: part for name, part in dataclasses.asdict(config).items() if name != "watch"}
    return {f"{section}.{name}": value for section, fields in sections.items() for name, value in fields.items()
            if isinstance(value, bool | int | float | str)}


class TensorBoard(keras.callbacks.Callback):
    """What `tensorboard --logdir runs` shows of a run, as `config.watch` asks for it.

    Args:
        run: whose logs/ is written.
        state: its step is the step of every point.
        evaluate: holds the dev set's sources, references, answers and how they are scored.
    """

    def __init__(self, run: Run, state: State, evaluate: Any):
        super().__init__()
        self.run, self.state, self.evaluate = run, state, evaluate
        self.watch = run.config.watch
        self.log = EventLog(run.logs, after=state.step)
        self.about = about(evaluate.scoring)
        self.before, self.tokens, self.profiling, self.begun = 0.0, 0.0, False, False

    def on_train_begin(self, logs: Any = None) -> None:
        if self.begun or not self.log.fresh:  # a resumed run has said this already
            return
        self.begun = True
        self.log.hparams(settings_shown(self.run.config), self.run.path.resolve().name)
        if self.watch.graph:
            self.log.graph(graph(self.model))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.before, self.tokens = time.monotonic(), 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.watch.profile and self.state.step + 1 == self.watch.profile[0] and not self.profiling:
            with contextlib.suppress(tf.errors.OpError, OSError, RuntimeError):
                tf.profiler.experimental.start(str(self.run.logs))
                self.profiling = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.profiling and self.state.step >= self.watch.profile[1]:
            self._stop_profiler()
        self.tokens += float(logs["tokens"])
        if self.state.step % self.watch.every:
            return
        now, loss = time.monotonic(), float(logs["loss"])
        self.log.scalars(self.state.step, {
            "train/loss": loss, **self._perplexity("train", loss), "train/accuracy": float(logs["accuracy"]),
            "train/gradient_norm": float(logs["gradient_norm"]),
            "train/learning_rate": float(self.model.optimizer.learning_rate),
            "speed/tokens_per_second": self.tokens / max(1e-9, now - self.before), "speed/memory_mib": memory()}, self.about)
        self.before, self.tokens = now, 0.0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        dev = {f"dev/{name[4:]}": value for name, value in logs.items() if name.startswith("dev_") and name != "dev_seconds"}
        told = self.about | {f"dev/{name}": f"`{signature}`" for name, signature in self.evaluate.signatures.items()}
        self.log.scalars(self.state.step, {**self._perplexity("dev", dev["dev/loss"]), **dev}, told)
        last = epoch + 1 == self.model.settings.epochs or self.model.stop_training
        with self.model.averaged():
            if headed(logs, self.evaluate.scoring):
                self._sentences()
                if self.watch.images and (last or _power_of_two((epoch + 1) // self.model.settings.evaluate_every)):
                    self._images()
            if self.watch.histograms:
                self._histograms()
            if self.watch.embeddings and (last or epoch == 0):
                self.log.attempt(lambda: write_embeddings(self.run, self.model.core))

    def on_train_end(self, logs: Any = None) -> None:
        self._stop_profiler()

    def _sentences(self) -> None:
        told = self.evaluate
        rows = told.scoring.rows(told.sources, told.references, told.answers, self.watch.sentences)
        if rows:
            head, *rows = rows
            shown = [[*head[:-1], wide(head[-1])], *([*map(plain, row[:-1]), wide(row[-1])] for row in rows)]
            self.log.text(self.state.step, "dev/translations", shown, "The same sentences after each evaluation.")

    def _perplexity(self, of: str, loss: float) -> dict[str, float]:
        return {f"{of}/perplexity": math.exp(min(50.0, loss))} if self.evaluate.scoring.perplexity else {}

    def _images(self) -> None:
        told = self.evaluate
        found = maps.look(told.predictor, told.sources, told.references, told.answers)
        drawn = [plots.png(figure) for figure in overlays.inside(found, together=True)]
        if drawn:
            self.log.images(self.state.step, f"dev/{found['kind']}", [image for image, _ in drawn], drawn[0][1],
                            INSIDE[found["kind"]])

    def _histograms(self) -> None:
        for variable, gradient in zip(self.model.trainable_variables, gradients(self.model, self.evaluate.batches)):
            self.log.histogram(self.state.step, f"weights/{variable.path}", keras.ops.convert_to_numpy(variable))
            self.log.histogram(self.state.step, f"gradients/{variable.path}", gradient)

    def _stop_profiler(self) -> None:
        if self.profiling:
            self.profiling = False
            with contextlib.suppress(tf.errors.OpError, OSError, RuntimeError):
                tf.profiler.experimental.stop()


def headed(logs: Any, scoring: Scoring) -> bool:
    """Whether the dev set was answered and scored in that epoch."""
    return all(f"dev_{name}" in logs for name in scoring.heads)


def graph(model: Any) -> bytes:
    """The training model's graph, from sources and targets to logits, as a serialised GraphDef."""
    inputs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in model.inputs]
    traced = tf.function(lambda *given: model.core.training_model(list(given), training=True),
                         autograph=False).get_concrete_function(*inputs)
    drawn = traced.graph.as_graph_def(add_shapes=True)
    outer = Counter(node.name.split("/")[0] for node in drawn.node).most_common(1)[0][0] + "/"
    names = [node.name.removeprefix(outer) for node in drawn.node]
    if len(set(names)) == len(names):  # the layers stand on top, not inside of one box
        for node, name in zip(drawn.node, names):
            node.name = name
            node.input[:] = ["^" * (each[0] == "^") + each.removeprefix("^").removeprefix(outer) for each in node.input]
    return drawn.SerializeToString()


def gradients(model: Any, batches: tf.data.Dataset) -> list[np.ndarray]:
    """The loss's gradient by each trainable variable on the first dev batch, without dropout."""
    inputs, target_out, weights = next(iter(batches))
    with tf.GradientTape() as tape:
        loss, _ = model.core.target.loss(target_out, model(list(inputs), training=False), weights)
        mean = tf.reduce_sum(loss) / tf.reduce_sum(weights)
    found = tape.gradient(mean, [variable.value for variable in model.trainable_variables])
    return [tf.convert_to_tensor(gradient).numpy() for gradient in found]


def write_embeddings(run: Run, core: Any) -> None:
    """Both vocabularies' vectors and pieces, as the projector reads them: `projector_config.pbtxt` and tables of numbers.

    Raises:
        OSError: the disk cannot take them.
    """
    parts = []
    for name, kind in (("source", core.source), ("target", core.target)):
        if kind.embeddings is None:
            continue
        pieces, vectors = kind.embeddings
        table = keras.ops.convert_to_numpy(vectors)[:EMBEDDINGS]
        labels = [" ".join(piece.split()) or "(space)" for piece in pieces[:EMBEDDINGS]]
        write_whole(run.logs / "embeddings" / f"{name}.tsv",
                    "".join("\t".join(map("{:.4g}".format, row)) + "\n" for row in table.tolist()).encode())
        write_whole(run.logs / "embeddings" / f"{name}_pieces.tsv", "".join(f"{label}\n" for label in labels).encode())
        parts.append(f'embeddings {{\n  tensor_name: "{name}"\n  tensor_path: "embeddings/{name}.tsv"\n'
                     f'  metadata_path: "embeddings/{name}_pieces.tsv"\n}}\n')
    if parts:
        write_whole(run.logs / "projector_config.pbtxt", "".join(parts).encode())


def memory() -> float:
    """The most memory held so far, in MiB: of the first GPU where there is one, else of the process."""
    if devices := tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info(devices[0].name.replace("/device:", ""))["peak"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def plain(text: str) -> str:
    """The text as Markdown that shows just it."""
    return "".join(f"&#{ord(sign)};" if sign in "\\`*_{}[]<>()#+-.!|~&\"'" else sign for sign in text)


def wide(text: str) -> str:
    """The text with room about it that TensorBoard's narrow columns do not take away."""
    return f"\u00a0\u00a0{text}\u00a0\u00a0"


def _power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


class Progress(keras.callbacks.Callback):
    """A bar for each epoch with loss, tokens/s and the time left; a line for each evaluation and one changing example."""

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
        line = (f"epoch {epoch + 1:>3}  loss {logs['loss']:.3f}  dev loss {logs['dev_loss']:.3f}  "
                f"accuracy {100 * logs['dev_accuracy']:.1f} %")
        scoring = self.evaluate.scoring
        if headed(logs, scoring):
            before: Any = next((entry for entry in reversed(self.state.history[:-1]) if headed(entry, scoring)), {})
            for name, shown in scoring.watched(self.model.settings.monitor).items():
                value, places = logs[f"dev_{name}"], scoring.decimals
                line += f"  {shown} {value:.{places}f}"
                line += f" ({round(value - before[f'dev_{name}'], places) + 0.0:+.{places}f})" if before else ""
        say(line + f"  {logs['tokens_per_second']:,.0f} tokens/s" + ("  best" if self.state.best_epoch == epoch + 1 else ""))
        told, i = self.evaluate, epoch * 37 % len(self.evaluate.sources)
        if headed(logs, scoring) and (shown := scoring.example(told.sources[i], told.references[i], told.answers[i])):
            say(f"           {shown}")
