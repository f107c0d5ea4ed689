"""Files written whole or not at all: a crash, a kill or a full disk leaves the old file as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Writes a file by a temporary one beside it: write, fsync, rename, fsync of the folder.

    Args:
        path: the file to write or replace; its folder is made if need be.
        content: its bytes, or a function that writes them to an open binary file.

    Raises:
        OSError: the disk is full, or the folder may not be written; what stood at `path` still does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
