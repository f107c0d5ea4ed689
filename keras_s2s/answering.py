"""`keras-s2s transcribe` and its like: a text for each file, in order."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from keras_s2s.config import Search
from keras_s2s.media import Item
from keras_s2s.run import load
from keras_s2s.terminal import say
from keras_s2s.translating import alignments, whole

TOGETHER = 64  # files read ahead at most


def answer(arguments: argparse.Namespace, search: Search) -> int:
    """Runs the command; returns the exit status, 1 where a file could not be used: the others are answered all the same."""
    predictor = load(arguments.run, search)
    predictor.require(arguments.verb)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # whatever the terminal's language
    status = 0
    for start in range(0, len(arguments.files), TOGETHER):
        items = list[Item]()
        for path in arguments.files[start:start + TOGETHER]:
            try:
                items += predictor.files([path])
            except ValueError as error:
                say(f"error: {error}")
                status = 1
        answers = predictor.predict(items, seed=arguments.seed) if items else []
        aligned: list[Any] = alignments(predictor, items, answers) if arguments.json else [None] * len(items)
        for item, found, alignment in zip(items, answers, aligned):
            print(shown(item, found, alignment, arguments), flush=True)
    return status


def shown(item: Item, found: Any, alignment: Any, arguments: argparse.Namespace) -> str:
    """One line of output (or one for each of the n best); with its file's name before it where there are several files."""
    texts, scores = [whole(text) for text in found.texts[:arguments.n_best]], found.scores[:arguments.n_best]
    if arguments.json:
        tree: dict[str, Any] = {"file": item.name, "texts": [
            {"text": text, "score": round(score, 4)} for text, score in zip(texts, scores)]}
        return json.dumps(tree | ({} if alignment is None else {"alignment": alignment}), ensure_ascii=False)
    name = f"{item.name}\t" if len(arguments.files) > 1 else ""
    if arguments.n_best == 1:
        return name + texts[0]
    return "\n".join(f"{name}{score:.4f}\t{text}" for text, score in zip(texts, scores))
