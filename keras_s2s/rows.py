"""Packed pairs on disk with random access: a TSV and an index of where its lines begin."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keras_s2s.files import write_whole

CHUNK = 1 << 24  # bytes looked at together while an index is built


class CorpusError(ValueError):
    """What is wrong with the data, for the person who gave it: what is required, what came, what to do."""


class Rows:
    """The pairs of a TSV by number; takes 8 bytes of memory a row, however long the rows are. Threads may share one.

    Only LF ends a line. The index is kept beside the file as NAME.index.npy and made anew when it is missing, damaged
    or of another file (by size and time of change); a folder that cannot be written to is no obstacle.

    Args:
        path: a TSV of two columns, source and target, as `corpus.prepare` writes it.

    Attributes:
        words_of: the side by whose words a pair is long or short, 0 source, 1 target.

    Raises:
        CorpusError: the file cannot be read; later, on reading a row without a TAB.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            self._file = open(self.path, "rb", buffering=0)
            weakref.finalize(self, self._file.close).atexit = False  # a thread may still read then
            self._index = self._load_index(self._file)
        except OSError as error:
            raise CorpusError(f"the pairs in {str(self.path)!r} cannot be read: {error.strerror}. "
                              "Prepare the corpus again.") from None

    def __len__(self) -> int:
        return len(self._index) - 2

    def __getitem__(self, row: int) -> tuple[bytes, bytes]:
        """Returns source and target of a row, counted from 0 or, when negative, from the end."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        row %= len(self)
        start, end = self._index[row + 1:row + 3].tolist()
        line = os.pread(self._file.fileno(), end - start, start)  # not mapped: its pages would count as memory held
        source, tab, target = line.removesuffix(b"\n").partition(b"\t")
        if not tab or len(line) < end - start:
            raise CorpusError(f"line {row + 1} of {str(self.path)!r} must hold a source, a TAB and a target; "
                              f"got {line[:60]!r}. The file was changed: prepare the corpus again.")
        return source, target

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return (self[row] for row in range(len(self)))

    def read(self, indices: Iterable[int]) -> tuple[list[bytes], list[bytes]]:
        """Returns the sources and the targets of rows, in the order asked for."""
        pairs = [self[int(row)] for row in indices]
        return [source for source, _ in pairs], [target for _, target in pairs]

    words_of = 0
    about = ("words a source", "words a target")  # what `described` tells

    def described(self) -> tuple[Any, ...]:
        """Some figures for a person, of at most 20,000 pairs."""
        sides = self.read(range(0, len(self), 1 + len(self) // 20_000))
        return tuple(round(sum(len(text.decode().split()) for text in side) / max(1, len(side)), 1) for side in sides)

    def raws(self, indices: Iterable[int]) -> tuple[list[str], list[str]]:
        """The same as text: how `Predictor.predict` takes sources."""
        sources, targets = self.read(indices)
        return [text.decode() for text in sources], [text.decode() for text in targets]

    def keys(self) -> Iterator[str]:
        """What tells the source of each row from others."""
        return (source.decode("utf-8", "replace") for source, _ in self)

    def lengths(self) -> np.ndarray | None:
        """Steps of each source and target [N, 2]; None, for text has to be measured."""
        return None

    def learnable(self, side: int, most: int) -> Iterator[str]:
        """What a source (side 0) or target (1) learns its vocabulary from: at most so many texts, evenly spaced."""
        return (self[row][side].decode() for row in range(0, len(self), max(1, -(-len(self) // most))))

    def _load_index(self, file: BinaryIO) -> np.ndarray:
        """The index, int64: the file's time of change, where each line begins, the file's size."""
        status = os.fstat(file.fileno())
        path = self.path.with_name(self.path.stem + ".index.npy")
        with contextlib.suppress(OSError, ValueError, EOFError):
            index = np.load(path, allow_pickle=False)
            if (index.dtype == np.int64 and index.ndim == 1 and len(index) >= 2
                    and index[0] == status.st_mtime_ns and index[-1] == status.st_size):
                return index
        index = np.concatenate([np.array([status.st_mtime_ns]), *_line_starts(file, status.st_size)])
        with contextlib.suppress(OSError):
            write_whole(path, lambda output: np.save(output, index))
        return index


def _line_starts(file: BinaryIO, size: int) -> Iterator[np.ndarray]:
    """Yields the start of each line of a file of `size` bytes, and at last its size."""
    yield np.zeros(1, np.int64)
    start, last = 0, b"\n"
    while start < size and (chunk := file.read(min(CHUNK, size - start))):
        yield np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n")) + (start + 1)
        start, last = start + len(chunk), chunk[-1:]
    if last != b"\n":  # an LF at the end has already said where the file ends
        yield np.array([size])
