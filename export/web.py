"""A translator page for any static server: RUN/export/web, with the phone file and LiteRT.js in it; works offline.

    python -m http.server --directory runs/mine/export/web

LiteRT.js comes from npm once, when the page is made, and lies in the folder: the page loads nothing from elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from export import parity
from export.tflite import FILES, INPUTS, Sizes
from keras_s2s.run import Run
from keras_s2s.terminal import say

PAGE = Path(__file__).parent / "web_page"
FONT = Path(__file__).parents[1] / "keras_s2s" / "fonts"
VERSION = "2.5.3"
PACKAGES = ("core", "wasm-utils")  # of @litertjs
# Without threads and JSPI, which need headers that a plain static server does not send; `compat` is for older processors.
WASM = ("litert_wasm_internal.js", "litert_wasm_internal.wasm", "litert_wasm_compat_internal.js",
        "litert_wasm_compat_internal.wasm")


class WebError(ValueError):
    """The page cannot be made."""


def export(run: Run, quantize: str = "int8", sizes: Sizes = Sizes(), max_bleu_drop: float = parity.MAX_BLEU_DROP,
           fetch: Callable[[Path], None] | None = None) -> Path:
    """Writes RUN/export/web, whole or not at all; returns its path.

    Args:
        run: a trained run.
        quantize: of the file in it; made and proved first.
        sizes, max_bleu_drop: of the file.
        fetch: puts LiteRT.js into a folder; from npm when not given.

    Raises:
        WebError: npm is missing or cannot fetch LiteRT.js.
        ParityError: the file does not say what the model says.
    """
    if not hasattr(INPUTS[run.config.data.source], "tokenize"):
        raise WebError(f"the page translates text; this run reads {run.config.data.source}. Export it with --format tflite.")
    path, temporary = run.export / "web", run.export / f".web.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        shutil.copytree(PAGE, temporary)
        (fetch or fetch_litert)(temporary / "litert")
        parity.export(run, [quantize], sizes, max_bleu_drop)
        shutil.copy(run.export / FILES[quantize], temporary / "model.tflite")
        for name in ("NotoSansDevanagari-Regular.ttf", "OFL.txt"):
            shutil.copy(FONT / name, temporary / name)
        _list_files(temporary)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    say(f"exported {path}; look at it with: python -m http.server --directory {path}")
    return path


def _list_files(folder: Path) -> None:
    """Tells the service worker what to keep for offline use, under a name that changes with the content."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name not in ("sw.js", "OFL.txt"))
    digest = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:16]
    names = ["./", *(file.relative_to(folder).as_posix() for file in files if "compat" not in file.name)]
    worker = folder / "sw.js"
    worker.write_text(f"const VERSION = {json.dumps(digest)};\nconst FILES = {json.dumps(names)};\n\n" + worker.read_text())


def fetch_litert(folder: Path) -> None:
    """Puts LiteRT.js from npm into a folder, in the version that the page was tested with.

    Raises:
        WebError: there is no npm, or it cannot fetch.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise WebError(f"the page needs LiteRT.js {VERSION} from npm, and there is no npm here. Install Node.js (nodejs.org or "
                       "your system's packages), then export again.")
    with tempfile.TemporaryDirectory() as name:
        names = [f"@litertjs/{package}@{VERSION}" for package in PACKAGES]
        done = subprocess.run([npm, "pack", "--silent", *names], cwd=name, capture_output=True, text=True)
        archives = [Path(name) / f"litertjs-{package}-{VERSION}.tgz" for package in PACKAGES]
        if done.returncode or not all(archive.exists() for archive in archives):
            said = (done.stderr or done.stdout).strip()[-300:]
            raise WebError(f"npm could not fetch {' and '.join(names)}: {said}. The page "
                           "needs them once, while it is made; look at your network or npm's registry, then export again.")
        for package, archive in zip(PACKAGES, archives):
            with tarfile.open(archive) as packed:
                packed.extractall(Path(name) / package, filter="data")
            shutil.copytree(Path(name) / package / "package" / "dist", folder / package,
                            ignore=shutil.ignore_patterns("*.map", "*.d.ts", "metafile*"))
        (folder / "wasm").mkdir()
        for file in WASM:
            shutil.copy(Path(name) / "core" / "package" / "wasm" / file, folder / "wasm" / file)
