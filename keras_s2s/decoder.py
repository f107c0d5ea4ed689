"""The decoder: vectors of the target so far and the encoder's state -> outputs to project, and the next state."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_s2s.attention import ATTENTIONS, Memory
from keras_s2s.config import Model
from keras_s2s.encoder import Encoded
from keras_s2s.recurrent import RecurrentStack
from keras_s2s.stepping import row_count


class Decoder:
    """A recurrent stack begun with the encoder's last state, with attention, if the model has any, after one of its layers.

    After the last one (Luong et al., 2015) each step looks back without knowing where the steps before it looked. Layers above
    attention are given what was found at all of them (as in Wu et al., 2016, section 3), and yet all steps run at once, which
    they could not with Luong's input feeding.

    Call: steps [B, T, E], state, encoded -> outputs [B, T, H], state. All T steps at once: teacher forcing.
    Step: steps [N, E], state, memory -> outputs [N, H], state, without dropout; `memory` comes from `remember`, and N is B or,
    where K answers to each source are followed side by side, B * K.
    """

    def __init__(self, model: Model):
        below = model.attention_layer or model.num_layers
        self.below = RecurrentStack(model, "decoder", numbers=range(1, below + 1))
        self.attention = (None if model.attention == "none" else
                          ATTENTIONS[model.attention](model.units, name=f"{model.attention}_attention"))
        self.above = RecurrentStack(model, "decoder", numbers=range(below + 1, model.num_layers + 1))

    @property
    def state_names(self) -> list[str]:
        """Names of the state's tensors, in order: state_h_1, state_c_1, ..."""
        return self.below.state_names + self.above.state_names

    def __call__(self, steps, state, encoded: Encoded):
        lower, upper = self._parted(state)
        outputs, lower = self.below(steps, state=lower)
        if self.attention is not None:
            outputs = self.attention(outputs, encoded.outputs, encoded.mask)
        outputs, upper = self.above(outputs, state=upper)
        return outputs, lower + upper

    def alignments(self, steps, encoded: Encoded):
        """Attention weights [B, T, S] at the steps [B, T, E], taken one after another from the encoder's last state.

        Raises:
            ValueError: the model has no attention.
        """
        if self.attention is None:
            raise ValueError("alignments need attention; this model has none. Train with --preset attention, or "
                             "--set model.attention=luong.")
        outputs, _ = self.below(steps, state=self._parted(encoded.state)[0])
        return self.attention.alignments(outputs, self.attention.remember(encoded.outputs, encoded.mask))

    def remember(self, encoded: Encoded) -> Memory | tuple[()]:
        """What steps look back at, computed once for a source; nothing without attention."""
        return () if self.attention is None else self.attention.remember(encoded.outputs, encoded.mask)

    def step(self, steps, state, memory: Any):
        lower, upper = self._parted(state)
        outputs, lower = self.below.step(steps, lower)
        if self.attention is not None:  # the answers to one source look at it together, as the steps of a sequence do
            together = ops.reshape(outputs, (row_count(memory.mask), -1, outputs.shape[-1]))
            outputs = ops.reshape(self.attention.attend(together, memory), (-1, outputs.shape[-1]))
        outputs, upper = self.above.step(outputs, upper)
        return outputs, lower + upper

    def _parted(self, state) -> tuple[list, list]:
        """The state of the layers below attention and of those above."""
        count = len(self.below.state_names)
        return list(state[:count]), list(state[count:])
