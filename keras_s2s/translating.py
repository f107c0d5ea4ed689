"""`keras-s2s translate`: a line out for each line in, in order, whatever the bytes; or a prompt for a person."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

from keras_s2s.config import Search
from keras_s2s.ensemble import load_together
from keras_s2s.normalize import normalize
from keras_s2s.predictor import Predictor
from keras_s2s.targets.text import Answer
from keras_s2s.terminal import say

TOGETHER = 4096  # lines sorted by length and translated together; what is read ahead at most


def translate(arguments: argparse.Namespace, search: Search) -> int:
    """Runs the command; returns the exit status."""
    predictor = load_together([arguments.run, *arguments.ensemble], search)
    predictor.require("translate")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # whatever the terminal's language
    if not arguments.files and sys.stdin.isatty():
        return converse(predictor, arguments)
    limit = predictor.config.data.max_characters
    lines, unpaired = read_lines(arguments.files, limit), 0
    while chunk := list(islice(lines, TOGETHER)):
        answers = predictor.predict(chunk, seed=arguments.seed)
        aligned = alignments(predictor, chunk, answers) if arguments.json else [None] * len(chunk)
        for source, answer, alignment in zip(chunk, answers, aligned):
            text = shown(source, answer, alignment, arguments)
            sys.stdout.write(text)
            unpaired += not text
        sys.stdout.flush()
    if unpaired:
        say(f"warning: lines that gave no pair, for they or their translations are empty: {unpaired:,}")
    return 0


def read_lines(files: Iterable[Any], limit: int) -> Iterator[str]:
    """Normalised lines of files, or of standard input; one too long is cut, with a warning that names it."""
    for name, stream in _streams(files):
        number = 0
        while line := stream.readline(4 * limit + 4):
            number += 1
            whole = line.endswith(b"\n") or len(line) < 4 * limit + 4
            text = normalize(line.decode("utf-8", "replace"))
            if not whole:
                while (rest := stream.readline(1 << 16)) and not rest.endswith(b"\n"):
                    pass
            if not whole or len(text) > limit:
                say(f"warning: line {number:,} of {name} is longer than {limit:,} characters (data.max_characters): "
                    "the rest of it is left out.")
            yield text[:limit].rstrip()


def _streams(files: Iterable[Any]) -> Iterator[tuple[str, BinaryIO]]:
    files = list(files)
    if not files:
        yield "standard input", sys.stdin.buffer
    for path in files:
        with open(path, "rb") as stream:
            yield str(path), stream


def shown(source: str, answer: Answer, alignment: Any, arguments: argparse.Namespace) -> str:
    """The line of output (or one for each of the n best); as pairs none for what is empty on either side."""
    texts, scores = [whole(text) for text in answer.texts], answer.scores
    if arguments.json:
        ranked = [{"text": text, "score": round(score, 4)} for text, score in zip(texts, scores)]
        found: dict[str, Any] = {"source": source, "translations": ranked}
        if alignment is not None:
            found["alignment"] = alignment
        return json.dumps(found, ensure_ascii=False) + "\n"
    if arguments.pairs:
        return "".join(f"{text}\t{source}\n" for text in dict.fromkeys(texts) if text and source)
    if arguments.n_best == 1:
        return texts[0] + "\n"
    return "".join(f"{score:.4f}\t{text}\n" for text, score in zip(texts, scores))


def whole(text: str) -> str:
    """The text without U+FFFD, which stands for bytes that a model spelt and that are no character."""
    return normalize(text.replace("\ufffd", ""))


def alignments(predictor: Predictor, sources: Sequence[Any], answers: Sequence[Answer]) -> list[Any]:
    """For each best answer: its pieces, the source's pieces, and the attention weights between them; None without attention."""
    if predictor.config.model.attention == "none":
        return [None] * len(sources)
    found = predictor.alignments(sources, [answer.texts[0] for answer in answers])
    return [alignment if source else None for source, alignment in zip(sources, found)]


def converse(predictor: Predictor, arguments: argparse.Namespace) -> int:
    """A prompt: a sentence, its translation, until an empty line or Ctrl-D."""
    say("Type a sentence; an empty line or Ctrl-D ends.")
    while True:
        try:
            line = normalize(input("> "))
        except EOFError:
            return 0
        if not line:
            return 0
        [answer] = predictor.predict([line], seed=arguments.seed)
        [alignment] = alignments(predictor, [line], [answer]) if arguments.json else [None]
        print(shown(line, answer, alignment, arguments), end="", flush=True)
