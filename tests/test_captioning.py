"""Pictures to text: read in the layouts that captions come in, learnt, scored against all references, shown, exported."""

import base64
import csv
import io
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import export.saved_model
import keras_s2s
from export import parity
from export.runtime import SayingFile
from export.tflite import Phone, Sizes
from keras_s2s import cli, overlays, plots
from keras_s2s.corpus import CorpusError
from keras_s2s.presets import PRESETS
from keras_s2s.run import Run
from keras_s2s.scoring.caption import CaptionScoring
from keras_s2s.scoring.text import Translated
from keras_s2s.sources import SOURCES
from small import begin, config, finish

COLOURS = {"red": (220, 40, 30), "green": (30, 200, 60), "blue": (40, 60, 220)}
PLACES = {"left": (0, slice(0, 12)), "right": (0, slice(12, 24)), "top": (1, slice(0, 12)), "bottom": (1, slice(12, 24))}
SETTINGS = ["data.source=image", "data.target_tokenizer=words", "image.size=24", "image.filters=8,16", "image.shift=1",
            "model.units=32", "model.embedding_dim=24", "model.attention=luong", "model.dropout=0", "train.learning_rate=0.01",
            "train.batch_tokens=600", "train.epochs=40", "train.evaluate_every=20", "train.monitor=cider", "search.max_length=8"]


def painted(colour, place, seed=0):
    pixels = np.random.default_rng(seed).integers(90, 140, (24, 24, 3), np.uint8)
    axis, half = PLACES[place]
    pixels[(slice(None), half) if axis == 0 else (half, slice(None))] = COLOURS[colour]
    return pixels


def write_pictures(folder, copies=4, inside="Images"):
    """Pictures in Flickr8k's layout, two captions each, and five lines that cannot be used; returns the CSV."""
    (folder / inside).mkdir(parents=True)
    rows = [("image", "caption")]
    for number, (colour, place) in enumerate((c, p) for c in COLOURS for p in PLACES for _ in range(copies)):
        name = f"{number:03}.png"
        Image.fromarray(painted(colour, place, number)).save(folder / inside / name)
        rows += [(name, f"the {place} is {colour}"), (name, f"{colour}, at the {place}")]
    (folder / inside / "cut.png").write_bytes((folder / inside / "000.png").read_bytes()[:200])
    (folder / inside / "words.jpg").write_text("no picture")
    rows += [("cut.png", "cut off"), ("words.jpg", "words"), ("gone.jpg", "gone"), ("000.png", " ")]
    with open(folder / "captions.txt", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
        file.write("001.png,red, no quotes\n")
    return str(folder / "captions.txt")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions")
    data = write_pictures(folder / "data")
    path = finish(folder / "run", config(f"data.train={data}", f"data.dev={data}", f"data.test={data}", *SETTINGS))
    shutil.rmtree(folder / "data")  # the run needs it no more
    return path


def test_pictures_are_learnt_and_scored_against_all_their_captions(run):
    found = Run.open(run).metrics()["test"]
    assert found["exact_match"] > 90 and found["bleu_1"] > 90 and found["cider"] > 3
    assert found["sentences"] == 96 and "nrefs:var" in found["signatures"]["bleu"] or "nrefs:2" in found["signatures"]["bleu"]


def test_what_cannot_be_used_is_named(run):
    rejects = [line.split("\t")[1:3] for line in (run / "rejects.tsv").read_text().splitlines()[1:]]
    reasons = ["the names of the columns", "a picture that is cut off", "not a picture that can be read", "there is no such file",
               "empty target", "more than 2 columns; a caption with a comma must stand in quotes"]
    assert [reason for _, reason in rejects[:6]] == reasons and rejects[0][0] == "1"


def test_flickrs_token_file_is_read_and_a_tsv_of_paths_and_a_split_keeps_a_picture_on_one_side(tmp_path):
    write_pictures(tmp_path, inside="Flicker8k_Dataset")
    names = [f"{number:03}.png" for number in range(48)]
    tokens, paths = tmp_path / "Flickr8k.token.txt", tmp_path / "pairs.tsv"
    tokens.write_text("".join(f"{name}#{i}\tcaption {i} , of {name}\n" for name in names for i in range(3)))
    paths.write_text("".join(f"Flicker8k_Dataset/{name}\tof {name}\n" for name in names))
    made = begin(tmp_path / "run", config(f"data.train={tokens}", *SETTINGS))
    sets = [made.rows(name) for name in ("train", "dev", "test")]
    assert sum(map(len, sets)) == 144 and all(len(rows) % 3 == 0 and len(rows) for rows in sets)
    assert not set(sets[0].keys()) & {key for rows in sets[1:] for key in rows.keys()}
    assert len(begin(tmp_path / "other", config(f"data.train={paths}", f"data.dev={paths}", *SETTINGS)).rows("train")) == 48


def test_captions_are_measured_against_all_references_of_a_picture():
    names, said = ["a", "a", "b"], ["two dogs run fast", "two dogs run fast", "one cat sits here"]
    right = ["some dogs run", "two dogs run fast", "one cat sits here"]
    scoring = CaptionScoring()
    found = scoring.measure([type("Said", (), {"best": text}) for text in said], right, names)
    assert found.scores["bleu"] == pytest.approx(100) and found.scores["cider"] > 5
    figures = scoring.figures(Translated(names, right, said, 0.0))
    assert figures["bleu_3"] == pytest.approx(100) and "CIDEr-D" in figures["signatures"]["cider"]


def test_a_picture_is_captioned_from_the_command_line(run, tmp_path, capsys):
    paths = []
    for number, (colour, place) in enumerate([("red", "left"), ("blue", "bottom")]):
        picture, exif = Image.fromarray(painted(colour, place, 99)).resize((120, 120)), Image.Exif()
        exif[0x0112] = 3  # held upside down
        paths.append(str(tmp_path / f"{number}.jpg"))
        picture.transpose(Image.Transpose.ROTATE_180).save(paths[-1], quality=95, exif=exif)
    assert cli.main(["caption", str(run), *paths, str(tmp_path / "none.jpg")]) == 1
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert "red" in lines[0] and "left" in lines[0] and "blue" in lines[1] and "bottom" in lines[1]
    assert "none.jpg: there is no such file" in told.err
    assert cli.main(["caption", str(run), paths[0], "--json", "--beam-size", "2"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree["alignment"]["source"][:3] == ["1,1", "1,2", "1,3"] and len(tree["alignment"]["weights"][0]) == 36
    with pytest.raises(SystemExit):
        cli.main(["caption", str(run)])


def test_attention_lies_over_the_picture_in_the_report(run):
    maps = json.loads((run / "evaluation" / "inside.json").read_text())["maps"]
    assert maps[0]["picture"]["grid"] == [6, 6]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(maps[0]["picture"]["png"]))))
    assert pixels.shape == (24, 24, 3)
    figure = overlays.attended(**{name: maps[0][name] for name in ("picture", "target", "weights")})
    assert len(figure.axes) == min(16, len(maps[0]["target"]))
    assert len(plots.png(figure)[0]) > 5000
    assert cli.main(["report", str(run)]) == 0
    assert "CIDEr" in (run / "report.html").read_text()


def test_the_phone_files_say_what_the_model_says(run, tmp_path):
    copy = Run.open(shutil.copytree(run, tmp_path / "run"))
    parity.export(copy, ["none", "int8"], Sizes(max_output_bytes=64, beam_size=2))
    report = json.loads((copy.export / "report.json").read_text())
    assert len(report["files"]) == 2
    for name, found in report["files"].items():
        assert found["passed"] and found["identical"] >= 0.9 * report["sentences"]
        assert found["signatures"]["caption"]["inputs"] == {"image": ["uint8", [1, 24, 24, 3]]}
        file = SayingFile(copy.export / name, "caption")
        said = file.ask({"image": painted("green", "top", 7)[None]})
        assert "green" in said.texts[0] and "top" in said.texts[0] and said.scores[0] > -1


def test_a_saved_model_takes_pixels(run):
    path = export.saved_model.export(Run.open(run))
    served = tf.saved_model.load(str(path)).signatures["caption"]
    pictures = np.stack([painted("red", "top", 5), painted("blue", "right", 6)])
    said = [text.decode() for text in served(image=tf.constant(pictures))["text"].numpy()]
    assert said == [answer.best for answer in keras_s2s.load(run).predict(list(pictures))]


def test_a_saved_model_that_says_something_else_is_warned_of(run, tmp_path, monkeypatch, capsys):
    copy, served = Run.open(shutil.copytree(run, tmp_path / "run")), parity._served
    monkeypatch.setattr(parity, "_served", lambda *arguments: ["something else"] * 2 + served(*arguments)[2:])
    predictor = keras_s2s.load(copy.path)
    parity.TextProof(copy, Phone(predictor, Sizes(max_output_bytes=64)), predictor).saved_model(predictor)
    assert "saved_model answers 94 of 96 sources as Keras does. That is a fault of the export" in capsys.readouterr().err


def test_augmentation_moves_and_lights_a_picture_by_its_seed_and_never_mirrors_it():
    source = SOURCES["image"](config("data.source=image", "image.size=24", "image.shift=3", "image.jitter=0.3"))
    raw = tf.constant(np.stack([painted("red", "left", i) for i in range(8)]))
    plain = source.prepare(raw).numpy()
    one, other = source.prepare(raw, tf.constant([1, 2], tf.int64)).numpy(), source.prepare(raw, tf.constant([1, 4], tf.int64)).numpy()
    assert one.min() >= -1 and one.max() <= 1 and np.abs(one - other).max() > 0.1 < np.abs(one - plain).max()
    redness = one[..., 0] - one[..., 2]
    assert (redness[:, :, :8].mean((1, 2)) > redness[:, :, 16:].mean((1, 2)) + 0.3).all()
    moved = SOURCES["image"](config("data.source=image", "image.size=24", "image.shift=3", "image.jitter=0"))
    shifted = moved.prepare(raw, tf.constant([1, 2], tf.int64)).numpy()
    found = [min((np.abs(shifted[i, 3:-3, 3:-3] - np.roll(plain[i], (y, x), (0, 1))[3:-3, 3:-3]).max(), y, x)
                 for y in range(-3, 4) for x in range(-3, 4)) for i in range(8)]
    assert all(error < 1e-6 for error, *_ in found) and len({place for _, *place in map(list, found) for place in [tuple(place)]}) > 2


@pytest.mark.parametrize("setting, message", [
    ("image.size=4", "`image.size` must be between 8 and 1024; got 4"),
    ("image.filters=", "`image.filters` must be a number of filters for each convolution, such as 32,64,128; got ''"),
    ("image.filters=8,8,8,8,8,8,8", "`image.filters` halve the sides 7 times, which takes `image.size` of at least 128; got 64"),
    ("image.fit=squeeze", "`image.fit` must be one of letterbox, crop, stretch; got 'squeeze'"),
    ("image.jitter=2", "`image.jitter` must be between 0 and 1; got 2"),
    ("image.shift=40", "`image.shift` must be between 0 and 32; got 40")])
def test_settings_of_pictures_are_tested_by_their_words(setting, message):
    with pytest.raises(ValueError) as caught:
        PRESETS["caption"][1].set([setting])
    assert message in str(caught.value)


def test_captions_without_a_usable_picture_are_refused(tmp_path):
    (tmp_path / "captions.csv").write_text("image,caption\nnone.jpg,nothing\n")
    with pytest.raises(CorpusError, match="all 2 are rejected: 1 the names of the columns, 1 there is no such file"):
        begin(tmp_path / "run", config(f"data.train={tmp_path / 'captions.csv'}", *SETTINGS))
