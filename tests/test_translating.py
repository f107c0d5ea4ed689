"""translating.py: one line out for each line in, in order, whatever the bytes; nothing about a batch changes a translation."""

import argparse
import contextlib
import io
import json
import random
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import SOURCES_OF, build

from keras_s2s import translating
from keras_s2s.normalize import normalize
from keras_s2s.predictor import Predictor
from keras_s2s.rows import Rows
from keras_s2s.run import load
from keras_s2s.targets.text import Answer

# What may come in on a line, and what `translate` reads of it: the table of bad input.
LINES = {
    "an empty line": (b"", ""), "white space alone": (b" \t\xc2\xa0\xe3\x80\x80 ", ""),
    "a carriage return": (b"a dog\r", "a dog"),
    "control characters": (b"a\x00 \x07d\x1bog\x7f", "a dog"), "a byte order mark": (b"\xef\xbb\xbfa dog", "a dog"),
    "a line separator": ("a\u2028dog\u0085b".encode(), "a dog b"), "a zero-width space": ("a\u200bdog".encode(), "adog"),
    "zero-width joiners": ("\u0915\u094d\u200d\u0937".encode(), "\u0915\u094d\u200d\u0937"),
    "broken UTF-8": (b"a \xff\xfe dog", "a \ufffd\ufffd dog"), "half a character": ("कुत्ता".encode()[:-1], "कुत्त\ufffd"),
    "a lone surrogate": (b"a \xed\xa0\x80 dog", "a \ufffd\ufffd\ufffd dog"), "UTF-16": ("dog".encode("utf-16-le"), "dog"),
    "an accent apart": ("cafe\u0301".encode(), "café"), "the text of a special piece": (b"<pad> <eos>", "<pad> <eos>"),
    "SentencePiece's space": ("▁▁a".encode(), "a"), "a right-to-left mark": ("\u200fdog".encode(), "\u200fdog"),
    "emoji": ("👩‍👩‍👧 dog".encode(), "👩‍👩‍👧 dog"), "an option": (b"--help", "--help"), "JSON": (b'{"a": "\\n"}', '{"a": "\\n"}')}


@pytest.mark.parametrize("line, text", LINES.values(), ids=LINES)
def test_each_kind_of_line_is_read_as(tmp_path, line, text):
    (tmp_path / "in.txt").write_bytes(b"before\n" + line + b"\nafter")
    assert list(translating.read_lines([tmp_path / "in.txt"], 100)) == ["before", text, "after"]


@pytest.mark.parametrize("character", ["x", "क", "👩"])
def test_a_line_of_a_megabyte_is_cut_with_a_warning_that_names_it(tmp_path, character, capsys):
    (tmp_path / "in.txt").write_text("a\n" + character * 1_000_000 + "\nb\n", encoding="utf-8")
    assert list(translating.read_lines([tmp_path / "in.txt"], 100)) == ["a", character * 100, "b"]
    assert capsys.readouterr().err.startswith(f"warning: line 2 of {tmp_path / 'in.txt'} is longer than 100 characters")


@given(content=st.binary(max_size=400), limit=st.integers(1, 20))
def test_any_bytes_are_as_many_lines_as_they_have(tmp_path_factory, content, limit):
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    path.write_bytes(content)
    with contextlib.redirect_stderr(io.StringIO()):
        lines = list(translating.read_lines([path], limit))
    assert len(lines) == content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
    assert all(line == normalize(line) and len(line) <= limit for line in lines)


@pytest.fixture(scope="module", params=["bytes", "sentencepiece"])
def babbler(request):
    """A model that was never trained: it says anything that it can say."""
    import keras

    keras.utils.set_random_seed(3)
    core = build(f"data.source_tokenizer={request.param}", f"data.target_tokenizer={request.param}", "model.attention=luong",
                 "search.max_length=12")
    for weight in core.training_model.trainable_variables:
        weight.assign(np.random.Generator(np.random.Philox(key=4)).normal(size=weight.shape))
    return Predictor(core)


def translated(predictor, content, folder, monkeypatch, **options):
    """What the command prints for a file of that content."""
    path = folder / "in.txt"
    path.write_bytes(content)
    arguments = argparse.Namespace(ensemble=[], run=folder, files=[path], **{"n_best": 1, "json": False, "pairs": False, "seed": 0, **options})
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(translating, "load_together", lambda *_: predictor)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert translating.translate(arguments, predictor.search) == 0
        out.flush()
        return out.buffer.getvalue()


def test_one_line_of_whole_characters_comes_out_for_each_line_whatever_the_bytes(babbler, tmp_path, monkeypatch):
    drawn = random.Random(5)
    lines = [line for line, _ in LINES.values()]
    lines += [drawn.randbytes(drawn.randrange(60)).replace(b"\n", b"") for _ in range(80)]
    for options, given_lines in (({}, lines), ({"json": True}, lines[:len(LINES)])):
        found = translated(babbler, b"\n".join(given_lines) + b"\n", tmp_path, monkeypatch, **options)
        told = found.decode("utf-8").split("\n")
        assert len(told) == len(given_lines) + 1 and told[-1] == ""
        texts = [json.loads(line)["translations"][0]["text"] for line in told[:-1]] if options else told[:-1]
        for line, text in zip(given_lines, texts, strict=True):
            assert not any(unicodedata.category(character) == "Cc" or character == "\ufffd" for character in text)
            assert not re.search("<(pad|bos|eos|unk|0x..)>", text)
            assert text == "" or normalize(line.decode("utf-8", "replace"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(st.binary(max_size=20), max_size=8).map(b"\n".join))
def test_lines_keep_their_order_and_number(trained, tmp_path, monkeypatch, content):
    predictor = of_run(trained)
    found = translated(predictor, content, tmp_path, monkeypatch).decode().split("\n")[:-1]
    sources = [normalize(line.decode("utf-8", "replace")) for line in content.split(b"\n")]
    sources = sources[:-1] if content.endswith(b"\n") or not content else sources
    assert found == [translating.whole(text) for text in predictor.translate(sources)]


def test_pairs_for_the_other_direction_are_what_was_said_and_the_line(trained, tmp_path, monkeypatch):
    predictor, sources = of_run(trained).with_search(beam_size=3, n_best=3), SOURCES_OF[:4]
    found = translated(predictor, "\n".join([sources[0], "", *sources[1:]]).encode(), tmp_path, monkeypatch, pairs=True, n_best=3)
    said = [(text, source) for source, answer in zip(sources, predictor.predict(sources)) for text in answer.texts if text]
    assert [tuple(line.split("\t")) for line in found.decode().splitlines()] == said and len(said) > 8


def test_what_gives_no_pair_is_counted_and_no_pair_comes_twice(trained, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(translating, "say", told.append)
    said = {True: Answer(["a", "", "a"], [0.0] * 3), False: Answer([""], [0.0])}
    monkeypatch.setattr(Predictor, "predict", lambda _, lines, seed: [said[bool(line)] for line in lines])
    assert translated(of_run(trained), b"x\n\ny", tmp_path, monkeypatch, pairs=True) == b"a\tx\na\ty\n"
    assert told == ["warning: lines that gave no pair, for they or their translations are empty: 1"]


_loaded = {}


def of_run(path):
    """The predictor of a run, loaded once."""
    if path not in _loaded:
        _loaded[path] = load(path)
    return _loaded[path]


def differ(predictor, sources):
    """Translations that change with the order, the size or the padding of their batch."""
    order = random.Random(1).sample(range(len(sources)), len(sources))
    shuffled = predictor.translate([sources[i] for i in order])
    ways = {"order": [text for _, text in sorted(zip(order, shuffled))],
            "alone": [predictor.translate([source])[0] for source in sources],
            "size": [text for i in range(0, len(sources), 7) for text in predictor.translate(sources[i:i + 7])],
            "padding": predictor.translate([*sources, "a " * 150])[:-1]}
    whole = predictor.translate(sources)
    return {way: sum(a != b for a, b in zip(whole, texts, strict=True)) for way, texts in ways.items()}


NONE = {"order": 0, "alone": 0, "size": 0, "padding": 0}


def test_nothing_about_a_batch_changes_a_translation(trained):
    predictor = of_run(trained)
    assert differ(predictor, SOURCES_OF) == NONE
    assert differ(predictor.with_search(beam_size=4), SOURCES_OF) == NONE


@pytest.mark.data
def test_nothing_about_a_batch_changes_a_translation_of_500_real_sentences(trained, babbler, data_sets):
    rows = Rows(data_sets / "hvg-en-hi" / "dev.tsv")
    sources = [normalize(source.decode()) for source, _ in (rows[i] for i in range(500))]
    for predictor in (of_run(trained), babbler):
        assert differ(predictor, sources) == NONE
        greedy = predictor.with_search(beam_size=1, length_penalty=0.0)
        assert greedy.translate(sources) == predictor.translate(sources)
