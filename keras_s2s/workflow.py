"""The steps of a run, in order, each a function: what `train.py` calls.

Each step says what it does and skips what an interrupted run has done already.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Any

from keras_s2s.config import Config
from keras_s2s.corpora import corpus_of, require_texts
from keras_s2s.distilling import require_teachers
from keras_s2s.run import MAY_CHANGE, Run, RunError, build, load
from keras_s2s.scoring import scoring_of
from keras_s2s.state import State, digest
from keras_s2s.terminal import Bar, load_tensorflow, say
from keras_s2s.timing import timed


def open_run(path: Path, config: Config, resume: bool) -> Run:
    """Makes a run directory, or opens the one to be resumed, and claims it for this process.

    Raises:
        RunError: it exists already, it does not exist, or it was made with other settings (which are named).
        LockedError: another process trains there.
    """
    scoring_of(config).require_monitor(config.train.monitor)
    require_texts(config, config.search)
    if not resume:
        if config.data.teacher:
            require_teachers(config)
        return Run.create(path, config)
    run = Run.open(path)
    run.claim()
    changed = differences(run.config, config)
    allowed = {*MAY_CHANGE} | {name for name in changed if name.startswith("watch.")}
    if set(changed) - allowed:
        said = ", ".join(f"{name} is {old!r} there and {new!r} here" for name, (old, new) in changed.items()
                         if name not in allowed)
        raise RunError(f"{path} was made with other settings: {said}. Leave them out to go on with the run as it is, or start "
                       "a new one under another name.")
    if config.train.epochs < run.config.train.epochs:
        raise RunError(f"`train.epochs` of a run can only be raised; it is {run.config.train.epochs} in {path} and "
                       f"{config.train.epochs} here. To end a training before its time, press Ctrl-C.")
    if changed:
        run = Run(path, config)
        run.save_config()
    return run


def differences(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, by full name."""
    pairs = {f"{section}.{name}": (value, dataclasses.asdict(new)[section][name])
             for section, fields in dataclasses.asdict(old).items() for name, value in fields.items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@timed("reading the corpus")
def prepare_corpus(run: Run) -> None:
    """Reads, checks and splits the corpus into the run's data/, and prints what came of it."""
    if (run.path / "rejects.tsv").exists():
        return
    bar = Bar("reading", 0, unit="B")
    summary = corpus_of(run.config).prepare(run, bar.reach)
    bar.close()
    say(summary)


@timed("making vocabularies")
def prepare_assets(run: Run) -> None:
    """Learns vocabularies, scaling, or whatever source and target need from the training pairs."""
    load_tensorflow()
    from keras_s2s.sources import SOURCES
    from keras_s2s.targets import TARGETS

    rows = run.rows("train")
    kinds: tuple[Any, Any] = (SOURCES[run.config.data.source], TARGETS[run.config.data.target])
    for side, kind in enumerate(kinds):
        with contextlib.suppress(ValueError):  # it is not there yet
            kind.load(run.config, run.assets)
            continue
        begun = time.monotonic()
        made = kind.fit(run.config, rows.learnable(side, kind.learnt_from))
        made.save(run.assets)
        say(f"{('source', 'target')[side]}: {made.summary()}, made in {time.monotonic() - begun:.1f} s")


@timed("being taught")
def be_taught(run: Run) -> None:
    """Adds the pairs of the teachers, where the run has any and its training has not begun."""
    if run.config.data.teacher and run.checkpoints.load_state() is None:
        from keras_s2s.distilling import distill

        say(distill(run))


@timed("training")
def train(run: Run, resume: bool) -> None:
    """Trains to the last epoch, from the last save where there is one; scores, saves and shows as it goes.

    Raises:
        Stopped: by Ctrl-C or SIGTERM; all is saved.
        TrainingStopped: a loss that is not a number.
        RunError, CheckpointError: what was saved cannot be gone on with.
    """
    import keras

    from keras_s2s.callbacks import Save, callbacks
    from keras_s2s.loops import bfloat16_is_slow
    from keras_s2s.pipeline import POOL, Batches, measure
    from keras_s2s.training import TeacherForced, dev_batches
    from keras_s2s.training import train as fit

    settings = run.config.train
    if resume and trained_already(run):
        return
    keras.utils.set_random_seed(settings.seed)
    core = build(run, settings.precision)
    if settings.precision == "mixed_bfloat16" and bfloat16_is_slow():
        say("warning: this processor has no bfloat16 instructions; training is likely quicker with train.precision=float32")
    rows, dev = (core.source.cached(run.rows(name)) for name in ("train", "dev"))
    bar = Bar("measuring", len(rows), unit=" pairs")
    lengths = measure(rows, core.source, core.target, bar.reach)
    bar.close()
    batches = Batches(lengths, settings.batch_tokens, settings.seed, POOL if run.config.data.subword_sampling else 1)
    model = TeacherForced(core, batches.steps_per_epoch * settings.epochs)
    state = restored(run, model, batches.steps_per_epoch) if resume else State()
    state.made_of, state.config = run.made_of(), dataclasses.asdict(run.config)
    weights = core.training_model.count_params()
    say(f"model: {weights:,} weights; {batches.steps_per_epoch:,} steps an epoch, {settings.epochs} epochs")
    made = callbacks(run, state, model, dev, dev_batches(dev, measure(dev, core.source, core.target), core),
                     batches.steps_per_epoch)
    save = next(callback for callback in made if isinstance(callback, Save))
    with save.signals():
        fit(model, rows, batches, state, made)
    run.save_metrics(training={"seconds": round(state.seconds, 1), "epochs": len(state.history), "steps": state.step,
                               "best_epoch": state.best_epoch, "weights": weights, "history": state.history})
    say(f"trained {state.step:,} steps in {state.seconds:,.0f} s; the best was epoch {state.best_epoch}")


def trained_already(run: Run) -> bool:
    """Whether the run is at its end, which is then said; what cannot be gone on with is refused before any work is done.

    Raises:
        RunError: settings, vocabularies or pairs are not those that it was trained with so far.
    """
    state, train = run.checkpoints.load_state(), run.config.train
    if state is None:
        return False
    run.require_unchanged(state, training=True)
    if not state.done(train.epochs, train.patience) or run.metrics().get("training", {}).get("steps") != state.step:
        return False
    ended = (f"all {train.epochs} epochs are done; for more: --set train.epochs={2 * train.epochs}"
             if len(state.history) >= train.epochs else
             f"{state.waited} evaluations brought nothing better; for more: --set train.patience={2 * train.patience}")
    say(f"the training of {run.path} is finished: {ended}")
    return True


def restored(run: Run, model: Any, steps_per_epoch: int) -> State:
    """Loads the last save into the model, and says where training goes on."""
    from keras_s2s.schedules import build_schedule

    state: State | None = run.checkpoints.restore(model.state_variables)
    if state is None:
        say("nothing was saved yet: training begins with its first step")
        return State()
    train, step = run.config.train, state.step
    say(f"resumed after step {step:,}, epoch {len(state.history) + 1} of {train.epochs}")
    planned = state.config.get("train", {}).get("epochs", train.epochs)
    if planned != train.epochs:
        rates = [float(build_schedule(train, epochs * steps_per_epoch)(step)) for epochs in (planned, train.epochs)]
        say(f"{train.epochs} epochs instead of {planned}: the learning rate goes on as in a run of {train.epochs} epochs, with "
            f"{rates[1]:.2g} at the next step" + (f" where it would have been {rates[0]:.2g}" if rates[0] != rates[1] else ""))
    return state


@timed("scoring all sets")
def evaluate(run: Run) -> Any:
    """Scores the best weights on dev and every test set into metrics.json; returns the predictor.

    Each set's scores are written as soon as they are there; those of the same weights and search are not made again.
    """
    from keras_s2s.evaluation import conclude, keep, recall

    predictor = load(run.path)
    train_rows, scoring = run.rows("train"), predictor.model.target.scoring
    state = run.checkpoints.load_state()
    of = digest(repr((state.files[state.named("best")], predictor.search)).encode())
    for name in run.splits()[1:]:
        if run.metrics().get(name, {}).get("of") != of or recall(run, name) is None:
            found, done = scoring.evaluate(predictor, run.rows(name), train_rows, name)
            keep(run, name, done)
            run.save_metrics(**{name: {**found, "of": of}})
    conclude(run, predictor)
    say(scoring.table({name: run.metrics()[name] for name in run.splits()[1:]}))
    return predictor


def show(run: Run, predictor: Any) -> None:
    """Some answers to what is in the test set, where things lie, and what a person would type next."""
    from keras_s2s import report

    name = run.splits()[1:3][-1]  # the first test set, or dev
    rows, scoring, source = run.rows(name), predictor.model.target.scoring, predictor.model.source
    sources, references = rows.raws(range(0, len(rows), max(1, len(rows) // 6))[:6])
    for one in zip(sources, references, predictor.predict(sources)):
        if shown := scoring.example(*one):
            say(f"  {shown}")
    say(f"\nreport    {report.write(run.path)}\nscores    {run.path / 'metrics.json'}\nexports   {run.export}\n"
        f"\nnext:\n  keras-s2s {source.command} {run.path}{source.given}\n  tensorboard --logdir {run.path.parent}\n"
        f"  python -m export {run.path} --format tflite --quantize int8")
