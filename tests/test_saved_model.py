"""export/saved_model.py: the SavedModel answers as the Predictor does, in a process that knows nothing of this package."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_s2s
from export import saved_model
from keras_s2s.normalize import normalize_in_graph
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run
from keras_s2s.tokenizers import BOS, EOS, PAD, UNK
from small import NAMED, PAIRS, build, decided

SENTENCES = [source for source, _ in PAIRS[:4]] + ["A cat.", "  two  spaces e\u0301 ", "🙂", "The old cow sees a new house, a river."]
COPIED = [source for source, _ in NAMED[:6]] + ["Zaphod sees a big house.", "Lila"]

# Only tensorflow and tensorflow_text; the package, and what it stands on, cannot be imported.
STRANGER = """
import json, sys
for name in ("keras_s2s", "export", "sentencepiece", "sacrebleu"):
    sys.modules[name] = None
import numpy as np
import tensorflow as tf
import tensorflow_text

job = json.load(sys.stdin)
model = tf.saved_model.load(job["path"])
signatures, texts = model.signatures, tf.constant(job["sentences"])
best, n_best = signatures["translate"](text=texts), signatures["translate_n_best"](text=texts)

def greedy(sentence):
    found = signatures["encode"](text=tf.constant([sentence]))
    step = signatures["decode_step"]
    wanted = set(step.structured_input_signature[1])
    given, token, said = {name: value for name, value in found.items() if name in wanted}, job["bos"], []
    while len(said) < job["limit"]:
        after = step(target_in=tf.constant([token]), **given)
        logits = after.pop("logits").numpy()[0]
        logits[job["banned"]] = -np.inf
        token = int(logits.argmax())
        if token == job["eos"]:
            break
        said.append(token)
        given.update(after)
    return said

def plain(found):
    return {"text": [[t.decode() for t in np.atleast_1d(row)] for row in found["text"].numpy()], "score": found["score"].numpy().tolist()}

print(json.dumps({"names": sorted(signatures), "best": plain(best), "n_best": plain(n_best), "one": plain(
    signatures["serving_default"](text=texts[:1])), "none": signatures["translate"](text=texts[:0])["text"].shape[0],
    "said": [greedy(sentence) for sentence in job["sentences"]]}))
"""


def ask(path, predictor, sentences):
    """What a stranger's process makes of a SavedModel."""
    banned = [PAD, BOS, *(() if predictor.model.copies else (UNK,))]
    job = {"path": str(path), "sentences": sentences, "bos": BOS, "eos": EOS, "banned": banned, "limit": predictor.search.max_length}
    done = subprocess.run([sys.executable, "-I", "-c", STRANGER], input=json.dumps(job), capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=[
    "model.cell=gru model.num_layers=3 model.attention=bahdanau model.attention_layer=2 data.target_tokenizer=characters",
    "model.reverse_source=true"])
def exported(request, tmp_path_factory):
    """A model with its SavedModel, and what a stranger reads from it."""
    predictor = Predictor(decided(build(*request.param.split(), "search.max_length=10")))
    path = tmp_path_factory.mktemp("export") / "saved_model"
    saved_model.save(predictor, path)
    return predictor, ask(path, predictor, SENTENCES)


def texts_and_scores(found):
    return [[text.decode() for text in row] for row in found["text"].numpy()], found["score"].numpy()


def test_the_signatures_are_those_of_the_documentation(exported):
    assert exported[1]["names"] == ["decode_step", "encode", "serving_default", "translate", "translate_n_best"]


def test_translate_is_the_predictor(exported):
    predictor, found = exported
    texts, scores = texts_and_scores(predictor(tf.constant(SENTENCES)))
    assert found["best"]["text"] == texts
    np.testing.assert_array_equal(np.float32(found["best"]["score"]), scores[:, 0])
    assert found["one"]["text"] == texts[:1]
    assert found["none"] == 0


def test_translate_n_best_is_the_predictor_with_five_beams(exported):
    predictor, found = exported
    texts, scores = texts_and_scores(predictor.with_search(beam_size=5, n_best=5)(tf.constant(SENTENCES)))
    assert found["n_best"]["text"] == texts
    np.testing.assert_array_equal(np.float32(found["n_best"]["score"]), scores)


def test_greedy_search_by_hand_over_encode_and_decode_step_is_translate(exported):
    predictor, found = exported
    said = tf.ragged.constant(found["said"], dtype=tf.int32, ragged_rank=1)
    texts = normalize_in_graph(predictor.model.target.tokenizer.detokenize(said)).numpy()
    assert [[text.decode()] for text in texts] == found["best"]["text"]


def test_a_trained_run_is_exported_whole_and_copies_unknown_words(trained, tmp_path):
    run = Run.open(shutil.copytree(trained, tmp_path / "run"))
    (run.export / "saved_model").mkdir(parents=True)
    (run.export / "saved_model" / "old").write_text("replaced as a whole")
    path = saved_model.export(run)
    assert path == run.export / "saved_model" and sorted(file.name for file in run.export.iterdir()) == ["saved_model"]
    assert not (path / "old").exists()
    predictor = keras_s2s.load(run.path)
    found = ask(path, predictor, COPIED)
    texts, scores = texts_and_scores(predictor(tf.constant(COPIED)))
    assert found["best"]["text"] == texts
    np.testing.assert_array_equal(np.float32(found["best"]["score"]), scores[:, 0])
    assert not any("<unk>" in text for row in found["n_best"]["text"] for text in row)
