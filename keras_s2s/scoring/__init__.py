"""How answers of each kind of target are measured and shown; adding a kind is a class and an entry here."""

from __future__ import annotations

from keras_s2s.config import Config
from keras_s2s.scoring.base import Measured, Scoring
from keras_s2s.scoring.continuation import ContinuationScoring
from keras_s2s.scoring.series import SeriesScoring
from keras_s2s.scoring.text import TextScoring

SCORINGS: dict[str, type[Scoring]] = {"series": SeriesScoring}
TEXTS: dict[str, type[Scoring]] = {"pairs": TextScoring, "sentences": ContinuationScoring}  # by what files of text hold

__all__ = ["SCORINGS", "Measured", "Scoring", "scoring_of"]


def scoring_of(config: Config) -> Scoring:
    """How a run's answers are measured and shown: as its target has them, as texts where that says nothing else."""
    return SCORINGS.get(config.data.target, TEXTS[config.data.corpus])()
