"""Files -> checked pairs of text, streaming: every line is either yielded or rejected with its reason, none is lost.

Only LF ends a line. Lines are read as bytes and bounded, so that one endless line costs no memory.
"""

from __future__ import annotations

import collections
import difflib
import glob
import gzip
import io
import os
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from keras_s2s.normalize import holds_control_characters, normalize
from keras_s2s.rows import CorpusError

SNIFFED = 1 << 16  # bytes from which a file is taken for text or not
REPORT_EVERY = 4096  # lines between reports of progress, which come also where this many seconds have passed
REPORT_AFTER = 0.2
Line = tuple[bytes, list[bytes] | str]  # a line and its source and target, or the reason why it has none
EMPTY, TOO_FEW, TOO_LONG = "empty line", "too few columns", "line longer than {:,} bytes"
ARCHIVES = {b"PK\x03\x04": "a ZIP archive", b"\xfd7zXZ\x00": "an xz file", b"BZh91AY&SY": "a bzip2 file",
            b"\x28\xb5\x2f\xfd": "a Zstandard file"}


class Row(NamedTuple):
    """A checked pair and where it stood; `line` counts from 1."""

    file: str
    line: int
    source: str
    target: str
    whole: str = ""  # what source and target were cut from, where they are parts of one text; what a file holds
    item: int = -1  # number of the file that the source names


Cut = Callable[[bytes, int], list[bytes]]  # a line and how many columns are needed -> its columns


class Rejected(ValueError):
    """A line is left out, or a file that cannot be used.

    Args:
        reason: in words that others are left out with as well, so that they can be counted.
        detail: what this one is, such as its length.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class Log:
    """Hears what becomes of lines: counts rejects by reason, notices by kind, and the bytes read so far."""

    def __init__(self) -> None:
        self.rejects: collections.Counter[str] = collections.Counter()
        self.notices: collections.Counter[str] = collections.Counter()
        self.bytes = 0

    def reject(self, file: str, line: int, reason: str, text: bytes) -> None:
        """A line was left out; `text` is (the beginning of) what it held."""
        self.rejects[reason] += 1

    def notice(self, kind: str) -> None:
        """A pair was kept, but there is something to know about it."""
        self.notices[kind] += 1

    def advance(self, size: int) -> None:
        """So many more bytes of the files, as they lie on the disk, were read."""
        self.bytes += size


def read_pairs(item: str, columns: tuple[int, ...] = (1, 2), max_characters: int = 1000,
               log: Log | None = None) -> Iterator[tuple[str, str]]:
    """Yields the pairs of an item of `Data.train`, `dev` or `test`, normalized; see `read_rows`."""
    return ((row.source, row.target) for row in read_rows(item, columns, max_characters, log))


def read_rows(item: str, columns: tuple[int, ...] = (1, 2), max_characters: int = 1000,
              log: Log | None = None) -> Iterator[Row]:
    """Yields the pairs of an item with their places.

    Args:
        item: a TSV file, a glob pattern of such, or "source-file,target-file", parallel by line; each plain or gzip.
        columns: of a TSV that hold source and target, counted from 1.
        max_characters: a longer source or target, once normalized, is rejected.
        log: hears of rejects, notices and progress.

    Raises:
        CorpusError: a file that is missing, empty, no UTF-8 text, cut off, or without a single usable line; parallel
            files of different numbers of lines.
    """
    log = log or Log()
    for files in find_files(item):
        yield from rows_of(files, columns, max_characters, log, lambda fields: _check(fields, max_characters, log))


def by_tabs(line: bytes, most: int) -> list[bytes]:
    """The first columns of a line of a TSV, and the rest of it."""
    return line.split(b"\t", most)


def rows_of(files: tuple[Path, ...], columns: tuple[int, ...], max_characters: int, log: Log,
            check: Callable[[list[bytes]], tuple[Any, ...]], cut: Cut = by_tabs) -> Iterator[Row]:
    """Yields the rows of a TSV, or of two parallel files, see `read_rows`.

    Args:
        check: the two fields of a line -> source, target and what else a Row has of them.
        cut: how a line of a single file is parted; raises Rejected.

    Raises:
        CorpusError: see `read_rows`.
    """
    name = ",".join(map(str, files))
    limit = 8 * max_characters + SNIFFED  # bytes of a line: two texts, and room for other columns
    lines = _lines_of_one(files[0], columns, limit, log, cut) if len(files) == 1 else (
        _parallel_lines(files[0], files[1], limit, log))
    kept, reasons, first = 0, collections.Counter[str](), b""
    for number, (line, fields) in enumerate(lines, 1):
        first = first or line
        try:
            row = Row(name, number, *_fields(fields, check))
        except Rejected as left:
            reasons[left.reason] += 1
            log.reject(name, number, left.reason, line + f" ({left.detail})".encode() if left.detail else line)
        else:
            kept += 1
            yield row
    if not kept:
        raise CorpusError(_nothing_usable(name, first, columns, reasons))


def _fields(fields: list[bytes] | str, check: Callable[[list[bytes]], tuple[Any, ...]]) -> tuple[Any, ...]:
    if isinstance(fields, str):
        raise Rejected(fields)
    return check(fields)


def find_files(item: str) -> list[tuple[Path, ...]]:
    """Returns the files of an item: one tuple a file, or one of two parallel files.

    Raises:
        CorpusError: a missing file (with the nearest name in its folder), a folder, a pattern that matches nothing.
    """
    item = os.path.expanduser(item)
    parts = item.split(",")
    if not os.path.exists(item):
        if len(parts) == 2:
            return [(_existing(parts[0].strip()), _existing(parts[1].strip()))]
        if any(character in item for character in "*?["):
            matches = [Path(name) for name in sorted(glob.glob(item, recursive=True)) if os.path.isfile(name)]
            if not matches:
                raise CorpusError(f"no file matches the pattern {item!r}. Check it with `ls {item}`.")
            return [(match,) for match in matches]
    return [(_existing(item),)]


def _existing(name: str) -> Path:
    path, folder = Path(name), Path(name).parent
    if os.path.isfile(name):
        return path
    if os.path.isdir(name):
        raise CorpusError(f"a file of pairs is required; {name!r} is a folder. Name a file in it, or a pattern such as "
                          f"'{path / '*.tsv'}'.")
    if os.path.exists(name):
        raise CorpusError(f"a file of pairs is required; {name!r} is no regular file. Write the pairs to one first.")
    if not os.path.isdir(folder):
        raise CorpusError(f"there is no file {name!r}: its folder {str(folder)!r} does not exist. Check the path.")
    near = difflib.get_close_matches(path.name, os.listdir(folder), 1)
    raise CorpusError(f"there is no file {name!r}." + (f" Did you mean {str(folder / near[0])!r}?" if near else
                                                       f" Check the name: `ls {folder}`."))


def checked_text(field: bytes, max_characters: int) -> str:
    """The normalized text of a field; raises Rejected where it is none, or too long."""
    try:
        text = normalize(field.decode("utf-8"))
    except UnicodeDecodeError:
        raise Rejected("invalid UTF-8") from None
    if len(text) > max_characters:
        raise Rejected(f"longer than {max_characters:,} characters")
    return text


def _check(fields: list[bytes], max_characters: int, log: Log) -> tuple[str, str]:
    """Returns the normalized pair, reporting what is odd about it; raises Rejected with the reason to leave it out."""
    source, target = (checked_text(field, max_characters) for field in fields)
    if not source or not target:
        raise Rejected("empty source" if target else "empty target" if source else EMPTY)
    if source == target:
        log.notice("source equals target")
    if any(field != text.encode() and holds_control_characters(field.decode())
           for field, text in zip(fields, (source, target), strict=True)):
        log.notice("control characters removed")
    return source, target


def _nothing_usable(name: str, first: bytes, columns: tuple[int, ...], reasons: collections.Counter[str]) -> str:
    """Says why a file gave no pair: most often it has other columns than those asked for."""
    if set(reasons) <= {TOO_FEW, EMPTY} and reasons[TOO_FEW]:
        count, shown = first.count(b"\t") + 1, first[:60].decode("utf-8", "replace").strip()
        return (f"{name!r} must have at least {max(columns)} columns, parted by TABs: source and target are "
                f"read from columns {columns[0]} and {columns[1]}; the first has {count}: {shown!r}. Choose others with "
                "--columns, part the columns by TABs, or give two parallel files as 'source-file,target-file'.")
    return (f"at least one line of {name!r} must be usable; all {reasons.total():,} are rejected: "
            + ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common()) + ". Look into the file.")


def _lines_of_one(path: Path, columns: tuple[int, ...], limit: int, log: Log, cut: Cut) -> Iterator[Line]:
    """Yields each line of a file with its two fields, or the reason why it has none."""
    for line in lines_of(path, limit, log):
        try:
            parts = cut(line, max(columns))
        except Rejected as left:
            yield line, left.reason
            continue
        if len(line) > limit:
            yield line, TOO_LONG.format(limit)
        elif len(parts) < max(columns):
            yield line, TOO_FEW if line.strip() else EMPTY
        else:
            yield line, [parts[column - 1] for column in columns]


def _parallel_lines(source: Path, target: Path, limit: int, log: Log) -> Iterator[Line]:
    """Yields the lines of two files side by side, joined and as fields, or with the reason why there are none."""
    sides, count = [lines_of(source, limit, log), lines_of(target, limit, log)], 0
    while True:
        fields = [next(side, None) for side in sides]
        if fields == [None, None]:
            return
        if None in fields:
            more = [(field is not None) + sum(1 for _ in side) for field, side in zip(fields, sides, strict=True)]
            raise CorpusError(f"parallel files must have equally many lines; {str(source)!r} has "
                              f"{count + more[0]:,}, {str(target)!r} has {count + more[1]:,}. Line n of one must go "
                              "with line n of the other.")
        count += 1
        both = [field for field in fields if field is not None]
        yield b"\t".join(both), TOO_LONG.format(limit) if max(map(len, both)) > limit else both


def lines_of(path: Path, limit: int, log: Log) -> Iterator[bytes]:
    """Yields the lines of a plain or gzip file without their LF; of one longer than `limit` bytes, limit + 1 bytes."""
    number = 0
    try:
        with io.BufferedReader(io.FileIO(path), SNIFFED) as raw:
            stream, done, told = _unpacked(path, raw), 0, time.monotonic()
            _require_text(path, stream.peek(SNIFFED)[:SNIFFED])
            for number, line in enumerate(iter(lambda: stream.readline(limit + 1), b""), 1):
                if len(line) > limit and not line.endswith(b"\n"):
                    while (rest := stream.readline(SNIFFED)) and not rest.endswith(b"\n"):
                        pass
                yield line.removesuffix(b"\n")
                if number % REPORT_EVERY == 0 or time.monotonic() - told > REPORT_AFTER:
                    log.advance(raw.tell() - done)
                    done, told = raw.tell(), time.monotonic()
            log.advance(raw.tell() - done)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"the gzip file {str(path)!r} is cut off or damaged after line {number:,}: {error}. "
                          "Copy or download it again.") from None
    except OSError as error:
        raise CorpusError(f"{str(path)!r} cannot be read: {error.strerror or error}. Check its rights.") from None


def _unpacked(path: Path, raw: io.BufferedReader[Any]) -> io.BufferedReader[Any]:
    """Returns a stream of the file's contents; a gzip file is known by its first bytes, whatever its name."""
    if raw.peek(2)[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=raw), SNIFFED)
    if path.suffix == ".gz" and raw.peek(1):
        raise CorpusError(f"{str(path)!r} ends in .gz and must be a gzip file; it is not. "
                          "Rename it if it is plain text, or copy or download it again.")
    return raw


def _require_text(path: Path, head: bytes) -> None:
    """Raises CorpusError unless a file that begins with `head` looks like UTF-8 text."""
    if not head:
        raise CorpusError(f"{str(path)!r} must hold pairs; it is empty. Copy or download it again.")
    for magic, kind in ARCHIVES.items():
        if head.startswith(magic):
            raise CorpusError(f"{str(path)!r} is not a text file but {kind}. Unpack it first.")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise CorpusError(f"{str(path)!r} must be UTF-8 text; it is UTF-16. Convert it: `iconv -f UTF-16 -t UTF-8`.")
    lines = head.split(b"\n")
    if len(lines) > 1:  # the last is empty or perhaps cut
        del lines[-1]
    bad = sum(not _is_text(line) for line in lines)
    if 2 * bad > len(lines):
        raise CorpusError(f"{str(path)!r} is not a text file in UTF-8: {bad} of its first {len(lines)} lines are not. "
                          "If it is text in another encoding, convert it: `iconv -f WINDOWS-1252 -t UTF-8`, say.")


def _is_text(line: bytes) -> bool:
    """Whether the line is UTF-8 without NUL, its last character perhaps cut off."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and b"\0" not in line
    return b"\0" not in line
