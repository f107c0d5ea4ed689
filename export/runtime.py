"""A phone file as a Python program calls it: nothing but LiteRT and numpy."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_s2s.terminal import quiet


class Answer(NamedTuple):
    """What the file says to one text."""

    texts: list[str]  # the best first
    scores: list[float]  # mean log-probability of a token
    truncated: bool  # the text, or an answer, did not fit


class PhoneFile:
    """A .tflite file that takes text.

    Args:
        content: the file's path or its bytes.
        threads: of the interpreter.
    """

    def __init__(self, content: Path | bytes, threads: int = 1):
        given = {"model_content": content} if isinstance(content, bytes) else {"model_path": str(content)}
        with quiet():  # it reports which delegate it uses
            self.interpreter = Interpreter(num_threads=threads, **given)
            self.run = {name: self.interpreter.get_signature_runner(name) for name in self.interpreter.get_signature_list()}
            self.max_bytes = int(self.run["translate"].get_input_details()["text"]["shape"][1])
            self.answer(b"")  # makes the memory ready

    def fits(self, text: str) -> bool:
        """Whether the whole text is read."""
        return len(unicodedata.normalize("NFC", text).encode("utf-8", "replace")) < self.max_bytes

    def translate(self, text: str, beam: bool = False) -> Answer:
        """One answer, or with `beam` the K best."""
        return self.answer(unicodedata.normalize("NFC", text).encode("utf-8", "replace"), beam)

    def answer(self, data: bytes, beam: bool = False) -> Answer:
        """The same for bytes, valid or not, as they are."""
        found = self.run["translate_beam" if beam else "translate"](text=self.padded(data))
        texts = [bytes(row[:length]).decode() for row, length in zip(found["text"], found["length"])]
        return Answer(texts, found["score"].tolist(), bool(found["truncated"][0]))

    def suggest(self, text: str) -> list[tuple[str, float]]:
        """The likeliest next words with their probabilities; of files of a run of sentences."""
        found = self.run["suggest"](text=self.padded(unicodedata.normalize("NFC", text).encode("utf-8", "replace")))
        return [(bytes(row[:length]).decode(), float(p)) for row, length, p in zip(
            found["words"], found["length"], found["probability"]) if p > 0]

    def padded(self, data: bytes) -> np.ndarray:
        """Bytes -> the input [1, N]."""
        padded = np.zeros((1, self.max_bytes), np.uint8)
        padded[0, :min(len(data), self.max_bytes)] = np.frombuffer(data[:self.max_bytes], np.uint8)
        return padded


def quantiles(milliseconds: Any) -> dict[str, float]:
    """Median and 95th percentile."""
    return {"median": round(float(np.median(milliseconds)), 3), "p95": round(float(np.percentile(milliseconds, 95)), 3)}
