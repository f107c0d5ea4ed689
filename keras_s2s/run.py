"""A run directory: everything needed to translate, resume or export, in one folder that can be moved.

    runs/NAME/  config.json  assets/  data/  checkpoints/  logs/  metrics.json  rejects.tsv  export/
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

from keras_s2s.config import Config, Search
from keras_s2s.files import write_whole

VERSIONED = ("keras_s2s", "tensorflow", "keras", "tensorflow-text", "sentencepiece", "sacrebleu")


class RunError(ValueError):
    """A run directory cannot be made or read."""


class Run:
    """The paths of a run and its small files.

    Args:
        path: the run directory.
        config: its configuration.
    """

    def __init__(self, path: Path, config: Config):
        self.path, self.config = path, config
        self.assets, self.data = path / "assets", path / "data"
        self.logs, self.export = path / "logs", path / "export"

    @property
    def checkpoints(self) -> Any:
        from keras_s2s.checkpoints import Checkpoints

        return Checkpoints(self.path / "checkpoints")

    @classmethod
    def create(cls, path: Path, config: Config) -> Run:
        """Makes the directory and writes config.json.

        Raises:
            RunError: there is something at `path` already.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(f"{path} exists already. Continue it with --resume, or choose another name with --run.")
        run = cls(path, config)
        path.mkdir(parents=True, exist_ok=True)
        run.save_config()
        return run

    @classmethod
    def open(cls, path: Path) -> Run:
        """Reads a run's configuration.

        Raises:
            RunError: no run, or one that this version cannot read.
        """
        path = Path(path)
        file = path / "config.json"
        if not file.is_file():
            raise RunError(f"{path} is not a run: it has no config.json. " + _known(path.parent))
        try:
            return cls(path, Config.from_json(file.read_text(encoding="utf-8")))
        except (ValueError, OSError) as error:
            raise RunError(f"{file} cannot be used: {error}") from None

    def save_config(self) -> None:
        tree = json.loads(self.config.to_json())
        tree["versions"] = versions()
        write_whole(self.path / "config.json", (json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode())

    def save_metrics(self, **metrics: Any) -> None:
        """Adds to metrics.json, or replaces what it says under the same names."""
        tree = {**self.metrics(), **metrics}
        write_whole(self.path / "metrics.json", (json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode())

    def metrics(self) -> dict[str, Any]:
        """What metrics.json says; empty before the first evaluation."""
        file = self.path / "metrics.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def splits(self) -> list[str]:
        """Names of the data sets in data/: train, dev, test, ..."""
        known = {"train": 0, "dev": 1, "test": 2}
        return sorted((file.stem for file in self.data.glob("*.tsv")), key=lambda name: (known.get(name, 3), name))


def versions() -> dict[str, str]:
    """Installed versions of what a result depends on."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def build(run: Run) -> Any:
    """The run's `EncoderDecoder` with fresh weights, its vocabularies read from assets/."""
    import keras

    from keras_s2s.model import EncoderDecoder
    from keras_s2s.sources import SOURCES
    from keras_s2s.targets import TARGETS

    keras.config.set_dtype_policy(run.config.train.precision)
    source = SOURCES[run.config.data.source].load(run.config, run.assets)
    target = TARGETS[run.config.data.target].load(run.config, run.assets)
    return EncoderDecoder(run.config, source, target)


def load(path: str | Path, search: Search | None = None) -> Any:
    """Opens a trained run.

        model = keras_s2s.load("runs/mine")
        model.translate(["How are you?"])

    Args:
        path: the run directory, wherever it lies now.
        search: how to search; the run's own settings where not given.

    Returns:
        a `keras_s2s.predictor.Predictor`, with `training_model`, `encoder_model` and `decoder_model` on it.

    Raises:
        ValueError: not a run, not trained yet, damaged, or of another version; the message says which and what to do.
    """
    from keras_s2s.predictor import Predictor

    run = Run.open(Path(path))
    model = build(run)
    run.checkpoints.restore_best(model.training_model.weights)
    return Predictor(model, search)


def _known(folder: Path) -> str:
    runs = sorted(file.parent.name for file in folder.glob("*/config.json")) if folder.is_dir() else []
    return f"Runs in {folder}: {', '.join(runs)}." if runs else f"There are no runs in {folder}."
