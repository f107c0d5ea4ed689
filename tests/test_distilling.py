"""distilling.py and ensemble.py: several models answer as their mean; what they say becomes pairs for a student."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from small import PAIRS, SOURCES_OF, begin, build, config, decided, learn, write_tsv

import keras_s2s
from keras_s2s import cli, distilling, workflow
from keras_s2s.ensemble import Ensemble, load_together
from keras_s2s.predictor import Predictor
from keras_s2s.rows import Rows
from keras_s2s.run import Run, RunError

WORDS = ["data.source_tokenizer=words", "data.target_tokenizer=words", "search.max_length=8", "train.batch_tokens=400"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three small runs of the same words: two seeds, and one without attention; and one of other words."""
    folder = tmp_path_factory.mktemp("runs")
    data, other = write_tsv(folder / "pairs.tsv"), write_tsv(folder / "other.tsv", PAIRS[:20])
    made = {"one": ["train.seed=1", "model.attention=luong"], "two": ["train.seed=2", "model.attention=luong"],
            "plain": ["train.seed=3", "model.num_layers=2"]}
    paths = {name: learn(folder / name, config(f"data.train={data}", *WORDS, *settings)) for name, settings in made.items()}
    return paths | {"other": learn(folder / "other", config(f"data.train={other}", f"data.dev={other}", *WORDS)), "data": data}


def sure(*settings):
    return decided(build(*WORDS, *settings))


@pytest.mark.parametrize("search", [{}, {"beam_size": 3}])
def test_a_model_together_with_itself_answers_as_it_does_alone(search):
    model = sure("model.attention=luong")
    alone, together = Predictor(model).with_search(**search), Predictor(Ensemble([model, model, model])).with_search(**search)
    for a, b in zip(alone.predict(SOURCES_OF[:12]), together.predict(SOURCES_OF[:12])):
        assert a.texts == b.texts
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)


def test_models_together_foretell_the_mean_of_their_probabilities():
    models = [sure("model.attention=luong"), build(*WORDS, "model.num_layers=2"), build(*WORDS, "model.cell=gru")]
    ensemble, raw = Ensemble(models), tf.constant(SOURCES_OF[:5])
    prepared = models[0].source.prepare(raw)
    encoded = ensemble.encode(prepared)
    tokens = tf.constant([2] * 5)
    logits, state = ensemble.step(tokens, encoded.state, ensemble.remember(encoded))
    expected = np.mean([tf.nn.softmax(model.step(tokens, own.state, model.remember(own))[0])
                        for model in models for own in [model.encode(prepared)]], axis=0)
    np.testing.assert_allclose(tf.nn.softmax(logits), expected, atol=1e-5)
    assert [len(part) for part in state] == [2, 4, 1]
    one_pass = ensemble.foretell(prepared, tokens[:, None])[:, 0]
    np.testing.assert_allclose(one_pass, logits, atol=1e-4)
    np.testing.assert_allclose(tf.reduce_sum(ensemble.alignments(prepared, tokens[:, None]), -1), 1, atol=1e-5)


def test_runs_answer_together_from_the_command_line(runs, capsys):
    paths = [str(runs[name]) for name in ("one", "two", "plain")]
    assert cli.main(["evaluate", paths[0], "--ensemble", *paths[1:], "--beam-size", "2"]) == 0
    assert "BLEU" in capsys.readouterr().out
    predictor = load_together(paths)
    assert len(predictor.model.models) == 3 and load_together(paths[:1]).model.training_model
    assert len(predictor.translate(SOURCES_OF[:3])) == 3


def test_runs_of_other_vocabularies_are_refused(runs):
    with pytest.raises(RunError, match="must have the same vocabularies; the source of .*other differs from that of .*one"):
        load_together([runs["one"], runs["other"]])


def test_a_student_learns_the_pairs_of_its_teachers_too(runs, tmp_path):
    run = begin(tmp_path / "student", config(f"data.train={runs['data']}", *WORDS))
    run = Run(run.path, run.config.set([f"data.teacher={runs['one']},{runs['two']}"]))
    before = list(run.rows("train"))
    workflow.be_taught(run)
    predictor = load_together([runs["one"], runs["two"]]).with_search(beam_size=distilling.BEAMS)
    answers = predictor.translate([source.decode() for source, _ in before])
    said = [(source, answer.encode()) for (source, _), answer in zip(before, answers) if answer]
    assert list(run.rows("train")) == before + said and said
    workflow.train(run, False)
    assert keras_s2s.load(run.path)
    after = (run.data / "train.tsv").read_bytes()
    workflow.be_taught(without_teacher(run))  # its training has begun: nothing is asked any more
    assert (run.data / "train.tsv").read_bytes() == after


def without_teacher(run):
    """The same run, its teacher moved away."""
    return Run(run.path, dataclasses.replace(run.config, data=dataclasses.replace(run.config.data, teacher=("gone",))))


def test_teaching_that_is_broken_off_goes_on_where_it_was(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(distilling, "TOGETHER", 16)
    made = config(f"data.train={runs['data']}", *WORDS).set([f"data.teacher={runs['one']}"])
    whole, broken = begin(tmp_path / "whole", made), begin(tmp_path / "broken", made)
    workflow.be_taught(whole)
    predict, left = Predictor.predict, [2]

    def stopped(self, *arguments, **settings):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return predict(self, *arguments, **settings)

    monkeypatch.setattr(Predictor, "predict", stopped)
    with pytest.raises(KeyboardInterrupt):
        workflow.be_taught(broken)
    with open(broken.data / "taught.tsv", "ab") as file:
        file.write(b"The half of a li")  # as a crash leaves it
    left[0] = 100
    workflow.be_taught(broken)
    assert (broken.data / "train.tsv").read_bytes() == (whole.data / "train.tsv").read_bytes()
    assert 100 - left[0] == -(-(len(Rows(broken.data / "untaught.tsv")) - 32) // 16)


@pytest.mark.parametrize("settings, message", [
    (["data.source=series", "data.target=series"], "a teacher answers pairs of texts; this run reads something else"),
    ([], "nowhere is not a run")])
def test_a_teacher_that_cannot_teach_is_told_before_the_run_is_made(tmp_path, settings, message):
    made = config(*settings, f"data.teacher={tmp_path / 'nowhere'}", *(["train.monitor=mse"] if settings else []))
    with pytest.raises(RunError, match=message):
        workflow.open_run(tmp_path / "run", made, False)
    assert not (tmp_path / "run").exists()
