"""shortlist.py: an answer among the target tokens of its source's is the answer of the whole vocabulary, others put out of reach."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from small import NAMED, SOURCES_OF, build, decided

import keras_s2s
from export import parity, saved_model
from export.tflite import Sizes
from keras_s2s import shortlist, workflow
from keras_s2s.config import MOST_LISTED, Search
from keras_s2s.ensemble import Ensemble
from keras_s2s.predictor import Predictor
from keras_s2s.rows import CorpusError
from keras_s2s.run import Run
from keras_s2s.search import NEVER, search
from keras_s2s.shortlist import Shortlist, learn
from keras_s2s.tokenizers import PAD, SPECIALS

KINDS = ["model.attention=luong", "model.cell=gru model.tied_embeddings=true model.num_layers=2",
         "data.source_tokenizer=words data.target_tokenizer=words data.target_vocabulary_size=12 model.attention=bahdanau"]
SEARCHES = [{}, {"beam_size": 3}, {"no_repeat_ngram": 2}, {"beam_size": 2, "no_repeat_ngram": 1},
            {"temperature": 1.0, "top_k": 5}, {"temperature": 0.7, "top_p": 0.8}]


def listing(core, count=3, seed=0):
    """A lexicon whose lists are drawn by lot, some of them of nothing."""
    random, sizes = np.random.default_rng(seed), (core.source.tokenizer.vocabulary_size, core.target.tokenizer.vocabulary_size)
    table = random.integers(0, sizes[1], [sizes[0] + 1, MOST_LISTED]).astype(np.int32)
    table[random.random(len(table)) < 0.3] = PAD
    return SimpleNamespace(table=table, target=core.target)


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("how", SEARCHES)
def test_an_answer_is_that_of_the_whole_vocabulary_with_the_rest_out_of_reach(settings, how):
    core = decided(build(*settings.split(), "search.max_length=10"))
    settings, lexicon, seed = Search(max_length=10, **how), listing(core), tf.constant([3, 4])
    predictor = Predictor(core, settings, lexicon).with_search(shortlist=3)
    raw = tf.constant(SOURCES_OF[:9])
    prepared = core.source.prepare(raw)
    marks = Shortlist(lexicon, 3).needed(prepared)
    assert 4 < int(tf.reduce_min(tf.reduce_sum(tf.cast(marks, tf.int32), 1))) < marks.shape[1]
    tokens = tf.cast(tf.where(tf.reduce_any(marks, 0))[:, 0], tf.int32)

    def step(inputs, state, memory):
        logits, state = core.step(inputs, state, memory[0])
        times = tf.shape(logits)[0] // tf.shape(memory[1])[0]
        return tf.where(tf.repeat(memory[1], times, axis=0), logits, NEVER), state

    encoded = core.encode(prepared)
    symbols = core.target.symbols._replace(banned=() if core.copies else core.target.symbols.banned)
    if settings.temperature:  # what is drawn depends on how many there are to draw from, so compare the same columns
        inner = step
        step = lambda *given: (lambda found: (tf.gather(found[0], tokens, axis=1), found[1]))(inner(*given))  # noqa: E731
        symbols = symbols._replace(listed=tokens)
    limits = tf.fill([9], 10)
    expected = search(step, encoded.state, limits, settings, memory=(core.remember(encoded), marks), symbols=symbols, seed=seed)
    found = found_by(predictor, raw, seed)
    assert found.tokens.numpy().tolist() == expected.tokens.numpy().tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3, atol=1e-3)
    said = set(found.tokens.numpy().ravel().tolist())
    assert len(said) > 1 and said <= set(tokens.numpy().tolist())


def found_by(predictor, raw, seed):
    """What the predictor's search finds, before it is rendered."""
    kept, render = [], predictor.model.target.render
    predictor.model.target.render = lambda found, copied=None: kept.append(found) or render(found, copied)
    try:
        predictor.answer(raw, seed)
    finally:
        del predictor.model.target.render
    return kept[0]


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("beams", [1, 3])
def test_an_answer_does_not_depend_on_what_is_asked_beside_it(settings, beams):
    core = decided(build(*settings.split(), "search.max_length=10"))
    predictor = Predictor(core, None, listing(core)).with_search(shortlist=3, beam_size=beams)
    together = [answer.texts for answer in predictor.predict(SOURCES_OF[:12])]
    assert [predictor.predict([source])[0].texts for source in SOURCES_OF[:12]] == together


@pytest.mark.parametrize("beams", [1, 3])
def test_nor_do_those_of_models_together(beams):
    models = [decided(build("model.attention=luong", "search.max_length=10"), seed) for seed in (0, 1)]
    predictor = Predictor(Ensemble(models), None, listing(models[0])).with_search(shortlist=3, beam_size=beams)
    together = predictor.predict(SOURCES_OF)
    for source, beside in zip(SOURCES_OF, together):
        alone, = predictor.predict([source])
        assert alone.texts == beside.texts
        np.testing.assert_allclose(alone.scores, beside.scores, atol=1e-3)


def test_models_together_narrow_as_one_does():
    core = decided(build("model.attention=luong", "search.max_length=10"))
    one, many = (Predictor(model, None, listing(core)).with_search(shortlist=3, beam_size=2) for model in (core, Ensemble([core] * 3)))
    for a, b in zip(one.predict(SOURCES_OF[:9]), many.predict(SOURCES_OF[:9])):
        assert a.texts == b.texts
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-3)


def test_a_lexicon_ranks_by_phi_squared():
    random = np.random.default_rng(1)
    pairs = [([int(i) for i in random.integers(4, 12, random.integers(1, 6))],) for _ in range(60)]
    pairs = [(s, [i + 3 for i in s if random.random() < 0.8] + [int(random.integers(4, 20))]) for s, in pairs]
    table = learn(chunked(pairs, 7), 13, 21)
    n = len(pairs)
    for s in range(4, 13):
        scores = {}
        for t in range(4, 21):
            a, n_s, n_t = (sum(test(pair) for pair in pairs) for test in (
                lambda pair: s in pair[0] and t in pair[1], lambda pair: s in pair[0], lambda pair: t in pair[1]))
            if n * a > n_s * n_t:
                scores[t] = np.corrcoef([s in pair[0] for pair in pairs], [t in pair[1] for pair in pairs])[0, 1] ** 2
        best = sorted(scores, key=lambda t: (-round(scores[t], 9), t))
        assert table[s].tolist() == best + [PAD] * (MOST_LISTED - len(best))
        assert not scores or s == 12 or table[s, 0] == s + 3  # its own translation is first
    counts = np.array([sum(t in pair[1] for pair in pairs) for t in range(21)])
    assert counts[table[-1, :17]].tolist() == sorted(counts[len(SPECIALS):], reverse=True)
    assert (table[12] == PAD).all() and table.dtype == np.int32


def chunked(pairs, rows):
    """Pairs of lists as padded arrays, so many at a time."""
    for start in range(0, len(pairs), rows):
        part = pairs[start:start + rows]
        yield tuple(np.array([side + [PAD] * (max(map(len, sides)) - len(side)) for side in sides], np.int32)
                    for sides in zip(*part))


def test_one_long_row_does_not_widen_the_others():
    rows = [[4 + i % 30 for i in range(1000)]] + [[4, 5, 4]] * 255
    source = shortlist._once(np.array([row + [PAD] * (1000 - len(row)) for row in rows], np.int32))
    assert source.shape == (256, 30)
    assert source[0].tolist() == list(range(4, 34)) and source[1].tolist() == [PAD] * 28 + [4, 5]


def test_what_is_counted_at_once_changes_nothing(monkeypatch):
    random = np.random.default_rng(2)
    pairs = [(random.integers(4, 30, 5).tolist(), random.integers(4, 40, 7).tolist()) for _ in range(50)]
    expected = learn(chunked(pairs, 50), 30, 40)
    monkeypatch.setattr(shortlist, "LINKS", 100)
    np.testing.assert_array_equal(learn(chunked(pairs, 3), 30, 40), expected)


def test_a_run_learns_its_lexicon_once_and_answers_as_with_all_tokens(trained, tmp_path, monkeypatch):
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    sources = [source for source, _ in NAMED[:40]]
    whole = keras_s2s.load(path)
    expected = [answer.best for answer in whole.predict(sources)]
    saved_model.export(Run.open(path))  # whose own search has no shortlist
    assert not (path / "shortlist.npy").exists()
    assert whole.translate(sources, shortlist=5) == expected
    table = (path / "shortlist.npy").read_bytes()
    monkeypatch.setattr(shortlist, "learn", lambda *_: pytest.fail("it was there"))
    assert keras_s2s.load(path).translate(sources, shortlist=5) == expected
    monkeypatch.undo()
    for damaged in (b"", table[:-9], b"noise", None):
        where = path / "shortlist.npy"
        where.unlink() if damaged is None else where.write_bytes(damaged)
        assert keras_s2s.load(path).translate(sources, shortlist=5) == expected and where.read_bytes() == table


def test_a_run_without_its_training_set_says_what_a_shortlist_needs(trained, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    (path / "data" / "train.tsv").write_bytes(b"")
    with pytest.raises(CorpusError, match="a shortlist .* is learned from the run's training set, which holds no pairs"):
        keras_s2s.load(path).translate(["Asha sees a big tree."], shortlist=2)
    (path / "data" / "train.tsv").unlink()
    with pytest.raises(CorpusError, match="a shortlist .* is learned from the run's training set: the pairs in .*train.tsv' cannot be read"):
        keras_s2s.load(path).translate(["Asha sees a big tree."], shortlist=2)
    with pytest.raises(ValueError, match=r"needs a trained run.*keras_s2s.load\(RUN\)"):
        Predictor(decided(build())).with_search(shortlist=2)
    with pytest.raises(ValueError, match="between 0 and 100"):
        keras_s2s.load(path).translate(["Asha sees a big tree."], shortlist=MOST_LISTED + 1)


def test_a_forecaster_has_no_shortlist(forecaster, tmp_path):
    with pytest.raises(ValueError, match="`search.shortlist` needs text on both sides; this run reads series and says series"):
        keras_s2s.load(forecaster[0]).with_search(shortlist=2)
    with pytest.raises(ValueError, match="`search.shortlist` needs text on both sides"):
        workflow.open_run(tmp_path / "run", Run.open(forecaster[0]).config.set(["search.shortlist=2"]), False)
    assert not (tmp_path / "run").exists()


def test_exports_of_a_run_with_a_shortlist(trained, tmp_path):
    """A server's model narrows as the run does; a phone's file answers among all tokens, and is compared with that."""
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    config = Run.open(path).config.set(["search.shortlist=1"])
    Run(path, config).save_config()
    saved_model.export(Run.open(path))
    parity.export(Run.open(path), ["none"], Sizes(max_output_bytes=256, beam_size=2))
    report = json.loads((path / "export" / "report.json").read_text())
    file, = report["files"].values()
    assert file["passed"] and file["identical"] == report["sentences"] == report["saved_model"]["identical"]
    served = tf.saved_model.load(str(path / "export" / "saved_model")).signatures["translate"]
    sources = [source for source, _ in NAMED[:20]]
    expected = [answer.best for answer in keras_s2s.load(path).predict(sources)]
    assert [text.decode() for text in served(text=tf.constant(sources))["text"].numpy()] == expected
    assert expected != [answer.best for answer in keras_s2s.load(path).with_search(shortlist=0).predict(sources)]
