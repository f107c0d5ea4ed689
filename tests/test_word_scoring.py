"""scoring/words.py: what answers are worth that are right or wrong as a whole."""

from types import SimpleNamespace

import pytest

from export.parity import _problem
from keras_s2s import breakdown, comparison
from keras_s2s.presets import PRESETS
from keras_s2s.scoring import scoring_of
from keras_s2s.scoring.text import TextScoring, Translated
from keras_s2s.scoring.transcripts import TranscriptScoring
from keras_s2s.scoring.words import WordScoring
from keras_s2s.report import Finished

SOURCES = ["tomato", "tomato", "cat", "dog"]
REFERENCES = ["t ah m ey t ow", "t ah m aa t ow", "k ae t", "d ao g"]
SAID = {"tomato": "t ah m aa t ow", "cat": "k ae t", "dog": "d aa g"}  # two words of three are right


class Words(list):
    """Pairs as rows."""

    words_of = 0

    def raws(self, which):
        return tuple(map(list, zip(*(self[i] for i in which))))


def saying(said):
    """A predictor that answers by a table."""
    return SimpleNamespace(predict=lambda sources, _: [SimpleNamespace(best=said[source]) for source in sources])


def evaluated(said=SAID):
    return WordScoring().evaluate(saying(said), Words(zip(SOURCES, REFERENCES)), None, "test")


@pytest.mark.parametrize("preset, settings, kind", [
    ("g2p", [], WordScoring), ("transliteration", [], WordScoring), ("attention", ["train.monitor=exact_match"], WordScoring),
    ("transliteration", ["train.monitor=chrf"], TextScoring), ("attention", [], TextScoring),
    ("speech", ["train.monitor=exact_match"], TranscriptScoring)])
def test_the_score_that_the_best_weights_go_by_says_that_answers_are_words(preset, settings, kind):
    assert type(scoring_of(PRESETS[preset][1].set(settings))) is kind


def test_a_word_is_right_if_it_equals_any_of_its_references_and_counts_once():
    found, done = evaluated()
    assert (found["sentences"], found["words"]) == (4, 3) and found["exact_match"] == pytest.approx(200 / 3)
    low, high = found["exact_match_interval"]
    assert low < 200 / 3 < high <= 100
    one = WordScoring().judged(done)
    assert one[:3] == (["tomato", "cat", "dog"], ["t ah m ey t ow", "k ae t", "d ao g"], ["t ah m ey t ow", "k ae t", "d aa g"])
    value, _, _ = breakdown.scored(one.hypotheses, one.references, "exact_match")
    assert value == pytest.approx(found["exact_match"])


def test_after_an_epoch_it_says_what_evaluate_says():
    found, _ = evaluated()
    answers = [SimpleNamespace(best=SAID[source]) for source in SOURCES]
    told = WordScoring().measure(answers, REFERENCES, SOURCES).scores
    assert {name: told[name] for name in ("exact_match", "cer", "bleu", "chrf")} == {
        name: found[name] for name in ("exact_match", "cer", "bleu", "chrf")}


def test_the_table_tells_of_words_and_not_of_bleu():
    found, _ = evaluated()
    lines = WordScoring().table({"test": found | {"unseen": {**found, "exact_match": 50.0}}}).splitlines()
    assert lines[0].split() == ["set", "words", "exact", "95", "%", "CER", "WER", "seconds"]
    assert lines[1].split()[:4] == ["test", "3", "66.7", "%"] and lines[2].split()[:5] == ["not", "in", "training", "50.0", "%"]
    assert "BLEU" not in "".join([*lines, *WordScoring().columns(found), *WordScoring().tiles(found, "test"),
                                  WordScoring().line(found)])


def test_runs_are_compared_by_the_words_they_get_right():
    sources = [f"word{i}" for i in range(60)]
    pairs = Words((source, source[::-1]) for source in sources)
    good, bad = ({source: source[::-1] if i < count else "x" for i, source in enumerate(sources)} for count in (50, 20))
    found = WordScoring().compare([saying(bad), saying(good)], [pairs, pairs], ["bad", "good"])
    assert (found["count"], found["of"]) == (60, "words") and [*found][2:] == ["exact_match", "chrf"]
    row = found["exact_match"]
    assert row["scores"] == pytest.approx([100 / 3, 250 / 3]) and row["difference"] == pytest.approx(50)
    assert row["interval"][0] > 30 and row["p_value"] < 0.01
    done = {name: Translated(sources, [source[::-1] for source in sources], [*said.values()], 0.0)
            for name, said in (("bad", bad), ("good", good))}
    row = {"exact_match": 0.0, "chrf": 0.0, "repetition_rate": 0.0}
    text = comparison.scores({name: Finished(None, {"test": row}, {"test": one}) for name, one in done.items()}, "test", WordScoring())
    assert "exact %" in text and "60 words" in text and "BLEU" not in text and "+50.0 (p 0.00" in text


def test_a_phone_file_that_says_other_words_is_refused_though_bleu_is_0_either_way():
    def problem(difference, count):
        entry = {"identical": 10, "exact_match": 50.0, "exact_match_difference": difference, "cer_difference": 0.0}
        return _problem(entry, "int8", 0.5, count, WordScoring())

    assert "its exact % on the dev set is 40.00 below Keras's; at most 0.5 is allowed" in problem(-40.0, 1000)
    assert not problem(-0.4, 1000) and not problem(3.0, 1000)
    assert not problem(-1.0, 100) and "at most 1 is allowed" in problem(-2.0, 100)  # one word may always differ
