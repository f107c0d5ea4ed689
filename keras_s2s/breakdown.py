"""Where a model is good and where it is not: scores of parts of a set, with bootstrap intervals; TensorFlow is not needed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from keras_s2s import metrics

SAMPLES = 300  # of each bootstrap: enough for bounds in whole points
FEWEST = 10  # sentences from which an interval says something
SCORES = ("bleu", "chrf")


class Part(NamedTuple):
    """The scores of some of the sentences: value, low end, high end."""

    name: str
    sentences: int
    scores: dict[str, tuple[float, float, float]]  # by metric


def by_length(sizes: Sequence[int], edges: Sequence[int], references: Sequence[str], hypotheses: Sequence[str],
              wanted: Sequence[str] = SCORES) -> list[Part]:
    """Scores of short and long sources, of so many words or characters: up to the first edge, to the second, ..., and more."""
    bins = np.searchsorted(edges, sizes)
    names = [f"{low + 1}-{high}" for low, high in zip([0, *edges], edges)] + [f">{edges[-1]}"]
    return parts(names, bins, references, hypotheses, wanted)


def by_unseen(sources: Sequence[str], references: Sequence[str], hypotheses: Sequence[str], known: set[str],
              wanted: Sequence[str] = SCORES) -> list[Part]:
    """Scores by how many of the source's words occur in no training source."""
    bins = np.minimum(3, [sum(word not in known for word in words(source)) for source in sources])
    return parts(["none", "1", "2", "3 or more"], bins, references, hypotheses, wanted)


def parts(names: Sequence[str], bins: np.ndarray, references: Sequence[str], hypotheses: Sequence[str],
          wanted: Sequence[str]) -> list[Part]:
    """Scores, by the metrics that are wanted, of each bin that has at least FEWEST sentences."""
    found = []
    for number, name in enumerate(names):
        chosen = np.flatnonzero(bins == number).tolist()
        if len(chosen) >= FEWEST:
            said, right = ([side[i] for i in chosen] for side in (hypotheses, references))
            found.append(Part(name, len(chosen), {metric: scored(said, right, metric) for metric in wanted}))
    return found


def scored(hypotheses: Sequence[str], references: Sequence[str], metric: str) -> tuple[float, float, float]:
    """A score with the ends of its 95 % interval."""
    value = metrics.METRICS[metric]().corpus_score(list(hypotheses), [list(references)]).score
    _, low, high = metrics.bootstrap(hypotheses, references, metric, SAMPLES)
    return value, low, high


def words(text: str) -> list[str]:
    """The words of a text without the signs around them, case aside."""
    def bare(word: str) -> str:
        signs = "".join(sign for sign in set(word) if unicodedata.category(sign)[0] in "PS")
        return word.strip(signs).casefold()

    return [word for part in text.split() if (word := bare(part))]


def known_words(texts: Iterable[str]) -> set[str]:
    """All words of some texts."""
    return {word for text in texts for word in words(text)}


def length_ratios(references: Sequence[str], hypotheses: Sequence[str]) -> list[float]:
    """Characters of each hypothesis for each character of its reference."""
    return [len(hypothesis) / max(1, len(reference)) for hypothesis, reference in zip(hypotheses, references)]


def sentence_scores(references: Sequence[str], hypotheses: Sequence[str]) -> list[float]:
    """chrF of each sentence alone."""
    chrf = metrics.METRICS["chrf"]()
    return [chrf.sentence_score(hypothesis, [reference]).score for hypothesis, reference in zip(hypotheses, references)]
