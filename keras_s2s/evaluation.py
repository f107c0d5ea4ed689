"""Scores of a trained run on a set of pairs: metrics.json, the table on the terminal, the comparison of two runs.

What a run said is kept in its folder, so that a report can be made anew without the model:

    evaluation/NAME.tsv     source, reference, translation of each pair of a set
    evaluation/inside.json  attention over some sentences, or a map of context vectors
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_s2s import metrics
from keras_s2s.corpus import Rows, overlaps
from keras_s2s.eventlog import EventLog, tags_at
from keras_s2s.files import write_whole
from keras_s2s.run import Run
from keras_s2s.terminal import Bar

if TYPE_CHECKING:
    from keras_s2s.predictor import Predictor


class Translated(NamedTuple):
    """A set of pairs with what a run made of it."""

    sources: list[str]
    references: list[str]
    hypotheses: list[str]
    seconds: float


def translate_rows(predictor: Predictor, rows: Rows, label: str = "translating") -> Translated:
    """Translates every source of `rows`."""
    sources, references = ([text.decode() for text in side] for side in rows.read(range(len(rows))))
    bar = Bar(label, len(sources), unit=" sentences")
    begun = time.monotonic()
    answers = predictor.predict(sources, lambda count: bar.advance(by=count))
    bar.close()
    return Translated(sources, references, [answer.texts[0] for answer in answers], time.monotonic() - begun)


def scores(done: Translated, unseen: np.ndarray | None = None) -> dict[str, Any]:
    """All that metrics.json says of one set.

    Args:
        done: sources, references, hypotheses.
        unseen: [N] bool, True where the source does not occur in training; scored apart as "unseen".
    """
    found: dict[str, Any] = metrics.score(done.hypotheses, done.references, done.sources).to_dict()
    mean, low, high = metrics.bootstrap(done.hypotheses, done.references)
    found["bleu_interval"] = [round(low, 2), round(high, 2)]
    found["seconds"] = round(done.seconds, 2)
    found["by_length"] = [row._asdict() if hasattr(row, "_asdict") else row
                          for row in metrics.by_length(done.hypotheses, done.references, done.sources)]
    if unseen is not None and 0 < unseen.sum() < len(unseen):
        chosen = np.nonzero(unseen)[0]
        pick = [[side[i] for i in chosen] for side in (done.hypotheses, done.references, done.sources)]
        found["unseen"] = metrics.score(*pick).to_dict()
    return found


def evaluate_rows(predictor: Predictor, rows: Rows, train: Rows | None, label: str) -> tuple[dict[str, Any], Translated]:
    """Translates and scores a set; with the training rows also on the sources that are not among them."""
    done = translate_rows(predictor, rows, label)
    return scores(done, None if train is None else ~overlaps(rows, train)), done


def table(results: dict[str, dict[str, Any]]) -> str:
    """Results by set, as lines for the terminal."""
    lines = [f"{'set':<22}{'sentences':>9} {'BLEU':>6} {'95 %':>13} {'chrF':>6} {'exact':>7} {'WER':>6} {'CER':>6} "
             f"{'seconds':>8}"]
    for name, row in results.items():
        low, high = row["bleu_interval"]
        lines.append(f"{name:<22}{row['sentences']:>9,} {row['bleu']:>6.1f} {f'{low:.1f}-{high:.1f}':>13} {row['chrf']:>6.1f} "
                     f"{row['exact_match']:>6.1f}% {row['wer']:>6.1f} {row['cer']:>6.1f} {row['seconds']:>8.1f}")
        if "unseen" in row:
            part = row["unseen"]
            lines.append(f"{'  not in training':<22}{part['sentences']:>9,} {part['bleu']:>6.1f} {'':>13} {part['chrf']:>6.1f} "
                         f"{part['exact_match']:>6.1f}% {part['wer']:>6.1f} {part['cer']:>6.1f}")
    first = next(iter(results.values()))
    return "\n".join([*lines, *(f"{name}: {signature}" for name, signature in first["signatures"].items())])


def keep(run: Run, name: str, done: Translated) -> None:
    """Writes what the run made of a set to its evaluation/."""
    rows = zip(done.sources, done.references, done.hypotheses)
    text = "".join("\t".join(" ".join(part.split()) for part in row) + "\n" for row in rows)
    write_whole(run.path / "evaluation" / f"{name}.tsv", text.encode())


def recall(run: Run, name: str) -> Translated | None:
    """What `keep` wrote; None where there is nothing, or something else."""
    try:
        lines = (run.path / "evaluation" / f"{name}.tsv").read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError):
        return None
    rows = [line.split("\t") for line in lines]
    if not rows or {len(row) for row in rows} != {3}:
        return None
    sources, references, hypotheses = (list(column) for column in zip(*rows))
    return Translated(sources, references, hypotheses, 0.0)


def conclude(run: Run, predictor: Predictor) -> None:
    """Keeps what goes on inside the model, and shows the best weights' scores of every set in TensorBoard."""
    from keras_s2s import maps

    name = run.splits()[-1] if len(run.splits()) < 3 else run.splits()[2]
    if (done := recall(run, name)) is not None:
        inside = maps.look(predictor, done.sources, done.hypotheses)
        write_whole(run.path / "evaluation" / "inside.json", json.dumps(inside, ensure_ascii=False).encode())
    found = run.metrics()
    step = int(found.get("training", {}).get("steps", 0))
    there, log = tags_at(run.logs, step), EventLog(run.logs)
    for name in run.splits()[1:]:
        if (row := found.get(name)) and f"final/{name}_bleu" not in there:
            log.scalars(step, {f"final/{name}_{score}": row[score] for score in ("bleu", "chrf")},
                        {f"final/{name}_{score}": f"`{signature}`" for score, signature in row["signatures"].items()})
    log.close()


def inside(run: Run) -> dict[str, Any] | None:
    """What `conclude` kept of the model's inside; None where there is nothing."""
    try:
        return json.loads((run.path / "evaluation" / "inside.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
