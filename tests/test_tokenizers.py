"""tokenizers.py: text becomes tokens and the same text again, whatever it holds."""

import gc

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_s2s import tokenizers
from keras_s2s.normalize import normalize
from keras_s2s.tokenizers import SPECIALS, TOKENIZERS, UNK, SentencePiece, Words, suitable_size
from small import NAMED, PAIRS

TEXTS = [text for pair in PAIRS + NAMED for text in pair]
NASTY = ["", "a", "naïve café", "क्‍ष और क्‌ष", "👩‍👩‍👧 🙂", "你好，世界", "‘Quoted’ “text” — dash…", "a/b\\c  d", "<unk> <s> </s> <pad>",
         "<0x41>", "Zürich–Köln 3.14 % (50 €)", "مرحبا بالعالم", "ไทย", "q" * 300, "\u0301x", "C++ & C#", "‎rtl", "x'y’z", "$^[](){}|*"]
NASTY = [normalize(text) for text in NASTY]
MADE = {kind: cls.train(TEXTS + NASTY, 0) for kind, cls in TOKENIZERS.items()}


def back(tokenizer, texts):
    return [text.decode() for text in tokenizer.detokenize(tokenizer.tokenize(tf.constant(texts, tf.string))).numpy()]


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_what_was_tokenised_comes_back_exactly(kind):
    assert back(MADE[kind], TEXTS + NASTY) == TEXTS + NASTY


@pytest.mark.parametrize("kind", [kind for kind, cls in TOKENIZERS.items() if cls.open_vocabulary])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=30).map(normalize), min_size=1, max_size=4))
def test_an_open_vocabulary_spells_any_text(kind, texts):
    tokenizer = MADE[kind]
    assert back(tokenizer, texts) == texts
    tokens = tokenizer.tokenize(tf.constant(texts)).flat_values.numpy()
    assert not len(tokens) or tokens.min() > UNK


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40).map(normalize))
def test_the_strings_of_words_make_up_the_text(text):
    parts = Words.split(tf.constant([text]))
    assert Words.join(parts).numpy()[0].decode() == text
    assert all(part.strip() for part in parts.flat_values.numpy())


def test_words_are_runs_of_letters_and_single_signs():
    parts = [part.decode() for part in Words.split(tf.constant(["It's 20 % of Asha's, क्‍या?"])).flat_values.numpy()]
    assert parts == [" It's", " 20", " %", " of", " Asha's", ",", " क्‍या", "?"]


def test_sentencepiece_in_graph_is_the_library():
    tokenizer = MADE["sentencepiece"]
    library = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.to_bytes())
    assert tokenizer.tokenize(tf.constant(TEXTS + NASTY)).to_list() == library.encode(TEXTS + NASTY)


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_the_special_tokens_come_first_and_are_never_said_by_text(kind):
    tokenizer = MADE[kind]
    assert tuple(tokenizer.pieces[:4]) == SPECIALS
    tokens = tokenizer.tokenize(tf.constant(TEXTS + NASTY)).flat_values.numpy()
    assert tokens.min() >= UNK and tokens.max() < tokenizer.vocabulary_size


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_a_batch_of_nothing_is_nothing(kind):
    tokenizer = MADE[kind]
    assert tokenizer.tokenize(tf.constant(["", ""])).to_list() == [[], []]
    assert back(tokenizer, ["", ""]) == ["", ""]
    assert tokenizer.tokenize(tf.constant([], tf.string)).to_list() == []


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_a_saved_tokenizer_is_read_as_it_was(kind, tmp_path):
    tokenizers.save(MADE[kind], tmp_path, "source")
    loaded = tokenizers.load(kind, tmp_path, "source")
    assert loaded.pieces == MADE[kind].pieces
    assert loaded.tokenize(tf.constant(NASTY)).to_list() == MADE[kind].tokenize(tf.constant(NASTY)).to_list()


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_training_twice_gives_the_same_vocabulary(kind):
    assert TOKENIZERS[kind].train(iter(TEXTS), 0).to_bytes() == TOKENIZERS[kind].train(TEXTS, 0).to_bytes()


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_what_a_closed_vocabulary_lacks_is_unknown(kind):
    tokenizer = TOKENIZERS[kind].train(["ab ab ac"], 6)
    tokens = tokenizer.tokenize(tf.constant(["ab zz"])).to_list()[0]
    assert UNK in tokens
    assert "<unk>" in back(tokenizer, ["ab zz"])[0]


def test_an_unknown_word_becomes_the_copied_string_with_its_own_space():
    tokenizer = Words.train(["a b .", "a."], 0)
    tokens = tf.ragged.constant([[UNK, tokenizer.pieces.index("▁b"), UNK], [tokenizer.pieces.index("▁a")]], dtype=tf.int32)
    copied = tf.ragged.constant([[" Asha", "?", "!"], ["?"]])
    assert [text.decode() for text in tokenizer.detokenize(tokens, copied).numpy()] == ["Asha b!", "a"]


def test_a_vocabulary_larger_than_the_text_can_give_is_refused():
    with pytest.raises(ValueError, match="a SentencePiece vocabulary of 9000 pieces cannot be made from 60 sentences: .*"
                                         "source_vocabulary_size"):
        SentencePiece.train([source for source, _ in PAIRS], 9000)
    with pytest.raises(ValueError, match=r"a vocabulary of 99 was asked for, but the text has only 2 different tokens and 4 "
                                         r"special ones. Set a vocabulary size of at most 6, or 0"):
        TOKENIZERS["characters"].train(["ab"], 99)
    with pytest.raises(ValueError, match="the vocabulary of bytes is 260 tokens; got a size of 300. Leave it at 0."):
        TOKENIZERS["bytes"].train(["ab"], 300)


@pytest.mark.parametrize("texts", [["a"], ["a"] * 100, ["你好"], ["x" * 5000]], ids=str)
def test_a_vocabulary_chosen_from_little_text_is_made_all_the_same(texts):
    tokenizer = SentencePiece.train(texts, 0)
    assert back(tokenizer, texts) == texts


def test_a_script_of_many_characters_gets_a_vocabulary_that_holds_them():
    random = np.random.default_rng(0)
    texts = ["".join(chr(0x4E00 + i) for i in random.integers(0, 1500, 12)) for _ in range(300)]
    tokenizer = SentencePiece.train(texts, 0)
    assert back(tokenizer, texts) == texts
    assert tokenizer.vocabulary_size > 1500


def test_a_larger_corpus_gets_a_larger_vocabulary():
    assert suitable_size(30_000, 100) == 2078
    sizes = [suitable_size(10**n, 100) for n in range(8)]
    assert sizes == sorted(sizes) and sizes[-1] == 16_000


def test_a_vocabulary_that_is_missing_or_damaged_is_named(tmp_path):
    with pytest.raises(ValueError, match="the target vocabulary .*target.model cannot be read: .*Copy the whole run"):
        tokenizers.load("sentencepiece", tmp_path, "target")
    for kind in TOKENIZERS:
        path = tmp_path / f"source{TOKENIZERS[kind].suffix}"
        for content in (b"\xff\xfe nothing of ours", b"nothing of ours\n", b""):
            path.write_bytes(content)
            with pytest.raises(ValueError, match="the source vocabulary .* cannot be read: .*Copy the whole run"):
                tokenizers.load(kind, tmp_path, "source")


def test_a_word_that_is_always_followed_by_a_space_is_a_piece_all_the_same():
    texts = [f"{first} {second}." for first in ("mine", "yours", "ours") for second in ("house", "garden", "street", "river")] * 9
    pieces = SentencePiece.train(texts, 0).pieces
    assert {"▁mine", "▁yours", "▁ours"} <= set(pieces)


def test_the_end_of_a_tokenizer_is_not_the_end_of_another_with_the_same_vocabulary():
    one = SentencePiece.train(["the red dog", "the red cat"] * 9, 0)
    other = SentencePiece.from_bytes(one.to_bytes())
    del one
    gc.collect()
    assert other.detokenize(other.tokenize(tf.constant(["red cat"]))).numpy()[0] == b"red cat"


@pytest.mark.parametrize("kind", list(TOKENIZERS))
def test_setting_a_seed_leaves_tokenizers_and_what_was_traced_with_them_alone(kind):
    tokenizer = TOKENIZERS[kind].from_bytes(MADE[kind].to_bytes())
    traced = tf.function(lambda texts: tokenizer.tokenize(texts).to_tensor())
    before = traced(tf.constant(NASTY)).numpy().tolist()
    tf.random.set_seed(3)
    assert traced(tf.constant(NASTY)).numpy().tolist() == before
    assert back(tokenizer, NASTY) == back(MADE[kind], NASTY)


def test_words_that_stand_once_are_left_out_of_a_large_vocabulary_so_that_unknown_ones_are_learnt():
    text = [f"often{i} often{i}" for i in range(900)] + [f"once{i}" for i in range(200)]
    made = Words.train(text, 0)
    assert made.vocabulary_size == 4 + 900 and made.tokenize(tf.constant(["once7"])).values.numpy().tolist() == [UNK]
    assert Words.train(text[:900] + text[900:950], 0).vocabulary_size == 4 + 950  # few are all kept
    assert Words.train(text, 1100).vocabulary_size == 1100  # so are as many as are asked for
