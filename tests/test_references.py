"""references.py: scores of answers with several references, against the libraries' own and against values worked out by hand."""

import math

import pytest
import sacrebleu

from keras_s2s import references

HYPOTHESES = ["a dog runs on the grass", "two cats sleep", "a red bus in the street"]
REFERENCES = [["a dog runs over the grass", "the brown dog runs on grass", "a dog on the lawn"], ["two cats are sleeping"],
              ["a red bus drives down the street", "a bus in the street"]]


def test_bleu_and_chrf_are_sacrebleus_with_all_references():
    scores, signatures = references.score(HYPOTHESES, REFERENCES)
    streams = [[several[i] if i < len(several) else None for several in REFERENCES] for i in range(3)]
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, streams).score)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(HYPOTHESES, streams).score)
    assert scores["bleu_1"] > scores["bleu_2"] > scores["bleu_3"] > scores["bleu"] > 0
    assert "nrefs:var" in signatures["bleu"] and "CIDEr-D" in signatures["cider"]


def test_cider_is_what_its_equations_say():
    """Two pictures, one-word texts: only n = 1 counts, whose weight is log 2 for a word that one of the two has."""
    assert references.cider(["cat", "dog"], [["cat"], ["dog"]]) == pytest.approx(10 / 4)
    assert references.cider(["cat", "cat"], [["cat"], ["dog"]]) == pytest.approx(10 / 8)
    assert references.cider(["a", "a"], [["a"], ["a"]]) == 0  # what all have says nothing
    # "cat sat" against "cat": cosine 1 / sqrt(2) of the words, a word longer, no pairs in common.
    expected = 10 / 2 / 4 * (math.exp(-1 / 72) / math.sqrt(2) + 1)
    assert references.cider(["cat sat", "dog"], [["cat"], ["dog"]]) == pytest.approx(expected)
    # Said twice it counts as often as the reference has it: min(2, 1) * 1 / (2 * 1).
    expected = 10 / 2 / 4 * (math.exp(-1 / 72) / 2 + 1)
    assert references.cider(["cat cat", "dog"], [["cat"], ["dog"]]) == pytest.approx(expected)


def test_cider_is_of_words_whatever_their_case_and_punctuation():
    said = references.cider(["A cat's tail.", "x y z v"], [["a cat's tail"], ["x, y z: V!"]])
    assert said == pytest.approx(10 * (3 / 4 + 1) / 2)  # the first has no sequence of four words


def test_a_reference_more_helps_who_says_it():
    one = references.score(["two cats sleep", "a dog"], [["two cats are sleeping"], ["a dog"]])[0]
    more = references.score(["two cats sleep", "a dog"], [["two cats are sleeping", "two cats sleep"], ["a dog"]])[0]
    assert more["bleu_1"] > one["bleu_1"] and more["cider"] > one["cider"] and more["chrf"] > one["chrf"]


@pytest.mark.parametrize("hypotheses, several", [([], []), (["a"], [[]]), (["a", "b"], [["a"]])])
def test_an_answer_without_a_reference_is_refused(hypotheses, several):
    with pytest.raises(ValueError, match="each answer must have at least one reference; got"):
        references.score(hypotheses, several)
