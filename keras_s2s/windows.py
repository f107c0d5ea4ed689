"""Windows of series by number: pairs of what is read and what is forecast, cut from one table when they are asked for.

    windows = Windows("runs/mine/data/train.npy", config.series)     # the interface of rows.Rows
    sources, targets = windows.read([0, 7])                          # [2, W, 1 + F], [2, 1 + H, 1 + F]

A target begins with the last step of its source, from which the forecast goes on. No window is kept: the table is mapped
into memory, and beside it there are 8 bytes for each step, if values are missing.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keras_s2s.config import Config, Series
from keras_s2s.corpus import Progress, split_names
from keras_s2s.files import write_whole
from keras_s2s.reading import Log, find_files
from keras_s2s.rows import CorpusError
from keras_s2s.series import Layout, Table, filled, read

LAYOUT = "series.json"  # beside the tables


class Windows:
    """The pairs of a table, one for each step that a forecast can be made at.

    Args:
        path: a table [N, 1 + F] as `prepare` writes it.
        series: window and horizon.
        stride: steps from one window to the next.

    Raises:
        CorpusError: the table cannot be read.
    """

    def __init__(self, path: str | Path, series: Series, stride: int = 1):
        self.path, self.window, self.horizon = Path(path), series.window, series.horizon
        try:
            self.layout = layout_of(self.path.parent)
            self.steps = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise CorpusError(f"the series in {str(self.path)!r} cannot be read: {error}. Prepare the corpus again.") from None
        self.stride = stride
        self.count, self.starts = valid_starts(self.steps, self.window + self.horizon)
        self.count = -(-self.count // stride)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        if not -self.count <= row < self.count:
            raise IndexError(f"window {row} of {self.count}")
        start = row % self.count * self.stride
        start = start if self.starts is None else int(self.starts[start])
        both = np.array(self.steps[start:start + self.window + self.horizon])
        return both[:self.window], both[self.window - 1:]

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self[row] for row in range(len(self)))

    def read(self, indices: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """Sources [n, W, 1 + F] and targets [n, 1 + H, 1 + F] of windows, in the order asked for."""
        pairs = [self[int(row)] for row in indices]
        width = self.steps.shape[1]
        return (np.array([source for source, _ in pairs]).reshape(-1, self.window, width),
                np.array([target for _, target in pairs]).reshape(-1, self.horizon + 1, width))

    about = ("steps", "first", "last")  # what `described` tells

    def described(self) -> tuple[Any, ...]:
        """Some figures for a person."""
        return len(self.steps), *(self.layout.shown(float(self.steps[i, 0])) for i in (0, -1))

    raws = read  # as `Predictor.predict` takes them

    def lengths(self) -> np.ndarray:
        """Steps of each source and target [N, 2], which take no memory."""
        return np.broadcast_to(np.array([self.window, self.horizon], np.int32), (self.count, 2))

    def learnable(self, side: int, most: int) -> Iterator[Table]:
        """What sources and targets learn their scaling from: all the steps."""
        yield Table(self.layout, self.steps)


def layout_of(folder: Path) -> Layout:
    """What there is to know of the tables of a folder.

    Raises:
        CorpusError: nothing, or it cannot be read.
    """
    try:
        return Layout.from_tree(json.loads((folder / LAYOUT).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{folder / LAYOUT} cannot be read: {error}. Prepare the corpus again.") from None


def valid_starts(steps: np.ndarray, length: int) -> tuple[int, np.ndarray | None]:
    """How many stretches of so many steps miss no value, and where each begins; None where they begin everywhere."""
    possible = max(0, len(steps) - length + 1)
    missing = np.isnan(steps).any(axis=1)
    if not missing.any() or not possible:
        return possible, None
    before = np.concatenate([[0], np.cumsum(missing, dtype=np.int64)])
    starts = np.flatnonzero(before[length:] == before[:possible])
    return len(starts), starts


def prepare(config: Config, folder: Path, progress: Progress | None = None) -> str:
    """Reads series and writes `folder`/data/NAME.npy for train, dev and test, in the order of time.

    A dev or test table begins with the window before its first forecast, which is of the part before: the values forecast
    are never in two parts. Given sets stay whole. What was repaired is in rejects.tsv and in what is returned.

    Returns:
        what came of it, to be printed.

    Raises:
        CorpusError: something is wrong with the files.
        OSError: the run directory cannot be written.
    """
    data, series, log = config.data, config.series, Log()
    if not data.train:
        raise CorpusError("series are required; none are named. Give a CSV with --data.")
    if data.extra:
        raise CorpusError("series take no extra files, for their sets are parted by time. Give all files with --data.")
    for item in (*data.train, *data.dev, *data.test):
        find_files(item)
    table = read(series, data.train, log)
    names = split_names(data)
    given = {"dev": data.dev, **{name: (item,) for name, item in zip(names[2:], data.test, strict=False)}}
    parts = parted(table.steps, config, [name for name in ("train", "dev", "test") if name in names and not given.get(name)])
    for name, items in given.items():
        if items:
            other = read(series, items, log, table.layout.columns)
            if abs(other.layout.step - table.layout.step) > 0.01 * table.layout.step:
                raise CorpusError(f"all sets must have the same step; {name} has {other.layout.step:g}, train "
                                  f"{table.layout.step:g}. Resample one of them.")
            parts[name] = other.steps
    require_learnable(parts["train"], table.layout.columns)
    mended, lines = {}, []
    for name in names:
        mended[name], count = filled(parts[name], series.fill)
        log.notices.update({"missing values, the last one known in their place": count} if count else {})
        windows, _ = valid_starts(mended[name], series.window + series.horizon)
        _require_windows(name, windows, mended[name], series)
        lines.append(f"{name} {len(mended[name]):,} steps, {windows:,} windows")
    _write(folder, table.layout, mended, log)
    step = f"{table.layout.step:g}{' s' if table.layout.dated else ''}"
    return "\n".join(["series      " + ", ".join(table.layout.columns) + f"; a step is {step}",
                      "windows     " + "   ".join(lines) + f"; {series.window} steps read, {series.horizon} forecast",
                      "repaired    " + (", ".join(f"{count:,} {what}" for what, count in log.notices.items()) or "nothing")])


def given(item: str, series: Series, data: Path, path: Path, log: Log) -> Windows:
    """A file that is no part of the run whose tables lie in `data`, as windows of the same series, its table at `path`.

    Raises:
        CorpusError: something is wrong with it.
    """
    known = layout_of(data)
    table = read(dataclasses.replace(series, time=known.time), [item], log, known.columns)
    steps, _ = filled(table.steps, series.fill)
    _require_windows(item, valid_starts(steps, series.window + series.horizon)[0], steps, series)
    table.layout.save(path.parent / LAYOUT)
    np.save(path, steps)
    return Windows(path, series)


def parted(steps: np.ndarray, config: Config, names: list[str]) -> dict[str, np.ndarray]:
    """Cuts train, dev and test out of the table, by `series.split`; what is left over at the end is not used."""
    split, window = config.series.split, config.series.window
    sizes = dict(zip(("train", "dev", "test"), split))
    if max(split) <= 1:
        sizes = {name: int(share * len(steps) + 1e-6) for name, share in sizes.items()}
        sizes["train"] += sum(sizes[name] for name in sizes if name not in names) if len(names) < 3 else 0
    parts, begin = {}, 0
    for name in names:
        end = len(steps) if len(names) == 1 else begin + int(sizes[name])
        if end > len(steps):
            raise CorpusError(f"`series.split` asks for {sum(map(int, split)):,} steps; the series have {len(steps):,}. "
                              "Ask for fewer, or give shares such as 0.7,0.1,0.2.")
        parts[name] = steps[max(0, begin - window):end]
        begin = end
    return parts


def require_learnable(steps: np.ndarray, columns: tuple[str, ...]) -> None:
    """Raises CorpusError where a series of the training part has no values, or always the same."""
    for i, name in enumerate(columns, 1):
        values = steps[:, i][~np.isnan(steps[:, i])]
        if not len(values) or values.min() == values.max():
            what = f"is {values[0]:g} at each of its {len(values):,} steps" if len(values) else "has no value"
            others = ",".join(other for other in columns if other != name) or "..."
            raise CorpusError(f"a series must change; {name!r} {what} of the training part. Leave it out: name the others with "
                              f"--set series.columns={others}")


def _require_windows(name: str, windows: int, steps: np.ndarray, series: Series) -> None:
    if windows:
        return
    gaps = np.isnan(steps).any(axis=1).sum()
    missing = f", {gaps:,} of them with a missing value that `series.fill` {series.fill} does not fill" if gaps else ""
    raise CorpusError(f"{name} must have at least {series.window + series.horizon:,} steps in a row, which are `series.window` "
                      f"and `series.horizon`; it has {len(steps):,}{missing}. Set a shorter window or horizon, or another "
                      "series.split.")


def _write(folder: Path, layout: Layout, parts: dict[str, np.ndarray], log: Log) -> None:
    """Each file whole, and rejects.tsv last: it says that all is there."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    layout.save(folder / "data" / LAYOUT)
    for name, steps in parts.items():
        def save(output: BinaryIO, steps: np.ndarray) -> None:
            np.save(output, steps)

        write_whole(folder / "data" / f"{name}.npy", functools.partial(save, steps=steps))
    told = "".join(f"\t\t{what}\t{count}\n" for what, count in log.notices.items())
    write_whole(folder / "rejects.tsv", ("file\tline\treason\ttext\n" + told).encode())
