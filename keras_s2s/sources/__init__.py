"""What a model reads: a class for each kind, named in registry.py."""

from collections.abc import Mapping

from keras_s2s import registry
from keras_s2s.sources.base import Source

SOURCES: Mapping[str, type[Source]] = registry.Classes(registry.SOURCES)

__all__ = ["SOURCES", "Source"]
