"""Adding a kind: one class and one entry, and it is trained, scored, shown and exported like those that are there.

Codes reads texts by their characters' numbers; Dots reads files, whose bytes are its steps.
"""

import argparse
import json
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import export.saved_model
from keras_s2s import cli, load, registry, workflow
from keras_s2s.answering import answer
from keras_s2s.config import Config, Search
from keras_s2s.corpus import CorpusError
from keras_s2s.media import FileRows, Item, arrays
from keras_s2s.reading import Rejected
from keras_s2s.run import Run
from keras_s2s.sources import Source
from small import PAIRS, begin, config, finish, write_tsv


class Codes(Source):
    """Texts as their characters' code points, taken by their last digits."""

    signature = tf.TensorSpec([None], tf.string, name="text")
    most = 1024

    def __init__(self, config: Config):
        super().__init__(config)
        self.embedding = keras.layers.Embedding(self.most, config.model.embedding_dim, name="source_embedding")

    @classmethod
    def fit(cls, config, raws):
        return cls(config)

    def save(self, folder):
        (folder / "source.json").parent.mkdir(parents=True, exist_ok=True)
        (folder / "source.json").write_text("{}")

    @classmethod
    def load(cls, config, folder):
        if not (folder / "source.json").exists():
            raise ValueError("it is not there")
        return cls(config)

    def like(self, other):
        return type(other) is type(self)

    def summary(self):
        return "nothing to learn"

    def batch(self, raws):
        return np.array([raw if isinstance(raw, bytes) else raw.encode() for raw in raws], object)

    def sizes(self, raws):
        return np.array([len(raw) for raw in raws], np.int64)

    def labels(self, steps):
        return [str(step) for step in steps]

    def prepare(self, raw, seed=None):
        codes = tf.strings.unicode_decode(raw, "UTF-8").to_tensor(-1)
        return tf.where(codes < 0, 0, 1 + codes % (self.most - 1))

    def lengths(self, prepared):
        return tf.reduce_sum(tf.cast(prepared > 0, tf.int32), axis=1)

    def trim(self, prepared):
        return prepared[:, :tf.reduce_max(self.lengths(prepared))]

    def input(self):
        return keras.Input((None,), dtype="int32", name="source")

    def __call__(self, prepared):
        return self.embedding(prepared), ops.greater(prepared, 0)


class Dots(Codes):
    """Files that begin with DOTS, read by their bytes."""

    signature = tf.TensorSpec([None, None], tf.int32, name="dots")
    verb, most = "read", 257

    @classmethod
    def decode(cls, content, config):
        if content[:4] != b"DOTS":
            raise Rejected("not a file of dots")
        if len(content) > 40:
            raise Rejected("longer than 40 bytes", f"{len(content)} bytes")
        return np.frombuffer(content[4:], np.uint8)

    def batch(self, raws):
        made = arrays(raws)
        result = np.zeros((len(made), max(map(len, made))), np.int32)
        for row, one in zip(result, made):
            row[:len(one)] = 1 + one.astype(np.int32)
        return result

    def counted(self, raws):
        return np.array([len(one) for one in arrays(raws)], np.int32)

    sizes = counted

    def prepare(self, raw, seed=None):
        return raw


SETTINGS = ["data.target_tokenizer=words", "model.units=24", "model.embedding_dim=24", "model.attention=luong", "model.dropout=0",
            "train.learning_rate=0.02", "train.epochs=10", "train.evaluate_every=5"]
MADE_UP = {"codes": registry.Entry("test_made_up:Codes"), "dots": registry.Entry("test_made_up:Dots", corpus="keras_s2s.corpora:Files")}


@pytest.fixture(scope="module", autouse=True)
def made_up():
    """The entries; nothing else is told of the classes above."""
    registry.SOURCES.update(MADE_UP)
    sys.modules.setdefault("test_made_up", sys.modules[__name__])
    yield
    for name in MADE_UP:
        del registry.SOURCES[name]


@pytest.fixture(scope="module")
def codes(tmp_path_factory, made_up):
    folder = tmp_path_factory.mktemp("codes")
    data = str(write_tsv(folder / "pairs.tsv"))
    return finish(folder / "run", config("data.source=codes", f"data.train={data}", f"data.dev={data}", f"data.test={data}", *SETTINGS))


def write_dots(folder, pairs=PAIRS):
    """A TSV of files in a folder beside it, two texts each of the last; five lines of it cannot be used."""
    (folder / "files").mkdir(parents=True)
    lines = []
    for number, (source, target) in enumerate(pairs):
        name = f"files/{number:02}.dots"
        (folder / name).write_bytes(b"DOTS" + source.replace("The ", "").encode()[:36])
        lines += [f"{name}\t{target}\n"] * (1 + (number % 3 == 0))
    (folder / "files" / "long.dots").write_bytes(b"DOTS" * 20)
    (folder / "files" / "other.dots").write_bytes(b"none")
    (folder / "files" / "empty.dots").write_bytes(b"")
    lines[3:3] = [f"{name}\tx\n" for name in ("files/long.dots", "files/other.dots", "files/empty.dots", "files/gone.dots", "files")]
    (folder / "dots.tsv").write_text("".join(lines), encoding="utf-8")
    return str(folder / "dots.tsv")


@pytest.fixture(scope="module")
def dots(tmp_path_factory, made_up):
    folder = tmp_path_factory.mktemp("dots")
    data = write_dots(folder / "data")
    run = finish(folder / "run", config("data.source=dots", f"data.train={data}", f"data.dev={data}", f"data.test={data}", *SETTINGS))
    shutil.rmtree(folder / "data" / "files")  # the run needs them no more
    return run


@pytest.mark.parametrize("kind", ["codes", "dots"])
def test_a_made_up_source_is_trained_scored_and_exported(kind, request, capsys):
    run = Run.open(request.getfixturevalue(kind))
    found = run.metrics()["test"]
    assert found["chrf"] > 50  # it has learnt something from what it reads
    rows = run.rows("test")
    sources, _ = rows.raws(range(len(rows)))
    predictor = load(run.path)
    said = [answer.best for answer in predictor.predict(sources)]
    assert len(set(said)) > 5
    path = export.saved_model.export(run)
    served = tf.saved_model.load(str(path)).signatures[predictor.model.source.verb]
    source = predictor.model.source
    given = {source.signature.name: tf.constant(source.batch(sources), source.signature.dtype)}
    assert [text.decode() for text in served(**given)["text"].numpy()] == said
    assert cli.main(["report", str(run.path)]) == 0 and cli.main(["inspect", str(run.path)]) == 0
    assert "chrF on test" in (run.path / "report.html").read_text()
    maps = json.loads((run.path / "evaluation" / "inside.json").read_text())
    assert maps["kind"] == "attention" and maps["maps"] and len(maps["maps"][0]["weights"][0]) == len(maps["maps"][0]["source"])


def test_there_is_no_source_that_has_no_entry():
    with pytest.raises(ValueError, match="`data.source` must be one of .*codes, dots; got 'cods'. Did you mean 'codes'?"):
        config("data.source=cods")


def test_files_are_named_with_what_is_wrong_with_them(dots):
    rows = [line.split("\t") for line in (dots / "rejects.tsv").read_text().splitlines()[1:]]
    assert [row[2] for row in rows[:5]] == ["longer than 40 bytes", "not a file of dots", "an empty file",
                                            "there is no such file", "a folder, not a file"]
    assert rows[0][1] == "4" and "80 bytes" in rows[0][3]


def test_what_was_decoded_comes_back_with_its_text(dots):
    rows = Run.open(dots).rows("test")
    assert len(rows) == 80 and rows.items.max() == 59
    sources, targets = rows.read([0, 1, 2])
    assert bytes(sources[0]) == bytes(sources[1]) == b"red dog sees a tree." != bytes(sources[2])
    assert targets[0].decode() == PAIRS[0][1]
    named, _ = rows.raws([2])
    assert str(named[0]) == "files/01.dots" and isinstance(named[0], Item)
    assert [len(one) for one in rows.learnable(0, 1)] == [20] and next(rows.learnable(1, 1)) == PAIRS[0][1]


def test_a_split_leaves_no_file_and_no_content_on_two_sides(tmp_path):
    data = write_dots(tmp_path)
    (tmp_path / "files" / "again.dots").write_bytes((tmp_path / "files" / "07.dots").read_bytes())
    with open(data, "a", encoding="utf-8") as file:
        file.write("files/again.dots\tanother text\n" + str(tmp_path / "files" / "07.dots") + "\tby its whole path\n")
    run = begin(tmp_path / "run", config("data.source=dots", f"data.train={data}", *SETTINGS))
    keys = [set(run.rows(name).keys()) for name in ("train", "dev", "test")]
    assert all(keys) and not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])
    left_out = (run.path / "rejects.tsv").read_text().count("duplicate pair")
    assert sum(map(len, keys)) == 60 and sum(len(run.rows(name)) for name in ("train", "dev", "test")) + left_out == 82


def test_a_run_of_files_answers_for_files(dots, tmp_path, capsys):
    write_dots(tmp_path)
    files = [str(tmp_path / "files" / name) for name in ("00.dots", "gone.dots", "long.dots", "01.dots")]
    asked = argparse.Namespace(run=dots, files=files, verb="read", json=False, n_best=1, seed=0)
    assert answer(asked, load(dots).search) == 1
    told = capsys.readouterr()
    wanted = [one.best for one in load(dots).predict(load(dots).files([files[0], files[3]]))]
    assert told.out == f"{files[0]}\t{wanted[0]}\n{files[3]}\t{wanted[1]}\n"
    assert f"error: {files[1]}: there is no such file" in told.err and "longer than 40 bytes: 80 bytes" in told.err
    asked = argparse.Namespace(run=dots, files=files[:1], verb="read", json=True, n_best=2, seed=0)
    assert answer(asked, Search(beam_size=2, n_best=2)) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree["file"] == files[0] and len(tree["texts"]) == 2 and len(tree["alignment"]["source"]) == 20
    with pytest.raises(ValueError, match="this run cannot transcribe: it reads dots. Use: keras-s2s read"):
        answer(argparse.Namespace(run=dots, verb="transcribe"), Search())


def test_files_are_read_as_those_of_the_training(dots, tmp_path):
    write_dots(tmp_path)
    predictor = load(dots)
    [item] = predictor.files([tmp_path / "files" / "00.dots"])
    assert [answer.best for answer in predictor.predict([item])] == [answer.best for answer in predictor.predict([item.array])]
    with pytest.raises(ValueError, match="gone.dots: there is no such file"):
        predictor.files([tmp_path / "gone.dots"])
    with pytest.raises(ValueError, match="long.dots: longer than 40 bytes: 80 bytes"):
        predictor.files([tmp_path / "files" / "long.dots"])


def test_other_files_are_scored(dots, tmp_path, capsys):
    data = write_dots(tmp_path)
    assert cli.main(["evaluate", str(dots), "--data", data, "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["dots.tsv"]["sentences"] == 80 and "5 lines are not scored" in told.err


def test_a_run_whose_files_were_changed_is_refused(dots, tmp_path):
    run = Run.open(shutil.copytree(dots, tmp_path / "run"))
    packed = run.file("train").with_suffix(".bin")
    content = bytearray(packed.read_bytes())
    content[5] ^= 1
    packed.write_bytes(content)
    with pytest.raises(CorpusError, match="file 1 in .*train.bin' is not what was packed. The run's data is damaged"):
        FileRows(run.file("train"))[0]
    packed.write_bytes(content[:-1])
    with pytest.raises(CorpusError, match="the .bin and .npz beside it must be of one set; they are not"):
        run.rows("train")
    index = run.file("train").with_suffix(".npz")
    index.write_bytes(run.file("dev").with_suffix(".npz").read_bytes()[:-9])
    with pytest.raises(CorpusError, match="what belongs to .* cannot be read"):
        run.rows("train")
    with pytest.raises(ValueError, match="was changed after its training: data/train.npz"):
        workflow.train(run, True)


@pytest.mark.parametrize("settings, said", [
    (["data.target=series"], "beside each file stands a text; `data.target` is 'series'. Set data.target=text."),
    ([], "a TSV of path TAB text is required to learn from dots; none is named. Give one with --data.")])
def test_what_a_run_of_files_needs_is_told(settings, said, tmp_path):
    with pytest.raises(ValueError) as caught:
        begin(tmp_path / "run", config("data.source=dots", *settings))
    assert said in str(caught.value)


def test_a_tsv_without_a_usable_file_is_refused(tmp_path):
    (tmp_path / "dots.tsv").write_text("gone.dots\tx\n\nother\n\xff\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="all 4 are rejected: 2 too few columns, 1 there is no such file, 1 empty line"):
        begin(tmp_path / "run", config("data.source=dots", f"data.train={tmp_path / 'dots.tsv'}"))
