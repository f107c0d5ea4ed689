"""The encoder: vectors of the source -> what the decoder needs of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras_s2s.config import Model
from keras_s2s.recurrent import RecurrentStack


class Encoded(NamedTuple):
    """A read source. `state` alone is the context vector of the classic model; the rest is for attention."""

    outputs: Any  # [B, S, H] a vector for each source step
    mask: Any  # [B, S] bool, True where real
    state: list[Any]  # the last state of each layer, [B, H] each: state_h_1, state_c_1, ...


class Encoder:
    """A recurrent stack that reads the source, one way, backwards (`reverse_source`) or both ways (`bidirectional`).

    Call: steps [B, S, E], mask [B, S] -> Encoded. Padding never reaches the state: a masked step keeps it as it was.
    """

    def __init__(self, model: Model):
        self.stack = RecurrentStack(model, "encoder", bidirectional=model.bidirectional,
                                    go_backwards=model.reverse_source)

    def __call__(self, steps, mask) -> Encoded:
        outputs, state = self.stack(steps, mask)
        return Encoded(outputs, mask, state)
