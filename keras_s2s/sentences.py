"""Plain text -> pairs of what was said so far and what follows: each sentence is cut at a few of its spaces.

    "The cat sat on the mat."   ->   "The cat sat"  |  "on the mat."

A line holds one or more whole sentences. Where a sentence is cut is a pure function of the sentence: of n spaces and k cuts,
the i-th cut is one of the spaces from i n / k to (i + 1) n / k, chosen by a hash. So a held-out set is the same whatever the
seed, and the cuts of one sentence are different ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from keras_s2s.config import Data
from keras_s2s.normalize import normalize
from keras_s2s.reading import SNIFFED, TOO_LONG, Log, Row, find_files, lines_of
from keras_s2s.rows import CorpusError

END = re.compile(r"(?<=[.!?।॥…。！？])([\"'”’»)\]]*) ")  # a sentence ends: its last sign, what closes, a space
ONE_WORD = "a sentence of one word, which has nothing to follow from"


def read_sentences(item: str, data: Data, log: Log) -> Iterator[Row]:
    """Yields the pairs of the sentences of an item of `data.train`, `dev` or `test`, with their places.

    Args:
        item: a text file or a glob pattern of such, plain or gzip.
        data: the settings; `max_characters` and `cuts` are read.
        log: hears of rejects and progress.

    Raises:
        CorpusError: two parallel files, a file that is missing, no UTF-8 text, cut off, or without a single usable sentence.
    """
    for files in find_files(item):
        if len(files) != 1:
            raise CorpusError(f"sentences are read from one file each; {item!r} names two parallel ones. Name them apart, "
                              "with a space between: --data one.txt two.txt. For pairs set data.corpus=pairs.")
        kept, name, limit = 0, str(files[0]), 64 * data.max_characters + SNIFFED
        for number, line in enumerate(lines_of(files[0], limit, log), 1):
            if len(line) > limit:
                log.reject(name, number, TOO_LONG.format(limit), line)
                continue
            for pair in _pairs_of(line, data, log, name, number):
                kept += 1
                yield pair
        if not kept:
            raise CorpusError(f"{name!r} must hold sentences of at least two words, with spaces between words; not one of its "
                              "lines does. Look into the file; text without spaces has to be cut into words first.")


def _pairs_of(line: bytes, data: Data, log: Log, name: str, number: int) -> Iterator[Row]:
    try:
        text = normalize(line.decode("utf-8"))
    except UnicodeDecodeError:
        log.reject(name, number, "invalid UTF-8", line)
        return
    for sentence in sentences(text):
        reason = ONE_WORD if " " not in sentence else (
            f"longer than {data.max_characters:,} characters" if len(sentence) > data.max_characters else "")
        if reason:
            log.reject(name, number, reason, sentence.encode())
            continue
        for place in cuts(sentence, data.cuts):
            yield Row(name, number, sentence[:place], sentence[place + 1:], sentence)


def sentences(text: str) -> list[str]:
    """The sentences of a normalized text: a sign that ends one, what closes, and a space lie between two of them."""
    return [part for part in END.sub("\\1\n", text).split("\n") if part]


def cuts(sentence: str, count: int) -> list[int]:
    """Where a normalized sentence is cut: at most `count` of the places of its spaces, rising."""
    places = [match.start() for match in re.finditer(" ", sentence)]
    count = min(count, len(places))
    edges = [i * len(places) // count for i in range(count + 1)] if count else []
    return [places[low + _hash(f"{i} {sentence}") % (high - low)] for i, (low, high) in enumerate(zip(edges, edges[1:]))]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
