"""One .tflite file: the bytes of a sentence in, the bytes of its translation out, TFLite's built-in operations only.

Of series a window of numbers goes in and the forecast comes out, see phone_series.py; of recordings samples go in, see
phone_audio.py. Of text:

| signature | in | out |
|---|---|---|
| translate | text uint8 [1, N], UTF-8, zeros after it | text uint8 [1, W], length int32 [1], score float32 [1], truncated |
| translate_beam | the same | the K best: text uint8 [K, W], length int32 [K], score float32 [K], truncated |
| tokenize | text uint8 [1, N] | ids int32 [1, S], count int32 [1], truncated |
| detokenize | ids int32 [1, S] | text uint8 [1, W], length int32 [1], truncated |
| encode | ids int32 [1, S] | state_h_1, state_c_1, ... float32 [1, H]; with attention outputs [1, S, H], mask int32 [1, S] |
| decode_step | token int32 [1], the states (outputs, mask) | logits float32 [1, V], the states |

A run of sentences also has `suggest`, see phone_words.py.

`score` is the mean log-probability of a token, so a caller can say "not sure". A text that fills all N bytes is taken for the
beginning of a longer one: it is cut at a character, never inside one, and `truncated` is 1; so it is when an answer does not
fit W bytes (int32 [1] everywhere). Weights and tables are in the file once, whatever the number of signatures.

Inside, a source has as many steps as it has tokens; only the border is fixed. The model is `EncoderDecoder.encode` and
`.step`, the search is `keras_s2s.search`: nothing of the model is written here again.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from export import flatbuffer
from export.phone_audio import AudioInput
from export.phone_image import ImageInput
from export.phone_series import SeriesInput, SeriesOutput
from export.phone_text import TextInput, TextOutput
from export.phone_words import ADDED, Nothing
from keras_s2s.config import Search, require
from keras_s2s.encoder import Encoded
from keras_s2s.predictor import Predictor
from keras_s2s.terminal import quiet

INPUTS: dict[str, Any] = {"text": TextInput, "series": SeriesInput, "image": ImageInput, "audio": AudioInput}  # of sources
OUTPUTS: dict[str, Any] = {"text": TextOutput, "series": SeriesOutput}  # of targets
QUANTIZATIONS = ("none", "float16", "int8")
FILES = {"none": "model-float32.tflite", "float16": "model-float16.tflite", "int8": "model-int8.tflite"}


@dataclass(frozen=True)
class Sizes:
    """What is fixed in a phone file."""

    max_input_bytes: int = 256  # N
    max_output_bytes: int = 512  # W
    beam_size: int = 4  # K of translate_beam
    words: int = 5  # K of suggest
    no_repeat_ngram: int | None = None  # never say the same n tokens twice; 0: off; None: as the run is set

    def __post_init__(self) -> None:
        for name, low, high in (("max_input_bytes", 8, 4096), ("max_output_bytes", 8, 8192), ("beam_size", 1, 32),
                                ("words", 1, 20)):
            value = getattr(self, name)
            require(low <= value <= high, f"--{name.replace('_', '-')} must be between {low} and {high}; got {value}.")

    def search(self, run: Search) -> Search:
        """The file's greedy search, from the run's settings, among all tokens and by scores alone."""
        guard = run.no_repeat_ngram if self.no_repeat_ngram is None else self.no_repeat_ngram
        return dataclasses.replace(run, beam_size=1, n_best=1, temperature=0.0, no_repeat_ngram=guard, shortlist=0,
                                   analogy=0.0)


class Phone(tf.Module):
    """The functions that become the file's signatures.

    Args:
        predictor: a trained model.
        sizes: of the border.

    Raises:
        ValueError: the kind of source or target has no form for phones.
    """

    def __init__(self, predictor: Predictor, sizes: Sizes = Sizes()):
        super().__init__(name="phone")
        model, data = predictor.model, predictor.config.data
        for kinds, kind in ((INPUTS, data.source), (OUTPUTS, data.target)):
            require(kind in kinds, f"a phone file can hold {', '.join(kinds)}; this run has {kind!r}. "
                    "Export it with --format saved_model.")
        self.model, self.sizes = model, sizes
        self.search = sizes.search(predictor.search)
        self.input = INPUTS[data.source](model.source, sizes.max_input_bytes)
        self.output = OUTPUTS[data.target](model.target, sizes.max_output_bytes, self.input.steps)
        self.added = ADDED.get(model.source.command, Nothing)(predictor, self.input, sizes.words)
        # The converter finds and freezes only variables that hang on the module as they are.
        self.weights = [variable.value for variable in (*model.training_model.variables, *model.source.variables)]

    def encode(self, **given: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a decoder needs of a source."""
        model, prepared, width = self.model, given[self.input.prepared.name], self.input.steps
        # Only as many steps as it has are encoded, and only the border has the full width.
        steps = tf.maximum(1, tf.reduce_sum(model.source.lengths(prepared)))
        encoded = model.encode(self.input.real(prepared, steps))
        states = dict(zip(model.decoder.state_names, encoded.state))
        if model.decoder.attention is None:
            return states
        places = tf.range(steps)[:, None]
        outputs = tf.scatter_nd(places, encoded.outputs[0], [width, encoded.outputs.shape[2]])
        mask = tf.scatter_nd(places, tf.cast(encoded.mask[0], tf.int32), [width])
        return {"outputs": outputs[None], "mask": mask[None], **states}

    def decode_step(self, **given: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step, for a caller with a search of its own."""
        names = self.model.decoder.state_names
        state = [given[name] for name in names]
        mask = given["mask"] > 0 if "mask" in given else None
        memory = self.model.decoder.remember(Encoded(given.get("outputs"), mask, state))
        logits, state = self.model.step(given[self.output.given.name], state, memory)
        return {"logits": logits, **dict(zip(names, state))}

    def signatures(self) -> dict[str, Any]:
        """Concrete functions by name."""
        model = self.model
        state = {name: tf.TensorSpec([1, model.config.model.units]) for name in model.decoder.state_names}
        prepared = self.input.prepared
        memory = {} if model.decoder.attention is None else {
            "outputs": tf.TensorSpec([1, self.input.steps, model.config.model.units]),
            "mask": tf.TensorSpec([1, self.input.steps], tf.int32)}
        said = self.output.given
        functions: dict[str, tuple[Callable, dict[str, tf.TensorSpec]]] = {
            **{name: (functools.partial(self._answer, how), self.input.arguments) for name, how in self.searches().items()},
            **self.input.signatures(), **self.output.signatures(), **self.added.signatures(),
            "encode": (self.encode, {prepared.name: prepared}),
            "decode_step": (self.decode_step, {said.name: said, **state, **memory})}
        return {name: _concrete(function, arguments) for name, (function, arguments) in functions.items()}

    def searches(self) -> dict[str, Search]:
        """Signatures that answer, and how: the likeliest answer and, where there are several, the K best."""
        verb, wide = self.model.source.verb, dataclasses.replace(
            self.search, beam_size=self.sizes.beam_size, n_best=self.sizes.beam_size)
        return {verb: self.search} | ({f"{verb}_beam": wide} if self.model.target.beams(wide) > 1 or self.sizes.beam_size == 1
                                      else {})

    def _answer(self, search: Search, **given: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `Predictor.answer` does, over the border."""
        model = self.model
        read = self.input.read(**given)
        encoded = model.encode(read.prepared)
        return self.output.answer(model, encoded, read, search)


def _concrete(function: Callable, arguments: dict[str, tf.TensorSpec]) -> Any:
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in arguments.items()}
    return tf.function(lambda **given: function(**given), autograph=False).get_concrete_function(**named)


def convert(phone: Phone, quantize: list[str]) -> dict[str, bytes]:
    """The file's content for each quantization; traced once.

    Raises:
        ValueError: something in it is not a built-in operation.
    """
    with tempfile.TemporaryDirectory() as folder:
        with quiet():
            signatures = phone.signatures()
            tf.saved_model.save(phone, folder, signatures=signatures)
        plain = _convert(folder, list(signatures), []) if set(quantize) - {"int8"} else b""
        ways = {"none": lambda: plain, "float16": lambda: flatbuffer.float16(plain),
                "int8": lambda: _convert(folder, list(signatures), [tf.lite.Optimize.DEFAULT])}
        return {name: flatbuffer.compact(ways[name]()) for name in quantize}


def _convert(folder: str, signatures: list[str], optimizations: list[Any]) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=signatures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.optimizations = optimizations
    converter.exclude_conversion_metadata = True  # slow to add; report.json tells versions
    try:
        with quiet():
            return converter.convert()
    except ConverterError as error:
        raise ValueError("TensorFlow's converter cannot express this model in built-in operations: "
                         f"{str(error)[:300]}. That is a fault of the export: please report it with the run's "
                         "config.json.") from None


def candidate(folder: Path, quantize: str) -> Path:
    """Where a file lies until it has passed."""
    return folder / f".{FILES[quantize]}.candidate"
