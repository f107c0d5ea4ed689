"""Scores of texts that have several references each, as captions do: BLEU-1 to BLEU-4 and chrF by sacrebleu, CIDEr-D.

CIDEr-D (Vedantam et al., 2015, section 6.1): n-grams count by how rare they are among the references of all pictures, so that
"a" is worth little and "umbrella" much. It is printed times 10, as its authors do: 10 is for answers that say what all their
references say.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics import BLEU, CHRF

ORDERS = (1, 2, 3, 4)
SIGMA = 6.0  # of the penalty for answers of another length, in words
WORD = re.compile(r"\w+(?:['’]\w+)*")
SIGNATURE = "CIDEr-D|n:4|sigma:6|words:lower-case without punctuation|document frequencies:these references"


def score(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[dict[str, float], dict[str, str]]:
    """Scores and signatures of answers, each against all of its references: bleu_1, bleu_2, bleu_3, bleu (of 4), chrf, cider.

    Raises:
        ValueError: lists of unequal lengths, empty ones, or an answer without a reference.
    """
    if len(hypotheses) != len(references) or not hypotheses or not all(references):
        raise ValueError(f"each answer must have at least one reference; got {len(hypotheses)} answers and "
                         f"{sum(map(bool, references))} lists of references.")
    width = max(map(len, references))
    streams: Any = [[several[i] if i < len(several) else None for several in references] for i in range(width)]
    scores, signatures = {}, {}
    for name, metric in {**{f"bleu_{n}" if n < 4 else "bleu": BLEU(max_ngram_order=n) for n in ORDERS}, "chrf": CHRF()}.items():
        found = metric.corpus_score(list(hypotheses), streams)
        scores[name], signatures[name] = found.score, f"{found.name}|{metric.get_signature()}"
    return scores | {"cider": cider(hypotheses, references)}, signatures | {"cider": SIGNATURE}


def cider(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D of a set: the mean over its items; with g_n(c) the vector of tf-idf weights of the n-grams of c (eq. 1),

        CIDEr-D_n(c, S) = 10 / m  sum_j e^(-(l(c) - l(s_j))^2 / 2 sigma^2)  min(g_n(c), g_n(s_j)) g_n(s_j) / |g_n(c)| |g_n(s_j)|
        CIDEr-D = mean over n = 1 ... 4                                                                           (eq. 4, 5)
    """
    texts = [([ngrams(text) for text in several], ngrams(hypothesis)) for hypothesis, several in zip(hypotheses, references)]
    seen = Counter(gram for several, _ in texts for gram in set().union(*several))
    rarity = {gram: math.log(len(texts) / count) for gram, count in seen.items()}
    unseen = math.log(len(texts))
    total = 0.0
    for several, said in texts:
        total += sum(_similarity(said, one, rarity, unseen) for one in several) / len(several)
    return 10 * total / len(texts)


def ngrams(text: str) -> Counter[tuple[str, ...]]:
    """How often each sequence of 1 to 4 words stands in a text."""
    words = WORD.findall(text.lower())
    return Counter(tuple(words[i:i + n]) for n in ORDERS for i in range(len(words) - n + 1))


def _similarity(said: Counter, reference: Counter, rarity: dict[tuple[str, ...], float], unseen: float) -> float:
    """CIDEr-D of an answer and one reference, without the factor 10."""
    longer = sum(count for gram, count in said.items() if len(gram) == 1) - sum(
        count for gram, count in reference.items() if len(gram) == 1)
    total = 0.0
    for n in ORDERS:
        one, other = ({gram: count * rarity.get(gram, unseen) for gram, count in text.items() if len(gram) == n}
                      for text in (said, reference))
        norm = math.sqrt(sum(value ** 2 for value in one.values()) * sum(value ** 2 for value in other.values()))
        common = sum(min(one[gram], value) * value for gram, value in other.items() if gram in one)
        total += common / norm if norm else 0.0
    return total / len(ORDERS) * math.exp(-longer ** 2 / (2 * SIGMA ** 2))
