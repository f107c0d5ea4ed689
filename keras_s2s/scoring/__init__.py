"""How answers are measured and shown; registry.py says which way belongs to which source, corpus and target."""

from __future__ import annotations

from keras_s2s import registry
from keras_s2s.config import Config
from keras_s2s.corpora import corpus_entry
from keras_s2s.scoring.base import Measured, Scoring

__all__ = ["Measured", "Scoring", "place_of", "scoring_of"]


def place_of(config: Config) -> str:
    """Where the scoring lies that a run's kinds ask for: as its source says, or what its files hold, or its target."""
    entries = (registry.SOURCES[config.data.source], corpus_entry(config), registry.TARGETS[config.data.target])
    return next(entry.scoring for entry in entries if entry.scoring)


def scoring_of(config: Config) -> Scoring:
    """How a run's answers are measured and shown: as its kinds ask for, or as what the best weights go by does."""
    place = place_of(config)
    return registry.load(registry.MONITORED.get((place, config.train.monitor), place))()
