"""Several models that answer together: at each step the mean of what they foretell.

    predictor = load_together(["runs/a", "runs/b", "runs/c"])     # answers, scores and teaches as one model does

Models differ in what they learnt, and so do their mistakes; the mean is wrong only where most are (Sutskever et al., 2014,
table 1). It costs as much as its members together: `--teacher` makes one small model of it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_s2s.config import Search
from keras_s2s.encoder import Encoded
from keras_s2s.model import EncoderDecoder
from keras_s2s.predictor import Predictor
from keras_s2s.run import RunError, load


class Ensemble:
    """What a `Predictor` asks of an `EncoderDecoder`, of several.

    Args:
        models: at least one; they read and say the same steps.
    """

    def __init__(self, models: Sequence[EncoderDecoder]):
        self.models = list(models)
        first = self.models[0]
        self.config, self.source, self.target = first.config, first.source, first.target

    copies = False  # attention of which of them?

    @property
    def tracked(self) -> list[Any]:
        return [part for model in self.models for part in model.tracked]

    def encode(self, prepared) -> Encoded:
        """Encoded whose parts are lists, an entry for each model."""
        found = [model.encode(prepared) for model in self.models]
        return Encoded(*(list(part) for part in zip(*found)))

    def remember(self, encoded: Encoded) -> list[Any]:
        return [model.remember(Encoded(*parts)) for model, parts in zip(self.models, zip(*encoded))]

    def step(self, inputs, state: list[Any], memory: list[Any]):
        """One step of each: logits [B, V] of the mean, and the states."""
        return self._together([model.step for model in self.models], inputs, state, memory)

    def narrowed(self, listed, own, memory: list[Any]):
        """`step` and its memory among some tokens, as of one model."""
        steps, memories = zip(*(model.narrowed(listed, own, each) for model, each in zip(self.models, memory)))
        return functools.partial(self._together, steps), list(memories)

    def _together(self, steps, inputs, state: list[Any], memory: list[Any]):
        logits, states = zip(*(step(inputs, *own) for step, *own in zip(steps, state, memory)))
        return self.target.mean(logits), list(states)

    def foretell(self, prepared, target_in):
        """Logits [B, T, V] of given targets, teacher-forced."""
        return self.target.mean([model.foretell(prepared, target_in) for model in self.models])

    def alignments(self, prepared, target_in):
        """The mean attention weights [B, T, S] of those that have attention."""
        found = [model.alignments(prepared, target_in) for model in self.models if model.decoder.attention is not None]
        return sum(found) / len(found)

    def copied(self, raw, encoded: Encoded, found: Any) -> None:
        return None


def load_together(paths: Sequence[str | Path], search: Search | None = None) -> Predictor:
    """Opens trained runs that answer together; one alone answers as `load` has it.

    Args:
        paths: the run directories; the first one's settings hold where nothing else is said.
        search: how to search; the first run's own settings where not given.

    Raises:
        RunError: their vocabularies, or what else they make of source and target, differ.
        ValueError: one of them is no trained run.
    """
    predictors = [load(path, search) for path in paths]
    if len(predictors) == 1:
        return predictors[0]
    first, *others = (predictor.model for predictor in predictors)
    for path, model in zip(paths[1:], others):
        for side in ("source", "target"):
            if not getattr(first, side).like(getattr(model, side)):
                raise RunError(f"runs that answer together must have the same vocabularies; the {side} of {path} differs from "
                               f"that of {paths[0]}. Train them on the same data with the same settings of the tokenizers, and "
                               "other seeds: --set train.seed=2.")
    together: Any = Ensemble([first, *others])
    return Predictor(together, search or predictors[0].search, predictors[0].lexicon)
