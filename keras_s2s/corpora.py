"""How each kind of source reads its files: text and all that is written beside text as pairs, plain text as beginnings and
what follows, series as windows.

    corpus_of(config).prepare(run, progress)     files -> data/NAME.suffix, and what came of them
    corpus_of(config).rows(path, config, train)  -> pairs by number: Rows or Windows
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_s2s import corpus, phrasebook, windows
from keras_s2s.config import Config, require
from keras_s2s.reading import Log
from keras_s2s.rows import CorpusError, Rows
from keras_s2s.terminal import say


class Pairs:
    """Lines of source TAB target; without any the embedded phrasebook."""

    suffix = ".tsv"
    taught = True  # whether other runs can make more pairs of it

    @staticmethod
    def prepare(run: Any, progress: Any = None) -> str:
        """Reads, checks and splits the corpus into the run's data/; returns what came of it."""
        if not run.config.data.train:
            say("corpus: the embedded English-Hindi phrasebook (a first run; bring your own with --data)")
            phrasebook.write(run.path / "phrasebook")
        return str(corpus.prepare(run.corpus, run.path, progress))

    @staticmethod
    def rows(path: Path, config: Config, training: bool) -> Rows:
        """The pairs of a set."""
        return Rows(path)

    @staticmethod
    def given(item: str, config: Config, data: Path, path: Path, log: Log) -> Rows:
        """The pairs of a file that is no part of the run whose sets lie in `data`, written to `path` and its like; `log` hears
        of what is left out."""
        with open(path, "w", encoding="utf-8", newline="\n") as output:
            output.writelines(f"{row.source}\t{row.target}\n" for row in corpus.READERS[config.data.corpus](
                item, config.data, log))
        return Rows(path)


class Sentences(Pairs):
    """Plain text; a pair is a beginning of a sentence and what follows."""

    @staticmethod
    def prepare(run: Any, progress: Any = None) -> str:
        data = run.config.data
        require(data.source == data.target, f"sentences are read to go on with them; `data.target` is {data.target!r}. "
                "Set data.target=text, or use --preset next-word.")
        if not data.train:
            raise CorpusError("next words are learnt from plain text; none is named. Give text files with --data, such as "
                              "--data 'books/*.txt'.")
        return Pairs.prepare(run, progress)


class Series:
    """Tables of series, of which each window is a pair."""

    suffix = ".npy"
    taught = False

    @staticmethod
    def prepare(run: Any, progress: Any = None) -> str:
        data = run.config.data
        require(data.source == data.target, f"series are read to forecast series; `data.target` is {data.target!r}. "
                "Set data.target=series, or use --preset forecast.")
        return windows.prepare(run.config, run.path, progress)

    @staticmethod
    def rows(path: Path, config: Config, training: bool) -> windows.Windows:
        return windows.Windows(path, config.series, config.series.stride if training else 1)

    @staticmethod
    def given(item: str, config: Config, data: Path, path: Path, log: Log) -> windows.Windows:
        return windows.given(item, config.series, data, path, log)


CORPORA: dict[str, Any] = {"series": Series}
TEXTS: dict[str, Any] = {"pairs": Pairs, "sentences": Sentences}  # what files of text hold


def corpus_of(config: Config) -> Any:
    """How the files of a configuration are read: as its source has them, or where that says nothing as `data.corpus` does."""
    return CORPORA.get(config.data.source, TEXTS[config.data.corpus])
