"""One training in a run directory at a time: a lock that the system takes back when its process ends, however it ends."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import IO

from keras_s2s.terminal import say

NAME = "lock"
_held: dict[Path, IO[str]] = {}  # by this process; closing a file would let its lock go


class LockedError(ValueError):
    """Another process trains in this run directory."""


def claim(folder: Path) -> None:
    """Takes a run directory for this process until it ends. Who left it by a crash or a kill is named; that is no obstacle.

    Raises:
        LockedError: another process holds it.
    """
    folder = folder.resolve()
    if folder in _held:
        return
    file = open(folder / NAME, "a+", encoding="utf-8")
    file.seek(0)
    holder = _named(file.read())
    try:
        _lock(file)
    except BlockingIOError:
        file.close()
        raise LockedError(f"{folder} is in use: {holder} trains there. Wait until it has ended, or stop it; what it "
                          "has saved stays.") from None
    except OSError as error:
        say(f"warning: {folder} lies on a file system without locks ({error.strerror}); see to it that no other training "
            "writes there.")
    if holder:
        say(f"{holder} left {folder} without finishing; it is gone, and its lock with it.")
    _write(file, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}))
    _held[folder] = file
    atexit.register(_write, file, "")  # emptied, not deleted: another process may have opened it already


def _lock(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        raise OSError(0, "no fcntl") from None
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write(file: IO[str], content: str) -> None:
    with contextlib.suppress(OSError):
        file.truncate(0)
        file.write(content)
        file.flush()


def _named(content: str) -> str:
    """The holder in words; empty where there is none."""
    if not content.strip():
        return ""
    try:
        holder = json.loads(content)
        return f"process {holder['pid']} on {holder['host']}, at work since {holder['since']},"
    except (ValueError, KeyError, TypeError):
        return "another process"
