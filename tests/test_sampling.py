"""sampling.py: subword sampling is Kudo (2018), eq. 8, and a pure function of (seed, step)."""

import collections
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.sampling import UNKNOWN, Lattice, tokenize_for_training
from keras_s2s.tokenizers import SPACE, Characters, SentencePiece
from small import NAMED, PAIRS

# Words with common endings, so that there are pieces of several letters, and several ways to cut a word.
FORMED = [f"{stem}{end} {stem}." for stem in ("walk", "talk", "call", "kill", "till") for end in ("s", "ed", "ing", "er", "ers")]
TEXTS = FORMED + [text for pair in PAIRS + NAMED for text in pair]
TOKENIZER = SentencePiece.train(TEXTS, 0)
LATTICE = Lattice(TOKENIZER)
STRANGE = ["你 walks 🙂", "", "x", "क्‍ष walking"]


def draw(texts, alpha, seed=(1, 2)):
    flat, lengths = LATTICE.draw(np.array([text.encode() for text in texts], object), alpha, np.array(seed))
    return tf.RaggedTensor.from_row_lengths(tf.constant(flat, tf.int32), lengths)


def segmentations(text):
    """Every way to cut a text into pieces, with its log-probability, by brute force."""
    edges = {TOKENIZER.pieces[i]: (i, LATTICE.scores[i]) for i in range(260, TOKENIZER.vocabulary_size)}

    def cuts(rest):
        if not rest:
            yield (), 0.0
        for n in range(1, len(rest) + 1):
            if rest[:n] in edges:
                token, score = edges[rest[:n]]
                for tokens, total in cuts(rest[n:]):
                    yield (token, *tokens), score + total

    return dict(cuts(SPACE + text.replace(" ", SPACE)))


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_frequencies_are_those_of_kudo_equation_8(alpha):
    ways = segmentations("walker talks")
    assert len(ways) > 10
    weights = {tokens: math.exp(alpha * score) for tokens, score in ways.items()}
    total, draws = sum(weights.values()), 20_000
    counts = collections.Counter(map(tuple, draw(["walker talks"] * draws, alpha).to_list()))
    assert set(counts) <= set(ways)
    for tokens, weight in weights.items():
        p = weight / total
        assert abs(counts[tokens] / draws - p) < 5 * math.sqrt(p * (1 - p) / draws) + 1e-9, (tokens, p)


def test_a_large_alpha_gives_the_best_segmentation():
    assert draw(TEXTS + STRANGE, 500.0).to_list() == TOKENIZER.tokenize(tf.constant(TEXTS + STRANGE)).to_list()


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
def test_every_draw_spells_the_text(alpha):
    for seed in range(5):
        drawn = draw(TEXTS + STRANGE, alpha, (seed, 7))
        assert [text.decode() for text in TOKENIZER.detokenize(drawn).numpy()] == TEXTS + STRANGE
        assert not len(drawn.flat_values) or tf.reduce_min(drawn.flat_values) > 3


def test_a_draw_is_a_pure_function_of_seed_and_step():
    once, again = draw(TEXTS, 0.2, (5, 9)), draw(TEXTS, 0.2, (5, 9))
    assert once.to_list() == again.to_list()
    assert draw(TEXTS, 0.2, (5, 10)).to_list() != once.to_list()
    assert draw(TEXTS, 0.2, (6, 9)).to_list() != once.to_list()


def test_smaller_alpha_cuts_finer():
    pieces = [draw(FORMED * 20, alpha).row_lengths().numpy().mean() for alpha in (0.1, 0.5, 2.0)]
    assert pieces[0] > pieces[1] > pieces[2]


def test_the_edges_are_the_pieces_of_the_text():
    codes = np.array([[ord(c) for c in SPACE + "walks"]], np.uint32)
    edges = LATTICE.edges(codes)[0]
    text = SPACE + "walks"
    for start in range(len(text)):
        for length in range(1, LATTICE.longest + 1):
            piece = text[start:start + length]
            known = len(piece) == length and piece in TOKENIZER.pieces[260:]
            expected = TOKENIZER.pieces.index(piece) if known else UNKNOWN if length == 1 else -1
            assert edges[start, length - 1] == expected, piece


def test_without_a_seed_or_alpha_or_overlapping_pieces_the_segmentation_is_the_best():
    texts, seed = tf.constant(TEXTS), tf.constant([1, 2], tf.int64)
    best = TOKENIZER.tokenize(texts).to_list()
    assert tokenize_for_training(TOKENIZER, texts, 0.2, None).to_list() == best
    assert tokenize_for_training(TOKENIZER, texts, 0.0, seed).to_list() == best
    assert tokenize_for_training(TOKENIZER, texts, 0.2, seed).to_list() != best
    characters = Characters.train(TEXTS, 0)
    assert tokenize_for_training(characters, texts, 0.2, seed).to_list() == characters.tokenize(texts).to_list()


def test_it_runs_in_tf_data_in_any_batch_shape():
    seed = tf.constant([1, 2], tf.int64)
    data = tf.data.Dataset.from_tensor_slices(TEXTS[:6]).batch(4).map(
        lambda texts: tokenize_for_training(TOKENIZER, texts, 0.2, seed).to_tensor())
    rows = [batch.shape[0] for batch in data]
    assert rows == [4, 2]
