"""A SavedModel for servers: strings in, strings out, loadable without this package.

    import tensorflow as tf, tensorflow_text
    model = tf.saved_model.load("runs/mine/export/saved_model")
    model.signatures["translate"](text=tf.constant(["How are you?"]))["text"]

| signature | in | out |
|---|---|---|
| translate (also serving_default) | text [B] | text [B], score [B] |
| translate_n_best | text [B] | text [B, K], score [B, K] |
| encode | text [B] | outputs [B, S, H], mask [B, S], state_h_1 [B, H], ... |
| decode_step | target_in [B] int32, the states (and outputs, mask with attention) | logits [B, V], the states |

tensorflow_text is imported for its operations only. A SavedModel is code: load only one you trust.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_s2s.encoder import Encoded
from keras_s2s.model import EncoderDecoder
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, load
from keras_s2s.terminal import say

N_BEST = 5  # hypotheses of translate_n_best, unless the run's own beam is wider


class Served(tf.Module):
    """What is exported: two predictors and the two halves of their model."""

    def __init__(self, predictor: Predictor):
        super().__init__()
        beams = max(N_BEST, predictor.search.beam_size)
        self.best, self.n_best = predictor, predictor.with_search(beam_size=beams, temperature=0.0)

    def signatures(self) -> dict[str, Any]:
        """Concrete functions by name."""
        model = self.best.model
        text = tf.TensorSpec([None], tf.string, name="text")
        units, names = model.config.model.units, model.decoder.stack.state_names
        state = {name: tf.TensorSpec([None, units], tf.float32, name=name) for name in names}
        memory = {} if model.decoder.attention is None else {
            "outputs": tf.TensorSpec([None, None, units], tf.float32, name="outputs"),
            "mask": tf.TensorSpec([None, None], tf.bool, name="mask")}
        step = tf.function(lambda target_in, **given: decode_step(model, target_in, given))
        best = tf.function(self.translate).get_concrete_function(text)
        return {"serving_default": best, "translate": best,
                "translate_n_best": tf.function(self.translate_n_best).get_concrete_function(text),
                "encode": tf.function(lambda text: encode(model, text)).get_concrete_function(text),
                "decode_step": step.get_concrete_function(
                    target_in=tf.TensorSpec([None], tf.int32, name="target_in"), **state, **memory)}

    def translate(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        found = self.best.answer(text, tf.zeros([2], tf.int32))
        return {name: value[:, 0] for name, value in found.items()}

    def translate_n_best(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.n_best.answer(text, tf.zeros([2], tf.int32))


def encode(model: EncoderDecoder, text: tf.Tensor) -> dict[str, tf.Tensor]:
    """Raw sources -> everything a decoder may want, by name."""
    encoded = model.encode(model.source.prepare(text))
    return {"outputs": encoded.outputs, "mask": encoded.mask, **dict(zip(model.decoder.stack.state_names, encoded.state))}


def decode_step(model: EncoderDecoder, target_in: tf.Tensor, given: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """One step for a caller with a search of its own."""
    names = model.decoder.stack.state_names
    state = [given[name] for name in names]
    memory = model.decoder.remember(Encoded(given.get("outputs"), given.get("mask"), state))
    logits, state = model.step(target_in, state, memory)
    return {"logits": logits, **dict(zip(names, state))}


def export(run: Run) -> Path:
    """Writes RUN/export/saved_model, whole or not at all; returns its path."""
    path, temporary = run.export / "saved_model", run.export / f".saved_model.{os.getpid()}"
    module = Served(load(run.path))
    try:
        tf.saved_model.save(module, str(temporary), signatures=module.signatures())
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    say(f"exported {path} ({size / 1e6:.1f} MB)")
    return path
