"""A run of a preset, made and trained in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_s2s.run import Run


def trained(path: Path, preset: str, settings: Sequence[str]) -> tuple[Run, float]:
    """The run, not yet scored, and the seconds its training took."""
    from keras_s2s import workflow
    from keras_s2s.presets import PRESETS

    run = workflow.open_run(path, PRESETS[preset][1].set(settings), False)
    workflow.prepare_corpus(run)
    workflow.prepare_assets(run)
    begun = time.perf_counter()
    workflow.train(run, False)
    return run, time.perf_counter() - begun


def tested(path: Path, preset: str, settings: Sequence[str]) -> tuple[dict, float]:
    """What the test set says of such a run, and the seconds its training took."""
    from keras_s2s import workflow

    run, seconds = trained(path, preset, settings)
    workflow.evaluate(run)
    return run.metrics()["test"], seconds
