"""`keras-s2s evaluate`, `compare`, `report` and `inspect`."""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_s2s.config import Config, Search, require
from keras_s2s.corpora import corpus_of
from keras_s2s.reading import Log
from keras_s2s.run import Run, load
from keras_s2s.scoring import place_of, scoring_of
from keras_s2s.terminal import say


@contextlib.contextmanager
def sets(run: Run, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The pairs to be scored, by name: those of --data, or the run's dev and test sets. Lines left out are told."""
    if not arguments.data:
        yield {name: run.rows(name) for name in run.splits() if name != "train"}
        return
    config = run.config.set([f"data.columns={arguments.columns}"] if arguments.columns else [])
    log, kind = Rejected(), corpus_of(config)
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for number, item in enumerate(arguments.data):
            name = Path(item.split(",")[0]).name
            found[item if name in found else name] = kind.given(
                item, config, run.data, Path(folder) / f"{number}{kind.suffix}", log)
        log.tell()
        yield found


class Rejected(Log):
    """Tells of lines left out: the first few by file and line, all of them by reason."""

    SHOWN = 5

    def __init__(self) -> None:
        super().__init__()
        self.first: list[str] = []

    def reject(self, file: str, line: int, reason: str, text: bytes) -> None:
        super().reject(file, line, reason, text)
        if len(self.first) < self.SHOWN:
            self.first.append(f"  {file}, line {line:,}: {reason}")

    def tell(self) -> None:
        """Prints what was rejected, if anything was."""
        if self.rejects:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.rejects.most_common())
            say("\n".join([f"warning: {self.rejects.total():,} lines are not scored: {reasons}", *self.first]))


def evaluate(arguments: argparse.Namespace, search: Search) -> int:
    """Scores a run and prints a table, or JSON."""
    from keras_s2s.ensemble import load_together

    run = Run.open(arguments.run)
    predictor = load_together([arguments.run, *arguments.ensemble], search)
    scoring = predictor.model.target.scoring
    with sets(run, arguments) as found:
        if not found:
            raise ValueError(f"{run.path} has no dev or test set. Give pairs with --data FILE.")
        train = run.rows("train") if run.file("train").exists() else None
        results = {name: scoring.evaluate(predictor, rows, train, name)[0] for name, rows in found.items()}
    print(json.dumps(results, indent=2, ensure_ascii=False) if arguments.json else scoring.table(results))
    return 0


def compare(arguments: argparse.Namespace, searches: Sequence[Search]) -> int:
    """Scores two runs on the same answers, each by its own search; says whether their difference is more than chance."""
    runs = [Run.open(path) for path in arguments.runs]
    scoring = scoring_of(runs[0].config)
    said = " and ".join(f"{run.config.data.source} to {run.config.data.target}" for run in runs)
    alike = len({place_of(run.config) for run in runs}) == 1
    require(alike, f"runs must answer alike to be compared; these go from {said}.")
    with contextlib.ExitStack() as stack:
        asked = runs if scoring.own_rows else runs[:1]
        found = [tested(run, stack.enter_context(sets(run, arguments)), bool(arguments.data)) for run in asked]
        predictors = [load(path, search) for path, search in zip(arguments.runs, searches)]
        labels = [str(path) for path in arguments.runs]
        compared = predictors[0].model.target.scoring.compare(predictors, [found[0][1], found[-1][1]], labels)
    name, count, of = found[0][0], compared.pop("count"), compared.pop("of")
    if arguments.json:
        tree = {"data": name, "runs": labels, "count": count, **compared}
        print(json.dumps(tree, indent=2, ensure_ascii=False))
        return 0
    print(f"{name}: {count:,} {of}, A = {arguments.runs[0]}, B = {arguments.runs[1]}")
    places, width = max(2, scoring.decimals), max(5, *map(len, compared))
    for metric, row in compared.items():
        (a, b), (low, high) = row["scores"], row["interval"]
        print(f"{metric:<{width}} A {a:.{places}f}   B {b:.{places}f}   B - A {row['difference']:+.{places}f} "
              f"(95 %: {low:+.{places}f} to {high:+.{places}f})   p {row['p_value']:.3f}")
    return 0


def tested(run: Run, found: dict[str, Any], given: bool) -> tuple[str, Any]:
    """The set that runs are compared on, by name: the first that was given, or the first test set.

    Raises:
        ValueError: there is none.
    """
    for name, rows in found.items():
        if given or name != "dev":
            return name, rows
    raise ValueError(f"{run.path} has no test set. Give pairs with --data FILE.")


def report(arguments: argparse.Namespace) -> int:
    """Writes the report of one run or the comparison of several; what a run has not translated yet is translated first."""
    from keras_s2s import comparison
    from keras_s2s.report import complete, write

    for path in arguments.runs:
        run = Run.open(path)
        if not complete(run):
            from keras_s2s.workflow import evaluate

            evaluate(run)
    if len(arguments.runs) == 1:
        file = write(arguments.runs[0], arguments.output)
    else:
        file = comparison.write(arguments.runs, arguments.output or arguments.runs[0].parent / "comparison.html")
    print(file)
    return 0


def inspect(arguments: argparse.Namespace) -> int:
    """Prints what a run is, without loading TensorFlow."""
    run = Run.open(arguments.run)
    shown = facts(run)
    if arguments.json:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return 0
    for group, entries in shown.items():
        print(group)
        for name, value in entries.items():
            print(f"  {name:<28} {value}")
    return 0


def facts(run: Run) -> dict[str, dict[str, Any]]:
    """What there is to know of a run: settings that differ from the defaults, data, training, scores, files."""
    from keras_s2s.workflow import differences

    metrics_found = run.metrics()
    training = {name: value for name, value in metrics_found.get("training", {}).items() if name != "history"}
    scoring = scoring_of(run.config)
    scored = {name: scoring.line(metrics_found[name]) for name in run.splits()[1:] if name in metrics_found}
    return {
        "settings (where not the default)": {name: new for name, (_, new) in differences(Config(), run.config).items()},
        "data": {name: f"{len(run.rows(name)):,} pairs" for name in run.splits()},
        "vocabularies": {file.name: f"{file.stat().st_size:,} bytes" for file in sorted(run.assets.glob("*"))},
        "training": training or {"state": "not finished"},
        "scores": scored,
        "exports": {str(file.relative_to(run.path)): f"{file.stat().st_size:,} bytes"
                    for file in sorted(run.export.rglob("*")) if file.is_file()},
    }
