"""Words, such as names in another script or how a spelling is said: what counts is the share that is right as a whole."""

from __future__ import annotations

from typing import Any

from keras_s2s import metrics
from keras_s2s.scoring.text import TextScoring, Translated, ends


class WordScoring(TextScoring):
    """Texts that are right or wrong as a whole: of runs whose best weights go by exact match.

    A source with several references is one word, right if it equals any of them. BLEU counts runs of four tokens, which a
    word has not.
    """

    heads = {"exact_match": "exact %", "cer": "CER"}
    falling = ("loss", "cer")
    resampled = {"exact_match": "exact %", "chrf": "chrF"}
    unit = "words"
    after_epochs = (*TextScoring.after_epochs, "cer")
    counted = "characters"
    edges = (3, 5, 7, 9, 12)
    about = TextScoring.about | {
        "dev/cer": "Characters put in, left out and taken for others, for each 100 of the nearest reference."}

    def evaluate(self, predictor: Any, rows: Any, train: Any | None, label: str) -> tuple[dict[str, Any], Translated]:
        found, done = super().evaluate(predictor, rows, train, label)
        one = self.judged(done)
        _, low, high = metrics.bootstrap(one.hypotheses, one.references, "exact_match")
        return found | {"words": len(one.sources), "exact_match_interval": [round(low, 2), round(high, 2)]}, done

    def judged(self, done: Translated) -> Translated:
        items = metrics.items_of(done.hypotheses, done.references, done.sources)
        said = [right[0] if hypothesis in right else hypothesis for hypothesis, right in items]
        return Translated([*dict.fromkeys(done.sources)], [right[0] for _, right in items], said, done.seconds)

    def allowed(self, wanted: float, count: int) -> float:
        return max(wanted, 100 / count + 1e-9)  # one word may always differ, however its percentage is rounded

    def size(self, text: str) -> int:
        return len(text)

    def columns(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"pairs": row["sentences"], "exact %": row["exact_match"], "95 %": ends(row, "exact_match"), "CER": row["cer"],
                "WER": row["wer"], "chrF": row["chrf"]}

    def tiles(self, row: dict[str, Any], name: str) -> dict[str, tuple[str, str]]:
        return {f"exact on {name}": (f"{row['exact_match']:.1f} %", f"95 %: {ends(row, 'exact_match')}"),
                f"CER on {name}": (f"{row['cer']:.1f} %", f"{row['sentences']:,} pairs")}

    def table(self, results: dict[str, dict[str, Any]]) -> str:
        lines = [f"{'set':<22}{'words':>9} {'exact':>8} {'95 %':>13} {'CER':>6} {'WER':>6} {'seconds':>8}"]
        for name, row in results.items():
            low, high = row["exact_match_interval"]
            lines.append(f"{name:<22}{row['words']:>9,} {row['exact_match']:>6.1f} % {f'{low:.1f}-{high:.1f}':>13} "
                         f"{row['cer']:>6.1f} {row['wer']:>6.1f} {row['seconds']:>8.1f}")
            if part := row.get("unseen"):
                lines.append(f"{'  not in training':<22}{'':>9} {part['exact_match']:>6.1f} % {'':>13} {part['cer']:>6.1f} "
                             f"{part['wer']:>6.1f}")
        return "\n".join([*lines, "exact: words that equal a reference; WER: their wrong parts, such as phonemes, that spaces "
                          "keep apart"])

    def line(self, row: dict[str, Any]) -> str:
        return f"exact {row['exact_match']:.1f} %, CER {row['cer']:.1f} % on {row['sentences']:,} pairs"
