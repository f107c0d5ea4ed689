"""Training's state on disk: arrays with digests, the newest that verifies is used.

    checkpoints/step-00001234.npz   every variable of model and optimizer after that many steps
    checkpoints/best.npz            the weights that scored best on the dev set
    checkpoints/state.json          which file, its SHA-256, and what the run knows of itself; written last

Files hold arrays only: loading one never runs anything.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_s2s.files import write_whole

KEPT = 2  # step files


@dataclass
class State:
    """What a run knows of itself beside its variables."""

    step: int = 0  # optimizer steps done
    best: float | None = None  # dev score of best.npz: higher is better (a loss counts negative)
    best_epoch: int = 0
    waited: int = 0  # evaluations since
    seconds: float = 0.0  # of training, over all sittings
    history: list[dict[str, float]] = field(default_factory=list)  # one entry an epoch
    files: dict[str, str] = field(default_factory=dict)  # file name -> SHA-256
    finished: bool = False


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or of another model."""


class Checkpoints:
    """The folder of one run's checkpoints.

    Args:
        folder: runs/NAME/checkpoints.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def save(self, state: State, variables: Sequence[keras.Variable]) -> None:
        """Writes all variables, then the state that names them; older step files go, but for the last two."""
        name = f"step-{state.step:08d}.npz"
        state.files[name] = self._write(name, variables)
        steps = sorted(file for file in state.files if file.startswith("step-"))
        gone = [state.files.pop(file) and file for file in steps[:-KEPT]]
        self.save_state(state)
        for file in gone:
            (self.folder / file).unlink(missing_ok=True)

    def save_best(self, state: State, weights: Sequence[keras.Variable]) -> None:
        """Writes the best weights so far. The state on disk follows at once, so that the two always agree."""
        state.files["best.npz"] = self._write("best.npz", weights)
        self.save_state(state)

    def save_state(self, state: State) -> None:
        content = json.dumps(dataclasses.asdict(state), indent=1)
        write_whole(self.folder / "state.json", content.encode())

    def load_state(self) -> State | None:
        """The state on disk, or None where there is none.

        Raises:
            CheckpointError: it cannot be read.
        """
        path = self.folder / "state.json"
        if not path.exists():
            return None
        try:
            tree = json.loads(path.read_text())
            return State(**{name.name: tree[name.name] for name in dataclasses.fields(State)})
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} cannot be read ({error!r}). Restore it from a copy, or train again.") from None

    def restore(self, state: State, variables: Sequence[keras.Variable]) -> str:
        """Loads the newest step file that verifies into `variables`; returns its name and sets `state.step`."""
        problems = []
        for name in sorted((file for file in state.files if file.startswith("step-")), reverse=True):
            try:
                self._read(name, state, variables)
            except CheckpointError as error:
                problems.append(str(error))
                continue
            state.step = int(name[5:13])
            return name
        raise CheckpointError(" ".join(problems) or f"there is no checkpoint in {self.folder}; train without --resume.")

    def restore_best(self, weights: Sequence[keras.Variable]) -> None:
        """Loads the best weights.

        Raises:
            CheckpointError: there are none yet, or they are damaged.
        """
        state = self.load_state()
        if state is None or "best.npz" not in state.files:
            raise CheckpointError(f"{self.folder.parent} holds no trained weights yet: its training has not reached its "
                                  f"first evaluation. Continue it with: python train.py --run {self.folder.parent} --resume")
        self._read("best.npz", state, weights)

    def _write(self, name: str, variables: Sequence[keras.Variable]) -> str:
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {_key(i, v): keras.ops.convert_to_numpy(v.value) for i, v in enumerate(variables)}
        np.savez(buffer, **arrays)
        content = buffer.getvalue()
        write_whole(self.folder / name, content)
        return hashlib.sha256(content).hexdigest()

    def _read(self, name: str, state: State, variables: Sequence[keras.Variable]) -> None:
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from None
        if hashlib.sha256(content).hexdigest() != state.files[name]:
            raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one in state.json.")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                values = [arrays[key] for key in sorted(arrays.files)]
        except (ValueError, zipfile.BadZipFile, KeyError) as error:
            raise CheckpointError(f"{path} is not a checkpoint: {error}.") from None
        wanted = [tuple(v.shape) for v in variables]
        if [value.shape for value in values] != wanted:
            raise CheckpointError(f"{path} does not fit the model that config.json describes: it has {len(values)} arrays, "
                                  f"the model {len(wanted)}, or their shapes differ. Was config.json or assets/ changed?")
        for variable, value in zip(variables, values):
            variable.assign(value)


def _key(i: int, variable: keras.Variable) -> str:
    """Position first, since Keras numbers some names anew in each process."""
    return f"{i:04d} {variable.path.replace('/', '.')}"
