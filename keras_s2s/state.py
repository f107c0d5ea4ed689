"""What a run knows of itself beside its variables, as a file that holds its own digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

NAME = re.compile(r"(?:step|best)-\d{8,}\.npz")  # of a file of arrays: never a path


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or of another model; or it cannot be written."""


class Damaged(CheckpointError):
    """A file is missing or not as it was written: the one before may do."""


@dataclass
class State:
    """What a run knows of itself beside its variables, after `step` steps.

    Where `sums` is not empty the run is in an epoch, or at the last step of one that is not evaluated yet.
    """

    step: int = 0  # optimizer steps done
    best: float | None = None  # dev score of the best weights: higher is better (a loss counts negative)
    best_epoch: int = 0
    waited: int = 0  # evaluations since
    seconds: float = 0.0  # of training, over all sittings
    sums: dict[str, float] = field(default_factory=dict)  # over the batches of the epoch begun: tokens, seconds, loss, ...
    history: list[dict[str, float]] = field(default_factory=list)  # one entry for each epoch that is done
    files: dict[str, str] = field(default_factory=dict)  # the step file's and the best file's name -> SHA-256
    made_of: dict[str, str] = field(default_factory=dict)  # vocabularies and pairs it was trained on: name -> SHA-256
    config: dict[str, Any] = field(default_factory=dict)  # the settings it was trained with

    def to_json(self) -> bytes:
        """The state and, beside it, its own digest."""
        tree = dataclasses.asdict(self)
        return json.dumps({"sha256": digest(_canonical(tree)), "state": tree}, indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> State:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: cut off or changed.
            CheckpointError: whole, but of another version.
        """
        tree = json.loads(content)
        if not isinstance(tree, dict) or tree.get("sha256") != digest(_canonical(tree.get("state"))):
            raise ValueError("its SHA-256 is not the one that it holds")
        tree, empty = tree["state"], dataclasses.asdict(cls())
        if not isinstance(tree, dict) or set(tree) != set(empty):
            raise CheckpointError("it was written by another version of keras_s2s: use that one, or train again")
        same = all(isinstance(tree[name], type(value)) for name, value in empty.items() if name != "best")
        if not same or not all(NAME.fullmatch(name) for name in tree["files"]):
            raise CheckpointError("it holds what no version of keras_s2s writes")
        return cls(**tree)

    def done(self, epochs: int, patience: int) -> bool:
        """Whether nothing is left to train: all epochs are done, or so many evaluations brought nothing better."""
        return len(self.history) >= epochs or 0 < patience <= self.waited

    def named(self, kind: str) -> str | None:
        """The name of the file of that kind, "step" or "best", if there is one."""
        return next((name for name in self.files if name.startswith(kind)), None)


def digest(content: bytes) -> str:
    """SHA-256 as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _canonical(tree: Any) -> bytes:
    return json.dumps(tree, sort_keys=True).encode()
