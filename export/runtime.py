"""A phone file as a Python program calls it: nothing but LiteRT and numpy."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_s2s.terminal import quiet

FULL = np.frombuffer(b"a ", np.uint8)  # again and again: a text of many words; as good as any for pixels and samples


class Answer(NamedTuple):
    """What the file says to one source."""

    texts: list[str]  # the best first
    scores: list[float]  # mean log-probability of a token
    truncated: bool  # the source, or an answer, did not fit


class SayingFile:
    """A .tflite file that says a text, whatever it is given.

    Args:
        content: the file's path or its bytes.
        verb: the signature that answers; NAME_beam gives the K best.
        threads: of the interpreter.
    """

    def __init__(self, content: Path | bytes, verb: str, threads: int = 1):
        given = {"model_content": content} if isinstance(content, bytes) else {"model_path": str(content)}
        with quiet():  # it reports which delegate it uses
            self.interpreter = Interpreter(num_threads=threads, **given)
            self.run = {name: self.interpreter.get_signature_runner(name) for name in self.interpreter.get_signature_list()}
        self.verb = verb
        self._grow()

    def _grow(self) -> None:
        """Gives each signature that reads a source a long one, so that its memory need not grow any more: an answer that makes
        XNNPACK's memory grow comes out otherwise now and then."""
        source = self.run[self.verb].get_input_details().keys()
        for signature in self.run.values():
            inputs = signature.get_input_details()
            if inputs.keys() == source:
                signature(**{name: np.resize(FULL, one["shape"]).astype(one["dtype"]) for name, one in inputs.items()})

    def ask(self, given: dict[str, np.ndarray], beam: bool = False) -> Answer:
        """The answer to the arguments of its signature, or with `beam` the K best."""
        found = self.run[f"{self.verb}_beam" if beam else self.verb](**given)
        texts = [bytes(row[:length]).decode() for row, length in zip(found["text"], found["length"])]
        return Answer(texts, found["score"].tolist(), bool(found["truncated"][0]))


class PhoneFile(SayingFile):
    """One that takes text.

    Args:
        content, threads: see `SayingFile`.
    """

    def __init__(self, content: Path | bytes, threads: int = 1):
        super().__init__(content, "translate", threads)
        self.max_bytes = int(self.run["translate"].get_input_details()["text"]["shape"][1])

    def fits(self, text: str) -> bool:
        """Whether the whole text is read."""
        return len(unicodedata.normalize("NFC", text).encode("utf-8", "replace")) < self.max_bytes

    def translate(self, text: str, beam: bool = False) -> Answer:
        """One answer, or with `beam` the K best."""
        return self.answer(unicodedata.normalize("NFC", text).encode("utf-8", "replace"), beam)

    def answer(self, data: bytes, beam: bool = False) -> Answer:
        """The same for bytes, valid or not, as they are."""
        return self.ask({"text": self.padded(data)}, beam)

    def suggest(self, text: str) -> list[tuple[str, float]]:
        """The likeliest next words with their probabilities; of files of a run of sentences."""
        found = self.run["suggest"](text=self.padded(unicodedata.normalize("NFC", text).encode("utf-8", "replace")))
        return [(bytes(row[:length]).decode(), float(p)) for row, length, p in zip(
            found["words"], found["length"], found["probability"]) if p > 0]

    def padded(self, data: bytes) -> np.ndarray:
        """Bytes -> the input [1, N]."""
        return padded(data, self.max_bytes)


def padded(data: bytes, width: int) -> np.ndarray:
    """Bytes -> a file's input [1, N]."""
    result = np.zeros((1, width), np.uint8)
    result[0, :min(len(data), width)] = np.frombuffer(data[:width], np.uint8)
    return result


def quantiles(milliseconds: Any) -> dict[str, float]:
    """Median and 95th percentile."""
    return {"median": round(float(np.median(milliseconds)), 3), "p95": round(float(np.percentile(milliseconds, 95)), 3)}
