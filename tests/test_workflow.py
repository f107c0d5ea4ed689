"""workflow.py: each step can be broken off and gone on with; what may not change is refused by name."""

import json
import shutil

import pytest
from small import config, write_tsv

from keras_s2s import corpus, workflow
from keras_s2s.run import Run, RunError
from keras_s2s.state import State
from keras_s2s.tokenizers import Words


@pytest.fixture
def run(tmp_path):
    """A run that has just been made, of words."""
    return workflow.open_run(tmp_path / "run", config(
        f"data.train={write_tsv(tmp_path / 'pairs.tsv')}", "data.source_tokenizer=words", "data.target_tokenizer=words"), False)


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_preparation_that_is_broken_off_starts_over(run, monkeypatch, writes):
    write, left = corpus.write_whole, [writes]

    def broken(path, content):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, content)

    monkeypatch.setattr(corpus, "write_whole", broken)
    with pytest.raises(KeyboardInterrupt):
        workflow.prepare_corpus(run)
    assert not (run.path / "rejects.tsv").exists()
    monkeypatch.undo()
    workflow.prepare_corpus(run)
    assert run.splits() == ["train", "dev", "test"] and (run.path / "rejects.tsv").exists()
    assert not list(run.path.rglob("*.tmp"))


def test_a_prepared_corpus_is_not_read_again(run, monkeypatch):
    workflow.prepare_corpus(run)
    monkeypatch.setattr(workflow, "corpus_of", None)
    workflow.prepare_corpus(run)


def test_vocabularies_that_are_broken_off_between_the_two_are_finished(run, monkeypatch, capsys):
    workflow.prepare_corpus(run)
    train, left = Words.train.__func__, [1]

    def broken(cls, texts, size):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return train(cls, texts, size)

    monkeypatch.setattr(Words, "train", classmethod(broken))
    with pytest.raises(KeyboardInterrupt):
        workflow.prepare_assets(run)
    monkeypatch.undo()
    (run.assets / ".target.vocabulary.txt.1.tmp").write_text("half")  # what a kill leaves
    first = {file.name: file.stat().st_mtime_ns for file in run.assets.glob("source*")}
    capsys.readouterr()
    workflow.prepare_assets(run)
    told = capsys.readouterr().err
    assert "target: " in told and "source: " not in told
    assert first == {file.name: file.stat().st_mtime_ns for file in run.assets.glob("source*")}
    assert set(run.made_of()) == {"assets/source.vocabulary.txt", "assets/target.vocabulary.txt", "data/train.tsv",
                                  "data/dev.tsv"}


def test_resuming_with_other_settings_is_refused_naming_those_that_differ(run):
    with pytest.raises(RunError, match="made with other settings: model.units is 8 there and 16 here, train.seed is 1 there"):
        workflow.open_run(run.path, run.config.set(["model.units=16", "train.seed=2", "train.epochs=9"]), True)


def test_epochs_may_be_raised_and_not_lowered(run):
    assert workflow.open_run(run.path, run.config.set(["train.epochs=9"]), True).config.train.epochs == 9
    assert Run.open(run.path).config.train.epochs == 9
    with pytest.raises(RunError, match="`train.epochs` of a run can only be raised; it is 9 in .* and 2 here"):
        workflow.open_run(run.path, run.config, True)


def test_a_run_that_patience_ended_says_so(run, capsys):
    ended = Run(run.path, run.config.set(["train.patience=2"]))
    state = State(step=8, waited=2, history=[{"epoch": 1}])
    (run.path / "checkpoints").mkdir()
    (run.path / "checkpoints" / "step-00000008.json").write_bytes(state.to_json())
    run.save_metrics(training={"steps": 8})
    assert workflow.trained_already(ended)
    assert "is finished: 2 evaluations brought nothing better; for more: --set train.patience=4" in capsys.readouterr().err
    assert not workflow.trained_already(Run(run.path, run.config.set(["train.patience=3"])))


def test_a_finished_run_goes_on_when_epochs_are_added_and_says_how_fast_it_learns(trained, tmp_path, capsys):
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    before = Run.open(path)
    state = before.checkpoints.load_state()
    done = len(state.history)
    longer = workflow.open_run(path, before.config.set([f"train.epochs={done + 2}"]), True)
    workflow.train(longer, True)
    told = capsys.readouterr().err
    assert f"{done + 2} epochs instead of {done}: the learning rate goes on as in a run of {done + 2} epochs" in told
    assert "at the next step where it would have been 0" in told
    after = longer.checkpoints.load_state()
    assert after.history[:done] == state.history and after.step == state.step * (done + 2) // done
    assert json.loads((path / "metrics.json").read_text())["training"]["epochs"] == len(after.history) == done + 2
