"""What every kind of source and target promises, checked for each entry of SOURCES and TARGETS.

A new kind needs no new test here, only its own raw examples in SOURCE_EXAMPLES or TARGET_EXAMPLES.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.config import Search
from keras_s2s.scoring import Scoring
from keras_s2s.series import Layout, Table
from keras_s2s.sources import SOURCES, Source
from keras_s2s.targets import TARGETS, Target
from small import PAIRS, config

HOURS = 1.6e9 // 3600 * 3600 + 3600 * np.arange(60.0)
TABLE = Table(Layout("date", ("load", "oil"), 3600.0, True), np.stack(
    [HOURS, 10 + 3 * np.sin(np.arange(60) / 24 * 2 * np.pi), 5 + np.cos(np.arange(60.0))], axis=1))
SOURCE_EXAMPLES = {"text": [source for source, _ in PAIRS[:6]] + ["A cat.", "Unheard-of words! 🙂"],
                   "image": np.random.default_rng(6).integers(0, 256, (5, 32, 32, 3), np.uint8),
                   "audio": (0.1 * np.random.default_rng(7).normal(size=(5, 3000))).astype(np.float32),
                   "series": [TABLE.steps[i:i + 10] for i in range(0, 40, 10)]}
TARGET_EXAMPLES = {"text": [target for _, target in PAIRS[:6]] + ["बिल्ली।", "अनसुने शब्द! 🙂"],
                   "series": [TABLE.steps[i + 9:i + 15] for i in range(0, 40, 10)]}
WINDOW = ["series.window=10", "series.horizon=5"]
SETTINGS = {"text": [[], ["data.source_tokenizer=words", "data.target_tokenizer=words"], ["data.subword_sampling=0.3"],
                     ["data.source_tokenizer=bytes", "data.target_tokenizer=characters", "model.tied_embeddings=true",
                      "model.input_dropout=0.2"]],
            "image": [["image.size=32"], ["image.size=32", "image.filters=8,8", "image.shift=0", "model.reverse_source=true"]],
            "audio": [["audio.sample_rate=8000"], ["audio.sample_rate=4000", "audio.mels=12", "audio.strides=3", "audio.speed=0",
                                                   "audio.frequency_mask=4", "model.input_dropout=0.2"]],
            "series": [WINDOW, [*WINDOW, "series.relative=log", "series.calendar=hour,weekday,year", "series.loss=quantiles"],
                       [*WINDOW, "series.relative=difference", "series.targets=oil", "series.loss=mse"]]}
EACH_SOURCE = [(kind, settings) for kind in SOURCES for settings in SETTINGS.get(kind, [[]])]
EACH_TARGET = [(kind, settings) for kind in TARGETS for settings in SETTINGS.get(kind, [[]])]
# What `fit` learns from, where it is something else than the raws.
LEARNT_FROM = {"series": [TABLE]}
# What a model that is sure of prepared outputs says: logits.
SAID = {"text": lambda target, outputs: 50 * tf.one_hot(outputs, target.tokenizer.vocabulary_size),
        "series": lambda target, outputs: tf.repeat(outputs, len(target.quantiles), axis=-1)}
# What of a raw target an answer gives back.
GIVEN_BACK = {"text": lambda target, raw: raw, "series": lambda target, raw: raw[1:, 1:][:, target.places]}
SEED = tf.constant([1, 2], tf.int64)


def source_of(kind, settings):
    assert kind in SOURCE_EXAMPLES, f"give raw examples of the source {kind!r} here"
    made = config(f"data.source={kind}", *settings)
    return SOURCES[kind].fit(made, iter(LEARNT_FROM.get(kind, SOURCE_EXAMPLES[kind])))


def target_of(kind, settings):
    assert kind in TARGET_EXAMPLES, f"give raw examples of the target {kind!r} here"
    made = config(f"data.target={kind}", *settings)
    return TARGETS[kind].fit(made, iter(LEARNT_FROM.get(kind, TARGET_EXAMPLES[kind])))


def in_graph(made, raws):
    """`prepare` as tf.data and a SavedModel run it: traced once, for batches of any size."""
    prepare = tf.function(made.prepare, input_signature=[made.signature])
    return prepare(tf.constant(raws)), prepare(tf.constant(raws[:1]))


def public(contract):
    return {name for name in vars(contract) if not name.startswith("_")} | {"__call__"} & set(vars(contract))


@pytest.mark.parametrize("kind", list(SOURCES))
def test_a_source_keeps_the_whole_contract_and_adds_nothing_to_it_that_others_would_need(kind):
    cls = SOURCES[kind]
    assert issubclass(cls, Source) and isinstance(cls.signature, tf.TensorSpec) and cls.__doc__
    for name in ("fit", "save", "load", "summary", "prepare", "lengths", "input", "labels", "batch", "sizes", "__call__"):
        assert getattr(cls, name) is not getattr(Source, name), name


@pytest.mark.parametrize("kind", list(TARGETS))
def test_a_target_keeps_the_whole_contract(kind):
    cls = TARGETS[kind]
    assert issubclass(cls, Target) and isinstance(cls.signature, tf.TensorSpec) and cls.__doc__
    for name in ("fit", "save", "load", "summary", "prepare", "input", "embed", "project", "loss", "accuracy", "next_input",
                 "search", "render", "labels", "batch", "answers"):
        assert getattr(cls, name) is not getattr(Target, name), name


@pytest.mark.parametrize("kind, settings", EACH_SOURCE)
def test_a_source_prepares_in_graph_what_its_input_takes(kind, settings):
    source, raws = source_of(kind, settings), SOURCE_EXAMPLES[kind]
    prepared, one = in_graph(source, raws)
    wanted = source.input()
    assert prepared.dtype == wanted.dtype and prepared.shape.rank == len(wanted.shape)
    lengths = source.lengths(prepared).numpy()
    assert lengths.shape == (len(raws),) and lengths.min() >= 1 and lengths.max() == source(prepared)[0].shape[1]
    np.testing.assert_allclose(one[0], prepared[0, :one.shape[1]], atol=1e-6)  # of numbers; tokens are equal or far apart
    np.testing.assert_allclose(source.prepare(tf.constant(raws)), prepared, atol=1e-6)
    labels = source.names(prepared[1].numpy(), int(lengths[1]))
    assert len(labels) == lengths[1] and all(isinstance(label, str) for label in labels)


@pytest.mark.parametrize("kind, settings", EACH_SOURCE)
def test_a_source_gives_vectors_and_a_mask_of_its_real_steps(kind, settings):
    source, raws = source_of(kind, settings), SOURCE_EXAMPLES[kind]
    prepared = source.prepare(tf.constant(raws))
    vectors, mask = source(prepared)
    assert vectors.shape == (len(raws), vectors.shape[1], source.config.model.embedding_dim)
    np.testing.assert_array_equal(mask, tf.sequence_mask(source.lengths(prepared), vectors.shape[1]))
    assert mask.dtype == tf.bool


@pytest.mark.parametrize("kind, settings", EACH_SOURCE)
def test_a_source_is_known_by_its_settings_its_assets_and_its_weights(kind, settings, tmp_path):
    source = source_of(kind, settings)
    source.save(tmp_path)
    prepared = source.prepare(tf.constant(SOURCE_EXAMPLES[kind]))
    models = []
    for one in (source, type(source).load(source.config, tmp_path)):  # the second as another process would make it
        given = one.input()
        models.append(keras.Model(given, one(given)[0]))
    models[1].set_weights(models[0].get_weights())
    np.testing.assert_allclose(models[0](prepared), models[1](prepared), atol=1e-5)


@pytest.mark.parametrize("kind, settings", EACH_SOURCE)
def test_a_source_is_augmented_as_a_pure_function_of_the_seed(kind, settings):
    source, raws = source_of(kind, settings), tf.constant(SOURCE_EXAMPLES[kind])
    np.testing.assert_array_equal(source.prepare(raws, SEED), source.prepare(raws, SEED))


@pytest.mark.parametrize("kind, settings", EACH_SOURCE)
def test_a_source_comes_back_from_its_assets(kind, settings, tmp_path):
    source = source_of(kind, settings)
    source.save(tmp_path)
    loaded = type(source).load(source.config, tmp_path)
    raws = tf.constant(SOURCE_EXAMPLES[kind])
    np.testing.assert_array_equal(loaded.prepare(raws), source.prepare(raws))
    assert loaded.summary() == source.summary() != ""
    assert isinstance(source.resources, list)


@pytest.mark.parametrize("kind, settings", EACH_SOURCE)
def test_a_source_that_can_be_copied_names_each_of_its_steps(kind, settings):
    source, raws = source_of(kind, settings), tf.constant(SOURCE_EXAMPLES[kind])
    if source.copied:
        assert source.strings(raws).shape == source.prepare(raws).shape
        assert source.strings(raws).dtype == tf.string


@pytest.mark.parametrize("kind, settings", EACH_TARGET)
def test_a_target_is_taught_one_step_late(kind, settings):
    target, raws = target_of(kind, settings), TARGET_EXAMPLES[kind]
    teaching, one = in_graph(target, raws)
    wanted = target.input()
    assert teaching.inputs.dtype == wanted.dtype and teaching.inputs.shape.rank == len(wanted.shape)
    assert teaching.inputs.shape[:2] == teaching.outputs.shape[:2]
    assert teaching.weights.dtype == tf.float32 and teaching.weights.shape == teaching.inputs.shape[:2]
    lengths = teaching.weights.numpy().sum(axis=1).astype(int)
    assert lengths.max() == teaching.weights.shape[1]
    np.testing.assert_array_equal(teaching.weights, tf.sequence_mask(lengths, lengths.max(), tf.float32))
    for row, length in enumerate(lengths):
        said = teaching.outputs[row, :length - 1]  # what is known beforehand, as the calendar, stands behind it
        np.testing.assert_array_equal(teaching.inputs[row, 1:length, ..., :said.shape[-1]] if said.shape.rank > 1 else
                                      teaching.inputs[row, 1:length], said)
    np.testing.assert_array_equal(one.outputs[0], teaching.outputs[0, :lengths[0]])


@pytest.mark.parametrize("kind, settings", EACH_TARGET)
def test_a_target_embeds_projects_and_scores(kind, settings):
    target = target_of(kind, settings)
    teaching = target.prepare(tf.constant(TARGET_EXAMPLES[kind]))
    model, (batch, steps) = target.config.model, teaching.weights.shape
    vectors = target.embed(teaching.inputs)
    assert vectors.shape == (batch, steps, model.embedding_dim)
    np.testing.assert_allclose(target.embed(teaching.inputs[:, 0]), vectors[:, 0])
    outputs = tf.random.stateless_normal([batch, steps, model.units], [1, 2])
    logits = target.project(outputs)
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(target.project(outputs[:, 0]), logits[:, 0], atol=1e-5)
    loss, plain = target.loss(teaching.outputs, logits, teaching.weights)
    accuracy = target.accuracy(teaching.outputs, logits)
    assert loss.shape == plain.shape == accuracy.shape == (batch, steps)
    assert (loss.numpy()[teaching.weights == 0] == 0).all() and (loss.numpy()[teaching.weights == 1] > 0).all()
    following = target.next_input(logits[:, 0], teaching.inputs[:, 0])
    assert following.shape == teaching.inputs[:, 0].shape and following.dtype == teaching.inputs.dtype


@pytest.mark.parametrize("kind, settings", EACH_TARGET)
def test_a_target_that_is_said_perfectly_comes_back_as_it_was(kind, settings):
    """A model that knows each answer by heart: what `prepare` makes of a raw target, `search` and `render` undo."""
    target, raws = target_of(kind, settings), TARGET_EXAMPLES[kind]
    outputs, last = target.prepare(tf.constant(raws)).outputs, tf.constant(raws)[:, :1] if np.ndim(raws) > 1 else None
    known = tf.concat([outputs, outputs[:, -1:]], axis=1)

    def step(inputs, state, memory):
        position, row = state
        said = tf.gather(tf.gather(known, row), tf.minimum(position, known.shape[1] - 1), batch_dims=1)
        return SAID[kind](target, said), [position + 1, row]

    rows = tf.range(len(raws))
    for search in (Search(), Search(beam_size=3)):
        found = target.search(step, [tf.zeros_like(rows), rows], (), tf.fill([len(raws)], 100), search, tf.zeros([2], tf.int32),
                              last=last)
        rendered = {name: value.numpy() for name, value in target.render(found).items()}
        for answer, raw in zip(target.answers(rendered, search), raws, strict=True):
            wanted = GIVEN_BACK[kind](target, raw)
            assert answer.best == raw if isinstance(raw, str) else np.allclose(answer.best, wanted, rtol=1e-5)


@pytest.mark.parametrize("kind, settings", EACH_TARGET)
def test_a_target_comes_back_from_its_assets(kind, settings, tmp_path):
    target = target_of(kind, settings)
    target.save(tmp_path)
    loaded = type(target).load(target.config, tmp_path)
    raws = tf.constant(TARGET_EXAMPLES[kind])
    np.testing.assert_array_equal(loaded.prepare(raws).outputs, target.prepare(raws).outputs)
    assert loaded.summary() == target.summary() != ""
    assert isinstance(target.resources, list)
    np.testing.assert_array_equal(target.prepare(raws, SEED).outputs, target.prepare(raws, SEED).outputs)


@pytest.mark.parametrize("kind, settings", EACH_TARGET)
def test_a_target_says_how_its_answers_are_scored_and_perfect_ones_are_the_best(kind, settings, tmp_path):
    target, raws = target_of(kind, settings), TARGET_EXAMPLES[kind]
    scoring = target.scoring
    assert isinstance(scoring, Scoring) and set(scoring.heads) and scoring.token and scoring.right
    perfect, wrong = ([Answer(GIVEN_BACK[kind](target, raw)) for raw in said] for said in (raws, raws[::-1]))
    best, worse = (scoring.measure(answers, raws, SOURCE_EXAMPLES[kind]).scores for answers in (perfect, wrong))
    assert set(scoring.heads) <= set(best)
    for name in scoring.heads:
        assert best[name] < worse[name] if name in scoring.falling else best[name] > worse[name]


class Answer:
    """The answer of a model that knows its raw target."""

    def __init__(self, best):
        self.best, self.values = best, np.asarray(best)[None]
