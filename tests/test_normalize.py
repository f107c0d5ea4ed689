"""normalize.py: one clean-up, the same characters in Python and in the graph."""

import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_s2s.normalize import comparable, holds_control_characters, normalize, normalize_in_graph

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SPACES = "\t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def in_graph(texts):
    return [value.decode() for value in normalize_in_graph([text.encode() for text in texts]).numpy()]


def assert_same(texts):
    both = zip(texts, map(normalize, texts), in_graph(texts), strict=True)
    different = [(text, python, graph) for text, python, graph in both if python != graph]
    assert not different, f"{len(different)} of {len(texts)}: {[tuple(map(ascii, row)) for row in different[:5]]}"


@pytest.mark.parametrize("text, expected", [
    ("", ""),
    ("   ", ""),
    ("  a  b ", "a b"),
    ("e\u0301", "é"),
    ("\u0915\u093c", "\u0915\u093c"),  # ka + nukta: NFC excludes the composed letter...
    ("\u0958", "\u0915\u093c"),  # ...so both spellings become this one
    ("\u1112\u1161\u11ab", "한"),
    ("\ufeffa\ufeffb", "ab"),
    ("a\0b\x07c\x7fd\x9f", "abcd"),
    ("a\u200bb", "ab"),
    ("e\u200b\u0301", "é"),  # what goes lets letter and accent meet
    ("a \u200b b", "a b"),
    ("क्\u200dष न\u200cम", "क्\u200dष न\u200cम"),
    ("x\ud800y", "x\ufffdy"),
    ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
    *((f"{space}a{space}{space}b{space}", "a b") for space in SPACES),
])
def test_normalize_gives(text, expected):
    assert normalize(text) == expected


@settings(derandomize=True, deadline=None)
@given(st.text())
def test_normalize_is_idempotent_and_its_result_is_nfc_encodable_and_on_one_line(text):
    once = normalize(text)
    assert normalize(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert len(once.encode().decode().splitlines()) <= 1 and "\t" not in once


@pytest.mark.parametrize("before, after", [("", ""), ("a", "\u0301"), ("a\u0316", "")])
def test_every_character_comes_out_the_same_in_the_graph(before, after):
    assert_same([before + chr(code) + after for code in range(0x20000) if not 0xD800 <= code < 0xE000])


def test_random_strings_come_out_the_same_in_the_graph():
    ranges = [(0x00, 0x7F), (0x80, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x591, 0x6FF), (0x900, 0x97F),
              (0x980, 0xDFF), (0xE00, 0xFFF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x20D0, 0x20FF),
              (0x3000, 0x30FF), (0xAC00, 0xD7A3), (0xF900, 0xFFFF), (0x10000, 0x1FFFF), (0x2F800, 0x2FA1F),
              (0xE0000, 0x10FFFF)]
    chance = random.Random(7)

    def text():
        chosen = chance.sample(ranges, chance.randint(1, 3))
        return "".join(chr(chance.randint(*chance.choice(chosen))) for _ in range(chance.randint(0, 30)))

    texts = [text() for _ in range(20_000)]
    assert_same(texts)
    assert_same([unicodedata.normalize("NFD", text) for text in texts])


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.binary(max_size=20), max_size=20))
def test_any_bytes_come_out_as_python_replaces_them_and_nothing_raises(values):
    expected = [normalize(value.decode("utf-8", "replace")).encode() for value in values]
    assert normalize_in_graph(values).numpy().tolist() == expected


def test_the_graph_keeps_any_shape():
    assert normalize_in_graph("e\u0301 ").numpy() == "é".encode()
    assert normalize_in_graph([[" a"], ["b"]]).numpy().tolist() == [[b"a"], [b"b"]]
    assert normalize_in_graph([]).shape == (0,)


def test_the_graph_runs_inside_a_function_of_unknown_shape():
    import tensorflow as tf

    traced = tf.function(normalize_in_graph, input_signature=[tf.TensorSpec(None, tf.string)])
    assert traced(tf.constant([["a\u00a0\u00a0b"]])).numpy().tolist() == [[b"a b"]]


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason="the real corpora are not beside the checkout")
@pytest.mark.parametrize("name", ["hvg-en-hi/train.tsv", "tatoeba-en-hi/pairs.tsv", "dakshina-hi/dev.tsv"])
def test_real_text_comes_out_the_same_in_the_graph(name):
    lines = (DATA / name).read_bytes().decode("utf-8", "replace").split("\n")
    assert_same(lines)
    assert_same([unicodedata.normalize("NFD", line) for line in lines])


@pytest.mark.parametrize("text, answer", [("a\0b", True), ("a\x1bb", True), ("a\tb\r", False),
                                          ("a\u00a0\u200b", False)])
def test_holds_control_characters_says(text, answer):
    assert holds_control_characters(text) is answer


@pytest.mark.parametrize("one, other", [
    ("The dog sleeps.", "the  dog sleeps"),
    ("Don’t!", "dont"),
    ("यह क्या है?", "यह क्या है।"),
    ("“Oui”, dit-il", "oui ditil"),
    ("Straße", "STRASSE"),
    ("a - b", "a b"),
])
def test_sentences_that_count_as_the_same(one, other):
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize("one, other", [("C++", "C"), ("1 + 1", "1 1"), ("?", "!"), ("कि", "की"), ("a b", "ab")])
def test_sentences_that_count_as_different(one, other):
    assert comparable(one) != comparable(other)
