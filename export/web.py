"""A page for any static server: RUN/export/web, with phone files and LiteRT.js in it; works offline.

    python -m http.server --directory runs/mine/export/web

LiteRT.js comes from npm once, when the page is made, and lies in the folder: the page loads nothing from elsewhere.

Of several runs it has a tab for each. The page reads page.json:

    {"title": "Translator", "runs": [{"kind": "text", "title": "Translator", "model": "model.tflite", ...}]}

A kind of page is an entry in TABS, by what the run's command is called, and a module web_page/kinds/KIND.js (see app.js).
What the module has to know of the model beside the file is what `Tab.facts` says of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from export import parity
from export.tflite import FILES, Phone, Sizes
from keras_s2s.analogy import LEAST, MOST
from keras_s2s.run import Run, lexicon
from keras_s2s.sources.series import SeriesSource
from keras_s2s.targets.series import SeriesTarget
from keras_s2s.terminal import say

PAGE = Path(__file__).parent / "web_page"
FONT = Path(__file__).parents[1] / "keras_s2s" / "fonts"
TOKENS = ("words", "characters")  # that analogies.js can count
VERSION = "2.5.3"
PACKAGES = ("core", "wasm-utils")  # of @litertjs
# Without threads and JSPI, which need headers that a plain static server does not send; `compat` is for older processors.
WASM = ("litert_wasm_internal.js", "litert_wasm_internal.wasm", "litert_wasm_compat_internal.js",
        "litert_wasm_compat_internal.wasm")


class WebError(ValueError):
    """The page cannot be made."""


class Tab(NamedTuple):
    """What a page has for the runs of a command."""

    kind: str  # of web_page/kinds/KIND.js
    title: str
    facts: Callable[[Phone], dict[str, Any]] = lambda phone: {}  # what that module must know


def _series(phone: Phone) -> dict[str, Any]:
    """Of a table that is forecast: its columns, its steps."""
    source, target = cast(SeriesSource, phone.model.source), cast(SeriesTarget, phone.model.target)
    config, layout = source.config.series, source.scaling.layout
    return {"time": layout.time, "columns": list(layout.columns), "targets": list(target.scaling.layout.columns),
            "step": layout.step, "dated": layout.dated, "window": config.window, "horizon": config.horizon,
            "calendar": bool(config.calendar), "regular": config.regular, "fill": config.fill}


TABS = {"translate": Tab("text", "Translator"), "complete": Tab("complete", "Next words"),
        "forecast": Tab("series", "Forecast", _series),
        "transcribe": Tab("audio", "Speech", lambda phone: {"rate": cast(Any, phone.model.config).audio.sample_rate}),
        "caption": Tab("image", "Captions", lambda phone: {"fit": cast(Any, phone.model.config).image.fit})}


def export(runs: Sequence[Run], quantize: str = "int8", sizes: Sizes = Sizes(), max_bleu_drop: float = parity.MAX_BLEU_DROP,
           fetch: Callable[[Path], None] | None = None, pairs: bool = False) -> Path:
    """Writes export/web of the first run, whole or not at all; returns its path.

    Args:
        runs: trained runs, a tab each.
        quantize: of the files in it; made and proved first.
        sizes, max_bleu_drop: of the files.
        fetch: puts LiteRT.js into a folder; from npm when not given.
        pairs: the training pairs go into the page too, of runs that look them up (`search.analogy`).

    Raises:
        WebError: npm is missing or cannot fetch LiteRT.js; a run has no page; pairs are asked for and none looks them up.
        ParityError: a file does not say what the model says.
    """
    looking = [run for run in runs if pairs and _looks_up(run)]
    if pairs and not looking:
        raise WebError("--pairs is of runs that look up training pairs to say words or characters, by `search.analogy`, as "
                       "those of --preset g2p and transliteration do. Leave it out.")
    path, temporary = runs[0].export / "web", runs[0].export / f".web.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        shutil.copytree(PAGE, temporary)
        (fetch or fetch_litert)(temporary / "litert")
        tabs = []
        for number, run in enumerate(runs, 1):
            phone, suffix = parity.export(run, [quantize], sizes, max_bleu_drop), "" if number == 1 else f"-{number}"
            tabs.append(_tab(phone) | {"model": f"model{suffix}.tflite"})
            shutil.copy(run.export / FILES[quantize], temporary / tabs[-1]["model"])
            if run in looking:
                tabs[-1]["pairs"] = f"pairs{suffix}.json"
                _write(temporary / tabs[-1]["pairs"], analogies(run, phone.model), indent=None)
        _name(tabs, runs)
        title = tabs[0]["title"] if len(runs) == 1 else "Models"
        _write(temporary / "page.json", {"title": title, "runs": tabs})
        manifest = json.loads((PAGE / "manifest.webmanifest").read_text())
        _write(temporary / "manifest.webmanifest", manifest | {"name": title, "short_name": title})
        for name in ("NotoSansDevanagari-Regular.ttf", "OFL.txt"):
            shutil.copy(FONT / name, temporary / name)
        _list_files(temporary)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    say(f"exported {path}; look at it with: python -m http.server --directory {path}")
    return path


def _tab(phone: Phone) -> dict[str, Any]:
    """The entry of a run in page.json."""
    command = phone.model.source.command
    if command not in TABS:
        raise WebError(f"a page has no tab for runs that {command}; it has for those that {', '.join(TABS)}. "
                       "Export the run with --format tflite.")
    tab = TABS[command]
    return {"kind": tab.kind, "title": tab.title, **tab.facts(phone)}


def _name(tabs: list[dict[str, Any]], runs: Sequence[Run]) -> None:
    """Tabs of one title are told apart by their runs' names."""
    titles = [tab["title"] for tab in tabs]
    for tab, run in zip(tabs, runs):
        if titles.count(tab["title"]) > 1:
            tab["title"] = f"{tab['title']}: {run.path.resolve().name}"


def _looks_up(run: Run) -> bool:
    return run.config.search.analogy > 0 and run.config.data.target_tokenizer in TOKENS


def analogies(run: Run, model: Any) -> dict[str, Any]:
    """What analogies.js is made of: all training pairs, and how they are weighed.

    Raises:
        CorpusError: the training set is not there.
    """
    search = run.config.search
    return {"weight": search.analogy, "length_penalty": search.length_penalty, "least": LEAST, "most": MOST,
            "words": run.config.data.target_tokenizer == "words", "pairs": list(lexicon(run, model).pairs())}


def _write(path: Path, tree: Any, indent: int | None = 1) -> None:
    path.write_text(json.dumps(tree, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


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
