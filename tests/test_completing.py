"""Next words: probabilities are those of all spellings of a word, and the command says them."""

import io
import itertools
import json
import math
import os
import select
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from keras_s2s import cli
from keras_s2s.completing import Completer, offers
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, load
from keras_s2s.scoring import scoring_of
from keras_s2s.search import Symbols
from keras_s2s.suggesting import Spelling, likeliest, next_words
from keras_s2s.tokenizers import BOS, EOS
from small import SOURCES_OF, build

PIECES = ["<pad>", "<unk>", "<bos>", "<eos>", "▁", "▁a", "▁b", "a", "b", "ab"]  # words of a and b, spelt in several ways
SYMBOLS = Symbols(banned=(1,))
SPELLING = Spelling(np.array([piece.startswith("▁") for piece in PIECES]), np.array([piece == "▁" for piece in PIECES]))


def toy(seed):
    """log p of every token after every token, with a state that counts the steps: [step, last, next]."""
    table = tf.nn.log_softmax(2 * np.random.default_rng(seed).normal(size=(4, 10, 10)).astype(np.float32))

    def step(tokens, state, memory):
        return tf.gather_nd(table, tf.stack([tf.minimum(state, 3), tokens], -1)), state + 1

    return table.numpy(), step


def brute_force(table, most):
    """Each word of at most so many pieces with its probability: the sum over all sequences of tokens."""
    found = {}
    for length in range(1, most + 1):
        for tokens in itertools.product(range(4, 10), repeat=length):
            texts = [PIECES[token].replace("▁", " ") for token in tokens]
            so_far = ["".join(texts[:i]).strip() for i in range(length + 1)]
            if not so_far[-1] or any(text.startswith(" ") and before for text, before in zip(texts, so_far)):
                continue  # no word yet, or a second one
            steps = [BOS, *tokens]
            log_p = sum(table[min(i, 3), steps[i], steps[i + 1]] for i in range(length))
            ends = sum(math.exp(table[min(length, 3), steps[-1], token]) for token in range(10)
                       if SPELLING.begins[token] or token == EOS)
            found[so_far[-1]] = found.get(so_far[-1], 0) + math.exp(log_p) * ends
    return found


def spelt(found, row=0):
    texts = ["".join(PIECES[token] for token in tokens if token).replace("▁", " ").strip()
             for tokens in found.tokens[row].numpy()]
    words = {}
    for text, score in zip(texts, found.scores[row].numpy()):
        if text and score > -1e8:
            words[text] = words.get(text, 0.0) + math.exp(score)
    return words


@pytest.mark.parametrize("seed", range(3))
def test_a_word_is_as_likely_as_all_its_spellings_together(seed):
    table, step = toy(seed)
    wanted = brute_force(table, 4)
    found = spelt(next_words(step, tf.zeros([1], tf.int32), 1, 1500, 4, SPELLING, SYMBOLS))
    assert found.keys() == wanted.keys() and sum(found.values()) < 1
    for word, p in wanted.items():
        assert found[word] == pytest.approx(p, rel=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_few_beams_find_the_likeliest_words_and_never_overstate_them(seed):
    table, step = toy(seed)
    wanted = brute_force(table, 4)
    found = spelt(next_words(step, tf.zeros([1], tf.int32), 1, 16, 8, SPELLING, SYMBOLS))
    longer = brute_force(table, 6)
    assert max(found, key=found.get) == max(wanted, key=wanted.get)
    assert all(p <= longer[word] * 1.001 for word, p in found.items() if word in longer)


def test_rows_do_not_mix():
    _, step = toy(1)

    def shifted(tokens, state, memory):
        logits, new = step(tokens, state[0], memory)
        return logits + state[1], [new, state[1]]

    bias = tf.constant([[0.0] * 10, [0.0] * 7 + [3.0] * 3])
    both = next_words(shifted, [tf.zeros([2], tf.int32), bias], 2, 16, 6, SPELLING, SYMBOLS)
    for row in range(2):
        alone = next_words(shifted, [tf.zeros([1], tf.int32), bias[row:row + 1]], 1, 16, 6, SPELLING, SYMBOLS)
        np.testing.assert_array_equal(both.tokens[row], alone.tokens[0])
        np.testing.assert_allclose(both.scores[row], alone.scores[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["sentencepiece", "characters", "words", "bytes"])
def test_every_vocabulary_knows_where_words_begin(kind):
    core = build(f"data.target_tokenizer={kind}", "data.corpus=sentences")
    begins, blank = core.target.tokenizer.spaces()
    text = "लाल कुत्ता घर"
    tokens = core.target.tokenizer.tokenize(tf.constant([text])).values.numpy()
    assert begins.shape == blank.shape == (core.target.tokenizer.vocabulary_size,) and not (blank & ~begins).any()
    assert begins[tokens[1:]].sum() == 2  # of the first word none has to
    assert not begins[:1].any() and not begins[2:4].any()


@pytest.mark.parametrize("kind, attention", [("sentencepiece", "luong"), ("bytes", "none")])
def test_suggestions_are_what_the_models_own_probabilities_say(kind, attention):
    tf.keras.utils.set_random_seed(5)
    core = build("data.corpus=sentences", f"data.target_tokenizer={kind}", f"model.attention={attention}",
                 pairs=[(text, text) for text in SOURCES_OF])
    predictor = Predictor(core)
    [found] = Completer(predictor, 3).complete(["The red dog"])
    assert len(found.words) == 3 and found.words == sorted(found.words, key=lambda pair: -pair[1])
    if kind == "bytes":  # one spelling each: p(word and end) + p(word, space, ...) from teacher forcing
        word, p = found.words[0]
        prepared = core.source.prepare(tf.constant(["The red dog"]))
        spelling = core.target.tokenizer.tokenize(tf.constant([word])).values
        logits = core.training_model([prepared, tf.concat([[BOS], spelling], 0)[None]], training=False)
        table = tf.nn.softmax(logits)[0].numpy()
        wanted = math.prod(table[i, token] for i, token in enumerate(spelling.numpy())) * (table[-1, EOS] + table[-1, 4 + 32])
        assert p == pytest.approx(wanted, rel=1e-3)


def test_surprise_is_the_teacher_forced_cost_whatever_the_batch():
    core = build("data.corpus=sentences", "model.attention=luong")
    predictor = Predictor(core)
    sources, targets = ["The red dog", "A", "The big cow sees"], ["लाल घर", "बड़ा", "कुत्ता"]
    found = predictor.surprises(sources, targets)
    for i in range(3):
        np.testing.assert_allclose(predictor.surprises(sources[i:i + 1], targets[i:i + 1])[0], found[i], rtol=1e-4)
    tokens = core.target.tokenizer.tokenize(tf.constant(targets[:1])).values.numpy().tolist()
    logits = core.training_model([core.source.prepare(tf.constant(sources[:1])), tf.constant([[BOS, *tokens]])], training=False)
    log_p = tf.nn.log_softmax(logits)[0].numpy()
    np.testing.assert_allclose(found[0], [-log_p[i, token] for i, token in enumerate([*tokens, EOS])], rtol=1e-4)


def run(monkeypatch, capsys, *words, stdin=b"", terminal=False):
    stream = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    if terminal:
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    status = cli.main([str(word) for word in words])
    return (status, *capsys.readouterr())


def test_a_run_learns_what_follows_and_tells_its_scores(completer):
    found = Run.open(completer).metrics()["dev"]
    assert found["word_perplexity"] < 6 and found["next_word"] > 30  # of 16 words; only some are free to choose
    scoring = scoring_of(load(completer).config)
    assert "perplexity" in scoring.table({"dev": found}) and "next word right" in scoring.line(found)


def test_the_command_says_words_with_probabilities_and_the_continuation(completer, monkeypatch, capsys):
    status, out, _ = run(monkeypatch, capsys, "complete", completer, "The red dog", "--count", "3")
    *lines, last = out.splitlines()
    assert status == 0 and len(lines) == 3 and last.startswith("The red dog ")
    assert lines[0].split("\t")[1] == "sees" and float(lines[0].split("\t")[0]) > 0.3
    status, out, _ = run(monkeypatch, capsys, "complete", completer, "--json", stdin="The red dog\n\nThe big cow sees a\n".encode())
    said = [json.loads(line) for line in out.splitlines()]
    assert [one["text"] for one in said] == ["The red dog", "", "The big cow sees a"] and said[1]["words"] == []
    assert said[0]["words"][0]["word"] == "sees" and sum(word["probability"] for word in said[2]["words"]) <= 1.0001


def test_a_terminal_is_prompted(completer, monkeypatch, capsys):
    lines = iter(["The red dog", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    status, out, err = run(monkeypatch, capsys, "complete", completer, terminal=True)
    assert status == 0 and "\tsees\n" in out and "Type the beginning of a sentence" in err


def test_a_person_is_offered_words_at_every_key(completer):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "import sys; from keras_s2s.cli import main; sys.exit(main())", "complete", str(completer)]
    with subprocess.Popen(command, stdin=slave, stderr=slave, stdout=subprocess.PIPE, env=os.environ | {"TERM": "xterm"}) as person:
        seen, deadline = b"", time.monotonic() + 120
        for keys, wanted in ((b"The red dog", b""), (b" ", b"dog"), (b"\t\n", b"  sees "), (b"\x04", b"sees \r\n")):
            prompted = keys[:1] in b"T\x04"  # the first keys of a line: not before the terminal is ready for them
            while not (wanted in seen and (not prompted or seen.endswith(b"\r> "))) and time.monotonic() < deadline:
                if select.select([master], [], [], 1)[0]:
                    seen += os.read(master, 4096)
            seen = b""
            os.write(master, keys)
        if time.monotonic() > deadline:
            person.kill()
        answer = person.stdout.read().decode()
    assert person.returncode == 0 and answer.splitlines()[-1].startswith("The red dog sees ")


def test_words_that_begin_like_the_one_that_is_typed_are_offered():
    known = {"The red": [("dog", 0.5), ("door", 0.2), ("cat", 0.1)]}
    completer = type("Known", (), {"words": staticmethod(lambda text: known.get(text, []))})
    assert offers(completer, "The red ") == known["The red"] and offers(completer, "The red do") == known["The red"][:2]
    assert offers(completer, "The red dog") == offers(completer, "The") == offers(completer, "") == []


@pytest.mark.parametrize("words, said", [
    ([""], "a text to go on with is required; it holds nothing."), (["a " * 600], "a text may have 1,000 characters"),
    (["a", "--count", "0"], "--count must be between 1 and 100; got 0.")])
def test_what_cannot_be_completed_is_told(completer, words, said, monkeypatch, capsys):
    status, _, err = run(monkeypatch, capsys, "complete", completer, *words)
    assert status == 1 and said in err


def test_a_translator_does_not_complete(trained, monkeypatch, capsys):
    status, _, err = run(monkeypatch, capsys, "complete", trained, "Asha")
    assert status == 1 and "only a run of sentences completes them; this one learnt from pairs. Use: keras-s2s translate" in err


def test_evaluate_report_and_the_last_words_know_sentences(completer, monkeypatch, capsys, tmp_path):
    from keras_s2s import workflow

    (tmp_path / "new.txt").write_text("The red dog sees a tree. The big cow sees a house.\n")
    status, out, _ = run(monkeypatch, capsys, "evaluate", completer, "--data", tmp_path / "new.txt", "--json")
    assert status == 0 and json.loads(out)["new.txt"]["word_perplexity"] < 10
    assert run(monkeypatch, capsys, "report", completer, "--output", tmp_path / "report.html")[0] == 0
    shown = (tmp_path / "report.html").read_text()
    assert "next word on dev" in shown and "a word</small>" in shown
    workflow.show(Run.open(completer), load(completer))
    assert f"keras-s2s complete {completer}" in capsys.readouterr().err


def test_words_that_are_spelt_twice_are_one():
    same = [[a == b and a != "" for b in "aba.c"] for a in ("a", "b", "a", "", "c")]
    same[0][2] = same[2][0] = True
    log_p = tf.math.log([[0.25, 0.3, 0.25, 0.1, 0.0]])
    places, p = likeliest(tf.constant([same]), log_p, 4)
    assert places[0, :2].numpy().tolist() == [0, 1] and p[0].numpy().tolist() == pytest.approx([0.5, 0.3, 0, 0])
