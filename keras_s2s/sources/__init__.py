"""The kinds of source; adding one is a class and an entry here."""

from keras_s2s.sources.base import Source
from keras_s2s.sources.series import SeriesSource
from keras_s2s.sources.text import TextSource

SOURCES: dict[str, type[Source]] = {"text": TextSource, "series": SeriesSource}

__all__ = ["SOURCES", "Source"]
