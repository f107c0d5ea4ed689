"""scoring/: what metrics.json and the table say of translations."""

import numpy as np
import pytest

import keras_s2s
from keras_s2s import metrics
from keras_s2s.corpus import Rows
from keras_s2s.scoring.text import TextScoring, Translated, scores, translate_rows
from small import NAMED, write_tsv

REFERENCES = [target for _, target in NAMED[:20]]
SOURCES = [source for source, _ in NAMED[:20]]


def translated(hypotheses):
    return Translated(SOURCES, REFERENCES, hypotheses, 1.5)


def test_perfect_translations_score_a_hundred_with_their_signatures():
    found = scores(translated(REFERENCES))
    assert (found["bleu"], found["chrf"]) == pytest.approx((100, 100))
    assert (found["exact_match"], found["wer"], found["cer"], found["sentences"]) == (100, 0, 0, 20)
    assert "BLEU" in found["signatures"]["bleu"] and "tok:13a" in found["signatures"]["bleu"]
    assert "chrF2" in found["signatures"]["chrf"]
    assert found["seconds"] == 1.5
    assert "unseen" not in found


def test_sources_that_training_never_saw_are_scored_apart():
    hypotheses = REFERENCES[:10] + ["गलत"] * 10
    found = scores(translated(hypotheses), np.arange(20) >= 10)
    assert found["unseen"]["sentences"] == 10 and found["unseen"]["exact_match"] == 0
    assert found["exact_match"] == 50
    low, high = found["bleu_interval"]
    assert low <= found["bleu"] <= high
    for nothing_to_tell in (np.zeros(20, bool), np.ones(20, bool)):
        assert "unseen" not in scores(translated(hypotheses), nothing_to_tell)


def test_the_table_shows_every_set_and_the_signatures():
    results = {"dev": scores(translated(REFERENCES)), "test": scores(translated(["गलत"] * 20), np.arange(20) >= 10)}
    lines = TextScoring().table(results).splitlines()
    assert lines[1].split()[:3] == ["dev", "20", "100.0"]
    assert lines[2].split()[:3] == ["test", "20", "0.0"]
    assert "not in training" in lines[3]
    assert any("tok:13a" in line for line in lines[4:])


def test_rows_are_translated_in_their_order_and_known_ones_told_apart(trained, tmp_path):
    pairs = NAMED[:7] + [("Zaphod sees a quick cow.", "ज़ाफ़ोड एक तेज़ गाय देखता है।")]
    rows, train = Rows(write_tsv(tmp_path / "some.tsv", pairs)), Rows(trained / "data" / "train.tsv")
    predictor = keras_s2s.load(trained)
    done = translate_rows(predictor, rows)
    assert list(zip(done.sources, done.references)) == pairs
    assert done.hypotheses == predictor.translate([source for source, _ in pairs])
    found, again = TextScoring().evaluate(predictor, rows, train, "some")
    assert found["unseen"]["sentences"] == 1
    assert found["bleu"] == metrics.score(again.hypotheses, again.references, again.sources).bleu


def test_after_an_epoch_too_a_word_is_right_if_it_equals_any_of_its_references():
    """What the best weights go by must be what `evaluate` reports."""
    answers = [type("Answer", (), {"best": text})() for text in ("k ae t", "k ae t", "d ao g")]
    found = TextScoring().measure(answers, ["k ah t", "k ae t", "d o g"], ["cat", "cat", "dog"]).scores
    assert found["exact_match"] == 50
