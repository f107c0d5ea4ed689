"""What is proved of every phone file, whatever is in it: built, decoded, compared, measured, published or refused."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from export import flatbuffer, saved_model
from export.runtime import quantiles
from export.tflite import FILES, Phone, candidate
from keras_s2s.files import write_whole
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, versions
from keras_s2s.terminal import say

__all__ = ["ParityError", "Proof", "quantiles"]


class ParityError(ValueError):
    """An exported file does not say what the model says."""


class Proof:
    """What is found out about the exports of a run; a subclass knows what answers are and how they are compared.

    Args:
        run: whose.
        phone: the module that the files were made of.
        answers: how many of the dev set are compared.
    """

    def __init__(self, run: Run, phone: Phone, answers: int):
        self.run, self.search = run, phone.search
        self.path = run.export / "report.json"
        before = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        litert = {"ai-edge-litert": importlib.metadata.version("ai-edge-litert")}
        self.tree: dict[str, Any] = {
            "sentences": answers, "fitting": answers, "sizes": dataclasses.asdict(phone.sizes),
            "search": dataclasses.asdict(phone.search), "versions": {**versions(), **litert},
            "files": {name: entry for name, entry in before.get("files", {}).items() if (run.export / name).exists()}}

    def served(self) -> Path:
        """Where the SavedModel lies, which is made (again) if it is missing or older than the weights."""
        path = self.run.export / "saved_model"
        newest = max(file.stat().st_mtime for file in (self.run.path / "checkpoints").glob("*"))
        if not (path / "saved_model.pb").exists() or (path / "saved_model.pb").stat().st_mtime < newest:
            saved_model.export(self.run)
        return path

    def file(self, quantize: str, content: bytes, max_drop: float) -> str:
        """Decodes with a file and publishes it if it passes; returns what is wrong with it, "" if nothing is.

        Raises:
            ValueError: something in it is not built in, see `flatbuffer.require_builtins`.
        """
        lying = candidate(self.run.export, quantize)
        write_whole(lying, content)
        try:
            model = flatbuffer.read(content)
            flatbuffer.require_builtins(model)
            entry = {"quantize": quantize, **self.measure(lying), "bytes": len(content),
                     "constant_bytes": flatbuffer.constant_bytes(model), "operations": flatbuffer.operations(model),
                     "smallest_runtime": flatbuffer.smallest_runtime(model),
                     "signatures": {name: found._asdict() for name, found in flatbuffer.signatures(model).items()}}
            problem = self.problem(entry, quantize, max_drop)
            if not problem:
                lying.replace(self.run.export / FILES[quantize])
        finally:
            lying.unlink(missing_ok=True)
        entry["problem"], entry["passed"] = problem, not problem
        self.tree["files"][FILES[quantize]] = entry
        say(self.summary(FILES[quantize], entry))
        return problem and f"{FILES[quantize]} is not published: {problem}\n{self.differing(entry)}".rstrip()

    def write(self) -> None:
        """Writes the report."""
        write_whole(self.path, (json.dumps(self.tree, indent=2, ensure_ascii=False) + "\n").encode())

    def saved_model(self, predictor: Predictor) -> None:
        """Compares the SavedModel with Keras."""
        raise NotImplementedError

    def measure(self, path: Path) -> dict[str, Any]:
        """Decodes with a file and compares it with Keras."""
        raise NotImplementedError

    def problem(self, entry: dict[str, Any], quantize: str, max_drop: float) -> str:
        """What is wrong with a file; "" if it passes."""
        raise NotImplementedError

    def summary(self, name: str, entry: dict[str, Any]) -> str:
        """A file in a line."""
        raise NotImplementedError

    def differing(self, entry: dict[str, Any]) -> str:
        """Some answers that are not Keras's; "" where there is nothing to read."""
        return ""
