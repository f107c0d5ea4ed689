"""`keras-s2s complete`: the likeliest next words with their probabilities, and how the text most likely goes on."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import tensorflow as tf

from keras_s2s.config import Search, require
from keras_s2s.normalize import normalize
from keras_s2s.predictor import Predictor
from keras_s2s.run import load
from keras_s2s.search import repeat_rows
from keras_s2s.targets.text import TextTarget
from keras_s2s.terminal import say
from keras_s2s.translating import read_lines, whole

NARROWEST = 16  # beginnings of words that are followed at least
SUGGESTED = 5  # words


class Completion(NamedTuple):
    """How a text may go on."""

    words: list[tuple[str, float]]  # with their probabilities, the likeliest first
    rest: str  # the most likely continuation


class Completer(tf.Module):
    """A predictor that also suggests words.

    Args:
        predictor: a trained run of sentences.
        count: words suggested.

    Raises:
        ValueError: the run learnt from something else.
    """

    def __init__(self, predictor: Predictor, count: int = SUGGESTED):
        super().__init__(name="completer")
        predictor.require("translate")
        require(predictor.config.data.corpus == "sentences", "only a run of sentences completes them; this one learnt from "
                "pairs. Use: keras-s2s translate, or train with --preset next-word on plain text.")
        self.predictor, self.count, self.beams = predictor, count, max(NARROWEST, 2 * count)
        self._suggest: Callable = tf.function(self.suggest, input_signature=[predictor.model.source.signature])

    def suggest(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Texts [B] -> text [B, K] and log p as score [B, K], the likeliest first; two spellings of a word stand apart."""
        model = self.predictor.model
        encoded = model.encode(model.source.prepare(raw))
        memory = model.decoder.remember(encoded)
        memory = None if memory is None else repeat_rows(memory, self.beams)
        target = cast(TextTarget, model.target)
        found = target.next_words(lambda inputs, state: model.step(inputs, state, memory), encoded.state,
                                  tf.shape(raw)[0], self.beams)
        return target.render(found)

    def complete(self, texts: Sequence[str]) -> list[Completion]:
        """Completes each text; one without a word has nothing to follow from, and nothing follows."""
        found = [Completion([], "") for _ in texts]
        asked = [i for i, text in enumerate(texts) if normalize(text)]
        rests = self.predictor.predict([texts[i] for i in asked])
        for i, rest in zip(asked, rests):
            said = self._suggest(tf.constant([texts[i].encode("utf-8", "replace")]))
            words = merged(said["text"][0].numpy(), said["score"][0].numpy())
            found[i] = Completion(words[:self.count], whole(rest.best))
        return found


def merged(texts: Sequence[bytes], scores: Sequence[float]) -> list[tuple[str, float]]:
    """Spellings with log p -> words with p, the likeliest first; what is spelt in several ways is one word."""
    words: dict[str, float] = {}
    for text, score in zip(texts, scores):
        if word := whole(text.decode("utf-8", "replace")):
            words[word] = words.get(word, 0.0) + math.exp(score)
    return sorted(((word, p) for word, p in words.items() if p > 0), key=lambda pair: -pair[1])


def complete(arguments: argparse.Namespace, search: Search) -> int:
    """Runs the command; returns the exit status."""
    completer = Completer(load(arguments.run, search), arguments.count)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]  # whatever the terminal's language
    limit = completer.predictor.config.data.max_characters
    if arguments.text is not None:
        text = normalize(arguments.text)
        require(bool(text), "a text to go on with is required; it holds nothing. Give the beginning of a sentence: "
                f"keras-s2s complete {arguments.run} \"The cat\"")
        require(len(text) <= limit, f"a text may have {limit:,} characters (data.max_characters); it has {len(text):,}. Give "
                "its last sentence.")
        print(shown(text, completer.complete([text])[0], arguments.json))
        return 0
    if sys.stdin.isatty():
        return converse(completer, arguments)
    for text in read_lines([], limit):
        print(shown(text, completer.complete([text])[0], arguments.json), flush=True)
    return 0


def shown(text: str, found: Completion, as_json: bool) -> str:
    """A line for each word, then one for the text with its continuation; or a JSON object on a line."""
    if as_json:
        tree: dict[str, Any] = {"text": text, "words": [{"word": word, "probability": round(p, 6)} for word, p in found.words],
                                "continuation": found.rest}
        return json.dumps(tree, ensure_ascii=False)
    return "\n".join([*(f"{p:.4f}\t{word}" for word, p in found.words), f"{text} {found.rest}".rstrip()])


def converse(completer: Completer, arguments: argparse.Namespace) -> int:
    """A prompt: the beginning of a sentence, what may follow, until an empty line or Ctrl-D."""
    say("Type the beginning of a sentence; an empty line or Ctrl-D ends.")
    while True:
        try:
            text = normalize(input("> "))
        except EOFError:
            return 0
        if not text:
            return 0
        print(shown(text, completer.complete([text])[0], arguments.json), flush=True)
