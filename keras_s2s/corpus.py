"""Files -> pairs of raw source and target; validation, rejects, leak-free split.

    summary = prepare(config.data, Path("runs/mine"))     # writes data/train.tsv, dev.tsv, test.tsv and rejects.tsv
    rows = Rows("runs/mine/data/train.tsv")               # rows[0] == (b"Hello", b"...")

Memory: 24 bytes a row while reading and about 95 while splitting, however long the rows are; text stays on the disk.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import re
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

import numpy as np

from keras_s2s.config import Data
from keras_s2s.files import write_whole
from keras_s2s.normalize import comparable
from keras_s2s.reading import Log, Row, find_files, read_pairs, read_rows
from keras_s2s.rows import CorpusError, Rows
from keras_s2s.sentences import read_sentences
from keras_s2s.split import digest, held_out, overlaps, repeated

__all__ = ["CorpusError", "Log", "Rows", "Summary", "overlaps", "prepare", "read_pairs", "split_names"]

Reader = Callable[[str, Data, Log], Iterator[Row]]  # an item of `data.train`, `dev` or `test` -> its rows
READERS: dict[str, Reader] = {  # what the files hold -> its reader
    "pairs": lambda item, data, log: read_rows(item, data.columns, data.max_characters, log),
    "sentences": read_sentences,
}
Progress = Callable[[int, int], object]  # bytes read so far, bytes in all
SHOWN = 200  # characters of a rejected line, of a sample
AUTOMATIC = ("train", "dev", "test")  # what the training files are split into where no dev set is given


class Lengths(NamedTuple):
    """Characters of the sentences on one side of the training files."""

    mean: float
    median: int
    most: int  # 95 % are no longer than this
    longest: int


@dataclass(frozen=True)
class Summary:
    """What came of the files; `str(summary)` is to be printed before training."""

    pairs: dict[str, int]  # by split, in the order train, dev, test ...
    rejects: dict[str, int]  # lines left out, by reason; each is in rejects.tsv
    notices: dict[str, int]  # pairs kept, by what there is to know about them
    lengths: dict[str, Lengths]  # "source" and "target"
    samples: tuple[tuple[str, str], ...]  # some pairs of train

    def __str__(self) -> str:
        def counted(counts: dict[str, int]) -> str:
            return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"

        lines = ["pairs       " + "   ".join(f"{name} {count:,}" for name, count in self.pairs.items()),
                 "rejected    " + counted(self.rejects) + (" (see rejects.tsv)" if self.rejects else ""),
                 "to note     " + counted(self.notices),
                 "characters     mean  median    95 %     max"]
        lines += [f"  {side:<9} {length.mean:>7.1f} {length.median:>7,} {length.most:>7,} {length.longest:>7,}"
                  for side, length in self.lengths.items()]
        lines += [f"sample      {source[:SHOWN]}  ->  {target[:SHOWN]}" for source, target in self.samples]
        return "\n".join(lines)


def prepare(data: Data, folder: str | Path, progress: Progress | None = None, reader: Reader | None = None,
            beside: Callable[[str, np.ndarray], object] | None = None) -> Summary:
    """Reads, checks and splits the corpus into `folder`/data/NAME.tsv: source TAB target, normalized, UTF-8, LF.

    Without `data.dev` a dev set is split off, and without `data.test` a test set with it; no source and no target is
    then on two sides; duplicates stay in train only. Given sets stay whole, and what they share with train is only counted.
    Pairs of `data.extra` join train, but for those that have a sentence of a set that was split off.
    Nothing is written before all is read and well; each file is then written whole.

    Args:
        folder: the run directory; `rejects.tsv` (file, line, reason, text) goes into it.
        progress: called now and then with the bytes read and the bytes in all.
        reader: of the files; by default as `data.corpus` says.
        beside: called with the name of each set and its rows' items; writes what belongs to those.

    Raises:
        CorpusError: something is wrong with the files.
        OSError: the run directory cannot be written.
    """
    reader = reader or READERS[data.corpus]
    folder, names = Path(folder), split_names(data)
    total = _size_of_inputs(data, folder / "data")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        def scratch() -> IO[bytes]:
            return stack.enter_context(tempfile.TemporaryFile(dir=folder))

        log = RejectsFile(scratch(), total, progress)

        def staged(items: Iterable[str]) -> Staged:
            return Staged(scratch(), (reader(item, data, log) for item in items))

        train = staged(data.train)
        given = {"dev": staged(data.dev)} if data.dev else {}
        given |= {name: staged([item]) for name, item in zip(names[2:], data.test, strict=False)}
        sides = _sides(train, [name in given for name in names].count(False) - 1, data.held_out)
        for file, line, text in train.lines(sides < 0):
            log.reject(file, line, "duplicate pair", text)
        sets = {name: [(given[name], np.ones(len(given[name].hashes), bool)) if name in given else
                       (train, sides == AUTOMATIC.index(name))] for name in names}
        sets["train"].append(_kept(staged(data.extra), train.hashes[sides > 0, :2], log))
        _take_note(sets, log)
        for name, parts in sets.items():
            write_whole(folder / "data" / f"{name}.tsv", functools.partial(_write, parts))
            if beside:
                beside(name, np.concatenate([np.array(part.items, np.int32)[chosen] for part, chosen in parts]))
        write_whole(folder / "rejects.tsv", log.copy_to)
        return _summary(folder / "data", names, log, train.lengths)


def split_names(data: Data) -> list[str]:
    """The names of the splits that `prepare` makes: train, dev, and test or one name for each item of `data.test`."""
    names = ["train", "dev"]
    if not data.test:
        return names + ([] if data.dev else ["test"])
    for item in data.test:
        stem = Path(item.split(",")[0].removesuffix(".gz")).stem
        wanted = "test" if len(data.test) == 1 else re.sub(r"[^\w-]+", "-", stem).strip("-").lower() or "test"
        tries = itertools.chain([wanted], (f"{wanted}-{number}" for number in itertools.count(2)))
        names.append(next(name for name in tries if name not in names))
    return names


class RejectsFile(Log):
    """Writes each rejected line to a file, and tells how far the reading is."""

    def __init__(self, file: IO[bytes], total: int, progress: Progress | None):
        super().__init__()
        self.file, self.total, self.progress = file, total, progress
        file.write(b"file\tline\treason\ttext\n")

    def reject(self, file: str, line: int, reason: str, text: bytes) -> None:
        super().reject(file, line, reason, text)
        shown = _escaped(text[:4 * SHOWN].decode("utf-8", "surrogateescape"))[:SHOWN]
        self.file.write(f"{_escaped(file)}\t{line}\t{reason}\t{shown}\n".encode())

    def advance(self, size: int) -> None:
        super().advance(size)
        if self.progress:
            self.progress(min(self.bytes, self.total), self.total)

    def copy_to(self, output: BinaryIO) -> None:
        """Writes the lines reported so far to another file."""
        self.file.seek(0)
        shutil.copyfileobj(self.file, output)


class Staged:
    """The checked pairs of a split before it is known which of them stay: text in a scratch file, hashes in memory.

    Args:
        file: an empty scratch file, open for reading and writing.
        rows: of each item to read, see `READERS`.
    """

    def __init__(self, file: IO[bytes], rows: Iterable[Iterator[Row]]):
        self._file = file
        self._names: list[str] = []
        self.lengths = (collections.Counter[int](), collections.Counter[int]())  # characters -> sources; targets
        self.items = array("i")  # of rows that have one
        hashes = bytearray()
        for row in itertools.chain.from_iterable(rows):
            if not self._names or self._names[-1] != row.file:
                self._names.append(row.file)
            text = f"{row.source}\t{row.target}"
            file.write(f"{len(self._names) - 1}\t{row.line}\t{text}\n".encode())
            # Parts of one sentence are on one side, and a beginning that two sentences share ties them not together.
            keys = [digest(comparable(row.whole or side)) for side in (row.source, row.target)]
            hashes += b"".join(keys) + digest(text)
            if row.item >= 0:
                self.items.append(row.item)
            self.lengths[0][len(row.source)] += 1
            self.lengths[1][len(row.target)] += 1
        self.hashes = np.frombuffer(hashes, "<u8").reshape(-1, 3)  # [rows, (source, target, exact pair)]

    def lines(self, chosen: np.ndarray) -> Iterator[tuple[str, int, bytes]]:
        """Yields file, line number and "source TAB target" of the rows that are chosen [rows] bool."""
        self._file.seek(0)
        for staged, wanted in zip(self._file, chosen):
            if wanted:
                name, line, text = staged.rstrip(b"\n").split(b"\t", 2)
                yield self._names[int(name)], int(line), text


Parts = list[tuple[Staged, np.ndarray]]  # of a set: each with the rows [rows] bool that are chosen of it


def _write(parts: Parts, output: BinaryIO) -> None:
    """Writes the rows of a set as a TSV."""
    for part, chosen in parts:
        output.writelines(text + b"\n" for _, _, text in part.lines(chosen))


def _kept(extra: Staged, held_out: np.ndarray, log: Log) -> tuple[Staged, np.ndarray]:
    """The extra rows without those that have a sentence of the sets that were split off, by whose hashes [rows, 2]."""
    shared = np.any(np.isin(extra.hashes[:, :2], held_out), axis=1)
    for file, line, text in extra.lines(shared):
        log.reject(file, line, "extra pair with a held-out sentence", text)
    if not shared.all():
        log.notices["extra pair"] = int((~shared).sum())
    return extra, ~shared


def _take_note(sets: dict[str, Parts], log: Log) -> None:
    """Counts pairs that train has more than once, and sources that a given set shares with it."""
    def hashes(name: str, column: int) -> np.ndarray:
        return np.concatenate([part.hashes[chosen, column] for part, chosen in sets[name]])

    counts = {"duplicate pair": repeated(hashes("train", 2)).sum()}
    counts |= {f"sources of {name} in train as well": np.isin(hashes(name, 0), hashes("train", 0)).sum()
               for name in sets if name != "train"}
    log.notices.update({what: int(count) for what, count in counts.items() if count})


def _size_of_inputs(data: Data, written: Path) -> int:
    """Bytes of all files to be read; raises CorpusError where one is missing or would be overwritten."""
    if not data.train:
        raise CorpusError("a training corpus is required; none is named. Give one with --data.")
    files = [file for item in (*data.train, *data.dev, *data.test, *data.extra) for files in find_files(item) for file in files]
    for file in files:
        if file.resolve().parent == written.resolve():
            raise CorpusError(f"{str(file)!r} lies where the run writes its own splits and would be lost. "
                              "Copy it elsewhere, or choose another run directory.")
    return sum(file.stat().st_size for file in files)


def _sides(train: Staged, sides: int, wanted: int) -> np.ndarray:
    """Where each row of the training files goes: 0 train, 1 dev, 2 test, -1 nowhere.

    A pair that comes again stays in train, where its weight tells how usual it is; a held-out set has it once.
    """
    result = np.full(len(train.hashes), -1, np.int8)
    again = repeated(train.hashes[:, 2])
    sources, targets = train.hashes[~again, 0], train.hashes[~again, 1]
    result[~again] = held_out(sources, targets, wanted, sides) if sides else 0
    _, first, of_row = np.unique(train.hashes[:, 2], return_index=True, return_inverse=True)
    result[again & (result[first][of_row] == 0)] = 0
    return result


def _escaped(text: str) -> str:
    """The text on one line without TABs; what cannot be seen is spelt as in Python."""
    def spelt(character: str) -> str:
        if "\udc80" <= character <= "\udcff":  # how "surrogateescape" keeps a byte
            return f"\\x{ord(character) - 0xDC00:02x}"
        visible = character.isprintable() and character != "\\"
        return character if visible else character.encode("unicode_escape").decode()

    return "".join(map(spelt, text))


def _summary(folder: Path, names: list[str], log: Log, lengths: tuple[collections.Counter[int], ...]) -> Summary:
    splits = {name: Rows(folder / f"{name}.tsv") for name in names}
    train = splits["train"]
    samples = [train[row] for row in sorted({0, len(train) // 2, len(train) - 1})]
    return Summary(
        pairs={name: len(rows) for name, rows in splits.items()},
        rejects=dict(log.rejects.most_common()),
        notices=dict(log.notices.most_common()),
        lengths={side: _lengths(counts) for side, counts in zip(("source", "target"), lengths, strict=True)},
        samples=tuple((source.decode(), target.decode()) for source, target in samples))


def _lengths(counts: collections.Counter[int]) -> Lengths:
    values = np.array(sorted(counts))
    numbers = np.array([counts[value] for value in values.tolist()])
    reached = np.cumsum(numbers) / numbers.sum()
    return Lengths(float(values @ numbers / numbers.sum()), int(values[np.searchsorted(reached, 0.5)]),
                   int(values[np.searchsorted(reached, 0.95)]), int(values[-1]))
