"""training.py: the step is the exact mean over real tokens, and every setting that says how to learn is run."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s import loops, workflow
from keras_s2s.callbacks import TrainingStopped
from keras_s2s.training import TeacherForced, pieces
from small import PAIRS, begin, build, config, example, fitted, write_tsv

ROOT = Path(__file__).resolve().parents[1]
WORDS = ["data.source_tokenizer=words", "data.target_tokenizer=words"]
PLAIN = [*WORDS, "train.optimizer=sgd", "train.schedule=constant", "train.warmup_steps=0", "train.learning_rate=0.5",
         "train.clip_norm=0", "model.dropout=0", "model.attention=luong"]
FEW = [("The red dog sees a tree.", "लाल कुत्ता पेड़ देखता है।"), ("A cat.", "बिल्ली।"), ("The cow", "गाय देखता है।")]

FLAGS = [  # each setting in some row, several to a row where they do not touch each other
    "model.cell=lstm train.optimizer=sgd train.schedule=constant train.seed=7",
    "model.cell=gru train.optimizer=momentum train.schedule=linear",
    "model.num_layers=3 train.optimizer=adamw train.schedule=inverse_sqrt",
    "model.bidirectional=true model.attention=luong train.clip_norm=0", "model.attention=bahdanau train.label_smoothing=0.1",
    "model.tied_embeddings=true data.source_tokenizer=characters", "model.input_dropout=0.3 model.dropout=0.3",
    "model.recurrent_dropout=0.3 train.parts=2", "model.reverse_source=true data.target_tokenizer=characters",
    "data.source_tokenizer=words data.target_tokenizer=words model.attention=luong",
    "data.source_tokenizer=bytes data.target_tokenizer=bytes", "data.subword_sampling=0.2", "train.teacher_forcing=0.5",
    "train.teacher_forcing=0 model.attention=luong model.input_dropout=0.2", "train.ema=0.9",
    "train.r_drop=2 model.dropout=0.3 model.attention=luong", "model.word_dropout=0.3 train.label_smoothing=0.1 train.r_drop=1",
    "train.precision=mixed_bfloat16 model.attention=bahdanau", "train.precision=mixed_bfloat16 model.tied_embeddings=true",
    "train.precision=mixed_bfloat16 model.cell=gru model.recurrent_dropout=0.3",
    "train.precision=mixed_float16 model.attention=luong train.ema=0.9",
]


@pytest.mark.parametrize("settings", FLAGS)
def test_every_setting_trains(settings):
    made = config(*settings.split())
    keras.config.set_dtype_policy(made.train.precision)
    core = build(*settings.split(), "train.warmup_steps=0", *([] if "dropout" in settings else ["model.dropout=0"]))
    before = [weight.numpy() for weight in core.training_model.trainable_variables]
    seed = tf.constant([1, 2], tf.int64) if made.data.subword_sampling else None
    model = TeacherForced(core, 10)
    batch = example(core, PAIRS[::4], seed)
    reports = [{name: float(value) for name, value in part.items()} for part in steps(model, batch, 2)]
    assert all(np.isfinite(value) for report in reports for value in report.values())
    assert reports[0]["tokens"] == np.sum(batch[2])
    assert 0 < reports[0]["loss"] < 1.2 * np.log(core.target.tokenizer.vocabulary_size)
    for weight, old in zip(core.training_model.trainable_variables, before):
        assert np.abs(weight.numpy() - old).max() > 0, weight.path
    assert core.training_model(list(batch[0])).dtype == tf.float32
    if not any(word in settings for word in ("dropout", "teacher_forcing")):
        assert reports[1]["loss"] < reports[0]["loss"]


def steps(model, batch, count):
    """Reports of `count` compiled steps on one batch."""
    step = tf.function(model.train_step, autograph=False)  # as in `fit`
    return [step(batch) for _ in range(count)]


def test_fit_runs_the_step():
    core = build("train.epochs=2")
    _, report = fitted(core, 4)
    assert set(report) == {"loss", "accuracy", "gradient_norm", "tokens"}


def test_the_update_is_the_gradient_of_the_mean_over_real_tokens():
    """Against a plain loop over sentences without padding, and over tokens, written as the definition reads."""
    core = build(*PLAIN, pairs=FEW)
    total, count = [0.0] * len(core.training_model.trainable_variables), 0
    for pair in FEW:
        (source, target_in), target_out, _ = example(core, [pair])
        for t in range(target_out.shape[1]):
            with tf.GradientTape() as tape:
                p = tf.nn.softmax(core.training_model([source, target_in], training=False)[0, t])
                nll = -tf.math.log(p[target_out[0, t]])
            gradients = tape.gradient(nll, core.training_model.trainable_variables)
            total = [whole + tf.convert_to_tensor(part) for whole, part in zip(total, gradients)]
            count += 1
    expected = [weight - 0.5 * part / count for weight, part in zip(core.training_model.trainable_variables, total)]
    TeacherForced(core, 10).train_step(example(core, FEW))
    for weight, value in zip(core.training_model.trainable_variables, expected):
        np.testing.assert_allclose(weight, value, atol=1e-5, err_msg=weight.path)


def test_padding_changes_neither_the_report_nor_the_update():
    core = build(*PLAIN, pairs=FEW)
    before = core.training_model.get_weights()
    (source, target_in), target_out, weights = example(core, FEW)

    def updated(batch):
        core.training_model.set_weights(before)
        report = TeacherForced(core, 10).train_step(batch)
        return [float(value) for value in report.values()], core.training_model.get_weights()

    longer = (tf.pad(source, [[0, 0], [0, 4]]), tf.pad(target_in, [[0, 0], [0, 3]])), tf.pad(
        target_out, [[0, 0], [0, 3]]), tf.pad(weights, [[0, 0], [0, 3]])
    (report, new), (other_report, other_new) = updated(((source, target_in), target_out, weights)), updated(longer)
    np.testing.assert_allclose(report, other_report, atol=1e-5)
    for one, other in zip(new, other_new):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("rows, extra", [(3, "train.teacher_forcing=1"), (1, "train.teacher_forcing=0")])
def test_parts_of_a_batch_make_the_update_of_the_whole(rows, extra):
    """Also where there are fewer rows than parts."""
    found = []
    cores = [build(*PLAIN, "train.label_smoothing=0.1", f"train.parts={parts}", extra, pairs=FEW) for parts in (1, 2)]
    cores[1].training_model.set_weights(cores[0].training_model.get_weights())
    for core in cores:
        batch = example(core, FEW[:rows])
        any_size = tf.nest.map_structure(lambda x: tf.TensorSpec([None, None], x.dtype), batch)  # as the pipeline gives it
        report = tf.function(TeacherForced(core, 10).train_step, input_signature=[any_size])(batch)
        found.append(([float(value) for value in report.values()], core.training_model.get_weights()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-4)
    for one, other in zip(found[0][1], found[1][1]):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_gradient_is_clipped_by_its_global_norm_and_reported_as_it_was():
    core = build(*PLAIN, "train.clip_norm=0.01", pairs=FEW)
    before = core.training_model.get_weights()
    report = TeacherForced(core, 10).train_step(example(core, FEW))
    moved = np.sqrt(sum(((new - old) ** 2).sum() for new, old in zip(core.training_model.get_weights(), before)))
    assert float(report["gradient_norm"]) > 0.1
    np.testing.assert_allclose(moved, 0.5 * 0.01, rtol=1e-3)


REPLICAS = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from small import build, example
from keras_s2s.training import TeacherForced
from test_training import FEW

SETTINGS = ["data.source_tokenizer=words", "data.target_tokenizer=words", "model.dropout=0", "model.attention=luong", "train.clip_norm=0.1", "train.label_smoothing=0.1", *{extra!r}]

def trained(strategy, split):
    with strategy.scope():
        core = build(*SETTINGS, pairs=FEW)
        for i, weight in enumerate(core.training_model.weights):
            if weight.dtype == "float32":
                weight.assign(np.random.default_rng(i).normal(size=weight.shape) / 4)
        model = TeacherForced(core, 10)
    whole = example(core, FEW)
    parts = [tf.nest.map_structure(lambda x: x[:1], whole), tf.nest.map_structure(lambda x: x[1:], whole)] if split else [whole]
    values = tf.nest.map_structure(lambda *x: strategy.experimental_distribute_values_from_function(
        lambda context: x[context.replica_id_in_sync_group]), *parts)
    step = tf.function(lambda data: strategy.run(model.train_step, args=(data,)))
    reports = [step(values) for _ in range(3)]
    report = [float(strategy.experimental_local_results(value)[0]) for value in reports[-1].values()]
    return report, [np.array(weight) for weight in core.training_model.weights]

one, weights = trained(tf.distribute.get_strategy(), False)
two, other = trained(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), True)
np.testing.assert_allclose(one, two, rtol=1e-4)
for a, b in zip(weights, other):
    np.testing.assert_allclose(a, b, atol=2e-5)
print("equal")
"""


@pytest.mark.parametrize("extra", [
    pytest.param([], id="teacher forcing"), pytest.param(["train.teacher_forcing=0"], id="free running", marks=pytest.mark.slow)])
def test_two_replicas_make_the_update_of_one(extra):
    code = REPLICAS.format(root=str(ROOT), tests=str(ROOT / "tests"), extra=extra)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith("equal\n"), done.stderr[-3000:]


def test_free_running_feeds_the_model_its_own_answers():
    core = build(*WORDS, "train.teacher_forcing=0", "model.attention=luong", "model.num_layers=3", "model.dropout=0.5",
                 "model.input_dropout=0.5", "model.recurrent_dropout=0.2")
    (source, target_in), _, _ = example(core, PAIRS[:5])
    given = TeacherForced(core, 10).mix(source, target_in)
    np.testing.assert_array_equal(given[:, 0], target_in[:, 0])
    logits = core.training_model([source, given], training=False)
    np.testing.assert_array_equal(given[:, 1:], np.argmax(logits, axis=-1)[:, :-1])


def test_scheduled_sampling_keeps_its_share_of_true_tokens_and_changes_with_the_step():
    core = build(*WORDS, "train.teacher_forcing=0.7")
    (source, target_in), _, _ = example(core)
    model = TeacherForced(core, 10)
    true, shares, before = target_in[:, 1:].numpy(), [], None
    for step in range(5):
        model.optimizer.iterations.assign(step)
        given = model.mix(source, target_in)
        own = np.argmax(core.training_model([source, given], training=False), axis=-1)[:, :-1]
        np.testing.assert_array_equal(given, model.mix(source, target_in))
        kept, said = given[:, 1:].numpy() == true, given[:, 1:].numpy() == own
        assert (kept | said).all()
        seen = (true > 0) & (own != true)
        shares.append(kept[seen].mean())
        assert before is None or abs(np.mean((kept != before)[seen]) - 2 * 0.7 * 0.3) < 0.15  # drawn anew at each step
        before = kept
    assert abs(np.mean(shares) - 0.7) < 0.05


def test_the_average_of_the_weights_is_what_its_momentum_says():
    core = build(*WORDS, "train.ema=0.9", "train.warmup_steps=0", "model.dropout=0")
    model = TeacherForced(core, 10)
    batch, variables = example(core), core.training_model.trainable_variables
    average = None
    for _ in range(3):
        model.train_step(batch)
        now = [variable.numpy() for variable in variables]
        average = now if average is None else [0.9 * old + 0.1 * new for old, new in zip(average, now)]
    with model.averaged():
        for variable, expected in zip(variables, average):
            np.testing.assert_allclose(variable, expected, atol=1e-5)
    for variable, expected in zip(variables, now):
        np.testing.assert_array_equal(variable, expected)


def test_r_drop_of_two_passes_that_agree_is_plain_training_and_else_makes_them_agree():
    plain, double = (TeacherForced(build(*PLAIN, *extra), 10) for extra in ([], ["train.r_drop=3"]))
    for variable, other in zip(plain.variables, double.variables):
        other.assign(variable)
    batch = example(plain.core, FEW)
    (one,), (other,) = steps(plain, batch, 1), steps(double, batch, 1)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, err_msg=name)
    for variable, same in zip(plain.variables, double.variables):
        np.testing.assert_allclose(variable, same, atol=1e-6)

    def disagreement(alpha):
        keras.utils.set_random_seed(3)
        model = TeacherForced(build(*PLAIN, "model.dropout=0.3", "train.learning_rate=0.1", f"train.r_drop={alpha}"), 10)
        steps(model, batch, 40)
        passes = [model([batch[0][0], batch[0][1]], training=True) for _ in range(8)]
        return np.mean([model.core.target.divergence(a, b, batch[2]).numpy().sum() for a, b in zip(passes, passes[1:])])

    assert disagreement(10) < 0.9 * disagreement(0)


def test_the_score_of_a_set_does_not_depend_on_its_batches():
    core = build(*WORDS, "model.attention=luong", "train.label_smoothing=0.1")
    model = TeacherForced(core, 10)
    whole = model.score([example(core, PAIRS)])
    parts = model.score([example(core, PAIRS[:7]), example(core, PAIRS[7:])])
    assert whole == pytest.approx(parts, abs=1e-5)


def test_an_epoch_that_was_broken_off_is_finished_first():
    assert pieces(0, 10, 3) == [(0, 30)]
    assert pieces(14, 10, 3) == [(14, 20), (20, 30)]
    assert pieces(20, 10, 3) == [(20, 30)]
    assert pieces(25, 10, 3) == [(25, 30)]
    assert pieces(30, 10, 3) == []


def begun(tmp_path, *settings):
    data = str(write_tsv(tmp_path / "pairs.tsv"))
    return begin(tmp_path / "run", config(f"data.train={data}", f"data.dev={data}", "model.dropout=0",
                                          "data.source_tokenizer=words", "data.target_tokenizer=words",
                                          "train.batch_tokens=400", "search.max_length=8", *settings))


@pytest.mark.parametrize("monitor, ema", [("loss", 0.9), ("chrf", 0)])
def test_the_best_epoch_goes_by_what_is_monitored(tmp_path, monitor, ema):
    run = begun(tmp_path, f"train.monitor={monitor}", f"train.ema={ema}", "train.epochs=3", "train.learning_rate=0.05")
    workflow.train(run, False)
    found = run.metrics()["training"]
    scores = [(epoch[f"dev_{monitor}"] * (-1 if monitor == "loss" else 1), -epoch["dev_loss"]) for epoch in found["history"]]
    assert found["best_epoch"] == 1 + scores.index(max(scores))
    if monitor == "loss":
        best = min(epoch["dev_loss"] for epoch in found["history"])
        core = __import__("keras_s2s").load(run.path).model
        assert TeacherForced(core, 1).score([example(core)])["loss"] == pytest.approx(best, abs=1e-4)


def test_of_epochs_with_the_same_score_the_one_with_less_loss_is_the_best(tmp_path):
    """So that a small dev set whose score is soon as good as it can be does not keep the weights of that early day."""
    run = begun(tmp_path, "train.monitor=exact_match", "train.patience=2", "train.epochs=5", "train.learning_rate=1e-5",
                "search.max_length=1")  # no answer is right
    workflow.train(run, False)
    found = run.metrics()["training"]
    losses = [epoch["dev_loss"] for epoch in found["history"]]
    assert {epoch["dev_exact_match"] for epoch in found["history"]} == {0.0} and losses == sorted(losses, reverse=True)
    assert found["best_epoch"] == len(losses) == 5  # nor did patience end it


def test_a_run_trained_in_mixed_precision_answers_in_float32(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loops, "bfloat16_is_slow", lambda: True)
    run = begun(tmp_path, "train.precision=mixed_bfloat16", "train.epochs=1", "model.attention=luong")
    workflow.train(run, False)
    assert "this processor has no bfloat16 instructions" in "".join(capsys.readouterr())
    loaded = __import__("keras_s2s").load(run.path).model
    assert {layer.compute_dtype for layer in loaded.training_model.layers} == {"float32"}
    _, _, *state = loaded.encoder_model(loaded.source.prepare(tf.constant([PAIRS[0][0].encode()])))
    assert {part.dtype for part in state} == {tf.float32}


def test_training_stops_when_patience_is_at_its_end(tmp_path):
    run = begun(tmp_path, "train.monitor=bleu", "train.patience=2", "train.epochs=9", "train.learning_rate=1e-30")
    workflow.train(run, False)
    assert len(run.metrics()["training"]["history"]) == 3  # nothing is learnt, so that the first stays the best


def test_a_loss_that_is_not_a_number_stops_training_and_says_where(tmp_path):
    run = begun(tmp_path, "train.optimizer=sgd", "train.clip_norm=0", "train.learning_rate=1e38", "train.schedule=constant")
    with pytest.raises(TrainingStopped, match=r"the loss became \S+ and the gradient's norm \S+ at step \d+ \(epoch 1\)\. .*"
                                              r"lower learning rate.*clipping: --set train.clip_norm=1\."):
        workflow.train(run, False)
