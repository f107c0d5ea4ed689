"""run.py, lock.py: what is read is checked, and one training has a run directory at a time."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_s2s import lock
from keras_s2s.config import Config
from keras_s2s.lock import LockedError
from keras_s2s.run import Run, RunError, load, resume_command
from keras_s2s.state import State

ROOT = Path(__file__).resolve().parents[1]


def test_a_run_is_made_once_and_opened_as_it_was_made(tmp_path):
    config = Config().set(["model.units=8", "data.train=a.tsv"])
    Run.create(tmp_path / "run", config)
    assert Run.open(tmp_path / "run").config == config
    with pytest.raises(RunError, match="exists already. Continue it with --resume, or choose another name with --run"):
        Run.create(tmp_path / "run", config)


def test_a_run_that_was_killed_before_it_had_a_configuration_is_made_anew(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lock").write_text("{")
    (tmp_path / "run" / ".config.json.12.tmp").write_text("{")
    assert Run.create(tmp_path / "run", Config()).path.is_dir()


def test_what_is_no_run_is_told_with_the_runs_there_are(tmp_path):
    Run.create(tmp_path / "one", Config())
    with pytest.raises(RunError, match="two is not a run: it has no config.json. Runs in .*: one"):
        Run.open(tmp_path / "two")


@pytest.mark.parametrize("content, words", [
    (b"", "not JSON"), (b"{", "not JSON"), (b"\xff\xfe", "utf-8"), (b"[]", "must be of format 1"), (b"[" * 100_000, "not JSON"),
    (b'{"format": 1, "model": 3}', "section 'model' of the configuration must be an object"),
    (b'{"format": 1, "model": {"units": "8"}}', "`model.units` must be of type int"),
    (b'{"format": 1, "model": {"units": -8}}', "`model.units` must be at least 1"),
    (b'{"format": 1, "model": {"__class__": 1}}', "there is no setting 'model.__class__'"),
    (b'{"format": 1, "train": {"learning_rate": NaN}}', "`train.learning_rate` must be above 0")])
def test_a_tampered_configuration_is_refused_in_words(tmp_path, content, words):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"config.json cannot be used: .*" + words):
        Run.open(tmp_path)


def test_damaged_metrics_are_told_with_what_to_do(tmp_path):
    run = Run.create(tmp_path / "run", Config())
    assert run.metrics() == {}
    run.save_metrics(dev={"bleu": 1.5})
    run.save_metrics(test={"bleu": 2.5})
    assert run.metrics() == {"dev": {"bleu": 1.5}, "test": {"bleu": 2.5}}
    (run.path / "metrics.json").write_text('{"dev": ')
    with pytest.raises(RunError, match="metrics.json is damaged.*Delete it, and have it made again with: python train.py"):
        run.metrics()


def test_the_names_of_the_sets_are_those_that_the_corpus_gives_them(tmp_path):
    run = Run.create(tmp_path / "run", Config().set(["data.train=a.tsv", "data.dev=b.tsv", "data.test=x/News.tsv,y.tsv"]))
    assert run.splits() == []
    run.data.mkdir()
    for name in ("train", "dev", "news", "y", "stray"):
        (run.data / f"{name}.tsv").write_text("a\tb\n")
    assert run.splits() == ["train", "dev", "news", "y"]
    embedded = Run(tmp_path, Config())
    assert [Path(file).name for file in embedded.corpus.test] == ["test.tsv", "free.tsv"]


def test_the_command_to_resume_is_quoted_for_a_shell():
    assert resume_command(Path("runs/it's mine")) == """python train.py --run 'runs/it'"'"'s mine' --resume"""


@pytest.fixture
def made(tmp_path):
    """A run with vocabularies and pairs, and the state of its training."""
    run = Run.create(tmp_path / "run", Config().set(["model.units=8"]))
    for name in ("assets/source.model", "assets/target.model", "data/train.tsv", "data/dev.tsv"):
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_text(name)
    state = State(made_of=run.made_of(), config=dataclasses.asdict(run.config))
    return run, State.from_json(state.to_json())


def test_an_unchanged_run_passes_and_one_without_its_pairs_still_translates(made):
    run, state = made
    run.require_unchanged(state, training=True)
    (run.data / "train.tsv").unlink()
    run.require_unchanged(state)
    with pytest.raises(RunError, match="lacks data/train.tsv, with which it was trained. Copy the whole run directory again"):
        run.require_unchanged(state, training=True)


@pytest.mark.parametrize("training", [False, True])
def test_another_vocabulary_or_model_is_refused_by_name(made, training):
    run, state = made
    other = Run(run.path, run.config.set(["model.units=16", "data.source_tokenizer=words"]))
    with pytest.raises(RunError, match=r"model.units in config.json \(it was 8, it is 16\)"):
        other.require_unchanged(state, training)
    (run.assets / "source.model").write_text("other")
    with pytest.raises(RunError, match="changed after its training: assets/source.model. Put back what was there"):
        run.require_unchanged(state, training)
    (run.assets / "source.model").unlink()
    with pytest.raises(RunError, match="lacks assets/source.model"):
        run.require_unchanged(state, training)


def test_settings_of_the_training_matter_to_training_alone_and_those_that_may_change_to_nothing(made):
    run, state = made
    rate = Run(run.path, run.config.set(["train.learning_rate=0.5"]))
    rate.require_unchanged(state)
    with pytest.raises(RunError, match="train.learning_rate in config.json"):
        rate.require_unchanged(state, training=True)
    Run(run.path, run.config.set(["train.epochs=90", "search.beam_size=5"])).require_unchanged(state, training=True)


def holder(path):
    """A process that holds the lock until its input ends."""
    process = subprocess.Popen([sys.executable, "-c", f"from keras_s2s import lock; from pathlib import Path; lock.claim(Path("
                                f"{str(path)!r})); print(1, flush=True); input()"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    process.stdout.readline()
    return process


def test_a_directory_in_use_is_refused_with_process_id_and_start_time(tmp_path):
    process = holder(tmp_path)
    with pytest.raises(LockedError, match=f"is in use: process {process.pid} on .*, at work since [-0-9]+ [:0-9]+, trains"):
        lock.claim(tmp_path)
    process.communicate("\n")
    lock.claim(tmp_path)
    lock.claim(tmp_path)  # it is ours already
    assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_the_lock_of_a_killed_process_is_recognised_and_of_one_that_ended_forgotten(tmp_path, capsys):
    process = holder(tmp_path)
    process.kill()
    process.communicate()
    second = holder(tmp_path)
    _, told = second.communicate("\n")
    assert f"process {process.pid} on " in told and "left" in told and "it is gone" in told
    lock.claim(tmp_path)
    assert capsys.readouterr().err == ""


def test_an_untrained_run_cannot_be_loaded_and_says_how_to_go_on(tmp_path):
    run = Run.create(tmp_path / "run", Config())
    with pytest.raises(ValueError, match="run holds no trained weights yet.*Continue it with: python train.py --run .* --res"):
        load(run.path)
