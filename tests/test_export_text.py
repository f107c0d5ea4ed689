"""Text in built-in operations: equal to Python's decoder, to the clean-up and to the tokenizers, whatever the bytes."""

import random
import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from small import SOURCES_OF, TARGETS_OF

from export import trie
from export.phone_text import TextInput, TextOutput
from export.tokenizing import WordsTokenizing
from keras_s2s.normalize import normalize
from keras_s2s.tokenizers import PAD, TOKENIZERS, UNK, SentencePiece, Words

WIDTH = 256
RANGES = (
    (0x20, 0x7E), (0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x590, 0x6FF), (0x900, 0x97F), (0x900, 0x97F), (0x200B, 0x200F),
    (0x2000, 0x206F), (0x2581, 0x2581), (0x3040, 0x30FF), (0xE000, 0xE0FF), (0xFE00, 0xFEFF), (0x1F300, 0x1FAFF),
    (0x1F1E6, 0x1F1FF), (0xE0100, 0xE01EF), (0x10000, 0x10FFFF), (0x0, 0x1F), (0x378, 0x379))  # the last: unassigned


def random_texts(count, seed=0):
    """Strings of any script, with joiners, combining marks, controls, unassigned and right-to-left characters."""
    draw = random.Random(seed)
    for _ in range(count):
        ranges = draw.sample(RANGES, draw.randint(1, 3))
        text = "".join(chr(draw.randint(*draw.choice(ranges))) for _ in range(draw.choice((1, 3, 8, 20, 50))))
        yield unicodedata.normalize(draw.choice(("NFC", "NFD")), text)


def random_bytes(count, seed=0):
    draw = random.Random(seed)
    leads = b"A \x80\xbf\xc0\xc3\xe0\xa4\x95\xed\xa0\xef\xbb\xf0\x9f\x98\xf4\x90\xf5\xff\x01"
    for number in range(count):
        length = number % (WIDTH - 1)
        yield bytes(draw.choice(leads) if number % 2 else draw.randint(1, 255) for _ in range(length))


def padded(data):
    row = np.zeros((1, WIDTH), np.uint8)
    row[0, :min(len(data), WIDTH)] = list(data[:WIDTH])
    return row


def tflite(function, spec):
    """One function as a .tflite file would run it."""
    from ai_edge_litert.interpreter import Interpreter

    concrete = tf.function(function).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return Interpreter(model_content=converter.convert()).get_signature_runner()


def reading(tokenizer):
    """The signature `tokenize`."""
    return tflite(TextInput(SimpleNamespace(tokenizer=tokenizer), WIDTH).tokenize,
                  tf.TensorSpec([1, WIDTH], tf.uint8, name="text"))


def saying(tokenizer, max_bytes, width):
    """The signature `detokenize`."""
    return tflite(TextOutput(SimpleNamespace(tokenizer=tokenizer), max_bytes, width).detokenize,
                  tf.TensorSpec([1, width], tf.int32, name="ids"))


@pytest.fixture(scope="module", params=list(TOKENIZERS))
def tokenizer(request):
    return TOKENIZERS[request.param].train([normalize(text) for text in [*SOURCES_OF, *TARGETS_OF, "naïve café"] * 3], 0)


@pytest.fixture(scope="module")
def pieces():
    return SentencePiece.train([normalize(text) for text in [*SOURCES_OF, *TARGETS_OF] * 3], 0)


def tokenize(runner, data):
    found = runner(text=padded(data))
    ids = found["ids"][0]
    assert not ids[found["count"][0]:].any()
    return ids[:found["count"][0]].tolist(), bool(found["truncated"][0])


def test_double_array_finds_its_strings_and_nothing_else():
    strings = {bytes(random.Random(i).choices(b"abcd\xe0\xa4", k=1 + i % 7)): i for i in range(300)}
    tables = trie.double_array(strings)

    def look_up(string):
        state = 0
        for byte in string:
            following = tables.base[state] + byte
            if tables.check[following] != state:
                return -1
            state = following
        return tables.value[state]

    assert all(look_up(string) == number for string, number in strings.items())
    assert all(look_up(string + b"\xff") == -1 for string in strings)
    assert tables.longest == max(map(len, strings))


def test_tokens_equal_the_tokenizers_on_any_text(tokenizer):
    runner = reading(tokenizer)
    texts = [normalize(text) for text in [*SOURCES_OF, *TARGETS_OF, "", "naïve  café", "a▁b ▁", "क़ ज़", *random_texts(600)]]
    texts = [text for text in texts if len(text.encode()) < WIDTH]
    for text, wanted in zip(texts, tokenizer.tokenize(tf.constant([text.encode() for text in texts])).to_list()):
        assert tokenize(runner, text.encode()) == (wanted, False), text


def test_text_of_tokens_equals_the_tokenizers(tokenizer):
    runner = saying(tokenizer, 512, 64)
    draw = np.random.default_rng(0)
    for number in range(300):
        ids = draw.integers(4, tokenizer.vocabulary_size, draw.integers(0, 24))
        if number % 3 == 0:
            ids = draw.integers(4, min(260, tokenizer.vocabulary_size), draw.integers(0, 24))  # bytes, where there are any
        if number % 7 == 0 and len(ids):
            ids[0] = UNK
        found = runner(ids=np.pad(ids, (0, 64 - len(ids)), constant_values=PAD).astype(np.int32)[None])
        wanted = tokenizer.detokenize(tf.RaggedTensor.from_tensor(tf.constant(ids[None], tf.int32))).numpy()[0]
        if not found["truncated"][0]:
            assert bytes(found["text"][0, :found["length"][0]]) == wanted


def test_letters_are_what_the_tokenizer_of_words_runs_together():
    codes = [code for code in (*range(0x21, 0x10000), *range(0x10000, 0x110000, 5)) if not 0xD800 <= code < 0xE000]
    found = WordsTokenizing(Words.train(["naïve café"], 0), WIDTH)
    said = [found.letters[256 * found.pages[code // 256] + code % 256] for code in codes]
    np.testing.assert_array_equal(said, Words.split(tf.constant([f"a{chr(code)}" for code in codes])).row_lengths() == 1)


def test_sentencepiece_equals_its_library_on_20000_random_strings(pieces):
    runner = reading(pieces)
    compared = 0
    for text in random_texts(20_000, seed=1):
        text = normalize(text)
        if len(text.encode()) < WIDTH:
            assert tokenize(runner, text.encode())[0] == pieces.processor.encode(text), ascii(text)
            compared += 1
    assert compared > 19_000


def test_sentencepiece_gives_back_any_text_that_it_tokenised(pieces):
    runner = saying(pieces, 512, WIDTH + 1)
    for text in random_texts(1_000, seed=2):
        ids = pieces.processor.encode(normalize(text))
        if len(ids) <= WIDTH:
            found = runner(ids=np.array([ids + [PAD] * (WIDTH + 1 - len(ids))], np.int32))
            assert bytes(found["text"][0, :found["length"][0]]) == pieces.processor.decode(ids).encode()[:512]


def test_the_clean_up_is_normalizes_also_where_the_host_forgot(pieces):
    runner = reading(pieces)
    for text in ["\ufeffThe\u00a0red \t dog\r\n", "क\u095cक़", "न\u093c र\u093cक ळ\u093c",
                 "\u0958\u0959\u095a\u095b\u095c\u095d\u095e\u095f",
                 "a\u200bb \u2009 c\u0007d\u0085", "\u3000\u2028 x", "न \u093c", "क\u200d्ष\u200c"]:
        assert tokenize(runner, text.encode())[0] == pieces.processor.encode(normalize(text)), ascii(text)


def test_bytes_that_are_not_utf8_are_read_as_python_reads_them(pieces):
    runner = reading(pieces)
    for data in random_bytes(1_000):
        text = data.decode("utf-8", "replace")
        if not unicodedata.is_normalized("NFC", text):
            continue  # the host's
        text = normalize(text)
        if len(text.encode()) < WIDTH:
            ids, truncated = tokenize(runner, data)
            assert (ids, truncated) == (pieces.processor.encode(text), False), data


def test_a_text_that_is_too_long_is_cut_at_a_character_and_marked(pieces):
    runner = reading(pieces)
    for text in ("a" * 300, "x" + "क" * 120, "é" * 200, "😀" * 90):
        kept = text.encode()[:WIDTH].decode("utf-8", "ignore")
        assert tokenize(runner, text.encode()) == (pieces.processor.encode(kept), True)
    assert tokenize(runner, b"a" * (WIDTH - 1))[1] is False


def test_an_answer_that_is_too_long_is_cut_at_a_character_and_marked(pieces):
    runner = saying(pieces, 16, 64)
    ids = pieces.processor.encode("क" * 20)
    found = runner(ids=np.array([ids + [PAD] * (64 - len(ids))], np.int32))
    assert bytes(found["text"][0, :found["length"][0]]).decode() == "क" * 5 and found["truncated"][0] == 1


def lines_of_all_text_sets(data_sets, every):
    for path in ("hvg-en-hi/*.tsv", "tatoeba-en-hi/*.tsv", "dakshina-hi/*.tsv", "cmudict-g2p/*.tsv"):
        for file in sorted(data_sets.glob(path)):
            lines = file.read_text(encoding="utf-8").split("\n")
            for line in lines[::every]:
                yield from line.split("\t")[:2]


@pytest.mark.data
@pytest.mark.parametrize("every", [50, pytest.param(1, marks=pytest.mark.slow)])
def test_sentencepiece_equals_its_library_on_the_data_sets(data_sets, every):
    corpus = [normalize(part) for line in (data_sets / "hvg-en-hi" / "dev.tsv").read_text(encoding="utf-8").split("\n")
              for part in line.split("\t")[:2]]
    made = SentencePiece.train(corpus, 0)
    read = reading(made)
    said = saying(made, 512, WIDTH + 1)
    compared = 0
    for text in {normalize(line) for line in lines_of_all_text_sets(data_sets, every)}:
        if len(text.encode()) < WIDTH:
            ids = made.processor.encode(text)
            assert tokenize(read, text.encode())[0] == ids, text
            found = said(ids=np.array([ids + [PAD] * (WIDTH + 1 - len(ids))], np.int32))
            assert bytes(found["text"][0, :found["length"][0]]).decode() == made.processor.decode(ids), text
            compared += 1
    assert compared > 200_000 / every
