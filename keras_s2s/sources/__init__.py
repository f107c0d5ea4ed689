"""The kinds of source; adding one is a class and an entry here."""

from keras_s2s.sources.base import Source
from keras_s2s.sources.text import TextSource

SOURCES: dict[str, type[Source]] = {"text": TextSource}

__all__ = ["SOURCES", "Source"]
