"""Sources that lie in files, such as recordings: a TSV of path TAB text, each file decoded and checked once.

    train.tsv   path TAB text, a row for each text; a file may have several
    train.bin   what was decoded of each file, packed side by side
    train.npz   where each file's part of it begins, of which shape and content it is, and which file each row is of

So a run needs the files no more, and can be moved. Paths are relative to the TSV's folder, or absolute. No file, and no content
that two files share, is both in train and held out. Memory: 4 bytes a row and about 30 a file; while preparing 150 a file.
"""

from __future__ import annotations

import functools
import hashlib
import io
import mmap
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np

from keras_s2s.config import Data
from keras_s2s.files import write_whole
from keras_s2s.reading import Log, Rejected, Row, by_tabs, checked_text, find_files, rows_of
from keras_s2s.rows import CorpusError, Rows

LARGEST = 1 << 30  # bytes of a file
DAMAGED = "The run's data is damaged: prepare the corpus again."
Decode = Callable[[bytes], np.ndarray]  # the bytes of a file -> what is kept of it; raises Rejected


class Item(NamedTuple):
    """A file as a model is asked about it."""

    name: str  # its path as it was given
    array: np.ndarray  # what was decoded

    def __str__(self) -> str:
        return self.name


def arrays(raws: Iterable[Any]) -> list[np.ndarray]:
    """What was decoded of raws, each an Item or such an array itself."""
    return [np.asarray(getattr(raw, "array", raw)) for raw in raws]


def decoded(path: str | Path, decode: Decode) -> np.ndarray:
    """Reads and decodes a file.

    Raises:
        Rejected: it is not there, cannot be read, or is not what it should be.
    """
    try:
        size = os.stat(path).st_size
        if os.path.isdir(path):
            raise Rejected("a folder, not a file")
        if size > LARGEST:
            raise Rejected("larger than 1 GiB")
        if not size:
            raise Rejected("an empty file")
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise Rejected("there is no such file") from None
    except (OSError, ValueError) as error:  # a name may hold what no name can
        if isinstance(error, Rejected):
            raise
        raise Rejected(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return decode(content)


class Packer:
    """Reads the rows of TSVs, and decodes each file that they name into a scratch file.

    Args:
        decode: see `Decode`.
        scratch: an empty file, open for reading and writing.
    """

    def __init__(self, decode: Decode, scratch: IO[bytes]):
        self.decode, self.scratch = decode, scratch
        self.offsets, self.digests, self.shapes = [0], list[bytes](), list[tuple[int, ...]]()
        self.dtype: np.dtype = np.dtype(np.uint8)
        self.known: dict[bytes, int | tuple[str, str]] = {}  # digest of a path -> its item, or why it has none

    cut = staticmethod(by_tabs)  # how a line is parted

    def __call__(self, item: str, data: Data, log: Log) -> Iterator[Row]:
        """The rows of an item of `data.train`, `dev` or `test`, see `reading.read_rows`."""
        for files in find_files(item):
            check = functools.partial(self.row, folder=os.fsencode(os.path.abspath(files[0].parent)), data=data)
            yield from rows_of(files, data.columns, data.max_characters, log, check, self.cut)

    def row(self, fields: list[bytes], folder: bytes, data: Data) -> tuple[str, str, str, int]:
        """Path, text, what tells the file from others, its number; raises Rejected."""
        name, text = fields[0].strip(), checked_text(fields[1], data.max_characters)
        if not name or not text:
            raise Rejected("empty source" if text else "empty target" if name else "empty line")
        try:
            shown = name.decode("utf-8")
        except UnicodeDecodeError:
            raise Rejected("invalid UTF-8") from None
        number = self.item(os.path.join(folder, name))
        return shown, text, self.digests[number].hex(), number

    def item(self, path: bytes) -> int:
        """The number of a file, which is decoded when it comes first."""
        key = _digest(os.path.normpath(path))
        if key not in self.known:
            try:
                self.known[key] = self.add(decoded(os.fsdecode(path), self.decode))
            except Rejected as why:
                self.known[key] = (why.reason, why.detail)
        found = self.known[key]
        if isinstance(found, tuple):
            raise Rejected(*found)
        return found

    def add(self, array: np.ndarray) -> int:
        """Puts what was decoded of a file into the scratch file; returns the number of the file."""
        self.dtype = array.dtype
        content = np.ascontiguousarray(array).tobytes()
        self.scratch.write(content)
        self.offsets.append(self.offsets[-1] + len(content))
        self.digests.append(_digest(content))
        self.shapes.append(array.shape)
        return len(self.shapes) - 1

    def write(self, path: Path, items: np.ndarray) -> None:
        """Writes what belongs to the rows of a set: `path` with the suffixes .bin and .npz."""
        numbers, of_row = np.unique(items, return_inverse=True)
        self.scratch.flush()

        def copy(output: BinaryIO) -> None:
            for number in numbers.tolist():
                self.scratch.seek(self.offsets[number])
                output.write(self.scratch.read(self.offsets[number + 1] - self.offsets[number]))

        write_whole(path.with_suffix(".bin"), copy)
        self.scratch.seek(0, io.SEEK_END)
        sizes = [self.offsets[number + 1] - self.offsets[number] for number in numbers.tolist()]
        write_whole(path.with_suffix(".npz"), functools.partial(
            np.savez, offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            digests=np.frombuffer(b"".join(self.digests[number] for number in numbers.tolist()), "<u8"),
            shapes=np.array([self.shapes[number] for number in numbers.tolist()], np.int32),
            items=of_row.astype(np.int32), empty=np.zeros(0, self.dtype)))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8).digest()


class FileRows:
    """The pairs of a set by number: what was decoded of a file, and a text. The interface of `rows.Rows`.

    Args:
        path: NAME.tsv, as `corpus.prepare` writes it, with NAME.bin and NAME.npz beside it.

    Attributes:
        items: [N] int32, the number of the file that each row is of.

    Raises:
        CorpusError: they cannot be read; later, where the content of a file is not what was packed.
    """

    def __init__(self, path: str | Path):
        self.path, self.texts = Path(path), Rows(path)
        packed = self.path.with_suffix(".bin")
        try:
            with np.load(self.path.with_suffix(".npz"), allow_pickle=False) as index:
                self.offsets, self.digests, self.shapes, self.items, empty = (
                    index[name] for name in ("offsets", "digests", "shapes", "items", "empty"))
            with open(packed, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CorpusError(f"what belongs to {str(self.path)!r} cannot be read: {error}. {DAMAGED}") from None
        self.dtype = empty.dtype
        if len(self.items) != len(self.texts) or len(self.offsets) != len(self.digests) + 1 or self.offsets[-1] != size:
            raise CorpusError(f"{str(self.path)!r} and the .bin and .npz beside it must be of one set; they are not. {DAMAGED}")

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> tuple[np.ndarray, bytes]:
        """What was decoded of the file of a row, not to be written to, and the row's text."""
        text = self.texts[row][1]
        return self.array(int(self.items[row])), text

    def __iter__(self) -> Iterator[tuple[np.ndarray, bytes]]:
        return (self[row] for row in range(len(self)))

    def array(self, item: int) -> np.ndarray:
        """What was decoded of a file."""
        content = memoryview(self._bytes)[self.offsets[item]:self.offsets[item + 1]]
        if hashlib.blake2b(content, digest_size=8).digest() != self.digests[item].tobytes():
            raise CorpusError(f"file {item + 1:,} in {str(self.path.with_suffix('.bin'))!r} is not what was packed. {DAMAGED}")
        return np.frombuffer(content, self.dtype).reshape(self.shapes[item])

    def read(self, indices: Iterable[int]) -> tuple[list[np.ndarray], list[bytes]]:
        """What was decoded and the texts of rows, in the order asked for."""
        pairs = [self[int(row)] for row in indices]
        return [array for array, _ in pairs], [text for _, text in pairs]

    def raws(self, indices: Iterable[int]) -> tuple[list[Item], list[str]]:
        """The same as `Predictor.predict` takes them, with their names."""
        rows = [int(row) for row in indices]
        return ([Item(self.texts[row][0].decode(), self.array(int(self.items[row]))) for row in rows],
                [self.texts[row][1].decode() for row in rows])

    words_of = 1  # the texts
    about = ("files", "MB of them", "words a text")  # what `described` tells

    def described(self) -> tuple[Any, ...]:
        """Some figures for a person."""
        return f"{len(self.digests):,}", round(self.offsets[-1] / 1e6, 1), self.texts.described()[1]

    def keys(self) -> Iterator[str]:
        """What tells the source of each row from others: its content."""
        return (f"{self.digests[item]:016x}" for item in self.items)

    def lengths(self) -> None:
        """None: they have to be measured."""

    def learnable(self, side: int, most: int) -> Iterator[Any]:
        """What a source (side 0) or target (1) learns from: at most so many files or texts, evenly spaced."""
        if side:
            return self.texts.learnable(1, most)
        return (self.array(item) for item in range(0, len(self.digests), max(1, -(-len(self.digests) // most))))
