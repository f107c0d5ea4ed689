"""Transcripts: word and character error rates, beside what needs no ears: always saying the commonest text of the training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from keras_s2s import metrics
from keras_s2s.scoring.text import TextScoring, Translated

SAMPLES, SEED = 1000, 12345  # of the bootstrap
COUNTED = 100_000  # training texts, evenly spaced, among which the commonest is looked for
INTERVAL = (2.5, 97.5)


class TranscriptScoring(TextScoring):
    """WER = (words put in, left out, taken for others) / words of the references; CER the same of characters; in percent."""

    heads = {"wer": "WER", "cer": "CER"}
    falling = ("loss", "wer", "cer")
    after_epochs = ("wer", "cer", "exact_match")
    about = TextScoring.about | {"dev/wer": "Words put in, left out and taken for others, for each 100 that were said.",
                                 "dev/cer": "The same of characters."}

    def evaluate(self, predictor: Any, rows: Any, train: Any | None, label: str) -> tuple[dict[str, Any], Translated]:
        found, done = super().evaluate(predictor, rows, train, label)
        found["wer_interval"] = interval(done.hypotheses, done.references)
        if train is not None:
            text = commonest(train)
            scored = metrics.score([text] * len(done.references), done.references)
            found["naive"] = {"text": text, "wer": scored.wer, "cer": scored.cer, "exact_match": scored.exact_match}
        return found, done

    def tiles(self, row: dict[str, Any], name: str) -> dict[str, tuple[str, str]]:
        low, high = row["wer_interval"]
        return {f"WER on {name}": (f"{row['wer']:.1f} %", f"95 %: {low:.1f} to {high:.1f}"),
                f"CER on {name}": (f"{row['cer']:.1f} %", f"{row['sentences']:,} recordings"),
                "exact": (f"{row['exact_match']:.1f} %", "without any mistake")}

    def table(self, results: dict[str, dict[str, Any]]) -> str:
        lines = [f"{'set':<22}{'recordings':>10} {'WER':>7} {'95 %':>13} {'CER':>7} {'exact':>8} {'seconds':>8}"]
        for name, row in results.items():
            low, high = row["wer_interval"]
            figures = f"{row['wer']:>5.1f} % {f'{low:.1f}-{high:.1f}':>13} {row['cer']:>5.1f} % {row['exact_match']:>6.1f} %"
            lines.append(f"{name:<22}{row['sentences']:>10,} {figures} {row['seconds']:>8.1f}")
            if naive := row.get("naive"):
                said = f"  always {naive['text']!r}"
                said = said if len(said) < 32 else said[:28] + "...'"
                lines.append(f"{said:<32} {naive['wer']:>5.1f} % {'':>13} {naive['cer']:>5.1f} % "
                             f"{naive['exact_match']:>6.1f} %")
        return "\n".join(lines)

    def line(self, row: dict[str, Any]) -> str:
        return f"WER {row['wer']:.1f} %, CER {row['cer']:.1f} % on {row['sentences']:,} recordings"

    def rows(self, sources: Sequence[Any], references: Sequence[str], answers: Sequence[Any], wanted: int) -> list[list[str]]:
        found = super().rows(sources, references, answers, wanted)
        wrong = [f"{100 * Levenshtein.distance(said.split(), right.split()) / max(1, len(right.split())):.0f}"
                 for _, right, said, _ in found[1:]]
        shown = [[*row[:3], mark] for row, mark in zip(found[1:], wrong)]
        return [["recording", "said", "heard", "WER"], *shown] if shown else []


def commonest(train: Any) -> str:
    """The commonest text of the training set; of several the first."""
    every = max(1, len(train) // COUNTED)
    return Counter(train.learnable(1, len(train) // every)).most_common(1)[0][0]


def interval(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """The 95 % interval of WER over resampled sets (Bisani and Ney, 2004)."""
    pairs = [(said.split(), right.split()) for said, right in zip(hypotheses, references)]
    counts = np.array([[Levenshtein.distance(*pair) for pair in pairs], [len(right) for _, right in pairs]])
    drawn = np.random.default_rng(SEED).integers(0, len(references), (SAMPLES, len(references)))
    rates = 100 * counts[0][drawn].sum(axis=1) / np.maximum(1, counts[1][drawn].sum(axis=1))
    return [round(float(bound), 2) for bound in np.percentile(rates, INTERVAL)]
