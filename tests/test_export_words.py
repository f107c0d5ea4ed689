"""Phone files and SavedModels of sentences suggest the words that the package suggests, and what does not is refused."""

import json
import shutil

import pytest
import tensorflow as tf
from small import SOURCES_OF, build

from export import flatbuffer, parity, phone_words
from export.runtime import PhoneFile
from export.tflite import Phone, Sizes, convert
from keras_s2s.completing import Completer
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, load

TEXTS = ["The red dog", "The", "The big cow sees a", "Quetzalcoatl", "नमस्ते"]


@pytest.fixture(scope="module")
def exported(completer, tmp_path_factory):
    run = Run.open(shutil.copytree(completer, tmp_path_factory.mktemp("phone") / "run"))
    parity.export(run, ["none", "int8"])
    return run, json.loads((run.export / "report.json").read_text())


def test_the_file_suggests_what_keras_suggests(exported):
    run, told = exported
    completer, phone = Completer(load(run.path)), PhoneFile(run.export / "model-float32.tflite")
    for text in TEXTS:
        wanted, found = completer.words(text), phone.suggest(text)
        assert [word for word, _ in found] == [word for word, _ in wanted]
        assert [p for _, p in found] == pytest.approx([p for _, p in wanted], abs=1e-4)
    assert phone.suggest("The red dog")[0][0] == "sees" and phone.suggest("") == phone.suggest(" \u200b ") == []


def test_the_report_tells_how_near(exported):
    _, told = exported
    exact, small = (told["files"][f"model-{name}.tflite"] for name in ("float32", "int8"))
    assert exact["passed"] and exact["suggest"]["identical"] == exact["suggest"]["same_first"] == exact["suggest"]["asked"] > 50
    assert small["passed"] and 0 < small["suggest"]["largest_difference"] < 0.5 and small["bytes"] < exact["bytes"]
    assert told["saved_model"]["suggest"]["identical"] == exact["suggest"]["asked"]
    assert told["saved_model"]["suggest"]["largest_difference"] < 1e-4


def test_its_border_is_that_of_the_documentation(exported):
    found = exported[1]["files"]["model-float32.tflite"]["signatures"]["suggest"]
    assert found["inputs"] == {"text": ["uint8", [1, 256]]}
    assert found["outputs"] == {"words": ["uint8", [5, 96]], "length": ["int32", [5]], "probability": ["float32", [5]],
                                "truncated": ["int32", [1]]}


def test_a_server_is_told_words_with_probabilities(exported):
    run, _ = exported
    suggest = tf.saved_model.load(str(run.export / "saved_model")).signatures["suggest"]
    found, completer = suggest(text=tf.constant(TEXTS)), Completer(load(run.path))
    for row, text in enumerate(TEXTS):
        assert [(word.decode(), p) for word, p in zip(found["words"][row].numpy(), found["probability"][row].numpy()) if p > 0] == [
            (word, pytest.approx(p, abs=1e-4)) for word, p in completer.words(text)]


class Suggesting(Phone):
    """One that has no beams, which is quicker converted."""

    def searches(self):
        return {"translate": self.search}


@pytest.mark.parametrize("kind, more", [("bytes", "model.attention=none"), ("words", "model.cell=gru")])
def test_every_vocabulary_suggests_on_a_phone(kind, more):
    tf.keras.utils.set_random_seed(3)
    predictor = Predictor(build("data.corpus=sentences", f"data.source_tokenizer={kind}", f"data.target_tokenizer={kind}", more,
                                pairs=[(text, text) for text in SOURCES_OF]))
    content = convert(Suggesting(predictor, Sizes(words=3)), ["none"])["none"]
    flatbuffer.require_builtins(flatbuffer.read(content))
    found, wanted = PhoneFile(content).suggest("The red dog"), Completer(predictor, 3).words("The red dog")
    assert [word for word, _ in found] == [word for word, _ in wanted] and len(found) == 3
    assert [p for _, p in found] == pytest.approx([p for _, p in wanted], rel=1e-3)


def test_words_that_no_character_spells_are_not_suggested():
    """Bytes that are no UTF-8 become U+FFFD, here and there."""
    predictor = Predictor(build("data.corpus=sentences", "data.target_tokenizer=bytes", pairs=[(text, "é" * 20) for text in SOURCES_OF]))
    bias = predictor.model.target.projection.bias
    bias.assign(tf.one_hot(4 + 0xC3, 260) * 30 + tf.one_hot(4 + ord("a"), 260) * 29 + tf.one_hot(3, 260) * 29)
    wanted = Completer(predictor, 5).words("The")
    found = PhoneFile(convert(Suggesting(predictor), ["none"])["none"]).suggest("The")
    assert wanted[0][0] == "a" and not any("\ufffd" in word for word, _ in wanted + found)
    assert [word for word, _ in found] == [word for word, _ in wanted]


def test_a_file_that_suggests_something_else_does_not_pass(exported, monkeypatch):
    run, _ = exported
    proof = phone_words.WordsProof(Completer(load(run.path)), SOURCES_OF[:3])
    suggest = PhoneFile.suggest
    monkeypatch.setattr(PhoneFile, "suggest", lambda self, text: suggest(self, text)[1:])
    entry = proof.measure(run.export / "model-float32.tflite")
    assert "float32 must suggest the words that Keras suggests, to 0.0001 of their probabilities; 3 of 3 texts" in proof.problem(
        entry, "none")
    assert "its likeliest next word is Keras's in 0 of 3 texts; at least 90 % are required. Use --quantize float16" in proof.problem(
        entry, "int8")


def test_the_number_of_words_is_checked():
    with pytest.raises(ValueError, match="--words must be between 1 and 20; got 0"):
        Sizes(words=0)
