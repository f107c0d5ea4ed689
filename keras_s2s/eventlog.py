"""The one writer of a run's TensorBoard events: each record is on its way to the disk before the next step begins.

    log = EventLog(run.logs, after=1200)
    log.scalars(1240, {"train/loss": 2.1})

A disk that takes no log is reported once and never stops anything; what a resumed run says again is taken back first.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_s2s.files import write_whole
from keras_s2s.terminal import say

FILES = "events.out.tfevents.*"  # TensorBoard reads these, in the order of their names
BINS = 30  # of a histogram


class EventLog:
    """Events of one run, in one file for each sitting.

    Args:
        folder: runs/NAME/logs; made when the first event is written.
        after: the step from which training goes on: later points of earlier sittings are taken back, and of that step only
            what is not there yet is written. None: what is there stays.

    Attributes:
        fresh: True where no earlier sitting wrote anything.
    """

    RETRY = 30.0  # seconds after a failure in which nothing is tried

    def __init__(self, folder: Path, after: int | None = None):
        self.folder, self.after = folder, after
        self.fresh = not any(folder.glob(FILES))
        self._file: Any = None  # a descriptor: what is written is with the system at once, even if the process is killed
        self._size, self._failed = 0, float("-inf")
        self._marked, self._said = after is None, False
        self._there: set[str] = set()
        if after is not None and not self.fresh:
            take_back(folder, after)
            self._there = tags_at(folder, after)

    def scalars(self, step: int, values: Mapping[str, float], descriptions: Mapping[str, str] | None = None) -> None:
        """Adds a point to each curve; `descriptions` (Markdown, by tag) stand beside it."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        about = descriptions or {}
        self._add(lambda: {"step": step, "summary": Summary(value=[
            scalar_pb(tag, float(value), about.get(tag)).value[0] for tag, value in values.items()])})

    def text(self, step: int, tag: str, text: Any, description: str | None = None) -> None:
        """Adds Markdown, or a table from an array of strings [rows, columns] whose first row is its head."""
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add(lambda: {"step": step, "summary": text_pb(tag, np.array(text, object), description)})

    def images(self, step: int, tag: str, pngs: list[bytes], size: tuple[int, int], description: str | None = None) -> None:
        """Adds pictures (PNG) of `size` (width, height) that are shown together."""
        from tensorboard.plugins.image.metadata import create_summary_metadata

        parts = [str(side).encode() for side in size] + pngs
        self._tensor(step, tag, create_summary_metadata(None, description), np.array(parts, object))

    def histogram(self, step: int, tag: str, values: np.ndarray) -> None:
        """Adds how the values are distributed, as [BINS, 3]: from, to, count."""
        from tensorboard.plugins.histogram.metadata import create_summary_metadata

        finite = values[np.isfinite(values)].astype(np.float64)
        counts, edges = np.histogram(finite, BINS) if finite.size else (np.zeros(BINS), np.zeros(BINS + 1))
        self._tensor(step, tag, create_summary_metadata(None, None), np.stack([edges[:-1], edges[1:], counts], axis=1))

    def graph(self, graph: bytes) -> None:
        """Adds a serialised GraphDef."""
        self._add(lambda: {"graph_def": graph})

    def hparams(self, settings: Mapping[str, bool | float | str], name: str) -> None:
        """Adds the run, under its name, to the table of runs."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self._add(lambda: {"summary": hparams_pb(dict(settings), trial_id=name)})

    def attempt(self, work: Callable[[], object]) -> bool:
        """Does what writes to the disk; an OSError is reported once. Returns whether it went well."""
        if time.monotonic() - self._failed < self.RETRY:
            return False
        try:
            work()
        except OSError as error:
            self._failed = time.monotonic()
            if not self._said:
                say(f"the log {self.folder} cannot be written ({error.strerror or error}); training goes on without it.")
            self._said = True
            return False
        return True

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _tensor(self, step: int, tag: str, metadata: Any, values: np.ndarray) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.util.tensor_util import make_tensor_proto

        self._add(lambda: {"step": step, "summary": Summary(value=[
            Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(values))])})

    def _add(self, make: Callable[[], dict[str, Any]]) -> None:
        """Writes one event; before a sitting's first the mark by which readers take later points of earlier files back."""
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary

        def work() -> None:
            if self._file is None:
                self._open()
            if not self._marked:
                self._write(step=0 if self.fresh else (self.after or 0) + 1, session_log=SessionLog(status=SessionLog.START))
                self._marked = True
            fields = make()
            if self._there and fields.get("step") == self.after:
                kept = [value for value in fields["summary"].value if value.tag not in self._there]
                fields["summary"] = Summary(value=kept)
            self._write(**fields)

        self.attempt(work)

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        path = self.folder / f"events.out.tfevents.{seconds:010d}.{nanoseconds:09d}.{os.getpid()}.v2"
        self._file, self._size = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), 0
        self._write(file_version="brain.Event:2")

    def _write(self, **fields: Any) -> None:
        """Writes one whole record; of a record that does not fit on the disk nothing stays."""
        from tensorboard.compat.proto.event_pb2 import Event

        content = record(Event(wall_time=time.time(), **fields).SerializeToString())
        try:
            written = 0
            while written < len(content):
                written += os.write(self._file, content[written:])
        except OSError:
            self._take_back()
            raise
        self._size += len(content)

    def _take_back(self) -> None:
        """Cuts off the half of a record; where that fails as well, the next record begins a new file."""
        try:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        except OSError:
            self.close()


def read(path: Path) -> list[tuple[Any, bytes]]:
    """The events of a file, each with its bytes, up to where it is damaged; none where it cannot be read."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    with contextlib.suppress(OSError, ValueError):
        return [(Event.FromString(content), content) for content in RawEventFileLoader(str(path)).Load()]
    return []


def tags_at(folder: Path, step: int) -> set[str]:
    """Tags that have a point at a step."""
    return {value.tag for path in sorted(folder.glob(FILES)) for event, _ in read(path) if event.step == step
            for value in event.summary.value}


def take_back(folder: Path, step: int) -> None:
    """Cuts what comes after a step out of the files of earlier sittings; one that cannot be written stays as it is.

    Some of TensorBoard's readers go by the mark that a new file begins with, others by the order of steps, others by nothing.
    """
    for path in sorted(folder.glob(FILES)):
        found = read(path)
        if any(event.step > step for event, _ in found):
            with contextlib.suppress(OSError):
                write_whole(path, b"".join(record(content) for event, content in found if event.step <= step))


def record(content: bytes) -> bytes:
    """An event as it lies in a file: its length, itself, and a checksum of either."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    framed = io.BytesIO()
    RecordWriter(framed).write(content)
    return framed.getvalue()
