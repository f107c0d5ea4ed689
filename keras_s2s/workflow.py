"""The steps of a run, in order, each a function: what `train.py` calls.

Each step says what it does and skips what an interrupted run has done already.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from keras_s2s import phrasebook
from keras_s2s.config import Config, Data
from keras_s2s.corpus import Rows, prepare
from keras_s2s.run import Run, RunError, build, load
from keras_s2s.terminal import Bar, say


def open_run(path: Path, config: Config, resume: bool) -> Run:
    """Makes a run directory, or opens the one to be resumed.

    Raises:
        RunError: it exists already, it does not exist, or it was made with other settings (which are named).
    """
    if not resume:
        return Run.create(path, config)
    run = Run.open(path)
    changed = differences(run.config, config)
    allowed = {"train.epochs", "train.patience", "train.save_every_steps", "train.save_every_minutes"}
    allowed |= {name for name in changed if name.startswith("watch.")}
    if set(changed) - allowed:
        said = ", ".join(f"{name} is {old!r} there and {new!r} here" for name, (old, new) in changed.items()
                         if name not in allowed)
        raise RunError(f"{path} was made with other settings: {said}. Leave them out to go on with the run as it is, or start "
                       "a new one under another name.")
    if changed:
        run = Run(path, config)
        run.save_config()
    return run


def differences(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, by full name."""
    pairs = {f"{section}.{name}": (value, dataclasses.asdict(new)[section][name])
             for section, fields in dataclasses.asdict(old).items() for name, value in fields.items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def prepare_corpus(run: Run) -> None:
    """Reads, checks and splits the corpus into the run's data/, and prints what came of it."""
    if (run.path / "rejects.tsv").exists():
        return
    data = run.config.data
    if not data.train:
        say("corpus: the embedded English-Hindi phrasebook (a first run; bring your own with --data)")
        data = embedded(run)
    bar = Bar("reading", 0, unit="B")
    summary = prepare(data, run.path, bar.reach)
    bar.close()
    say(str(summary))


def embedded(run: Run) -> Data:
    """The phrasebook as files, with its own held-out combinations and its free set."""
    files = {name: str(path) for name, path in phrasebook.write(run.path / "phrasebook").items()}
    return dataclasses.replace(run.config.data, train=(files["train"],), dev=(files["dev"],),
                               test=(files["test"], files["free"]))


def prepare_assets(run: Run) -> None:
    """Learns vocabularies (or whatever source and target need) from the training pairs."""
    from keras_s2s.sources import SOURCES
    from keras_s2s.targets import TARGETS
    from keras_s2s.tokenizers import LIMIT

    if run.assets.exists() and len(list(run.assets.iterdir())) >= 2:
        return
    rows = Rows(run.data / "train.tsv")
    every = -(-len(rows) // LIMIT)
    begun = time.monotonic()
    kinds: tuple[Any, Any] = (SOURCES[run.config.data.source], TARGETS[run.config.data.target])
    for side, kind in enumerate(kinds):
        made = kind.fit(run.config, (rows[i][side].decode() for i in range(0, len(rows), every)))
        made.save(run.assets)
        say(f"{('source', 'target')[side]}: {made.summary()}")
    say(f"vocabularies made in {time.monotonic() - begun:.1f} s")


def train(run: Run, resume: bool) -> None:
    """Trains to the last epoch, from the last save where there is one; scores, saves and shows as it goes.

    Raises:
        TrainingStopped: Ctrl-C, SIGTERM, or a loss that is not a number.
    """
    import keras
    import tensorflow as tf

    from keras_s2s.callbacks import Save, callbacks
    from keras_s2s.checkpoints import State
    from keras_s2s.pipeline import Batches, measure
    from keras_s2s.training import TeacherForced, dev_batches
    from keras_s2s.training import train as fit

    settings = run.config.train
    keras.utils.set_random_seed(settings.seed)
    core = build(run)
    rows, dev = Rows(run.data / "train.tsv"), Rows(run.data / "dev.tsv")
    bar = Bar("measuring", len(rows), unit=" pairs")
    lengths = measure(rows, core.source, core.target, bar.reach)
    bar.close()
    batches = Batches(lengths, settings.batch_tokens, settings.seed)
    model = TeacherForced(core, batches.steps_per_epoch * settings.epochs)
    state = State()
    if resume and (saved := run.checkpoints.load_state()) is not None and saved.step:
        state = saved
        name = run.checkpoints.restore(state, model.state_variables)
        del state.history[state.step // batches.steps_per_epoch:]
        say(f"resumed from {name}, epoch {state.step // batches.steps_per_epoch + 1}")
    weights = sum(int(tf.size(v)) for v in core.training_model.trainable_variables)
    say(f"model: {weights:,} weights; {batches.steps_per_epoch:,} steps an epoch, {settings.epochs} epochs")
    made = callbacks(run, state, model, dev, dev_batches(dev, measure(dev, core.source, core.target), core),
                     batches.steps_per_epoch)
    save = next(callback for callback in made if isinstance(callback, Save))
    with save.signals():
        fit(model, rows, batches, state, made)
    state.finished = True
    run.checkpoints.save_state(state)
    run.save_metrics(training={"seconds": round(state.seconds, 1), "epochs": len(state.history), "steps": state.step,
                               "best_epoch": state.best_epoch, "weights": weights, "history": state.history})
    say(f"trained {state.step:,} steps in {state.seconds:,.0f} s; the best was epoch {state.best_epoch}")


def evaluate(run: Run) -> Any:
    """Scores the best weights on dev and every test set into metrics.json; returns the predictor."""
    from keras_s2s.evaluation import evaluate_rows, table

    predictor = load(run.path)
    train_rows = Rows(run.data / "train.tsv")
    results = {}
    for name in run.splits()[1:]:
        results[name], done = evaluate_rows(predictor, Rows(run.data / f"{name}.tsv"), train_rows, name)
    run.save_metrics(**results)
    say(table(results))
    return predictor


def show(run: Run, predictor: Any) -> None:
    """Some translations of test sentences, and what a person would type next."""
    name = run.splits()[-1]
    rows = Rows(run.data / f"{name}.tsv")
    picked = [rows[i] for i in range(0, len(rows), max(1, len(rows) // 6))][:6]
    for (source, reference), answer in zip(picked, predictor.predict([source.decode() for source, _ in picked])):
        say(f"  {source.decode()}\n    -> {answer.texts[0]}   (reference: {reference.decode()})")
    say(f"\n  keras-s2s translate {run.path}\n  tensorboard --logdir {run.path.parent}\n"
        f"  python -m export {run.path} --format saved_model")
