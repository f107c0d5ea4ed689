"""The kinds of target; adding one is a class and an entry here."""

from keras_s2s.targets.base import Target, Teaching
from keras_s2s.targets.series import SeriesTarget
from keras_s2s.targets.text import TextTarget

TARGETS: dict[str, type[Target]] = {"text": TextTarget, "series": SeriesTarget}

__all__ = ["TARGETS", "Target", "Teaching"]
