"""`keras-s2s complete`: the likeliest next words with their probabilities, and how the text most likely goes on."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import tensorflow as tf

from keras_s2s import prompt
from keras_s2s.config import Search, require
from keras_s2s.encoder import Encoded
from keras_s2s.normalize import normalize
from keras_s2s.predictor import Predictor
from keras_s2s.run import load
from keras_s2s.search import Hypotheses
from keras_s2s.suggesting import likeliest
from keras_s2s.targets.text import TextTarget
from keras_s2s.terminal import say
from keras_s2s.translating import read_lines, whole

NARROWEST = 16  # beginnings of words that are followed at least
SUGGESTED = 5  # words
WIDE = 40  # words that are looked through for those that begin as one that is being typed


class Completion(NamedTuple):
    """How a text may go on."""

    words: list[tuple[str, float]]  # with their probabilities, the likeliest first
    rest: str  # the most likely continuation


class Completer:
    """A predictor that also suggests words.

    Args:
        predictor: a trained run of sentences.
        count: words suggested.

    Raises:
        ValueError: the run learnt from something else.
    """

    def __init__(self, predictor: Predictor, count: int = SUGGESTED):
        predictor.require("translate")
        require(predictor.config.data.corpus == "sentences", "only a run of sentences completes them; this one learnt from "
                "pairs. Use: keras-s2s translate, or train with --preset next-word on plain text.")
        self.predictor, self.count, self.beams = predictor, count, max(NARROWEST, 2 * count)
        signature = [predictor.model.source.signature]
        self._suggest: Callable = tf.function(self.suggest, input_signature=signature, autograph=False)

    def spellings(self, encoded: Encoded, rows: Any) -> Hypotheses:
        """The likeliest next words, each in one or more spellings [rows, K, T]."""
        model = self.predictor.model
        target = cast(TextTarget, model.target)
        return target.next_words(model.step, encoded.state, model.remember(encoded), rows, self.beams)

    def suggest(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Texts [B] -> words [B, count] and their probability [B, count], the likeliest first; "" and 0 after the last."""
        model = self.predictor.model
        found = self.spellings(model.encode(model.source.prepare(raw)), tf.shape(raw)[0])
        texts = model.target.render(found)["text"]
        real = (texts != "") & ~tf.strings.regex_full_match(texts, ".*\ufffd.*")  # bytes that are no character are no word
        places, p = likeliest((texts[:, :, None] == texts[:, None]) & real[:, :, None], found.scores, self.count)
        return {"words": tf.where(p > 0, tf.gather(texts, places, batch_dims=1), ""), "probability": p}

    def words(self, text: str) -> list[tuple[str, float]]:
        """The likeliest next words of a text with their probabilities; none where it has no word to follow from."""
        if not normalize(text):
            return []
        said = self._suggest(tf.constant([text.encode("utf-8", "replace")]))
        return [(word.decode(), float(p)) for word, p in zip(said["words"][0].numpy(), said["probability"][0].numpy()) if p > 0]

    def complete(self, texts: Sequence[str]) -> list[Completion]:
        """Completes each text; one without a word has nothing to follow from, and nothing follows."""
        return [Completion(self.words(text), whole(rest.best)) for text, rest in zip(texts, self.predictor.predict(texts))]


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
    """A prompt: the beginning of a sentence, with next words as it is typed, until an empty line or Ctrl-D."""
    live = prompt.able()
    say("Type the beginning of a sentence; " + "Tab takes the first word below, " * live + "an empty line or Ctrl-D ends.")
    wide = Completer(completer.predictor, WIDE)
    while True:
        try:
            line = prompt.ask(lambda text: offers(wide, text)[:completer.count]) if live else input("> ")
        except EOFError:
            line = None
        if not (text := normalize(line or "")):
            return 0
        print(shown(text, completer.complete([text])[0], arguments.json), flush=True)


def offers(completer: Completer, text: str) -> list[tuple[str, float]]:
    """What a keyboard would offer: after a space the next words; within a word those that begin so."""
    before, _, begun = text.rpartition(" ")
    return [(word, p) for word, p in completer.words(before) if word.startswith(begun) and word != begun]
