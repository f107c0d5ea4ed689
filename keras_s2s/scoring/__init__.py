"""How answers are measured and shown; registry.py says which way belongs to which source, corpus and target."""

from __future__ import annotations

from keras_s2s import registry
from keras_s2s.config import Config
from keras_s2s.corpora import corpus_entry
from keras_s2s.scoring.base import Measured, Scoring

__all__ = ["Measured", "Scoring", "scoring_of"]


def scoring_of(config: Config) -> Scoring:
    """How a run's answers are measured and shown: as its source says, or what its files hold, or its target."""
    entries = (registry.SOURCES[config.data.source], corpus_entry(config), registry.TARGETS[config.data.target])
    return registry.load(next(entry.scoring for entry in entries if entry.scoring))()
