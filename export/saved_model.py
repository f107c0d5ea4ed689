"""A SavedModel for servers: raw sources in, answers out, loadable without this package.

    import tensorflow as tf, tensorflow_text
    model = tf.saved_model.load("runs/mine/export/saved_model")
    model.signatures["translate"](text=tf.constant(["How are you?"]))["text"]

| signature | in | out |
|---|---|---|
| translate (also serving_default) | text [B] | text [B], score [B] |
| translate_n_best | text [B] | text [B, K], score [B, K] |
| encode | text [B] | outputs [B, S, H], mask [B, S], state_h_1 [B, H], ... |
| decode_step | target_in [B] int32, the states (and outputs, mask with attention) | logits [B, V], the states |

So for text; of sentences also

| suggest | text [B] | words [B, K], probability [B, K]: the likeliest next words |

Of series the signatures are

| signature | in | out |
|---|---|---|
| forecast (also serving_default) | series [B, W, 1 + F] float64: seconds since 1970 UTC, values | values [B, H, F], level [B] |
| forecast_n_best | the same | values [B, K, H, F]: the line, then the other quantiles; level [B, K], which ones |
| encode, decode_step | the same; target_in [B, F + 2 C] float32, scaled values and calendar | as above |

tensorflow_text is imported for its operations only. A SavedModel is code: load only one you trust.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_s2s.completing import Completer
from keras_s2s.encoder import Encoded
from keras_s2s.model import EncoderDecoder
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, load
from keras_s2s.terminal import say

N_BEST = 5  # hypotheses of translate_n_best, unless the run's own beam is wider


# What a run's command wants beside an answer: signatures, and what makes the function of each from a predictor.
ADDED: dict[str, dict[str, Callable]] = {"complete": {"suggest": lambda predictor: Completer(predictor).suggest}}


def signatures(predictor: Predictor) -> dict[str, Any]:
    """Concrete functions by name."""
    model, beams = predictor.model, max(N_BEST, predictor.search.beam_size)
    n_best = predictor.with_search(beam_size=beams, n_best=beams, temperature=0.0)
    raw, verb, target_in = model.source.signature, model.source.verb, model.target.input()
    units, names = model.config.model.units, model.decoder.state_names
    state = {name: tf.TensorSpec([None, units], tf.float32, name=name) for name in names}
    memory = {} if model.decoder.attention is None else {
        "outputs": tf.TensorSpec([None, None, units], tf.float32, name="outputs"),
        "mask": tf.TensorSpec([None, None], tf.bool, name="mask")}
    given = tf.TensorSpec([None, *target_in.shape[2:]], target_in.dtype, name="target_in")
    step = tf.function(lambda target_in, **given: decode_step(model, target_in, given), autograph=False)
    best = _named(lambda given: {name: value[:, 0] for name, value in answers(predictor, given).items()}, raw)
    return {"serving_default": best, verb: best, f"{verb}_n_best": _named(lambda given: answers(n_best, given), raw),
            **{name: _named(made(predictor), raw) for name, made in ADDED.get(model.source.command, {}).items()},
            "encode": _named(lambda given: encode(model, given), raw),
            "decode_step": step.get_concrete_function(target_in=given, **state, **memory)}


def _named(function: Callable, raw: tf.TensorSpec) -> Any:
    """A function of one argument, which is called what the source calls it."""
    return tf.function(lambda **given: function(given[raw.name]), autograph=False).get_concrete_function(**{raw.name: raw})


def answers(predictor: Predictor, raw: tf.Tensor) -> dict[str, tf.Tensor]:
    """Raw sources -> answers [B, K]; where the run samples, those of one seed."""
    return predictor.answer(raw, tf.zeros([2], tf.int32))


def encode(model: EncoderDecoder, raw: tf.Tensor) -> dict[str, tf.Tensor]:
    """Raw sources -> everything a decoder may want, by name."""
    encoded = model.encode(model.source.prepare(raw))
    return {"outputs": encoded.outputs, "mask": encoded.mask, **dict(zip(model.decoder.state_names, encoded.state))}


def decode_step(model: EncoderDecoder, target_in: tf.Tensor, given: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """One step for a caller with a search of its own."""
    names = model.decoder.state_names
    state = [given[name] for name in names]
    memory = model.decoder.remember(Encoded(given.get("outputs"), given.get("mask"), state))
    logits, state = model.step(target_in, state, memory)
    return {"logits": logits, **dict(zip(names, state))}


def save(predictor: Predictor, path: Path) -> None:
    """Writes a SavedModel into that folder."""
    module = tf.Module()
    module.resources = predictor.model.tracked  # the predictor itself has a function too, which would be traced and saved
    tf.saved_model.save(module, str(path), signatures=signatures(predictor))


def export(run: Run) -> Path:
    """Writes RUN/export/saved_model, whole or not at all; returns its path."""
    path, temporary = run.export / "saved_model", run.export / f".saved_model.{os.getpid()}"
    try:
        save(load(run.path), temporary)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    say(f"exported {path} ({size / 1e6:.1f} MB)")
    return path
