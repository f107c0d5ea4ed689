"""How each kind of source reads its files: text and all that is written beside text as pairs, plain text as beginnings and
what follows, series as windows, recordings and pictures as files with a text each.

    corpus_of(config).prepare(run, progress)     files -> data/NAME.suffix, and what came of them
    corpus_of(config).rows(path, config, train)  -> pairs by number: Rows, Windows or FileRows
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_s2s import captions, corpus, media, phrasebook, registry, windows
from keras_s2s.config import Config, Search, require
from keras_s2s.reading import Log
from keras_s2s.rows import CorpusError, Rows
from keras_s2s.terminal import say


class Corpus:
    """What files hold.

    Attributes:
        suffix: of the file of a set in the run's data/.
        beside: of the files that belong to it.
        textual: whether both sides are text, which teachers, shortlists and analogies need.
    """

    suffix = ".tsv"
    beside: tuple[str, ...] = ()
    textual = True

    @classmethod
    def parts(cls, path: Path) -> list[Path]:
        """All files of the set at `path`, by which it is known again."""
        return [path, *map(path.with_suffix, cls.beside)]


class Pairs(Corpus):
    """Lines of source TAB target; without any the embedded phrasebook."""

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


class Files(Corpus):
    """Lines of path TAB text; the source says what it keeps of each file."""

    packer = media.Packer
    beside = (".npz",)  # which holds the digests of what is in the .bin
    textual = False

    @classmethod
    def prepare(cls, run: Any, progress: Any = None) -> str:
        data = run.config.data
        require(not registry.TARGETS[data.target].corpus, f"beside each file stands a text; `data.target` is {data.target!r}. "
                "Set data.target=text.")
        if not data.train:
            raise CorpusError(f"a TSV of path TAB text is required to learn from {data.source}; none is named. Give one with "
                              "--data.")
        with tempfile.TemporaryFile(dir=run.path) as scratch:
            packer = cls.packer(cls.decode(run.config), scratch)
            found = corpus.prepare(data, run.path, progress, packer, lambda name, items: packer.write(
                run.data / f"{name}.tsv", items))
        files = f"files       {len(packer.shapes):,} decoded, {packer.offsets[-1] / 1e6:,.1f} MB"
        return f"{files}\n{dataclasses.replace(found, lengths={'text': found.lengths['target']})}"

    @staticmethod
    def decode(config: Config) -> media.Decode:
        """How the source of a configuration reads the bytes of a file."""
        return functools.partial(registry.Classes(registry.SOURCES)[config.data.source].decode, config=config)

    @staticmethod
    def rows(path: Path, config: Config, training: bool) -> media.FileRows:
        return media.FileRows(path)

    @classmethod
    def given(cls, item: str, config: Config, data: Path, path: Path, log: Log) -> media.FileRows:
        with tempfile.TemporaryFile(dir=path.parent) as scratch:
            packer, items = cls.packer(cls.decode(config), scratch), []
            with open(path, "w", encoding="utf-8", newline="\n") as output:
                for row in packer(item, config.data, log):
                    items.append(row.item)
                    output.write(f"{row.source}\t{row.target}\n")
            packer.write(path, np.array(items))
        return media.FileRows(path)


class Captions(Files):
    """The same of pictures, in the layouts that captions come in."""

    packer = captions.CaptionPacker

    @classmethod
    def prepare(cls, run: Any, progress: Any = None) -> str:
        run.config.image.require_weights()  # told before any work is done
        return super().prepare(run, progress)


class Series(Corpus):
    """Tables of series, of which each window is a pair."""

    suffix = ".npy"
    textual = False

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


def corpus_entry(config: Config) -> registry.Entry:
    """Where it lies how the files of a configuration are read: as its source has them, or else as `data.corpus` does."""
    own = registry.SOURCES[config.data.source].corpus
    return registry.Entry(own) if own else registry.CORPORA[config.data.corpus]


def corpus_of(config: Config) -> Any:
    """How the files of a configuration are read."""
    return registry.load(corpus_entry(config).kind)


def require_texts(config: Config, search: Search) -> None:
    """Raises ValueError where a search asks for what only a run of texts has: a shortlist, analogies."""
    for name in ("shortlist", "analogy"):
        require(not getattr(search, name) or corpus_of(config).textual, f"`search.{name}` needs text on both sides; this run "
                f"reads {config.data.source} and says {config.data.target}. Leave it 0.")
