"""seeing.py: a frozen network of keras.applications in the place of the small one, its features made once for each set."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import export.saved_model
import keras_s2s
from export import parity
from export.tflite import Sizes
from keras_s2s import cli, seeing, workflow
from keras_s2s.corpus import CorpusError
from keras_s2s.kind_settings import BACKBONES
from keras_s2s.run import Run
from keras_s2s.sources.image import ImageSource
from small import begin, config, finish

COLOURS = {"red": (220, 40, 30), "green": (30, 200, 60), "blue": (40, 60, 220), "white": (250, 250, 250)}
SETTINGS = ["data.source=image", "data.target_tokenizer=words", "image.size=64", "image.backbone=MobileNet", "model.units=24",
            "model.embedding_dim=24", "model.attention=luong", "model.dropout=0", "train.learning_rate=0.01",
            "train.batch_tokens=64", "train.epochs=40", "train.evaluate_every=20", "train.monitor=cider", "search.max_length=8"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network of chance, as if a user had brought it; its file. Its normalizations know the means of some pictures, without
    which nothing would come through so many layers."""
    keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("weights") / "mobile.weights.h5"
    network = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(64, 64, 3))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(np.stack([painted(colour, 100 + i) for i in range(6) for colour in COLOURS]) / 127.5 - 1.0, training=True)
    network.save_weights(path)
    return path


def painted(colour, seed):
    noise = np.random.default_rng(seed).integers(-20, 20, (64, 64, 3))
    return np.clip(noise + COLOURS[colour], 0, 255).astype(np.uint8)


def write_pictures(folder):
    (folder / "Images").mkdir(parents=True)
    rows = ["image,caption"]
    for number in range(24):
        colour = list(COLOURS)[number % 4]
        Image.fromarray(painted(colour, number)).save(folder / "Images" / f"{number}.png")
        rows += [f"{number}.png,all of it is {colour}", f"{number}.png,{colour} everywhere"]
    (folder / "captions.txt").write_text("\n".join(rows) + "\n")
    return str(folder / "captions.txt")


def settings(data, weights):
    return config(f"data.train={data}", f"data.dev={data}", f"data.test={data}", f"image.weights={weights}", *SETTINGS)


@pytest.fixture(scope="module")
def run(tmp_path_factory, weights):
    """A trained run that has neither the pictures nor the file of weights any more."""
    folder = tmp_path_factory.mktemp("frozen")
    mine = shutil.copy(weights, folder / "mine.weights.h5")
    data = write_pictures(folder / "data")
    path = finish(folder / "run", settings(data, mine))
    shutil.rmtree(folder / "data")
    mine.unlink()
    return path


def test_captions_are_learnt_over_a_frozen_network(run):
    found = Run.open(run).metrics()
    assert found["test"]["exact_match"] > 90
    assert found["training"]["weights"] < 100_000 < 3_000_000 < keras_s2s.load(run).model.source.seeing.network.count_params()


def test_its_features_are_kept_and_are_what_it_would_see_again(run):
    source, rows = keras_s2s.load(run).model.source, Run.open(run).rows("train")
    kept = np.load(run / "data" / "train.features.npy")
    assert kept.shape == (24, 2, 2, 1024) and kept.dtype == np.float16 and kept.std() > 0
    seen = source.prepare(tf.constant(np.stack([rows.array(item) for item in (0, 23)])))
    np.testing.assert_allclose(kept[[0, 23]], seen, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(source.prepare(tf.constant(kept)), kept.astype(np.float32))
    assert (source.prepare(tf.constant(kept), tf.constant([1, 2], tf.int64)) == kept).numpy().all()
    arrays, texts = source.cached(rows).read([47, 0])
    np.testing.assert_array_equal(arrays, kept[[23, 0]])
    assert texts == rows.read([47, 0])[1]


def test_features_are_made_again_only_where_they_are_not_those_of_the_pictures_and_the_network(run, tmp_path, monkeypatch):
    made, written = Run.open(shutil.copytree(run, tmp_path / "run")), []
    source, path = keras_s2s.load(made.path).model.source, made.data / "train.features.npy"
    first, write = path.read_bytes(), seeing.Backbone._write
    monkeypatch.setattr(seeing.Backbone, "_write", lambda *given: (written.append(given), write(*given)))
    source.cached(made.rows("train"))
    assert not written
    damaged = bytearray(first)
    damaged[5000] ^= 1
    path.write_bytes(damaged)
    source.cached(made.rows("train"))
    assert path.read_bytes() == first and len(written) == 1
    source.seeing.digest = "another"
    source.cached(made.rows("train"))
    source.cached(made.rows("train"))
    assert len(written) == 2


def test_a_resumed_training_reads_the_same_features(run, tmp_path):
    made = Run.open(shutil.copytree(run, tmp_path / "run"))
    again = workflow.open_run(made.path, made.config.set(["train.epochs=41"]), True)
    (made.data / "train.features.npy").unlink()  # made anew, since it can be
    workflow.train(again, True)
    assert len(again.checkpoints.load_state().history) == 41
    assert (made.data / "train.features.npy").read_bytes() == (run / "data" / "train.features.npy").read_bytes()


def test_exports_hold_the_network_and_take_pixels(run, tmp_path):
    copy = Run.open(shutil.copytree(run, tmp_path / "run"))
    predictor = keras_s2s.load(copy.path)
    pictures = np.stack([painted("red", 0), painted("blue", 2)])
    said = [answer.best for answer in predictor.predict(list(pictures))]
    assert "red" in said[0] and "blue" in said[1]
    served = tf.saved_model.load(str(export.saved_model.export(copy))).signatures["caption"]
    assert [text.decode() for text in served(image=tf.constant(pictures))["text"].numpy()] == said
    # A network of chance, other than a learnt one, suffers from int8; what is asked here is that it is in the file.
    parity.export(copy, ["none", "int8"], Sizes(max_output_bytes=64, beam_size=2), max_bleu_drop=90)
    report = json.loads((copy.export / "report.json").read_text())
    plain, entry = report["files"].values()
    assert plain["passed"] and plain["identical"] == report["sentences"]
    assert entry["signatures"]["caption"]["inputs"] == {"image": ["uint8", [1, 64, 64, 3]]}
    assert entry["signatures"]["prepare"]["outputs"] == {"features": ["float32", [1, 2, 2, 1024]]}
    assert 3_200_000 < entry["bytes"] < 5_000_000  # a byte for each weight
    assert plain["bytes"] > 13_000_000


def test_inspect_knows_a_frozen_network(run, capsys):
    assert cli.main(["inspect", str(run)]) == 0
    assert keras_s2s.load(run).model.source.summary() == "pictures of 64 x 64 pixels, 2 x 2 regions of MobileNet, frozen"


def test_a_run_whose_network_was_exchanged_or_lost_is_refused(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    path = copy / "assets" / seeing.WEIGHTS
    keras.utils.set_random_seed(4)
    keras.applications.MobileNet(include_top=False, weights=None, input_shape=(64, 64, 3)).save_weights(path)
    with pytest.raises(ValueError, match="was changed after its training: assets/backbone.weights.h5"):
        keras_s2s.load(copy)
    path.unlink()
    with pytest.raises(ValueError, match="backbone.weights.h5"):
        keras_s2s.load(copy)


@pytest.mark.parametrize("changes, said", [
    (["image.backbone=MobileNetV4", "image.weights=x"], "`image.backbone` must be one of .*; got 'MobileNetV4'. Did you mean 'MobileNet"),
    (["image.backbone=MobileNet"], "`image.backbone` and `image.weights` go together: .*; got 'MobileNet' and ''"),
    (["image.weights=x.h5"], "`image.backbone` and `image.weights` go together: .*; got '' and 'x.h5'")])
def test_what_a_frozen_network_needs_is_told(changes, said):
    with pytest.raises(ValueError, match=said):
        config("data.source=image", *changes)


def test_weights_that_are_not_there_or_of_another_network_are_refused_by_name(weights, tmp_path):
    gone = config("data.source=image", "image.backbone=MobileNet", "image.weights=/none/mine.h5", "image.size=64")
    with pytest.raises(ValueError, match="there is no '/none/mine.h5'. Nothing is downloaded: bring one."):
        ImageSource.fit(gone, [])
    (tmp_path / "captions.txt").write_text("image,caption\n")
    with pytest.raises(ValueError, match="there is no '/none/mine.h5'"):  # before any picture is read
        begin(tmp_path / "run", gone.set([f"data.train={tmp_path / 'captions.txt'}"]))
    other = config("data.source=image", "image.backbone=MobileNetV2", f"image.weights={weights}", "image.size=64")
    with pytest.raises(ValueError, match=r"must be weights of MobileNetV2 without its top \(include_top=False\), as .keras, .weights.h5 or .h5; .* is not"):
        ImageSource.fit(other, [])
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(ValueError, match="must be weights of MobileNet without its top"):
        ImageSource.fit(gone.set([f"image.weights={tmp_path / 'text.weights.h5'}"]), [])
    small = gone.set(["image.size=16", "image.filters=8", f"image.weights={weights}"])
    with pytest.raises(ValueError, match="`image.size` 16 is too small for MobileNet"):
        ImageSource.fit(small, [])


@pytest.mark.parametrize("suffix", ["weights.h5", "keras", "h5"])
def test_every_usual_file_of_weights_is_read_and_each_network_is_given_pixels_as_it_wants_them(suffix, tmp_path):
    network = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path / f"vgg.{suffix}"
    network.save_weights(path) if suffix == "weights.h5" else network.save(path)
    source = ImageSource.fit(config("data.source=image", "image.size=32", "image.backbone=VGG16", f"image.weights={path}"), [])
    pictures = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)
    wanted = network(keras.applications.vgg16.preprocess_input(pictures.astype(np.float32)))
    np.testing.assert_allclose(source.prepare(tf.constant(pictures)), wanted, rtol=1e-4, atol=1e-4)


def test_the_networks_that_may_be_named_are_those_of_keras():
    for name in BACKBONES:
        module = getattr(keras.applications, getattr(keras.applications, name).__module__.rpartition(".")[2])
        assert callable(module.preprocess_input), name
    assert set(BACKBONES) == {name for name in dir(keras.applications) if name[0].isupper()}


def test_a_corpus_error_is_no_error_of_weights(tmp_path, weights):
    (tmp_path / "captions.txt").write_text("image,caption\nnone.jpg,nothing\n")
    made = settings(tmp_path / "captions.txt", weights)
    with pytest.raises(CorpusError, match="1 there is no such file"):
        begin(tmp_path / "run", made)
