"""model.py, encoder.py, decoder.py: three views of one model, of which none may ever say anything else than the others."""

import numpy as np
import pytest
import tensorflow as tf

from small import build

LENGTHS = [5, 2, 3]  # of the source's rows
EVERY = [f"model.cell={cell} model.num_layers={depth} model.attention={attention}"
         for cell in ("lstm", "gru") for depth in (1, 3, 8) for attention in ("none", "luong", "bahdanau")]
TIED = [f"model.cell={cell} model.attention={attention} model.tied_embeddings=true"
        for cell in ("lstm", "gru") for attention in ("none", "luong", "bahdanau")]
BETWEEN = [f"model.cell={cell} model.num_layers=3 model.residual_from=2 model.attention=scaled_luong model.attention_layer={layer}"
           for cell in ("lstm", "gru") for layer in (1, 2)]
READERS = [f"model.cell={cell} model.num_layers={depth} model.attention=luong {option}"
           for cell in ("lstm", "gru") for depth in (1, 3)
           for option in ("model.dropout=0", "model.bidirectional=true", "model.reverse_source=true")
           ] + BETWEEN[:1]


def made(settings):
    return build(*settings.split())


def batch(core):
    """Tokens of source [3, 5], padded, and target [3, 4]."""
    random = np.random.default_rng(0)
    source = random.integers(4, core.source.tokenizer.vocabulary_size, (3, 5))
    target_in = random.integers(4, core.target.tokenizer.vocabulary_size, (3, 4))
    padded = np.where(np.arange(5) < np.array(LENGTHS)[:, None], source, 0)
    return tf.constant(padded, tf.int32), tf.constant(target_in, tf.int32)


def near(one, other, tolerance=2e-6):
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=0, atol=tolerance)


def memory_of(core, outputs, mask):
    return [] if core.decoder.attention is None else [outputs, mask]


@pytest.mark.parametrize("settings", EVERY + TIED + BETWEEN)
def test_a_step_is_a_sequence_of_length_one(settings):
    core = made(settings)
    source, target_in = batch(core)
    expected = core.training_model([source, target_in], training=False)
    encoded = core.encode(source)
    memory, state, logits = core.decoder.remember(encoded), encoded.state, []
    for t in range(target_in.shape[1]):
        step, state = core.step(target_in[:, t], state, memory)
        logits.append(step)
    near(tf.stack(logits, axis=1), expected)


@pytest.mark.parametrize("settings", [settings for settings in EVERY if "layers=8" not in settings] + TIED + BETWEEN)
def test_the_training_model_is_the_decoder_model_of_the_encoder_model_whole_or_in_pieces(settings):
    core = made(settings)
    source, target_in = batch(core)
    expected = core.training_model([source, target_in], training=False)
    outputs, mask, *state = core.encoder_model(source)
    memory = memory_of(core, outputs, mask)
    near(core.decoder_model([target_in, *state, *memory])[0], expected)
    logits = []
    for piece in (target_in[:, :1], target_in[:, 1:]):
        part, *state = core.decoder_model([piece, *state, *memory])
        logits.append(part)
    near(tf.concat(logits, axis=1), expected)


def test_the_three_models_share_every_weight():
    core = made("model.attention=luong model.bidirectional=true model.num_layers=3")
    everything = {id(weight) for weight in core.training_model.weights}
    halves = {id(weight) for model in (core.encoder_model, core.decoder_model) for weight in model.weights}
    assert halves == everything
    assert [core.training_model.name, core.encoder_model.name, core.decoder_model.name] == ["training", "encoder", "decoder"]


@pytest.mark.parametrize("settings", READERS)
def test_padding_reaches_neither_the_state_nor_the_outputs_nor_the_alignments(settings):
    core = made(settings)
    source, target_in = batch(core)
    assert core.source.lengths(source).numpy().tolist() == LENGTHS
    expected, weights = core.encode(source), core.alignments(source, target_in)
    logits = core.training_model([source, target_in], training=False)

    longer = tf.pad(source, [[0, 0], [0, 2]])
    near(tf.stack(core.encode(longer).state), tf.stack(expected.state))
    near(core.alignments(longer, target_in)[:, :, :-2], weights)
    near(core.training_model([longer, target_in], training=False), logits)

    vectors, mask = core.source(source)
    garbage = tf.where(mask[:, :, None], vectors, 1e3 * tf.random.stateless_normal(tf.shape(vectors), [1, 2]))
    soiled = core.encoder(garbage, mask)
    near(tf.stack(soiled.state), tf.stack(expected.state))
    near(tf.boolean_mask(soiled.outputs, mask), tf.boolean_mask(expected.outputs, mask))

    alone = core.encode(source[1:2, :2])
    near(tf.stack(alone.state)[:, 0], tf.stack(expected.state)[:, 1])
    near(alone.outputs[0], expected.outputs[1, :2])
    near(core.training_model([source[1:2, :2], target_in[1:2]], training=False)[0], logits[1])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_reversed_source_is_the_source_read_from_its_end(cell, depth):
    settings = f"model.cell={cell} model.num_layers={depth}"
    forward, backward = made(settings), made(settings + " model.reverse_source=true")
    known = {weight.path: weight.numpy() for weight in forward.training_model.weights}
    for weight in backward.training_model.weights:
        weight.assign(known[weight.path])
    source, _ = batch(forward)
    found = backward.encode(source)
    expected = forward.encode(tf.reverse_sequence(source, LENGTHS, 1))
    near(tf.stack(found.state), tf.stack(expected.state))
    near(tf.boolean_mask(found.outputs, found.mask),
         tf.boolean_mask(tf.reverse_sequence(expected.outputs, LENGTHS, 1), found.mask))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_bidirectional_encoder_reads_one_half_forwards_and_the_other_backwards(cell):
    core = made(f"model.cell={cell} model.bidirectional=true")
    source, _ = batch(core)
    length, half = LENGTHS[0], core.config.model.units // 2
    before = core.encode(source).outputs[0].numpy()
    changed = source.numpy()
    changed[0, length - 1] = 5 if changed[0, length - 1] == 4 else 4
    after = core.encode(tf.constant(changed)).outputs[0].numpy()
    near(before[:length - 1, :half], after[:length - 1, :half])
    assert (np.abs(before[:length - 1, half:] - after[:length - 1, half:]).max(axis=1) > 0).all()
    encoded = core.encode(source)
    near(encoded.state[0][0, :half], before[length - 1, :half])
    near(encoded.state[0][0, half:], before[0, half:])


@pytest.mark.parametrize("attention", ["none", "luong", "scaled_luong", "bahdanau"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_another_source_gives_other_logits(cell, attention):
    core = made(f"model.cell={cell} model.attention={attention}")
    source, target_in = batch(core)
    one = core.training_model([source, target_in], training=False)
    other = core.training_model([tf.roll(source, 1, axis=0), target_in], training=False)
    assert (np.abs(one - other).max(axis=(1, 2)) > 1e-5).all()


@pytest.mark.parametrize("settings", EVERY[:6:2] + EVERY[9:15:2] + TIED + BETWEEN + READERS)
def test_every_weight_is_learnt_from(settings):
    core = made(settings)
    source, target_in = batch(core)
    with tf.GradientTape() as tape:
        logits = core.training_model([source, target_in], training=False)
        loss, _ = core.target.loss(tf.roll(target_in, 1, axis=1), logits, tf.ones(target_in.shape))
    gradients = tape.gradient(loss, core.training_model.trainable_variables)
    for variable, gradient in zip(core.training_model.trainable_variables, gradients):
        assert gradient is not None and np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.path


@pytest.mark.parametrize("cell, parts", [("lstm", ["h", "c"]), ("gru", ["h"])])
def test_the_state_is_listed_layer_by_layer_under_its_names(cell, parts):
    core = made(f"model.cell={cell} model.num_layers=3 model.attention=luong")
    names = [f"state_{part}_{layer}" for layer in (1, 2, 3) for part in parts]
    assert core.decoder.state_names == names
    assert [tensor.name for tensor in core.decoder_model.inputs] == ["target_in", *names, "outputs", "mask"]
    source, _ = batch(core)
    state = core.encode(source).state
    assert [tuple(part.shape) for part in state] == [(3, 8)] * len(names)


def test_the_context_vector_is_the_last_output_at_the_last_real_step():
    core = made("model.num_layers=1")
    source, _ = batch(core)
    encoded = core.encode(source)
    near(encoded.state[0], tf.gather(encoded.outputs, tf.constant(LENGTHS) - 1, batch_dims=1))


def test_layers_above_attention_know_what_earlier_steps_attended_to():
    """The state of the top layer holds what was read of the source only where attention sits below it."""
    for layer, knows in ((1, True), (2, False)):
        core = made(f"model.num_layers=2 model.attention=scaled_luong model.attention_layer={layer}")
        source, target_in = batch(core)
        encoded = core.encode(source)
        elsewhere = encoded._replace(outputs=tf.reverse(encoded.outputs, [1]) + 1.0)
        states = [core.decoder(core.target.embed(target_in), encoded.state, seen)[1] for seen in (encoded, elsewhere)]
        same = [np.allclose(one, other, atol=1e-6) for one, other in zip(*states)]
        assert same == [True, True, not knows, not knows]


@pytest.mark.parametrize("attention", ["luong", "scaled_luong", "bahdanau"])
def test_alignments_are_distributions_over_the_real_source_steps(attention):
    core = made(f"model.attention={attention} model.bidirectional=true")
    source, target_in = batch(core)
    weights = core.alignments(source, target_in).numpy()
    assert weights.shape == (*target_in.shape, source.shape[1])
    near(weights.sum(axis=2), np.ones(target_in.shape), 1e-5)
    assert (weights[np.broadcast_to((source == 0)[:, None, :], weights.shape)] == 0).all()
    assert (weights >= 0).all()


def test_alignments_without_attention_say_what_to_do():
    core = made("model.attention=none")
    with pytest.raises(ValueError, match="alignments need attention; this model has none. Train with --preset attention"):
        core.alignments(*batch(core))


def test_an_empty_source_gives_numbers_not_nan():
    core = made("model.attention=luong model.bidirectional=true")
    source, target_in = core.source.prepare(tf.constant([""])), tf.constant([[2, 5, 6]])
    assert source.shape == (1, 1)
    assert np.isfinite(core.training_model([source, target_in], training=False)).all()


def test_word_dropout_takes_whole_tokens():
    core = made("model.word_dropout=0.5")
    (source, _), layer = batch(core), core.source.dropouts[0]
    ratio = (layer(core.source.embedding(source), training=True) / core.source.embedding(source)).numpy()
    assert set(np.unique(ratio.round(3))) == {0.0, 2.0}
    assert (ratio == ratio[:, :, :1]).all()


@pytest.mark.parametrize("settings", [
    "model.input_dropout=0.5", "model.word_dropout=0.5", "model.dropout=0.5", "model.recurrent_dropout=0.5"])
def test_each_dropout_acts_in_training_alone(settings):
    core = made("model.dropout=0 model.num_layers=2 model.attention=luong " + settings)
    source, target_in = batch(core)

    def logits(training):
        return core.training_model([source, target_in], training=training).numpy()

    assert np.abs(logits(True) - logits(True)).max() > 1e-4
    assert (logits(False) == logits(False)).all()
