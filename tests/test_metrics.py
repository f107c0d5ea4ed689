"""Scores by hand, against sacrebleu's own, and with the chance that is in them."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import sacrebleu
from sacrebleu.significance import PairedTest

from keras_s2s.metrics import bootstrap, by_length, paired_bootstrap, score

REFERENCES = ["क्या वह सड़क पर है ?", "the cat sat on the mat .", "we are going home now, all of us", "yes"]
HYPOTHESES = ["क्या वह सड़क पर थी ?", "the cat sat on mat .", "we go home now, all of us", "yes"]


def corpus(rows, mistakes, seed=0):
    """References of random words, and hypotheses in which a share of the words is wrong."""
    random = np.random.default_rng(seed)
    references = [[f"w{i}" for i in random.integers(0, 300, random.integers(4, 25))] for _ in range(rows)]
    hypotheses = [[word if random.random() > mistakes else "wrong" for word in words] for words in references]
    return [" ".join(words) for words in hypotheses], [" ".join(words) for words in references]


def test_a_perfect_answer_scores_100():
    scores = score(REFERENCES, REFERENCES)
    assert (scores.sentences, scores.exact_match, scores.wer, scores.cer, scores.repetition_rate) == (4, 100, 0, 0, 0)
    assert scores.bleu == pytest.approx(100) and scores.chrf == pytest.approx(100)
    assert scores.length_ratio == 1


def test_bleu_and_chrf_are_sacrebleus_with_their_signatures():
    scores = score(HYPOTHESES, REFERENCES)
    assert scores.bleu == sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert scores.chrf == sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score
    version = sacrebleu.__version__
    assert scores.signatures == {
        "bleu": f"BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}",
        "chrf": f"chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{version}"}


def test_error_rates_are_those_counted_by_hand():
    scores = score(["a b c", "x", ""], ["a d c e", "x", "y z"])
    assert scores.wer == pytest.approx(100 * (2 + 0 + 2) / 7)  # one substituted, three deleted
    assert scores.cer == pytest.approx(100 * (3 + 0 + 3) / 11)
    assert scores.exact_match == pytest.approx(100 / 3)
    assert scores.length_ratio == pytest.approx(4 / 7)
    assert score(["a b c d"], ["a"]).wer == 300  # three words too many for one


def test_empty_answers_score_nothing_and_empty_references_do_not_divide_by_zero():
    assert score([""], ["a b c d"]).bleu == 0
    assert score(["", "a"], ["", ""]).wer == 100


def test_rows_of_one_source_are_one_item_with_several_right_answers():
    sources = ["read", "read", "tomato"]
    references = ["R IY D", "R EH D", "T AH M EY T OW"]
    hypotheses = ["R EH D", "R EH D", "T AH M AA T"]
    grouped, apart = score(hypotheses, references, sources), score(hypotheses, references)
    assert grouped.exact_match == 50 and apart.exact_match == pytest.approx(100 / 3)
    assert grouped.wer == pytest.approx(100 * 2 / 9) and apart.wer == pytest.approx(100 * 3 / 12)
    assert grouped.bleu == apart.bleu and grouped.sentences == 3
    first = score(["R IY D", "nonsense", "T AH M EY T OW"], references, sources)
    assert first.exact_match == 100 and first.wer == 0  # the item's answer is its first row's


def test_the_nearest_reference_counts_and_of_equally_near_ones_the_longest():
    assert score(["a b"] * 2, ["a x y z", "a c"], ["s", "s"]).wer == pytest.approx(100 * 1 / 2)
    assert score(["a b"] * 2, ["a", "a b c"], ["s", "s"]).wer == pytest.approx(100 * 1 / 3)


def test_repetition_is_what_the_reference_does_not_repeat():
    loop, prose = "i am sure i am sure i am sure", "i am sure that you know"
    assert score([loop, prose], [prose, prose]).repetition_rate == 50
    assert score([loop, prose], [loop, prose]).repetition_rate == 0
    assert score([prose], [loop]).repetition_rate == 0


def test_scores_go_into_json():
    scores = score(HYPOTHESES, REFERENCES)
    tree = json.loads(json.dumps(scores.to_dict()))
    assert tree["bleu"] == scores.bleu and set(tree["signatures"]) == {"bleu", "chrf"}


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_the_bootstrap_is_sacrebleus_and_covers_the_score(metric, monkeypatch):
    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    hypotheses, references = corpus(120, 0.3)
    scorer = {"bleu": sacrebleu.BLEU, "chrf": sacrebleu.CHRF}[metric]()
    expected = scorer.corpus_score(hypotheses, [references], n_bootstrap=1000)
    mean, low, high = bootstrap(hypotheses, references, metric)
    assert low < expected.score < high and low < mean < high
    assert (mean, (high - low) / 2) == pytest.approx((expected._mean, expected._ci), abs=1e-3)
    again = [bootstrap(hypotheses, references, metric, samples=50) for _ in range(2)]
    assert again[0] == again[1] != bootstrap(hypotheses, references, metric, samples=50, seed=1)


def test_more_sentences_make_a_narrower_interval():
    widths = []
    for rows in (50, 800):
        _, low, high = bootstrap(*corpus(rows, 0.3), samples=200)
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_a_thousand_samples_of_1600_sentences_take_seconds():
    hypotheses, references = corpus(1600, 0.3)
    start = time.perf_counter()
    bootstrap(hypotheses, references)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_the_paired_bootstrap_finds_a_clear_difference(metric):
    worse, references = corpus(150, 0.4, seed=1)
    better, _ = corpus(150, 0.4, seed=1)
    better = [r if i % 2 else h for i, (h, r) in enumerate(zip(better, references))]
    found = paired_bootstrap(worse, better, references, metric)
    assert found.p_value < 0.01 and found.interval.low > 0
    assert found.difference == pytest.approx(found.score_b - found.score_a) and found.difference > 5
    back = paired_bootstrap(better, worse, references, metric)
    assert back.difference == -found.difference and back.p_value == found.p_value
    scorer = {"bleu": sacrebleu.BLEU, "chrf": sacrebleu.CHRF}[metric]()
    theirs = PairedTest([("a", worse), ("b", better)], {metric: scorer}, [references], "bs", n_samples=200)()[1]
    result = next(rows for name, rows in theirs.items() if name != "System")[1]
    assert result.score == found.score_b and result.p_value < 0.01


def test_the_paired_bootstrap_finds_nothing_between_equals():
    hypotheses, references = corpus(100, 0.3)
    same = paired_bootstrap(hypotheses, hypotheses, references, samples=200)
    assert (same.difference, same.p_value, same.interval) == (0, 1, (0, 0, 0))


def test_chance_differences_are_seldom_called_real():
    random = np.random.default_rng(0)
    alarms = 0
    for trial in range(20):
        good, references = corpus(60, 0.2, seed=trial)
        bad, _ = corpus(60, 0.2, seed=trial)
        bad = [" ".join("other" if random.random() < 0.1 else w for w in h.split()) for h in bad]
        coin = random.random(60) < 0.5  # both systems are the same mixture
        a, b = ([g if c else x for g, x, c in zip(good, bad, side)] for side in (coin, ~coin))
        alarms += paired_bootstrap(a, b, references, samples=200).p_value < 0.05
    assert alarms <= 4


def test_scores_are_told_apart_by_the_length_of_the_source():
    sources = ["a", "a b c d e", "a b c d e f", " ".join("a" * 40)]
    rows = by_length(HYPOTHESES, REFERENCES, sources)
    assert [(row.words, row.sentences) for row in rows] == [("1-5", 2), ("6-10", 1), (">30", 1)]
    assert rows[0].bleu == sacrebleu.corpus_bleu(HYPOTHESES[:2], [REFERENCES[:2]]).score
    assert rows[2].chrf == 100
    assert [row.words for row in by_length(HYPOTHESES, REFERENCES, sources, edges=(1, 39))] == ["1-1", "2-39", ">39"]


def test_wrong_lists_are_refused_with_the_counts():
    with pytest.raises(ValueError, match="hypotheses 1, references 2. Are there empty lines"):
        score(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="sources 1"):
        by_length(["a", "b"], ["a", "b"], ["a"])
    with pytest.raises(ValueError, match="hypotheses_a 1, hypotheses_b 2"):
        paired_bootstrap(["a"], ["a", "b"], ["a"])
    for empty in (score, bootstrap):
        with pytest.raises(ValueError, match="nothing to score: the lists are empty"):
            empty([], [])
    with pytest.raises(ValueError, match="one of bleu, chrf, exact_match; got 'ter'"):
        bootstrap(["a"], ["a"], "ter")
    with pytest.raises(ValueError, match="rising numbers of words"):
        by_length(["a"], ["a"], ["a"], edges=(5, 5))


def test_scoring_does_not_load_tensorflow():
    code = "import sys, keras_s2s.metrics; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
