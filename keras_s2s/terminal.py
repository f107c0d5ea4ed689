"""What the terminal shows: lines, bars, an error. Everything but results goes to standard error."""

from __future__ import annotations

import contextlib
import os
import sys
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


class Bar:
    """A progress bar on a terminal, nothing where the output is none: lines alone are printed there.

    Args:
        label: what is going on.
        total: of units.
        done: units done before.
        unit: such as "step" or "B".
    """

    def __init__(self, label: str, total: int, done: int = 0, unit: str = "step"):
        from tqdm import tqdm

        self._bar: Any = tqdm(desc=label, total=total, initial=done, unit=unit, unit_scale=unit == "B", leave=False,
                              disable=not sys.stderr.isatty(), dynamic_ncols=True, mininterval=0.2)

    def advance(self, note: str = "", by: int = 1) -> None:
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(by)

    def reach(self, done: int, total: int) -> None:
        """The same, in units done of a total that may have changed."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()
