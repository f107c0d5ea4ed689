"""Series on either side: what a source and a target of series have in common."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from keras_s2s.config import Config
from keras_s2s.kinds import Kind
from keras_s2s.scaling import Scaling


class Scaled(Kind):
    """Tables of series, scaled by what training taught of them.

    Args:
        config: the run's configuration.
        scaling: of all series that are read.

    Attributes:
        side: source or target; the file is called by it.
        whole: the scaling of all series.
        scaling: of those that are this side's; all of them unless a target picks some.
    """

    side: str

    def __init__(self, config: Config, scaling: Scaling):
        super().__init__(config)
        self.whole = self.scaling = scaling

    @classmethod
    def fit(cls, config: Config, raws: Iterable[Any]) -> Self:
        return cls(config, Scaling.fit(config.series, raws))

    @classmethod
    def load(cls, config: Config, folder: Path) -> Self:
        return cls(config, Scaling.load(folder / f"{cls.side}.json"))

    def save(self, folder: Path) -> None:
        self.whole.save(folder / f"{self.side}.json")

    def like(self, other: Kind) -> bool:
        return isinstance(other, Scaled) and (self.whole, self.config.series) == (other.whole, other.config.series)

    def summary(self) -> str:
        return self.scaling.summary()

    def batch(self, raws: Any) -> np.ndarray:
        return np.asarray(raws, np.float64).reshape(-1, *self.signature.shape[1:])
