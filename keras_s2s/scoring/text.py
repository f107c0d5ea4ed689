"""Texts: BLEU, chrF, exact match, WER, CER, against the references of a set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_s2s import metrics
from keras_s2s.corpus import overlaps
from keras_s2s.files import write_whole
from keras_s2s.scoring.base import Measured, Scoring
from keras_s2s.terminal import Bar


class Translated(NamedTuple):
    """A set of pairs with what a run made of it."""

    sources: list[str]
    references: list[str]
    hypotheses: list[str]
    seconds: float


class TextScoring(Scoring):
    """Texts against texts."""

    heads = {"bleu": "BLEU", "chrf": "chrF"}
    also = {"exact_match": "exact %"}
    resampled = {"bleu": "BLEU", "chrf": "chrF"}
    unit = "pairs"
    after_epochs: tuple[str, ...] = ("bleu", "chrf", "exact_match", "length_ratio", "repetition_rate")  # of metrics.Scores
    about = {
        "dev/length_ratio": "Tokens of the translations for each token of the references; 1 is as long.",
        "dev/repetition_rate": f"Percent of sentences that repeat {metrics.REPEATED_NGRAM} words in a row more often than "
                               "their reference does.",
        "dev/exact_match": "Percent of translations that equal a reference.",
    }

    def measure(self, answers: Sequence[Any], references: Sequence[str], sources: Sequence[str]) -> Measured:
        found = metrics.score([answer.best for answer in answers], references, [str(source) for source in sources])
        signatures = {name: recipe for name, recipe in found.signatures.items() if name in self.after_epochs}
        return Measured({name: getattr(found, name) for name in self.after_epochs}, signatures)

    def evaluate(self, predictor: Any, rows: Any, train: Any | None, label: str) -> tuple[dict[str, Any], Translated]:
        """Translates and scores a set; with the training rows also on the sources that are not among them."""
        done = translate_rows(predictor, rows, label)
        return scores(done, None if train is None else ~overlaps(rows, train), rows.words_of) | self.figures(done), done

    def figures(self, done: Translated) -> dict[str, Any]:
        """What metrics.json says of a set besides, or instead."""
        return {}

    def compare(self, predictors: Sequence[Any], rows: Sequence[Any], labels: Sequence[str]) -> dict[str, Any]:
        done = [self.judged(translate_rows(*one)) for one in zip(predictors, rows, labels)]
        found: dict[str, Any] = {"count": len(done[0].sources), "of": self.unit}
        for metric in self.resampled:
            compared = metrics.paired_bootstrap(done[0].hypotheses, done[1].hypotheses, done[0].references, metric)
            found[metric] = {"scores": [compared.score_a, compared.score_b], "difference": compared.difference,
                             "interval": [compared.interval.low, compared.interval.high], "p_value": compared.p_value}
        return found

    def columns(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"sentences": row["sentences"], "BLEU": row["bleu"], "95 %": ends(row, "bleu"), "chrF": row["chrf"],
                "exact %": row["exact_match"], "WER": row["wer"], "CER": row["cer"],
                "length ratio": f"{row['length_ratio']:.2f}", "repeats %": row["repetition_rate"]}

    def keep(self, folder: Path, name: str, done: Translated) -> None:
        rows = zip(done.sources, done.references, done.hypotheses)
        text = "".join("\t".join(" ".join(part.split()) for part in row) + "\n" for row in rows)
        write_whole(folder / f"{name}.tsv", text.encode())

    def recall(self, folder: Path, name: str) -> Translated | None:
        try:
            lines = (folder / f"{name}.tsv").read_text(encoding="utf-8").split("\n")[:-1]
        except (OSError, UnicodeDecodeError):
            return None
        rows = [line.split("\t") for line in lines]
        if not rows or {len(row) for row in rows} != {3}:
            return None
        sources, references, hypotheses = (list(column) for column in zip(*rows))
        return Translated(sources, references, hypotheses, 0.0)

    def tiles(self, row: dict[str, Any], name: str) -> dict[str, tuple[str, str]]:
        return {f"BLEU on {name}": (f"{row['bleu']:.1f}", f"95 %: {ends(row, 'bleu')}"),
                f"chrF on {name}": (f"{row['chrf']:.1f}", f"{row['sentences']:,} sentences"),
                "exact": (f"{row['exact_match']:.1f} %", "equal to a reference")}

    def table(self, results: dict[str, dict[str, Any]]) -> str:
        lines = [f"{'set':<22}{'sentences':>9} {'BLEU':>6} {'95 %':>13} {'chrF':>6} {'exact':>7} {'WER':>6} {'CER':>6} "
                 f"{'seconds':>8}"]
        for name, row in results.items():
            low, high = row["bleu_interval"]
            lines.append(f"{name:<22}{row['sentences']:>9,} {row['bleu']:>6.1f} {f'{low:.1f}-{high:.1f}':>13} "
                         f"{row['chrf']:>6.1f} {row['exact_match']:>6.1f}% {row['wer']:>6.1f} {row['cer']:>6.1f} "
                         f"{row['seconds']:>8.1f}")
            if "unseen" in row:
                part = row["unseen"]
                lines.append(f"{'  not in training':<22}{part['sentences']:>9,} {part['bleu']:>6.1f} {'':>13} "
                             f"{part['chrf']:>6.1f} {part['exact_match']:>6.1f}% {part['wer']:>6.1f} {part['cer']:>6.1f}")
        first = next(iter(results.values()))
        return "\n".join([*lines, *(f"{name}: {signature}" for name, signature in first["signatures"].items())])

    def line(self, row: dict[str, Any]) -> str:
        return f"BLEU {row['bleu']:.2f}, chrF {row['chrf']:.2f} on {row['sentences']:,} sentences"

    def rows(self, sources: Sequence[Any], references: Sequence[str], answers: Sequence[Any], wanted: int) -> list[list[str]]:
        score = metrics.METRICS["chrf"]().sentence_score
        chosen = pick([str(source) for source in sources], wanted)
        texts = [(str(sources[i]), references[i], answers[i].best) for i in chosen]
        return [["source", "reference", "translation", "chrF"],
                *([*row, f"{score(row[2], [row[1]]).score:.0f}"] for row in texts)] if chosen else []

    def example(self, source: Any, reference: str, answer: Any) -> str:
        return f"{source}  ->  {answer.best}  (reference: {reference})"


def translate_rows(predictor: Any, rows: Any, label: str = "translating") -> Translated:
    """Translates every source of `rows`, one that comes again once; a file goes by its name."""
    sources, references = rows.raws(range(len(rows)))
    names = [str(source) for source in sources]
    different = dict(zip(names, sources))
    bar = Bar(label, len(different), unit=" sentences")
    begun = time.monotonic()
    answers = predictor.predict(list(different.values()), lambda count: bar.advance(by=count))
    bar.close()
    best = {name: answer.best for name, answer in zip(different, answers)}
    return Translated(names, references, [best[name] for name in names], time.monotonic() - begun)


def scores(done: Translated, unseen: np.ndarray | None = None, words_of: int = 0) -> dict[str, Any]:
    """All that metrics.json says of one set.

    Args:
        done: sources, references, hypotheses.
        unseen: [N] bool, True where the source does not occur in training; scored apart as "unseen".
        words_of: by whose words a pair is long or short, see `Rows`.
    """
    found: dict[str, Any] = metrics.score(done.hypotheses, done.references, done.sources).to_dict()
    mean, low, high = metrics.bootstrap(done.hypotheses, done.references)
    found["bleu_interval"] = [round(low, 2), round(high, 2)]
    found["seconds"] = round(done.seconds, 2)
    texts = (done.sources, done.references)[words_of]
    found["by_length"] = [row._asdict() if hasattr(row, "_asdict") else row
                          for row in metrics.by_length(done.hypotheses, done.references, texts)]
    if unseen is not None and 0 < unseen.sum() < len(unseen):
        chosen = np.nonzero(unseen)[0]
        pick = [[side[i] for i in chosen] for side in (done.hypotheses, done.references, done.sources)]
        found["unseen"] = metrics.score(*pick).to_dict()
    return found


def ends(row: dict[str, Any], metric: str) -> str:
    """The ends of a score's 95 % interval in words; "" where metrics.json has none, as of a part of a set."""
    interval = row.get(f"{metric}_interval")
    return "{:.1f} to {:.1f}".format(*interval) if interval else ""


def spread(total: int, wanted: int) -> list[int]:
    """At most `wanted` numbers below `total`, evenly spaced, always the same."""
    return sorted({int(i) for i in np.linspace(0, total - 1, min(wanted, total)).round()}) if total else []


def pick(sources: Sequence[str], wanted: int, answers: Sequence[str] = ()) -> list[int]:
    """Sentences fit to be shown: evenly spaced among those of 4 to 12 words, among all where there are too few."""
    def fits(i: int) -> bool:
        return 4 <= len(sources[i].split()) <= 12 and (not answers or 0 < len(answers[i].split()) <= 16)

    fit = [i for i in range(len(sources)) if fits(i)]
    kept = fit if len(fit) >= wanted else [i for i in range(len(sources)) if not answers or answers[i].strip()]
    return [kept[i] for i in spread(len(kept), wanted)]
