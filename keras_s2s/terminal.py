"""What the terminal shows: lines, bars, an error. Everything but results goes to standard error."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Iterator
from typing import Any


def say(line: str = "") -> None:
    """Prints a line for a person, clear of any bar on the screen."""
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within, what C++ libraries write to standard error is thrown away; Python's exceptions are not."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def without(name: str) -> Iterator[None]:
    """Within, a package that was not imported before is not to be found."""
    absent = sys.modules.setdefault(name, None) is None  # type: ignore[arg-type]
    try:
        yield
    finally:
        if absent:
            del sys.modules[name]


@contextlib.contextmanager
def lasting() -> Iterator[None]:
    """Within, nothing is looked through for garbage, and what is there at the end never is: an import's objects, 430,000 of
    TensorFlow's, stay, and to look through them, at the exit too, is a fifth of a short command."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def load_tensorflow() -> None:
    """Imports TensorFlow and its text operations without what their C++ libraries report of themselves.

    Keras would import matplotlib as well, for plots of its own that nothing here asks for: an eighth of the time.
    """
    if "tensorflow_text" in sys.modules:
        return
    with quiet(), without("matplotlib"), lasting():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
        import tensorflow_text  # noqa: F401


class Bar:
    """A progress bar on a terminal; where the output is none, a plain line now and then of what takes longer than that.

    Args:
        label: what is going on.
        total: of units.
        done: units done before.
        unit: such as "step" or "B".
    """

    EVERY = 60.0  # seconds between two plain lines

    def __init__(self, label: str, total: int, done: int = 0, unit: str = "step"):
        from tqdm import tqdm

        self._label, self._total, self._done, self._note = label, total, done, ""
        self._begun, self._first, self._said = time.monotonic(), done, time.monotonic()
        self._bar: Any = tqdm(desc=label, total=total, initial=done, unit=unit, unit_scale=unit == "B", leave=False,
                              disable=not sys.stderr.isatty(), dynamic_ncols=True, mininterval=0.2)

    def advance(self, note: str = "", by: int = 1) -> None:
        self._done, self._note = self._done + by, note
        if self._bar.disable:
            self._plain()
            return
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(by)

    def reach(self, done: int, total: int) -> None:
        """The same, in units done of a total that may have changed."""
        self._total = self._bar.total = total
        self.advance(by=done - self._done)

    def _plain(self) -> None:
        now = time.monotonic()
        if now - self._said >= self.EVERY and self._total:
            self._said = now
            left = (now - self._begun) / max(1, self._done - self._first) * (self._total - self._done)
            share = f"{100 * self._done / self._total:.0f} %"
            say(f"{self._label}: {share}, {left / 60:.0f} min left  {self._note}".rstrip())

    def close(self) -> None:
        self._bar.close()
