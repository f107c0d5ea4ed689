"""predictor.py: the answers of a model, however they are asked for."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import keras_s2s
from keras_s2s.config import Search
from keras_s2s.predictor import Predictor
from keras_s2s.search import answer_limits, beam
from keras_s2s.targets.base import STEP_ROWS
from keras_s2s.tokenizers import UNK
from small import NAMED, PAIRS, build, decided

SENTENCES = [source for source, _ in PAIRS[:7]] + ["", "A cat.", "   ", "The old cow sees a new house and a big river.", "🙂 你好"]
KINDS = ["model.attention=luong model.bidirectional=true", "model.cell=gru model.num_layers=3 model.attention=bahdanau",
         "data.target_tokenizer=words data.source_tokenizer=bytes model.tied_embeddings=true",
         "data.source_tokenizer=words data.target_tokenizer=words data.target_vocabulary_size=10 model.attention=luong"]


def made(settings, *more):
    return Predictor(decided(build(*settings.split(), "search.max_length=12", *more)))


@pytest.fixture(scope="module")
def predictor(trained):
    return keras_s2s.load(trained)


@pytest.mark.parametrize("settings", KINDS)
def test_one_beam_without_length_penalty_is_greedy_search(settings):
    predictor = made(settings).with_search(length_penalty=0.0)
    core, texts = predictor.model, tf.constant([sentence for sentence in SENTENCES if sentence.strip()])
    prepared = core.source.prepare(texts)
    encoded = core.encode(prepared)
    memory = core.decoder.remember(encoded)
    found = beam(core.step, encoded.state,
                 answer_limits(core.source.lengths(prepared), predictor.search), predictor.search,
                 core.target.symbols._replace(banned=() if core.copies else (UNK,)), memory)
    expected = core.target.render(found, core.copied(texts, encoded, found))["text"].numpy()
    greedy = predictor(texts)
    assert greedy["text"].numpy().tolist() == expected.tolist()
    np.testing.assert_allclose(greedy["score"], found.scores, rtol=1e-4)


def test_more_beams_find_what_is_at_least_as_likely():
    predictor = made(KINDS[0]).with_search(length_penalty=0.0)
    texts = tf.constant(SENTENCES[:7])
    scores = [predictor.with_search(beam_size=beams, n_best=beams)(texts)["score"].numpy() for beams in (1, 12)]
    assert (scores[1][:, 0] >= scores[0][:, 0] - 1e-4).all()
    assert (np.diff(scores[1], axis=1) <= 0).all()


@pytest.mark.parametrize("settings", KINDS)
def test_an_answer_does_not_depend_on_what_is_asked_beside_it(settings):
    predictor = made(settings)
    together = [answer.texts[0] for answer in predictor.predict(SENTENCES)]
    alone = [predictor.predict([sentence])[0].texts[0] for sentence in SENTENCES[-4:]]
    assert together[-4:] == alone
    assert [answer.texts[0] for answer in predictor.predict(SENTENCES[::-1])] == together[::-1]


def test_what_was_learnt_is_said(predictor):
    hits = [text == target for text, (_, target) in zip(predictor.translate([s for s, _ in NAMED]), NAMED)]
    assert np.mean(hits) > 0.3


def test_the_three_models_are_on_the_predictor(predictor):
    assert [predictor.training_model.name, predictor.encoder_model.name, predictor.decoder_model.name] == [
        "training", "encoder", "decoder"]


def test_an_empty_source_has_an_empty_answer(predictor):
    assert predictor.translate(["", " \t "]) == ["", ""]
    assert predictor.predict([]) == []


def test_many_batches_are_answered_in_order_and_counted(predictor, monkeypatch):
    expected = predictor.predict(SENTENCES * 3)
    monkeypatch.setattr("keras_s2s.predictor.BATCH_TOKENS", 4)  # a batch or more for every sentence
    counts = []
    assert [answer.texts for answer in predictor.predict(SENTENCES * 3, counts.append)] == [answer.texts for answer in expected]
    assert sum(counts) == 3 * sum(bool(sentence.strip()) for sentence in SENTENCES) and len(counts) > 6


def test_a_batch_holds_so_many_answers_as_a_step_is_to_hold(predictor, monkeypatch):
    size, vocabulary = predictor.model.target.batch_size, predictor.model.target.tokenizer.vocabulary_size
    assert size(Search()) == STEP_ROWS and size(Search(beam_size=5)) == STEP_ROWS // 5
    monkeypatch.setattr("keras_s2s.targets.text.STEP_LOGITS", 30 * vocabulary + 1)
    assert size(Search()) == 30 and size(Search(beam_size=7)) == 4 and size(Search(beam_size=50)) == 1
    expected, counts = predictor.with_search(beam_size=7), []
    answers = expected.predict(SENTENCES * 3, counts.append)
    assert max(counts) <= 4 and [answer.texts[0] for answer in answers] == expected.translate(SENTENCES) * 3


def test_a_batch_holds_so_many_source_steps_as_all_beams_are_to_look_at(predictor, monkeypatch):
    counts = {}
    for looked_at in (65536, 3 * 40):
        monkeypatch.setattr("keras_s2s.predictor.LOOKED_AT", looked_at)
        counts[looked_at] = []
        predictor.with_search(beam_size=3).predict(SENTENCES * 3, counts[looked_at].append)
    assert len(counts[65536]) == 1 and sum(counts[65536]) == sum(counts[120])
    assert max(counts[120]) <= 40 // min(len(sentence) for sentence in SENTENCES if sentence.strip())


def test_who_stops_half_way_does_not_wait_for_the_rest(predictor, monkeypatch):
    monkeypatch.setattr("keras_s2s.predictor.BATCH_TOKENS", 1)
    rendered = predictor.model.target.answers
    answered = []
    monkeypatch.setattr(predictor.model.target, "answers", lambda *said: answered.append(1) or rendered(*said))

    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predictor.predict(SENTENCES[:7] * 40, stop)
    assert len(answered) < 140


def test_a_string_where_a_list_belongs_is_refused(predictor):
    with pytest.raises(ValueError, match=r"translate takes a list of sentences; got one string. Write translate\(\[sentence"):
        predictor.translate("Asha sees a red tree.")


def test_search_settings_may_differ_from_call_to_call(predictor):
    sentences = [source for source, _ in NAMED[:5]]
    assert predictor.translate(sentences, beam_size=3) == [
        answer.texts[0] for answer in predictor.with_search(beam_size=3).predict(sentences)]
    with pytest.raises(ValueError, match="`search.beam_size` must be between 1 and 100; got 0."):
        predictor.translate(sentences, beam_size=0)


def test_sampling_is_a_pure_function_of_its_seed(predictor):
    sampling, sentences = predictor.with_search(temperature=1.5), [source for source, _ in NAMED[:20]]
    one, same, other = (sampling.predict(sentences, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_n_grams_are_not_repeated_when_that_is_asked():
    predictor = made("data.target_tokenizer=words data.source_tokenizer=words", "search.no_repeat_ngram=1")
    for answer in predictor.predict(SENTENCES):
        words = [word.decode() for word in predictor.model.target.tokenizer.split(tf.constant(answer.texts)).flat_values.numpy()]
        assert len(words) == len(set(words))


def test_an_unknown_word_becomes_the_source_word_that_attention_weighs_most(trained):
    """The answer is worked out once more by hand: its tokens from a plain loop, its gaps from `alignments`."""
    predictor = keras_s2s.load(trained)
    model, sentence = predictor.model, "Zaphod sees a quick tree."
    bias = model.target.projection.bias
    bias.assign(tf.tensor_scatter_nd_add(bias, [[UNK]], [6.0]))  # a model that often says <unk>
    prepared = model.source.prepare(tf.constant([sentence]))
    assert (prepared.numpy() == UNK).sum() >= 2
    never = np.isin(np.arange(model.target.tokenizer.vocabulary_size), (0, 2)) * -1e9
    said = [2]
    while said[-1] != 3 and len(said) < 20:
        said.append(int(np.argmax(model.training_model([prepared, tf.constant([said])])[0, -1] + never)))
    assert UNK in said and len(set(said)) > 3 and said[-1] == 3
    weights = model.alignments(prepared, tf.constant([said]))[0].numpy()
    words = [part.decode() for part in model.source.strings(tf.constant([sentence]))[0].numpy()]
    pieces = [piece.replace("▁", " ") for piece in model.target.tokenizer.pieces]
    expected = "".join(words[weights[t].argmax()] if token == UNK else pieces[token]
                       for t, token in enumerate(said[1:]) if token != 3)
    [answer] = predictor.translate([sentence])
    assert answer == expected.strip() and "<unk>" not in answer
    best = predictor.with_search(beam_size=3, n_best=3).predict([sentence])[0]
    assert not any("<unk>" in text for text in best.texts)


@pytest.mark.parametrize("settings, copies", [
    ("data.source_tokenizer=words data.target_tokenizer=words model.attention=luong", True),
    ("data.source_tokenizer=words data.target_tokenizer=words model.attention=none", False),
    ("data.source_tokenizer=sentencepiece data.target_tokenizer=words model.attention=luong", False),
    ("data.source_tokenizer=words data.target_tokenizer=characters model.attention=luong", False)])
def test_nothing_unknown_is_ever_said(settings, copies):
    predictor = made(settings, "data.target_vocabulary_size=9")
    assert predictor.model.copies is copies
    bias = predictor.model.target.projection.bias
    bias.assign(tf.tensor_scatter_nd_add(bias, [[UNK]], [40.0]))  # a model that would love to say <unk>
    answers = [answer.texts[0] for answer in predictor.predict(SENTENCES)]
    assert not any("<unk>" in answer for answer in answers)
    if copies:
        source_words = set("".join(SENTENCES).replace(".", " ").split())
        assert any(word in source_words for word in answers[0].replace(".", " ").split())


def test_alignments_name_the_pieces_and_sum_to_one(predictor):
    sources, targets = ["Asha sees a red tree.", "Ravi", "Tara sees a big"], ["आशा एक", "रवि एक लाल घर देखता है।", ""]
    found = predictor.alignments(sources, targets)
    assert found[0]["source"] == ["▁Asha", "▁sees", "▁a", "▁red", "▁tree", "."]
    assert found[2]["target"] == ["<eos>"]
    for alignment in found:
        weights = np.array(alignment["weights"])
        assert weights.shape == (len(alignment["target"]), len(alignment["source"]))
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-3)
    alone = predictor.alignment(sources[1], targets[1])
    np.testing.assert_allclose(alone["weights"], found[1]["weights"], atol=2e-4)


def test_a_run_that_was_moved_answers_as_before(trained, predictor, tmp_path):
    moved = shutil.copytree(trained, tmp_path / "elsewhere" / "under another name")
    sentences = [source for source, _ in NAMED]
    one, other = predictor.predict(sentences), keras_s2s.load(moved).predict(sentences)
    assert [answer.texts for answer in one] == [answer.texts for answer in other]
    np.testing.assert_array_equal([answer.scores for answer in one], [answer.scores for answer in other])
