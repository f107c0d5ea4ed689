"""What a run is made of, for its report: where the time went, the data, exports, settings, versions, sizes."""

from __future__ import annotations

import contextlib
import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from keras_s2s import plots, timing
from keras_s2s.config import Config, settings
from keras_s2s.page import Html, facts, html, picture, pictures, table
from keras_s2s.run import Run
from keras_s2s.scoring import Scoring, scoring_of


def times(run: Run) -> Html:
    """A bar for each step."""
    steps, training = timing.read(run.path), run.metrics().get("training", {})
    scoring = sum(entry.get("dev_seconds", 0.0) for entry in training.get("history", []))
    learning = training.get("seconds", 0.0)
    whole = steps.pop("training", learning + scoring)
    spent = {"learning": learning, "scoring the dev set": scoring, "saving, watching": max(0.0, whole - learning - scoring),
             **steps}
    shown = {name: seconds for name, seconds in spent.items() if seconds >= 0.05}
    if not shown:
        return Html("")
    unit, by = ("minutes", 60) if sum(shown.values()) > 300 else ("seconds", 1)
    said = "; ".join(f"{name}: {duration(seconds)}" for name, seconds in shown.items())
    return pictures(picture(plots.bars({name: seconds / by for name, seconds in shown.items()}, unit), "time",
                            f"In all {duration(sum(shown.values()))}", said)) + table(
        ("step", "time"), [(name, duration(seconds)) for name, seconds in shown.items()])


def data(run: Run) -> Html:
    """Pairs by set, and what was left out of them and why."""
    sets = {name: run.rows(name) for name in run.splits()}
    heads = next(iter(sets.values())).about
    parts = table(("set", "pairs", *heads), [(name, len(pairs), *pairs.described()) for name, pairs in sets.items()])
    return parts + (rejects(run.path / "rejects.tsv") or Html('<p class="note">No line was left out.</p>'))


def rejects(path: Path) -> Html:
    """Lines that were left out, by reason, with the first of each."""
    reasons: Counter[str] = Counter()
    first: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            reasons[row["reason"]] += 1
            first.setdefault(row["reason"], f"{Path(row['file']).name}, line {row['line']}: {(row['text'] or '')[:80]}")
    return table(("left out", "lines", "the first"), [(name, count, first[name]) for name, count in reasons.most_common()])


def exports(run: Run) -> Html:
    """What export/report.json says of each file (see export/parity.py): whether it says what the model says, size, speed."""
    try:
        told = json.loads((run.export / "report.json").read_text(encoding="utf-8"))
        named = {"Keras": told.get("keras"), "saved_model": told.get("saved_model"), **told.get("files", {})}
    except (OSError, ValueError, AttributeError, TypeError):
        return Html("")
    scoring = scoring_of(run.config)
    rows = [(name, *_export(row, scoring)) for name, row in named.items() if isinstance(row, dict)]
    asked = f"Of {told.get('fitting', '?')} answers of the dev set; differences are to Keras."
    heads = [cell for label in scoring.heads.values() for cell in (label, "difference")]
    return table(("file", "published", "same answers", *heads, "MB", "ms an answer", "runtime from"), rows, asked)


def _export(row: dict[str, Any], scoring: Scoring) -> list[Any]:
    """The cells of one exported file; empty where the report does not tell."""
    def shown(name: str, form: str) -> str:
        return format(row[name], form) if isinstance(row.get(name), (int, float)) else ""

    published = {True: "yes", False: f"no: {row.get('problem', '')}"}.get(row.get("passed"), "")  # type: ignore[arg-type]
    size, latency = row.get("bytes"), row.get("latency_ms")
    places = scoring.decimals
    heads = [cell for name in scoring.heads for cell in (
        shown(name, f".{places}f"), shown(f"{name}_difference", f"+.{places + 1}f"))]
    return [published, row.get("identical", ""), *heads, f"{size / 1e6:.2f}" if size else "",
            f"{latency['median']:.1f}" if isinstance(latency, dict) and "median" in latency else "",
            row.get("smallest_runtime", "")]


def configuration(run: Run) -> Html:
    """Every setting by section."""
    def shown(value: Any) -> str:
        return (", ".join(Path(str(part)).name for part in value) or "\u2014") if isinstance(value, tuple) else str(value)

    def of(config: Config, full: str) -> Any:
        section_name, _, name = full.partition(".")
        return getattr(getattr(config, section_name), name)

    values = {full: of(run.config, full) for full in settings()}
    return facts({full: Html(f'<span class="set">{html(shown(value))}</span>') if value != of(Config(), full) else shown(value)
                  for full, value in values.items()})


def versions(run: Run) -> dict[str, str]:
    """The versions the run was made with."""
    return json.loads((run.path / "config.json").read_text(encoding="utf-8")).get("versions", {})


def sizes(run: Run) -> dict[str, str]:
    """What the model and the folders weigh."""
    shown = {"weights": f"{run.metrics().get('training', {}).get('weights', 0):,}"}
    for folder in sorted(path for path in run.path.iterdir() if path.is_dir()):
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        shown[f"{folder.name}/"] = f"{size / 1e6:,.1f} MB"
    return shown


def duration(seconds: float) -> str:
    """Such as 45 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
