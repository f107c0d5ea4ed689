"""Scores of texts against references, each with the recipe that makes it comparable; TensorFlow is not needed.

BLEU (Papineni et al., 2002) and chrF2 (Popovic, 2015) are sacrebleu's, and come with its signatures (Post, 2018): a
number without its recipe is not a result. A word is what whitespace separates, a character is a Unicode code point, and
every score is in percent unless it says otherwise. Nothing is normalised here: do it before.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric, Score, Signature

REPEATED_NGRAM = 3  # words that repetition_rate looks for: fewer recur in good prose, more would miss short loops


class ExactMatch(Metric):
    """Percent of hypotheses that equal their reference, as a metric that is resampled as sacrebleu's are."""

    _SIGNATURE_TYPE = Signature

    def _compute_segment_statistics(self, hypothesis: str, ref_kwargs: dict[str, Any]) -> list[int]:
        return [hypothesis in ref_kwargs["right"], 1]

    def _compute_score_from_stats(self, stats: list[int]) -> Score:
        return Score("exact", 100 * stats[0] / stats[1])

    def _aggregate_and_compute(self, stats: list[list[int]]) -> Score:
        return self._compute_score_from_stats([sum(column) for column in zip(*stats)])

    def _preprocess_segment(self, sent: str) -> str:
        return sent

    def _extract_reference_info(self, refs: Sequence[str]) -> dict[str, Any]:
        return {"right": refs}


# With sacrebleu's defaults: 13a tokens, case kept; character 6-grams, beta 2.
METRICS: dict[str, type[Metric]] = {"bleu": BLEU, "chrf": CHRF, "exact_match": ExactMatch}


@dataclass(frozen=True)
class Scores:
    """What a list of hypotheses is worth; `score` makes it."""

    sentences: int  # rows scored
    bleu: float  # cased, 13a tokens; 0 where no hypothesis has four of them
    chrf: float  # chrF2
    exact_match: float  # items equal to a reference; grapheme-to-phoneme papers call 100 minus this "word error rate"
    wer: float  # words substituted, inserted and deleted per 100 words of the reference; may exceed 100
    cer: float  # the same of characters, spaces among them
    length_ratio: float  # tokens of the hypotheses for each token of the references, by BLEU's count; not in percent
    repetition_rate: float  # sentences that repeat three-word sequences more often than their reference does
    signatures: dict[str, str]  # of bleu and chrf

    def to_dict(self) -> dict[str, Any]:
        """The scores for a JSON file."""
        return dataclasses.asdict(self)


class Interval(NamedTuple):
    """A bootstrap's mean and the bounds of its middle 95 %."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same sentences; `paired_bootstrap` makes it."""

    score_a: float
    score_b: float
    difference: float  # score_b - score_a
    interval: Interval  # of that difference
    p_value: float  # how often chance alone makes a difference as large, in either direction


class LengthRow(NamedTuple):
    """The scores of the sentences whose source has so many words."""

    words: str  # such as "6-10"
    sentences: int
    bleu: float
    chrf: float


def score(hypotheses: Sequence[str], references: Sequence[str], sources: Sequence[str] | None = None) -> Scores:
    """Scores hypotheses against references, row by row.

    Where `sources` are given, rows of the same source are one item with several right answers, as is the rule for
    grapheme-to-phoneme and transliteration: the hypothesis is that of the item's first row, exact match holds if it
    equals any of the references, WER and CER are taken against the nearest. BLEU, chrF and the rest stay row by row.

    Raises:
        ValueError: lists of unequal lengths, or empty ones.
    """
    _check(hypotheses=hypotheses, references=references, **({} if sources is None else {"sources": sources}))
    items = items_of(hypotheses, references, sources)
    bleu, chrf = BLEU(), CHRF()
    bleu_score = bleu.corpus_score(list(hypotheses), [list(references)])
    chrf_score = chrf.corpus_score(list(hypotheses), [list(references)])
    repeats = sum(_repeats(h) > _repeats(r) for h, r in zip(hypotheses, references))
    return Scores(
        sentences=len(hypotheses), bleu=bleu_score.score, chrf=chrf_score.score,
        exact_match=100 * sum(hypothesis in right for hypothesis, right in items) / len(items),
        wer=_error_rate([(hypothesis.split(), [r.split() for r in right]) for hypothesis, right in items]),
        cer=_error_rate(items), length_ratio=bleu_score.ratio, repetition_rate=100 * repeats / len(hypotheses),
        signatures={"bleu": f"{bleu_score.name}|{bleu.get_signature()}",
                    "chrf": f"{chrf_score.name}|{chrf.get_signature()}"})


def bootstrap(hypotheses: Sequence[str], references: Sequence[str], metric: str = "bleu", samples: int = 1000,
              seed: int = 12345) -> Interval:
    """How far a score may be chance: its 95 % interval over resampled test sets (Koehn, 2004, section 3).

    With the same seed it draws the test sets that sacrebleu draws.

    Raises:
        ValueError: lists of unequal lengths or empty ones, or an unknown metric.
    """
    _check(hypotheses=hypotheses, references=references)
    (scores,) = _resampled(metric, [hypotheses], references, samples, seed)
    return _interval(scores)


def paired_bootstrap(hypotheses_a: Sequence[str], hypotheses_b: Sequence[str], references: Sequence[str],
                     metric: str = "bleu", samples: int = 1000, seed: int = 12345) -> Comparison:
    """Whether system B differs from A beyond chance: both are scored on the same resampled test sets (Koehn, 2004).

    The p-value is two-sided by the shift method (Riezler and Maxwell, 2005, figure 2): the resampled differences, moved
    to have mean 0, show what happens without a difference; p = (1 + how many are at least as large) / (1 + samples).

    Raises:
        ValueError: lists of unequal lengths or empty ones, or an unknown metric.
    """
    _check(hypotheses_a=hypotheses_a, hypotheses_b=hypotheses_b, references=references)
    scores_a, scores_b = _resampled(metric, [hypotheses_a, hypotheses_b], references, samples, seed)
    score_a, score_b = (METRICS[metric]().corpus_score(list(h), [list(references)]).score
                        for h in (hypotheses_a, hypotheses_b))
    differences = scores_b - scores_a
    larger = int(np.sum(np.abs(differences - differences.mean()) >= abs(score_b - score_a)))
    return Comparison(score_a, score_b, score_b - score_a, _interval(differences), (1 + larger) / (1 + samples))


def by_length(hypotheses: Sequence[str], references: Sequence[str], sources: Sequence[str],
              edges: Sequence[int] = (5, 10, 15, 20, 30)) -> list[LengthRow]:
    """BLEU and chrF of short and long sources apart: a row for up to 5 words, 6 to 10, ... and more than the last edge.

    Ranges without a sentence are left out.

    Raises:
        ValueError: lists of unequal lengths or empty ones, or edges that do not rise.
    """
    _check(hypotheses=hypotheses, references=references, sources=sources)
    if not edges or list(edges) != sorted(set(edges)):
        raise ValueError(f"`edges` must be rising numbers of words, such as (5, 10, 20); got {tuple(edges)}.")
    bins = np.searchsorted(edges, [len(source.split()) for source in sources])
    names = [f"{low + 1}-{high}" for low, high in zip([0, *edges], edges)] + [f">{edges[-1]}"]
    rows = []
    for i, name in enumerate(names):
        chosen = np.flatnonzero(bins == i).tolist()
        if chosen:
            bleu, chrf = (make().corpus_score([hypotheses[j] for j in chosen], [[references[j] for j in chosen]]).score
                          for make in (BLEU, CHRF))
            rows.append(LengthRow(name, len(chosen), bleu, chrf))
    return rows


def _check(**lists: Sequence[str]) -> None:
    """Raises ValueError unless all lists have the same length, which is not 0."""
    lengths = {name: len(rows) for name, rows in lists.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"there must be a row of each for every sentence; got {counts}. Are there empty lines or a "
                         "different file among them?")
    if 0 in lengths.values():
        raise ValueError("there is nothing to score: the lists are empty. Pass at least one sentence.")


def items_of(hypotheses: Sequence[str], references: Sequence[str],
             sources: Sequence[str] | None) -> list[tuple[str, list[str]]]:
    """(hypothesis, its right answers) of each distinct source; of each row where there are no sources."""
    items: dict[Any, tuple[str, list[str]]] = {}
    keys: Sequence[Any] = range(len(hypotheses)) if sources is None else sources
    for key, hypothesis, reference in zip(keys, hypotheses, references):
        items.setdefault(key, (hypothesis, []))[1].append(reference)
    return list(items.values())


def _error_rate(items: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> float:
    """Edits (Levenshtein, 1966) to the nearest reference per 100 symbols of it; of equally near ones the longest."""
    errors = symbols = 0
    for hypothesis, right in items:
        edits, length = min((Levenshtein.distance(hypothesis, reference), -len(reference)) for reference in right)
        errors, symbols = errors + edits, symbols - length
    return 100 * errors / max(symbols, 1)


def _repeats(text: str) -> int:
    """How many of its sequences of REPEATED_NGRAM words the text has said before."""
    words = text.split()
    counts = Counter(zip(*(words[i:] for i in range(REPEATED_NGRAM))))
    return counts.total() - len(counts)


def _resampled(metric: str, systems: Sequence[Sequence[str]], references: Sequence[str], samples: int,
               seed: int) -> list[np.ndarray]:
    """The scores [samples] of each system on the same test sets, drawn with replacement.

    Both metrics are functions of sums over sentences, so a sentence is counted once and a test set is a sum of rows.
    """
    if metric not in METRICS:
        raise ValueError(f"`metric` must be one of {', '.join(METRICS)}; got {metric!r}.")
    scorer = METRICS[metric]()
    # These two methods are what sacrebleu's own significance tests are made of.
    statistics = [np.array(scorer._extract_corpus_statistics(list(h), [list(references)]), float) for h in systems]
    random = np.random.default_rng(seed)
    scores = np.empty([len(systems), samples])
    for i in range(samples):
        rows = random.choice(len(references), len(references))
        for j, counts in enumerate(statistics):
            scores[j, i] = scorer._compute_score_from_stats(counts[rows].sum(0).tolist()).score
    return list(scores)


def _interval(scores: np.ndarray) -> Interval:
    """Mean and middle 95 % of the scores: a fortieth is cut off at either end."""
    ordered = np.sort(scores)
    cut = len(ordered) // 40
    return Interval(float(ordered.mean()), float(ordered[cut]), float(ordered[len(ordered) - cut - 1]))
