"""The kinds there are, an entry each: where their parts lie, as "module:name", imported when they are asked for.

Adding a kind is a class and an entry here. Importing this imports no kind, so settings are checked against the names at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """Where the parts of a kind lie.

    Args:
        kind: its class.
        corpus: of a source, how its files are read; "": as `data.corpus` says. Of a target, the only way of reading that gives
            it; "": it stands as text beside the source.
        scoring: what answers are worth and how they are shown. A source says so before what its files hold, and that before
            the target; "": the next one says it. A target always does.
    """

    kind: str
    corpus: str = ""
    scoring: str = ""


SOURCES: dict[str, Entry] = {
    "text": Entry("keras_s2s.sources.text:TextSource"),
    "image": Entry("keras_s2s.sources.image:ImageSource", corpus="keras_s2s.corpora:Captions",
                   scoring="keras_s2s.scoring.caption:CaptionScoring"),
    "series": Entry("keras_s2s.sources.series:SeriesSource", corpus="keras_s2s.corpora:Series",
                    scoring="keras_s2s.scoring.series:SeriesScoring"),
    "audio": Entry("keras_s2s.sources.audio:AudioSource", corpus="keras_s2s.corpora:Files",
                   scoring="keras_s2s.scoring.transcripts:TranscriptScoring"),
}
TARGETS: dict[str, Entry] = {
    "text": Entry("keras_s2s.targets.text:TextTarget", scoring="keras_s2s.scoring.text:TextScoring"),
    "series": Entry("keras_s2s.targets.series:SeriesTarget", corpus="keras_s2s.corpora:Series",
                    scoring="keras_s2s.scoring.series:SeriesScoring"),
}
CORPORA: dict[str, Entry] = {  # what files of text hold: `data.corpus`
    "pairs": Entry("keras_s2s.corpora:Pairs"),
    "sentences": Entry("keras_s2s.corpora:Sentences", scoring="keras_s2s.scoring.continuation:ContinuationScoring"),
}

MONITORED = {  # a scoring, and the score that the best weights go by -> the scoring in its place
    ("keras_s2s.scoring.text:TextScoring", "exact_match"): "keras_s2s.scoring.words:WordScoring",
}


def load(place: str) -> Any:
    """What lies at "module:name"."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


class Classes(Mapping[str, Any]):
    """The classes of a table by the names of their kinds."""

    def __init__(self, entries: Mapping[str, Entry]):
        self._entries = entries

    def __getitem__(self, name: str) -> Any:
        return load(self._entries[name].kind)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
