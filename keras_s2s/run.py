"""A run directory: everything needed to translate, resume or export, in one folder that can be moved.

    runs/NAME/  config.json  assets/  data/  checkpoints/  logs/  metrics.json  rejects.tsv  export/  lock
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import shlex
from pathlib import Path
from typing import Any

from keras_s2s import lock
from keras_s2s.config import Config, Data, Search
from keras_s2s.corpora import corpus_of
from keras_s2s.corpus import split_names
from keras_s2s.files import write_whole
from keras_s2s.state import State
from keras_s2s.terminal import load_tensorflow

VERSIONED = ("keras_s2s", "tensorflow", "keras", "tensorflow-text", "sentencepiece", "sacrebleu")
SPLITS_OF_PHRASEBOOK = {"train": ("train",), "dev": ("dev",), "test": ("test", "free")}
OF_THE_MODEL = ("data.source", "data.target", "data.source_tokenizer", "data.target_tokenizer")  # and these sections:
NOT_OF_THE_MODEL = ("data", "train", "search", "watch")
SECTIONS_OF_THE_MODEL = tuple(field.name for field in dataclasses.fields(Config) if field.name not in NOT_OF_THE_MODEL)
MAY_CHANGE = ("train.epochs", "train.patience", "train.save_every_steps", "train.save_every_minutes")  # on resuming


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
        """Makes the directory, claims it and writes config.json.

        Raises:
            RunError: there is something at `path` already.
            LockedError: another process has just begun to train there.
        """
        if path.exists() and (not path.is_dir() or any(not _is_trace(file) for file in path.iterdir())):
            raise RunError(f"{path} exists already. Continue it with --resume, or choose another name with --run.")
        run = cls(path, config)
        path.mkdir(parents=True, exist_ok=True)
        run.claim()
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
        try:
            tree = json.loads(file.read_bytes()) if file.exists() else {}
        except ValueError as error:
            raise RunError(f"{file} is damaged: {error}. Delete it, and have it made again with: "
                           f"{resume_command(self.path)}") from None
        return tree if isinstance(tree, dict) else {}

    @property
    def corpus(self) -> Data:
        """The settings of the data, the files of the phrasebook in the place of those that are not given."""
        data = self.config.data
        if data.train:
            return data
        files = {side: tuple(str(self.path / "phrasebook" / f"{name}.tsv") for name in names)
                 for side, names in SPLITS_OF_PHRASEBOOK.items()}
        return dataclasses.replace(data, train=files["train"], dev=data.dev or files["dev"],
                                   test=data.test or files["test"])

    def splits(self) -> list[str]:
        """Names of the data sets in data/: train, dev, test, ..."""
        return [name for name in split_names(self.corpus) if self.file(name).exists()]

    def file(self, name: str) -> Path:
        """Where a data set lies."""
        return self.data / f"{name}{corpus_of(self.config).suffix}"

    def rows(self, name: str) -> Any:
        """The pairs of a data set by number.

        Raises:
            CorpusError: they cannot be read.
        """
        return corpus_of(self.config).rows(self.file(name), self.config, name == "train")

    def claim(self) -> None:
        """Keeps other trainings away until this process ends."""
        lock.claim(self.path)

    def made_of(self) -> dict[str, str]:
        """What the run is trained on: the name of each vocabulary and of the sets of pairs -> SHA-256."""
        parts = corpus_of(self.config).parts
        files = [*sorted(self.assets.glob("[!.]*")), *(part for name in ("train", "dev") for part in parts(self.file(name)))]
        return {file.relative_to(self.path).as_posix(): _sha256(file) for file in files if file.is_file()}

    def require_unchanged(self, state: State, training: bool = False) -> None:
        """Compares config.json and the files with what the checkpoints were trained with.

        Args:
            state: of the checkpoint.
            training: it is to be trained further, so that pairs and settings of the training matter as well.

        Raises:
            RunError: they differ; the message names what does.
        """
        now = self.made_of()
        names = [name for name in state.made_of if training or name.startswith("assets/")]
        missing = [name for name in names if name not in now]
        if missing:
            raise RunError(f"{self.path} lacks {', '.join(missing)}, with which it was trained. Copy the whole run directory "
                           "again.")
        changed = [name for name in names if now[name] != state.made_of[name]]
        for section, fields in json.loads(json.dumps(dataclasses.asdict(self.config))).items():  # tuples as a state has them
            for name, value in fields.items():
                then, full = state.config.get(section, {}).get(name, value), f"{section}.{name}"
                matters = section in ("data", "train", *SECTIONS_OF_THE_MODEL) and full not in MAY_CHANGE if training else (
                    section in SECTIONS_OF_THE_MODEL or full in OF_THE_MODEL)
                if matters and then != value:
                    changed.append(f"{full} in config.json (it was {then!r}, it is {value!r})")
        if changed:
            raise RunError(f"{self.path} was changed after its training: {', '.join(changed)}. Put back what was there, or "
                           "start a new run under another name.")


def resume_command(path: Path) -> str:
    """What to type to go on with a run."""
    return f"python train.py --run {shlex.quote(str(path))} --resume"


def versions() -> dict[str, str]:
    """Installed versions of what a result depends on."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def build(run: Run, precision: str = "float32") -> Any:
    """The run's `EncoderDecoder` with fresh weights, its vocabularies read from assets/."""
    load_tensorflow()
    import keras

    from keras_s2s.model import EncoderDecoder
    from keras_s2s.sources import SOURCES
    from keras_s2s.targets import TARGETS

    keras.config.set_dtype_policy(precision)
    source = SOURCES[run.config.data.source].load(run.config, run.assets)
    target = TARGETS[run.config.data.target].load(run.config, run.assets)
    return EncoderDecoder(run.config, source, target)


def load(path: str | Path, search: Search | None = None) -> Any:
    """Opens a trained run; it answers in float32, whatever precision it was trained in.

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
    run = Run.open(Path(path))
    state = run.checkpoints.load_state()
    if state is None:
        raise run.checkpoints.untrained()
    run.require_unchanged(state)
    model = build(run)
    run.checkpoints.restore_best(model.training_model.weights)
    from keras_s2s.predictor import Predictor

    return Predictor(model, search, lexicon(run, model))


def lexicon(run: Run, model: Any) -> Any:
    """What a shortlist of the run's model is taken from."""
    from keras_s2s.shortlist import Lexicon

    return Lexicon(run.path / "shortlist.npy", lambda: run.rows("train"), model.source, model.target)


def _sha256(file: Path) -> str:
    found = hashlib.sha256()
    with open(file, "rb") as content:
        while chunk := content.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def _is_trace(file: Path) -> bool:
    """Whether the file is all that a run that was killed at once leaves."""
    return file.name == lock.NAME or file.name.startswith(".") and file.suffix == ".tmp"


def _known(folder: Path) -> str:
    runs = sorted(file.parent.name for file in folder.glob("*/config.json")) if folder.is_dir() else []
    return f"Runs in {folder}: {', '.join(runs)}." if runs else f"There are no runs in {folder}."
