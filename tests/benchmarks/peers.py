"""Other toolkits to measure beside ours, each in a virtual environment of its own; one that cannot be had is said and left out."""

from __future__ import annotations

import shutil
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")


class PeerError(RuntimeError):
    """A peer cannot be had or does not run here."""


def environment(folder: Path, name: str, *packages: str) -> Path:
    """The Python of a virtual environment in folder/name that has the packages; made on first use.

    Raises:
        PeerError: they cannot be installed; nothing of it is left then.
    """
    python = folder.resolve() / name / "bin" / "python"
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
        try:
            run(python, "-m", "pip", "install", "--quiet", *packages)
        except PeerError:
            shutil.rmtree(python.parents[1])
            raise
    return python


def run(python: Path, *arguments: str, given: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a command of that Python says, which reads `given` and runs in `folder`.

    Raises:
        PeerError: it failed.
    """
    done = subprocess.run([str(python), *arguments], input=given, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise PeerError(f"{' '.join(arguments[:3])} failed: {(done.stdout + done.stderr)[-600:]}")
    return done


def had(name: str, make: Callable[[], Made]) -> Made | None:
    """What `make` makes of a peer; None, said, where the peer cannot be had."""
    try:
        return make()
    except (OSError, PeerError) as error:
        print(f"{name} is left out: {error}", flush=True)
        return None
