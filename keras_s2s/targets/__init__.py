"""What a model says: a class for each kind, named in registry.py."""

from collections.abc import Mapping

from keras_s2s import registry
from keras_s2s.targets.base import Target, Teaching

TARGETS: Mapping[str, type[Target]] = registry.Classes(registry.TARGETS)

__all__ = ["TARGETS", "Target", "Teaching"]
