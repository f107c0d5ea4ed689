"""Training's state on disk: arrays with digests, the newest that verifies is used.

    checkpoints/best-00000903.npz   the weights that scored best on the dev set, after that many steps
    checkpoints/step-00001032.npz   every variable of model and optimizer after that many steps
    checkpoints/step-00001032.json  the run's state at that step, with the digests of both; written last

A state and the files it names belong together. Two states are kept with their files, so that where one is damaged the one
before takes its place and training goes on from there, step for step as before. Files hold arrays only: loading one
never runs anything.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_s2s.files import write_whole
from keras_s2s.state import CheckpointError, Damaged, State, digest
from keras_s2s.terminal import say

if TYPE_CHECKING:
    import keras

__all__ = ["CheckpointError", "Checkpoints", "State"]

KEPT = 2  # states, with their files


class Checkpoints:
    """The folder of one run's checkpoints.

    Args:
        folder: runs/NAME/checkpoints.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def save(self, state: State, variables: Sequence[keras.Variable]) -> None:
        """Writes all variables, then the state that names them; what no kept state names goes.

        Raises:
            CheckpointError: the disk is full or may not be written; the saves before are as they were.
        """
        for name in [name for name in state.files if name.startswith("step")]:
            del state.files[name]
        self._write(f"step-{state.step:08d}.npz", state, variables)
        self._to_disk(f"step-{state.step:08d}.json", state.to_json())
        self._prune()

    def save_best(self, state: State, weights: Sequence[keras.Variable]) -> None:
        """Writes the best weights so far, for the next save to name; until then the one before names those before."""
        for name in [name for name in state.files if name.startswith("best")]:
            del state.files[name]
        self._write(f"best-{state.step:08d}.npz", state, weights)

    def load_state(self) -> State | None:
        """The newest state that can be read, or None where there is none.

        Raises:
            CheckpointError: there are some, and none can be read.
        """
        problems: list[str] = []
        for path in self._states():
            with _noting(problems):
                return self._state(path)
        _require_none(problems)
        return None

    def restore(self, variables: Sequence[keras.Variable]) -> State | None:
        """Loads the newest state whose files all verify into `variables`; None where none was ever saved.

        What is damaged is named and kept aside as *.damaged. Where every state's best weights are damaged and nothing else,
        the newest goes on without them: the next evaluation finds new ones.

        Raises:
            CheckpointError: there are saves, and none verifies; or they are of another model.
        """
        problems: list[str] = []
        whole = []
        paths = self._states()
        for path in paths:
            with _noting(problems):
                state = self._state(path)
                whole.append((path, state, self._arrays(state, "step", variables)))
                self._content(state, "best")
                break
        else:
            del whole[1:]
            if whole:
                self._forget_best(whole[0][1])
        if not whole:
            _require_none(problems)
            return None
        path, state, arrays = whole[-1]
        for problem in problems:
            say(f"warning: {problem} It is kept aside as *.damaged.")
        for newer in paths[:paths.index(path)]:
            self._keep_aside(newer.name, newer.with_suffix(".npz").name)
        for variable, value in zip(variables, arrays):
            variable.assign(value)
        return state

    def restore_best(self, weights: Sequence[keras.Variable]) -> State:
        """Loads the best weights; returns the state that names them.

        Raises:
            CheckpointError: there are none yet, or they are damaged.
        """
        while True:
            problems: list[str] = []
            paths = self._states()
            for path in paths:
                with _noting(problems):
                    state = self._state(path)
                    if state.named("best"):
                        for variable, value in zip(weights, self._arrays(state, "best", weights)):
                            variable.assign(value)
                        for problem in problems:
                            say(f"warning: {problem} The weights that were best before are used.")
                        return state
            if paths == self._states():  # else a training has saved and tidied up meanwhile
                break
        _require_none(problems)
        raise self.untrained()

    def untrained(self) -> CheckpointError:
        """The error of a run that there is nothing to load of."""
        return CheckpointError(f"{self.folder.parent} holds no trained weights yet: its training has not reached its first "
                               f"evaluation. Continue it with: python train.py --run {self.folder.parent} --resume")

    def _states(self) -> list[Path]:
        """The files of states, the newest first."""
        return sorted(self.folder.glob("step-*.json"), reverse=True)

    def _state(self, path: Path) -> State:
        try:
            return State.from_json(path.read_bytes())
        except OSError as error:
            raise Damaged(f"{path} cannot be read: {error.strerror}.") from None
        except CheckpointError as error:
            raise CheckpointError(f"{path} cannot be used: {error}.") from None
        except (ValueError, RecursionError) as error:
            raise Damaged(f"{path} is damaged: {error}.") from None

    def _content(self, state: State, kind: str) -> bytes:
        """The verified bytes of the file of that kind that the state names; none where it names none."""
        name = state.named(kind)
        if name is None:
            return b""
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise Damaged(f"{self.folder / name} cannot be read: {error.strerror}.") from None
        if digest(content) != state.files[name]:
            raise Damaged(f"{self.folder / name} is damaged: its SHA-256 is not the one that was written down.")
        return content

    def _arrays(self, state: State, kind: str, variables: Sequence[keras.Variable]) -> list[np.ndarray]:
        path = self.folder / str(state.named(kind))
        content = self._content(state, kind)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                values = [arrays[key] for key in sorted(arrays.files)]
        except (ValueError, TypeError, KeyError, EOFError, OSError, MemoryError, zipfile.BadZipFile) as error:
            raise Damaged(f"{path} is not a checkpoint: {error}.") from None
        wanted = [(tuple(v.shape), np.dtype(v.dtype)) for v in variables]
        if [(value.shape, value.dtype) for value in values] != wanted:
            raise CheckpointError(f"{path} does not fit the model that config.json describes: it has {len(values)} arrays, "
                                  f"the model {len(wanted)}, or their shapes differ. Was config.json or assets/ changed?")
        return values

    def _write(self, name: str, state: State, variables: Sequence[keras.Variable]) -> None:
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {_key(i, v): np.asarray(v.value) for i, v in enumerate(variables)}
        np.savez(buffer, **arrays)
        self._to_disk(name, buffer.getvalue())
        state.files[name] = digest(buffer.getvalue())

    def _to_disk(self, name: str, content: bytes) -> None:
        try:
            write_whole(self.folder / name, content)
        except OSError as error:
            raise CheckpointError(
                f"{self.folder / name} cannot be written: {error.strerror}. What was saved before is as it was. Make room for "
                f"{len(content) / 1e6:,.0f} MB there, and go on from it with --resume.") from None

    def _prune(self) -> None:
        """Deletes what no kept state names, and what a killed process left half written; never a *.damaged."""
        states = self._states()[:KEPT]
        kept = {path.name for path in states}
        for path in states:
            with contextlib.suppress(Damaged):
                kept |= set(self._state(path).files)
        for pattern in ("step-*.json", "step-*.npz", "best-*.npz", ".*.tmp"):
            for path in self.folder.glob(pattern):
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def _forget_best(self, state: State) -> None:
        name = str(state.named("best"))
        self._keep_aside(name)
        del state.files[name]
        state.best = None

    def _keep_aside(self, *names: str) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (self.folder / name).replace(self.folder / f"{name}.damaged")


@contextlib.contextmanager
def _noting(problems: list[str]) -> Iterator[None]:
    """Within, damage is noted and no error: the caller looks further."""
    try:
        yield
    except Damaged as error:
        problems.append(str(error))


def _require_none(problems: list[str]) -> None:
    """Raises CheckpointError unless there was no state at all."""
    if problems:
        raise CheckpointError(" ".join(problems) + " Nothing saved before it is left: copy the run from elsewhere, or train "
                              "again under another name.")


def _key(i: int, variable: keras.Variable) -> str:
    """Position first, since Keras numbers some names anew in each process."""
    return f"{i:04d} {variable.path.replace('/', '.')}"
