"""Captions: BLEU-1 to BLEU-4, CIDEr and the like against all the references of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_s2s import references as several
from keras_s2s.scoring.base import Measured
from keras_s2s.scoring.text import TextScoring


class CaptionScoring(TextScoring):
    """Texts against several texts each; a picture goes by its name, and each of its references is a row of its own."""

    heads = {"bleu": "BLEU-4", "cider": "CIDEr"}
    also = TextScoring.also | {"chrf": "chrF"}
    about = TextScoring.about | {
        "dev/bleu_1": "BLEU of single words, against all references of a picture.",
        "dev/cider": "CIDEr-D: n-grams count by how rare they are among the references; times 10."}

    def measure(self, answers: Sequence[Any], references: Sequence[str], sources: Sequence[Any]) -> Measured:
        names = [str(source) for source in sources]
        found = super().measure(answers, references, names)
        return Measured(found.scores | grouped([answer.best for answer in answers], references, names)[0], found.signatures)

    def figures(self, done: Any) -> dict[str, Any]:
        """All that metrics.json says of what was made of a set, against all references."""
        scores, signatures = grouped(done.hypotheses, done.references, done.sources)
        return {**{name: round(value, 4) for name, value in scores.items()}, "signatures": signatures}


def grouped(hypotheses: Sequence[str], references: Sequence[str],
            names: Sequence[str]) -> tuple[dict[str, float], dict[str, str]]:
    """`references.score` of rows, of which those of the same name are of one picture."""
    said: dict[str, str] = {}
    right: dict[str, list[str]] = {}
    for hypothesis, reference, name in zip(hypotheses, references, names):
        said.setdefault(name, hypothesis)
        right.setdefault(name, []).append(reference)
    return several.score(list(said.values()), list(right.values()))
