"""Sentences that are gone on with: how often the next word is right, and the perplexity of what follows, a word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keras_s2s.corpus import Rows
from keras_s2s.scoring.base import Measured
from keras_s2s.scoring.text import TextScoring, Translated


class ContinuationScoring(TextScoring):
    """Continuations against what was written. A word is what lies between spaces.

    perplexity = exp(-log p(continuations) / (words of them + 1 each)): the end of a sentence is foretold as a word is, so it
    counts as one. Where the vocabulary cannot spell everything, an unknown word costs only what `<unk>` does.
    """

    heads = {"next_word": "next word %", "bleu": "BLEU"}
    about = TextScoring.about | {"dev/next_word": "Percent of beginnings whose next word is the continuation's first."}

    def measure(self, answers: Sequence[Any], references: Sequence[str], sources: Sequence[str]) -> Measured:
        found = super().measure(answers, references, sources)
        return found._replace(scores={"next_word": next_word([answer.best for answer in answers], references), **found.scores})

    def evaluate(self, predictor: Any, rows: Rows, train: Rows | None, label: str) -> tuple[dict[str, Any], Translated]:
        found, done = super().evaluate(predictor, rows, train, label)
        nats = sum(float(steps.sum()) for steps in predictor.surprises(done.sources, done.references))
        found["next_word"] = next_word(done.hypotheses, done.references)
        found["word_perplexity"] = round(math.exp(nats / words(done.references)), 2)
        return found, done

    def tiles(self, row: dict[str, Any], name: str) -> dict[str, tuple[str, str]]:
        return {f"next word on {name}": (f"{row['next_word']:.1f} %", f"perplexity {row['word_perplexity']:.1f} a word"),
                **super().tiles(row, name)}

    def table(self, results: dict[str, dict[str, Any]]) -> str:
        lines = [f"{'set':<22}{'beginnings':>10} {'next word':>10} {'perplexity':>11} {'BLEU':>6} {'seconds':>8}"]
        lines += [f"{name:<22}{row['sentences']:>10,} {row['next_word']:>8.1f} % {row['word_perplexity']:>11.1f} "
                  f"{row['bleu']:>6.1f} {row['seconds']:>8.1f}" for name, row in results.items()]
        return "\n".join([*lines, "perplexity: of a word of what follows, the end of the sentence counted as one"])

    def line(self, row: dict[str, Any]) -> str:
        return (f"next word right {row['next_word']:.1f} %, perplexity a word {row['word_perplexity']:.1f} on "
                f"{row['sentences']:,} beginnings")

    def example(self, source: str, reference: str, answer: Any) -> str:
        return f"{source} | {answer.best}  (written: {reference})"


def words(continuations: Sequence[str]) -> int:
    """Words of continuations, the end of each counted as one."""
    return sum(len(text.split()) + 1 for text in continuations)


def next_word(said: Sequence[str], written: Sequence[str]) -> float:
    """Percent of continuations that begin with the word that was written."""
    return round(100 * sum(a.split()[:1] == b.split()[:1] for a, b in zip(said, written)) / max(1, len(written)), 2)
