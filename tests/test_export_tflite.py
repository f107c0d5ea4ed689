"""A phone file of every kind of model says what Keras says, in built-in operations; what does not is not published."""

import functools
import json
import random
import shutil
import unicodedata

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import SignatureRunner
from small import SOURCES_OF, build
from test_export_text import random_bytes, random_texts

from export import __main__ as command
from export import flatbuffer, parity, proof
from export.runtime import PhoneFile, SayingFile
from export.tflite import Phone, Sizes, convert
from keras_s2s.normalize import _REMOVED, normalize
from keras_s2s.predictor import Predictor
from keras_s2s.scoring.text import TextScoring
from keras_s2s.run import Run, load

KINDS = {
    "words, Luong between two residual LSTM layers, bidirectional": (
        "data.source_tokenizer=words", "data.target_tokenizer=words", "model.num_layers=2", "model.residual_from=2",
        "model.attention=luong", "model.attention_layer=1", "model.bidirectional=true"),
    "bytes to characters, three GRU layers, source reversed": (
        "data.source_tokenizer=bytes", "data.target_tokenizer=characters", "model.cell=gru", "model.num_layers=3",
        "model.reverse_source=true"),
    "characters to bytes, Bahdanau, tied embeddings, n-grams not repeated": (
        "data.source_tokenizer=characters", "data.target_tokenizer=bytes", "model.attention=bahdanau",
        "model.tied_embeddings=true", "search.no_repeat_ngram=3"),
    "sentencepiece, context vector": ("search.max_length=30",),
    "sentencepiece, eight LSTM layers, Luong, bidirectional": (
        "model.num_layers=8", "model.attention=luong", "model.bidirectional=true"),
    "sentencepiece, GRU, Bahdanau, bidirectional": (
        "model.cell=gru", "model.attention=bahdanau", "model.bidirectional=true"),
}
SLOW = list(KINDS)[4:]


@pytest.fixture(scope="module", params=[pytest.param(kind, marks=[pytest.mark.slow] if kind in SLOW else []) for kind in KINDS])
def pair(request):
    """A model with loud random weights and its float32 file."""
    tf.keras.utils.set_random_seed(3)
    core = build(*KINDS[request.param])
    for variable in core.training_model.trainable_variables:
        variable.assign(3 * variable)
    predictor = Predictor(core)
    content = convert(Phone(predictor, Sizes(beam_size=3)), ["none"])["none"]
    return predictor, PhoneFile(content), content


def test_a_file_of_every_kind_of_model_says_what_keras_says(pair):
    predictor, phone, _ = pair
    texts = [*SOURCES_OF[:8], "Zebra x 😀", "?!", "a", ""]
    assert [phone.translate(text).texts for text in texts] == [answer.texts for answer in predictor.predict(texts)]
    wanted = predictor.with_search(beam_size=3, n_best=3).predict(texts)
    assert [phone.translate(text, beam=True).texts for text in texts] == [answer.texts for answer in wanted]


def test_memory_for_the_longest_text_is_ready_once_a_file_is_loaded(pair, monkeypatch):
    asked, call = {}, SignatureRunner.__call__
    monkeypatch.setattr(SignatureRunner, "__call__", lambda self, **given: asked.update({self._signature_key: given}) or call(self, **given))
    phone = PhoneFile(pair[2])
    assert asked.keys() == {"translate", "translate_beam", "tokenize"}
    assert all(given["text"].shape == (1, phone.max_bytes) and given["text"].all() for given in asked.values())


def test_a_file_holds_built_in_operations_and_a_plain_border_only(pair):
    model = flatbuffer.read(pair[2])
    flatbuffer.require_builtins(model)
    assert set(flatbuffer.signatures(model)) == {
        "translate", "translate_beam", "tokenize", "detokenize", "encode", "decode_step"}
    border = flatbuffer.signatures(model)["translate"]
    assert border.inputs == {"text": ("uint8", [1, 256])}
    assert border.outputs == {"text": ("uint8", [1, 512]), "length": ("int32", [1]), "score": ("float32", [1]),
                              "truncated": ("int32", [1])}


def test_a_file_whose_border_not_all_runtimes_know_is_refused_before_it_is_published(pair, tmp_path):
    model = flatbuffer.read(pair[2])
    signature = model.signatureDefs[0]
    model.subgraphs[signature.subgraphIndex].tensors[signature.inputs[0].tensorIndex].type = flatbuffer.schema.TensorType.INT64
    content = flatbuffer._written(model, flatbuffers.Builder(1024))
    run = Run(tmp_path, pair[0].config)
    run.export.mkdir()
    with pytest.raises(ValueError, match="border of a phone file may be uint8, int32, float32 in fixed shapes; .* is int64"):
        proof.Proof(run, Phone(pair[0]), 0).file("none", content, 1.0)
    assert not list(run.export.iterdir())


@pytest.mark.parametrize("count", [90, pytest.param(10_000, marks=pytest.mark.slow)])
def test_any_bytes_give_valid_text_and_those_that_keras_reads_alike_the_same(pair, count):
    predictor, phone, _ = pair
    for data in random_bytes(2 * count // 3, seed=5):
        phone.answer(data)  # decodes strictly
    texts = [text for text in random_texts(count // 3, seed=6) if phone.fits(text) and stays_nfc(text)]
    assert len(texts) > count // 4
    said = [phone.translate(text) for text in texts]
    for text, answer, wanted in zip(texts, said, predictor.predict(texts)):
        if not answer.truncated:
            assert [normalize(one) for one in answer.texts] == wanted.texts, ascii(text)


def stays_nfc(text):
    """Whether a host's NFC is still NFC when the clean-up has taken controls out from between combining marks."""
    return unicodedata.is_normalized("NFC", _REMOVED.sub("", unicodedata.normalize("NFC", text)))


def test_the_halves_of_the_model_spell_the_whole(pair):
    predictor, phone, _ = pair
    if predictor.search.no_repeat_ngram or predictor.model.copies:
        pytest.skip("this search is more than the likeliest token")
    text = SOURCES_OF[3]
    ids = phone.run["tokenize"](text=phone.padded(text.encode()))["ids"]
    given = phone.run["encode"](ids=ids)
    memory = {name: given[name] for name in ("outputs", "mask") if name in given}
    token, state, said = 2, {name: value for name, value in given.items() if name not in memory}, []
    for _ in range(predictor.search.max_length):
        found = phone.run["decode_step"](token=np.array([token], np.int32), **state, **memory)
        logits = found.pop("logits")[0]
        logits[:3] = -np.inf
        token, state = int(logits.argmax()), found
        if token == 3 or len(said) >= 2 * np.count_nonzero(ids) + 10:
            break
        said.append(token)
    width = phone.run["detokenize"].get_input_details()["ids"]["shape"][1]
    made = phone.run["detokenize"](ids=np.array([said + [0] * (width - len(said))], np.int32))
    assert normalize(bytes(made["text"][0, :made["length"][0]]).decode()) == predictor.translate([text])[0]


def test_a_score_is_the_mean_log_probability_of_a_token(pair):
    predictor, _, content = pair
    if predictor.model.copies:
        pytest.skip("copied words are not said by the model")
    text = SOURCES_OF[0]
    found = PhoneFile(content).translate(text)
    score = predictor.with_search(length_penalty=0.0).predict([text])[0].scores[0]  # the sum
    assert found.scores[0] < 0 and round(score / found.scores[0], 3) == pytest.approx(round(score / found.scores[0]), abs=2e-3)


@pytest.mark.parametrize("seed", range(6))
def test_one_interpreter_runs_its_signatures_in_any_order(pair, seed):
    shared, order = PhoneFile(pair[2]), random.Random(seed)
    alone = functools.cache(lambda text, beam: PhoneFile(pair[2]).translate(text, beam))
    for _ in range(8):
        text, use = order.choice(SOURCES_OF[:6]), order.choice(["translate", "translate_beam", "encode", "decode_step"])
        if use.startswith("translate"):
            assert shared.translate(text, use == "translate_beam") == alone(text, use == "translate_beam")
            continue
        given = shared.run["encode"](ids=shared.run["tokenize"](text=shared.padded(text.encode()))["ids"])
        for _ in range(order.randint(1, 9) if use == "decode_step" else 0):
            given |= shared.run["decode_step"](token=np.array([5], np.int32), **given)
            del given["logits"]


def test_a_text_that_fills_the_border_is_marked_as_cut(pair):
    phone = PhoneFile(pair[2])
    assert phone.answer(b"red dog " * 40).truncated and not phone.answer(b"red dog").truncated


def export(*arguments, monkeypatch):
    monkeypatch.setattr("sys.argv", ["export", *map(str, arguments)])
    return command.main()


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A run whose phone files are published, of all three weights."""
    run = Run.open(shutil.copytree(trained, tmp_path_factory.mktemp("export") / "run"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert export(run.path, "--format", "tflite", "--quantize", "none", "float16", "int8", "--beam-size", "2",
                      monkeypatch=monkeypatch) == 0
    return run


def test_files_that_pass_are_published_with_their_report(run):
    report = json.loads((run.export / "report.json").read_text())
    assert set(report["files"]) == {"model-float32.tflite", "model-float16.tflite", "model-int8.tflite"}
    for name, entry in report["files"].items():
        content = (run.export / name).read_bytes()
        assert entry["passed"] and entry["bytes"] == len(content)
        assert entry["operations"] == flatbuffer.operations(flatbuffer.read(content)) and entry["smallest_runtime"]
    whole = report["files"]["model-float32.tflite"]
    assert whole["identical"] == report["fitting"] == report["saved_model"]["identical"]
    assert whole["bleu"] == report["keras"]["bleu"] > 50
    assert not list(run.export.glob(".*"))


def test_a_published_file_copies_words_that_the_model_cannot_say(run):
    phone, text = PhoneFile(run.export / "model-float32.tflite"), "Quetzalcoatl sees a red tree."
    answer = phone.translate(text).texts[0]
    assert answer == load(run.path).translate([text])[0] and "Quetzalcoatl" in answer


def test_weights_are_in_the_file_once_and_halved_in_float16(run):
    sizes = {name: flatbuffer.constant_bytes(flatbuffer.read((run.export / f"model-{name}.tflite").read_bytes()))
             for name in ("float32", "float16", "int8")}
    weights = 4 * sum(int(tf.size(v)) for v in load(run.path).training_model.trainable_variables)
    assert weights <= sizes["float32"] < 1.02 * weights + 120_000  # tables of Unicode and of words
    assert sizes["int8"] < sizes["float16"] < sizes["float32"]


def test_a_file_that_falls_short_is_not_published(run, tmp_path, monkeypatch, capsys):
    run = Run.open(shutil.copytree(run.path, tmp_path / "run"))
    answer, content = PhoneFile.ask, (run.export / "model-int8.tflite").read_bytes()

    def worse(self, given, beam=False):
        found = answer(self, given, beam)
        return found._replace(texts=["नहीं"] * len(found.texts))

    monkeypatch.setattr(SayingFile, "ask", worse)
    monkeypatch.setattr(parity, "convert", lambda *_: {"int8": content})
    assert export(run.path, "--format", "tflite", "--quantize", "int8", monkeypatch=monkeypatch) == 1
    said = capsys.readouterr().err
    assert "model-int8.tflite is not published: its BLEU on the dev set is" in said and "at most 0.5 is allowed" in said
    assert said.count("    file  नहीं") == 10
    assert not (run.export / "model-int8.tflite").exists() and not list(run.export.glob(".*"))
    report = json.loads((run.export / "report.json").read_text())
    assert not report["files"]["model-int8.tflite"]["passed"] and report["files"]["model-float32.tflite"]["passed"]


def test_float32_must_be_the_same_to_the_letter():
    entry = {"identical": 9, "bleu_difference": 0.0}
    assert "1 of 10 sentences differ" in parity._problem(entry, "none", 0.5, 10, TextScoring())
    assert not parity._problem(entry, "int8", 0.5, 10, TextScoring())


def test_sizes_out_of_range_are_refused_by_name():
    with pytest.raises(ValueError, match="--max-input-bytes must be between 8 and 4096; got 3"):
        Sizes(max_input_bytes=3)
    with pytest.raises(ValueError, match="--beam-size must be between 1 and 32; got 0"):
        Sizes(beam_size=0)
