"""What a phone file has beside an answer where the run's command wants more: the next words of a text.

| signature | in | out |
|---|---|---|
| suggest | text uint8 [1, N], UTF-8 | words uint8 [K, W], length int32 [K], probability float32 [K], truncated int32 [1] |

The K likeliest next words, the likeliest first; a length and a probability of 0 where there is no further word. They are what
`completing.Completer` says: the loop is `suggesting.next_words`, and nothing of it is written here again.

    ADDED[source.command](predictor, input, sizes).signatures()      and `.proof(...)`, which shows in export/report.json
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export.phone_text import Signatures, TextInput, TextOutput, flag
from export.runtime import PhoneFile, quantiles
from keras_s2s.completing import Completer
from keras_s2s.predictor import Predictor
from keras_s2s.stepping import write
from keras_s2s.suggesting import likeliest

WORD_BYTES = 96  # W
ASKED = 200  # texts of the dev set that are compared
CLOSE = 1e-4  # of probabilities: float32 in another order of sums
SAME_FIRST = 90.0  # percent of the likeliest words that quantizing must leave


class Nothing:
    """The command wants no more than an answer.

    Args:
        predictor: a trained model.
        read: how the file takes a source.
        words: K.
    """

    def __init__(self, predictor: Predictor, read: Any, words: int):
        pass

    def signatures(self) -> Signatures:
        """Functions by name, and their arguments."""
        return {}

    def proof(self, sources: Sequence[str]) -> NoProof:
        """What compares a file with Keras on sources of the dev set."""
        return NoProof()


class NoProof:
    """There is nothing to compare."""

    def measure(self, path: Path) -> dict[str, Any]:
        """What a file says beside Keras, for its entry in the report."""
        return {}

    def saved_model(self, signatures: Any) -> dict[str, Any]:
        """The same of a loaded SavedModel."""
        return {}

    def problem(self, entry: dict[str, Any], quantize: str) -> str:
        """What is wrong with a file; "" if it passes."""
        return ""

    def summary(self, entry: dict[str, Any]) -> str:
        """A file in a few words."""
        return ""


class Suggestions(Nothing):
    """The signature `suggest`. Arguments: see `Nothing`."""

    def __init__(self, predictor: Predictor, read: TextInput, words: int):
        self.completer, self.input = Completer(predictor, words), read
        self.output = TextOutput(predictor.model.target, WORD_BYTES, 1)

    def signatures(self) -> Signatures:
        return {"suggest": (self.suggest, self.input.arguments)}

    def suggest(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        model, read = self.completer.predictor.model, self.input.read(text)
        found = self.completer.spellings(model.encode(read.prepared), 1)
        data, length = self._rendered(found.tokens[0])
        real = (length > 0) & tf.logical_not(_broken(data))
        same = tf.reduce_all(data[:, None] == data[None], axis=2) & real[:, None]
        places, p = likeliest(same[None], found.scores, self.completer.count)
        given = tf.cast(read.given & (p[0] > 0), tf.int32)
        return {"words": tf.cast(tf.gather(data, places[0]) * given[:, None], tf.uint8),
                "length": tf.gather(length, places[0]) * given, "probability": p[0] * tf.cast(given, tf.float32),
                "truncated": flag(read.truncated)}

    def _rendered(self, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Spellings [K, T] -> their bytes [K, W] and lengths [K], int32."""
        beams = tokens.shape[0]

        def one(k: tf.Tensor, data: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, ...]:
            text, size, _ = self.output.clean(tokens[k])
            return k + 1, write(data, k, tf.cast(text, tf.int32), 0), write(length, k, size, 0)

        return tf.while_loop(lambda k, *_: k < beams, one, (
            tf.constant(0), tf.zeros([beams, WORD_BYTES], tf.int32), tf.zeros([beams], tf.int32)))[1:]

    def proof(self, sources: Sequence[str]) -> WordsProof:
        return WordsProof(self.completer, sources[:ASKED])


def _broken(data: tf.Tensor) -> tf.Tensor:
    """[K, W] -> [K] bool: U+FFFD stands in it, for bytes that are no character."""
    return tf.reduce_any((data[:, :-2] == 0xEF) & (data[:, 1:-1] == 0xBF) & (data[:, 2:] == 0xBD), axis=1)


class WordsProof(NoProof):
    """A file suggests what Keras suggests: in float32 the same words as likely, quantized mostly the same first word.

    Args:
        completer: of the run's model.
        sources: beginnings of sentences.
    """

    def __init__(self, completer: Completer, sources: Sequence[str]):
        self.sources, self.words = sources, [completer.words(source) for source in sources]

    def measure(self, path: Path) -> dict[str, Any]:
        phone, milliseconds = PhoneFile(path), []
        found: list[list[tuple[str, float]]] = []
        for source in self.sources:
            begun = time.perf_counter()
            found.append(phone.suggest(source))
            milliseconds.append(1e3 * (time.perf_counter() - begun))
        return {"suggest": self._compare(found) | {"latency_ms": quantiles(milliseconds)}}

    def saved_model(self, signatures: Any) -> dict[str, Any]:
        suggest: Callable = signatures["suggest"]
        found: list[list[tuple[str, float]]] = []
        for source in self.sources:
            said = suggest(text=tf.constant([source]))
            found.append([(word.decode(), float(p)) for word, p in zip(
                said["words"][0].numpy(), said["probability"][0].numpy()) if p > 0 and self.words[len(found)]])
        return {"suggest": self._compare(found)}

    def _compare(self, found: list[list[tuple[str, float]]]) -> dict[str, Any]:
        pairs = [(dict(said), dict(right)) for said, right in zip(found, self.words)]
        away = [max((abs(said.get(word, 0.0) - right.get(word, 0.0)) for word in said | right), default=0.0)
                for said, right in pairs]
        first = sum(list(said)[:1] == list(right)[:1] for said, right in pairs)
        return {"asked": len(found), "identical": int(sum(np.array(away) <= CLOSE)), "same_first": first,
                "largest_difference": float(max(away, default=0.0))}

    def problem(self, entry: dict[str, Any], quantize: str) -> str:
        told = entry["suggest"]
        if quantize == "none" and told["identical"] < told["asked"]:
            return (f"float32 must suggest the words that Keras suggests, to {CLOSE:g} of their probabilities; "
                    f"{told['asked'] - told['identical']} of {told['asked']} texts differ. That is a fault of the export: "
                    "please report it with the run's config.json.")
        if 100 * told["same_first"] < SAME_FIRST * told["asked"]:
            return (f"its likeliest next word is Keras's in {told['same_first']} of {told['asked']} texts; at least "
                    f"{SAME_FIRST:g} % are required. Use --quantize float16.")
        return ""

    def summary(self, entry: dict[str, Any]) -> str:
        told = entry["suggest"]
        return (f"; of {told['asked']} texts the likeliest next word is Keras's in {told['same_first']}, probabilities within "
                f"{told['largest_difference']:.2g}, {told['latency_ms']['median']:.1f} ms")


ADDED: dict[str, type[Nothing]] = {"complete": Suggestions}  # by what the run's command is called
