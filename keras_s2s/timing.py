"""Where a run's time went: seconds of each step, over all sittings, in the run's timing.json."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_s2s.files import write_whole

FILE = "timing.json"


def timed(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a step, a function of a run: what it takes is added up under the name, however it ends."""
    def decorate(step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)
        def measured(run: Any, *args: Any, **kwargs: Any) -> Any:
            begun = time.monotonic()
            try:
                return step(run, *args, **kwargs)
            finally:
                add(run.path, name, time.monotonic() - begun)

        return measured

    return decorate


def add(folder: Path, name: str, seconds: float) -> None:
    """Adds seconds to a step of the run in `folder`; a disk that cannot take it is no obstacle."""
    with contextlib.suppress(OSError):
        content = json.dumps({**(known := read(folder)), name: round(known.get(name, 0.0) + seconds, 2)}, indent=1)
        write_whole(folder / FILE, content.encode())


def read(folder: Path) -> dict[str, float]:
    """Seconds by step; empty where nothing was measured."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {str(name): float(seconds) for name, seconds in found.items()}
    return {}
