"""Answers held against training pairs whose sources begin or end like the source: pronunciation by analogy.

A dictionary says ABNORMAL and ABNORMALLY alike; a model that was kept from learning its pairs by heart says each as words go
in general. So a beam's hypotheses gain by saying what looks the same as it is known to be said. (Marchand & Damper, 2000, put
pronunciations together of such parts, without a model; Zhang et al., 2018, "Guiding neural machine translation with retrieved
translation pieces", reward them in a neural search.)

Neighbours of a source are the training sources that share its longest beginning, and those that share its longest ending. From
each side on, a hypothesis gains a point for each token in which it goes along with a neighbour, through as much of the
neighbour's target as the shared part is of the neighbour's source; the mean over the neighbours counts.

    score  =  log-probability / length penalty  +  search.analogy * (points of the beginning + points of the ending)

A source that was learnt from is left to the model, which knows it. Memory grows with the training set, which is held whole.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from os.path import commonprefix
from typing import Any

from keras_s2s.normalize import normalize

LEAST = 3  # characters that neighbours share
MOST = 50  # neighbours of a side, the nearest in the order of sources


class Analogies:
    """What training pairs say of sources that look alike.

    Args:
        pairs: sources and targets, normalised.
        words: whether a target is read as words; else as characters.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], words: bool):
        self.words = words
        beginning, ending = dict[str, list[Sequence[str]]](), dict[str, list[Sequence[str]]]()
        for source, target in pairs:
            tokens = self._tokens(target)
            beginning.setdefault(source, []).append(tokens)
            ending.setdefault(source[::-1], []).append(tokens[::-1])
        self.beginning, self.ending = _Side(beginning), _Side(ending)

    def points(self, source: str, texts: Sequence[str]) -> list[float]:
        """Of each hypothesis, the two sides' together."""
        source = normalize(source)
        forth, back = self.beginning.shares(source), self.ending.shares(source[::-1])
        said = [self._tokens(text) for text in texts]
        return [_agreed(forth, tokens) + _agreed(back, tokens[::-1]) for tokens in said]

    def ranked(self, source: str, answer: Any, weight: float, n_best: int) -> Any:
        """The n best of an answer's hypotheses, by their scores and `weight` times their points."""
        points = self.points(source, answer.texts)
        scores = [score + weight * more for score, more in zip(answer.scores, points)]
        order = sorted(range(len(scores)), key=lambda i: -scores[i])[:n_best]
        return answer._replace(texts=[answer.texts[i] for i in order], scores=[scores[i] for i in order])

    def _tokens(self, target: str) -> Sequence[str]:
        return tuple(target.split()) if self.words else target


class _Side:
    """The pairs in the order of their sources, read from one side."""

    def __init__(self, targets: dict[str, list[Sequence[str]]]):
        self.sources = sorted(targets)
        self.targets = [targets[source] for source in self.sources]

    def shares(self, source: str) -> dict[Sequence[str], float]:
        """Beginnings of targets, and which share of the neighbours of the source has each."""
        near, shared = self._neighbours(source)
        counts = Counter[Sequence[str]]()
        for i in near:
            length = len(self.sources[i])
            counts.update({tokens[:end] for tokens in self.targets[i]
                           for end in range(1, 1 + math.ceil(len(tokens) * shared / length))})
        return {tokens: count / len(near) for tokens, count in counts.items()}

    def _neighbours(self, source: str) -> tuple[range, int]:
        """Which have the longest beginning in common with a source that is not among them, and how many characters that is."""
        place = bisect_left(self.sources, source)
        beside = self.sources[max(0, place - 1):place + 1]
        shared = max((len(commonprefix([source, other])) for other in beside), default=0)
        if shared < LEAST or source in beside:
            return range(0), 0
        first = bisect_left(self.sources, source[:shared])
        end = bisect_right(self.sources, source[:shared], key=lambda known: known[:shared])
        return range(max(first, place - MOST // 2), min(end, place + MOST // 2)), shared


def _agreed(shares: dict[Sequence[str], float], tokens: Sequence[str]) -> float:
    """The mean length of what tokens and neighbours have in common from the first on."""
    return sum(shares.get(tokens[:end], 0.0) for end in range(1, len(tokens) + 1))
