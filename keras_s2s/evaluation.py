"""Scores of a trained run on its sets: metrics.json, and what a report is made of anew without the model.

    evaluation/NAME.*       what the run made of a set, as its target's scoring keeps it
    evaluation/inside.json  attention over some sentences, a map of context vectors, or forecasts
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from keras_s2s.eventlog import EventLog, tags_at
from keras_s2s.files import write_whole
from keras_s2s.run import Run
from keras_s2s.scoring import scoring_of

if TYPE_CHECKING:
    from keras_s2s.predictor import Predictor


def keep(run: Run, name: str, done: Any) -> None:
    """Writes what the run made of a set to its evaluation/."""
    scoring_of(run.config).keep(run.path / "evaluation", name, done)


def recall(run: Run, name: str) -> Any | None:
    """What `keep` wrote; None where there is nothing, or something else."""
    return scoring_of(run.config).recall(run.path / "evaluation", name)


def conclude(run: Run, predictor: Predictor) -> None:
    """Keeps what goes on inside the model, and shows the best weights' scores of every set in TensorBoard."""
    from keras_s2s import maps

    name, scoring = run.splits()[-1] if len(run.splits()) < 3 else run.splits()[2], scoring_of(run.config)
    if (done := recall(run, name)) is not None:
        inside = scoring.kept(done) or maps.inside(predictor, scoring.sources(run.rows(name)), done.hypotheses)
        write_whole(run.path / "evaluation" / "inside.json", json.dumps(inside, ensure_ascii=False).encode())
    found = run.metrics()
    step = int(found.get("training", {}).get("steps", 0))
    there, log = tags_at(run.logs, step), EventLog(run.logs)
    for name in run.splits()[1:]:
        if (row := found.get(name)) and f"final/{name}_{next(iter(scoring.heads))}" not in there:
            log.scalars(step, {f"final/{name}_{score}": row[score] for score in scoring.heads},
                        {f"final/{name}_{score}": f"`{signature}`" for score, signature in row.get("signatures", {}).items()})
    log.close()


def inside(run: Run) -> dict[str, Any] | None:
    """What `conclude` kept of the model's inside; None where there is nothing."""
    try:
        return json.loads((run.path / "evaluation" / "inside.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
