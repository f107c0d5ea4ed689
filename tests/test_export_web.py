"""The page of several runs: what it holds, and the same answers from the same files in Node and in a real browser."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from small import NAMED, config
from test_captioning import SETTINGS as PICTURES
from test_captioning import painted
from test_speech import RATE, spoken
from test_speech import model as listening

from export import web
from export.__main__ import export
from export.runtime import PhoneFile, SayingFile
from export.tflite import Phone, Sizes, convert
from keras_s2s import cli, wav
from keras_s2s.analogy import LEAST, MOST, Analogies
from keras_s2s.completing import Completer
from keras_s2s.model import EncoderDecoder
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, load
from keras_s2s.sources import SOURCES
from keras_s2s.targets import TARGETS
from keras_s2s.targets.text import Answer
from keras_s2s.tokenizers import Words

TEXTS = [NAMED[0][0], NAMED[40][0], "Quetzalcoatl sees a red tree.", "Asha", "नमस्ते क\u093c", "😀 \u0301 x", "Asha sees the"]
BEGINNINGS = ["The red dog ", "The big cow se", "He came. The old cat sees a ", "नमस्ते "]
KINDS = ["text", "complete", "series"]
WEIGHT = 3  # of search.analogy


@pytest.fixture(scope="module")
def runs(trained, completer, forecaster, tmp_path_factory):
    """Copies, of which the one of texts looks up training pairs, and heeds them much."""
    folder = tmp_path_factory.mktemp("web")
    found = [Run.open(shutil.copytree(path, folder / name)) for name, path in zip(KINDS, (trained, completer, forecaster[0]))]
    found[0].config = found[0].config.set([f"search.analogy={WEIGHT}"])
    found[0].save_config()
    return found


@pytest.fixture(scope="module")
def run(runs):
    return runs[0]


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    """An exported page, with LiteRT.js from npm."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("Node.js and npm are not here")
    try:
        web.fetch_litert(tmp_path_factory.mktemp("npm") / "litert")
    except web.WebError as error:
        pytest.skip(str(error))
    return web.export(runs, "none", pairs=True)


@pytest.fixture(scope="module")
def tables(forecaster):
    """CSV texts: a whole one, and ones that are something else."""
    text = Path(forecaster[1]).read_text()
    lines = text.splitlines()
    holed = "\n".join([*lines[:-3], lines[-3].rsplit(",", 1)[0] + ",", *lines[-2:]])
    return [text, holed, "\n".join(lines[:20]), "\n".join([lines[0].replace("wind", "rain"), *lines[1:]]),
            "\n".join([*lines[:-1], lines[-1].rsplit(",", 1)[0] + ",much"]), "\n".join([*lines[:-5], *lines[-4:]])]


@pytest.fixture(scope="module")
def answered(page, tables):
    """What Node makes of texts, beginnings and tables by the page's own modules: an entry for each run."""
    done = subprocess.run(["node", str(Path(__file__).parent / "web_runner.mjs"), str(page)], text=True, capture_output=True,
                          input=json.dumps({"texts": TEXTS, "beginnings": BEGINNINGS, "csvs": tables}), timeout=180)
    assert "ANSWERS " in done.stdout, done.stderr
    return dict(zip(KINDS, json.loads(done.stdout.split("ANSWERS ")[1])))


def test_node_translates_with_the_page_s_module_as_keras_does(run, page, answered):
    answers, predictor = answered["text"], load(run.path)
    assert [answer["greedy"]["answers"][0]["text"] for answer in answers] == predictor.translate(TEXTS)
    beams = [[one["text"] for one in answer["beam"]["answers"]] for answer in answers]
    assert beams == [answer.texts for answer in predictor.with_search(beam_size=4, n_best=4, analogy=0.0).predict(TEXTS)]
    phone = PhoneFile(page / "model.tflite")
    assert [answer["greedy"]["answers"][0]["score"] for answer in answers] == pytest.approx(
        [phone.translate(text).scores[0] for text in TEXTS], abs=1e-4)


def test_node_looks_pairs_up_as_keras_does(run, answered):
    answers, predictor = answered["text"], load(run.path)
    beams, looked = ([[one["text"] for one in answer[way]["answers"]] for answer in answers] for way in ("beam", "looked"))
    assert looked == [answer.texts for answer in predictor.with_search(beam_size=4, n_best=4).predict(TEXTS)]
    assert looked != beams and [sorted(one) for one in looked] == [sorted(one) for one in beams]
    assert [answer["one"]["answers"] for answer in answers] == [answer["looked"]["answers"][:1] for answer in answers]


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not here")
@pytest.mark.parametrize("words", [True, False])
def test_node_ranks_any_answers_as_python_does(words, tmp_path):
    draw = np.random.default_rng(3)

    def text(letters, least, most, between=""):
        return between.join(draw.choice(letters, draw.integers(least, most)))

    def target(source):
        return (" " if words else "").join(letter * draw.integers(1, 3) for letter in source)

    sources = [text([*"abcä😀"], 2, 9) for _ in range(300)]
    pairs = [(source, target(source)) for source in [*sources, *sources[:50]]]
    asked = [*(text([*"abcä😀"], 1, 9) for _ in range(80)), *sources[:5], ""]
    cases = [{"source": source, "answers": [{"text": target(source), "score": float(-draw.random())} for _ in range(5)]} for source in asked]
    shutil.copy(web.PAGE / "analogies.js", tmp_path / "analogies.mjs")
    (tmp_path / "run.mjs").write_text(
        "import fs from 'node:fs';\nimport {Analogies} from './analogies.mjs';\nconst {cases, ...told} = JSON.parse(fs.readFileSync(0));\n"
        "const made = new Analogies(told);\nconsole.log(JSON.stringify(cases.map(one => made.ranked(one.source, one.answers))));")
    given = {"weight": 0.4, "length_penalty": 0.6, "least": LEAST, "most": MOST, "words": words, "pairs": pairs, "cases": cases}
    done = subprocess.run(["node", str(tmp_path / "run.mjs")], input=json.dumps(given), text=True, capture_output=True)
    assert not done.returncode, done.stderr
    analogies, moved = Analogies(pairs, words), 0
    for case, found in zip(cases, json.loads(done.stdout), strict=True):
        texts = [one["text"] for one in case["answers"]]
        counts = [1 + (int(Words.split(tf.constant([text])).row_lengths()[0]) if words else len(text)) for text in texts]
        scores = [one["score"] * count / ((5 + count) / 6) ** 0.6 for one, count in zip(case["answers"], counts)]
        wanted = analogies.ranked(case["source"], Answer(texts, scores), 0.4, 5)
        assert [one["text"] for one in found] == wanted.texts, case["source"]
        moved += wanted.texts != Answer(texts, scores).texts and max(scores) != wanted.scores[0]
    assert moved > 20


def test_node_suggests_words_as_keras_does(runs, answered):
    answers, suggesting = answered["complete"], Completer(load(runs[1].path))
    assert [(answer["before"], answer["begun"]) for answer in answers] == [
        ("The red dog", ""), ("The big cow", "se"), ("The old cat sees a", ""), ("नमस्ते", "")]
    for answer in answers:
        wanted = suggesting.words(answer["before"])
        assert [one["word"] for one in answer["words"]] == [word for word, _ in wanted]
        assert [one["probability"] for one in answer["words"]] == pytest.approx([p for _, p in wanted], abs=1e-4)


def test_node_forecasts_as_the_command_does_and_tells_what_is_wrong_with_a_table(runs, tables, answered, tmp_path, capsys):
    for table, answer in list(zip(tables, answered["series"]))[:2]:
        (tmp_path / "table.csv").write_text(table)
        assert cli.main(["forecast", str(runs[2].path), "--data", str(tmp_path / "table.csv")]) == 0
        wanted, found = ([row.split(",") for row in text.strip().splitlines()] for text in (capsys.readouterr().out, answer))
        assert [row[0] for row in found] == [row[0] for row in wanted] and found[0] == wanted[0] and len(found) == 7
        np.testing.assert_allclose(np.array(found[1:])[:, 1:].astype(float), np.array(wanted[1:])[:, 1:].astype(float), rtol=1e-4)
    short, other, words, gap = answered["series"][2:]
    assert short == "A forecast reads 24 rows; there are 19. Give a longer file."
    assert "must name the columns date, load, oil, wind; there is no wind" in other
    assert words == "Row 401: wind must be a number; it is much."
    assert "a row must follow the one before it by 3600 seconds" in gap


def test_the_page_knows_its_runs(page):
    told = json.loads((page / "page.json").read_text())
    assert told["title"] == "Models" and [run["title"] for run in told["runs"]] == ["Translator", "Next words", "Forecast"]
    assert [run["kind"] for run in told["runs"]] == KINDS
    assert [run["model"] for run in told["runs"]] == ["model.tflite", "model-2.tflite", "model-3.tflite"]
    assert told["runs"][0]["pairs"] == "pairs.json" and "pairs" not in told["runs"][1]
    assert told["runs"][2]["targets"] == ["wind", "load"] and told["runs"][2]["step"] == 3600 and told["runs"][2]["calendar"]
    assert all((page / "kinds" / f"{run['kind']}.js").exists() for run in told["runs"])


def test_the_page_loads_nothing_from_elsewhere_and_keeps_all_it_needs(page):
    own = [file for file in (*page.iterdir(), *(page / "kinds").iterdir())
           if file.suffix in (".html", ".js", ".css", ".json", ".webmanifest")]
    assert not [file.name for file in own if "://" in file.read_text().replace("http://www.w3.org/2000/svg", "")]
    kept = json.loads((page / "sw.js").read_text().split("const FILES = ")[1].split(";\n")[0])
    assert {"./", "page.json", "model.tflite", "pairs.json", "analogies.js", "model-3.tflite", "app.js", "kinds/series.js", "litert/core/index.js",
            "litert/wasm/litert_wasm_internal.wasm", "NotoSansDevanagari-Regular.ttf"} <= set(kept)
    assert all((page / name).exists() for name in kept)


def test_runs_of_one_kind_are_told_apart_by_name_and_one_run_has_no_tabs(runs):
    tabs = [{"title": "Translator"}, {"title": "Translator"}, {"title": "Forecast"}]
    web._name(tabs, runs)
    assert [tab["title"] for tab in tabs] == ["Translator: text", "Translator: complete", "Forecast"]


def test_several_runs_go_into_a_page_only(runs, monkeypatch):
    arguments = type("Arguments", (), {"runs": [one.path for one in runs[:2]], "format": "tflite"})
    with pytest.raises(ValueError, match="several runs go into one page only: --format web"):
        export(arguments)


def test_pairs_are_of_runs_that_look_them_up_and_of_pages(runs):
    with pytest.raises(web.WebError, match="--pairs is of runs that look up training pairs to say words or characters"):
        web.export(runs[1:], pairs=True)
    arguments = type("Arguments", (), {"runs": [runs[0].path], "format": "tflite", "pairs": True})
    with pytest.raises(ValueError, match="pairs go into a page only: --format web"):
        export(arguments)


def test_a_run_without_a_tab_is_refused(runs, monkeypatch):
    phone = type("Phone", (), {"model": load(runs[0].path).model})
    monkeypatch.delitem(web.TABS, "translate")
    with pytest.raises(web.WebError, match="a page has no tab for runs that translate; it has for those that complete, forecast"):
        web._tab(phone)


def test_a_page_without_npm_is_refused_and_nothing_is_left(run, monkeypatch):
    monkeypatch.setattr(web.shutil, "which", lambda name: None)
    with pytest.raises(web.WebError, match=r"LiteRT.js [0-9.]+ from npm, and there is no npm here. Install Node.js"):
        web.export([run])
    assert not list(run.export.glob(".web*"))


def test_a_network_without_npm_s_registry_is_told(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no route to the registry' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(web.shutil, "which", lambda name: str(npm))
    with pytest.raises(web.WebError, match="npm could not fetch .*no route to the registry"):
        web.fetch_litert(tmp_path / "litert")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromedriver"), reason="Chromium is not installed")
def test_a_browser_answers_as_keras_does_online_and_offline(runs, page, tables, answered, tmp_path):
    pytest.importorskip("selenium")
    folder = os.environ.get("PHOTOGRAPHS", str(tmp_path))
    given = {"texts": TEXTS, "beginning": BEGINNINGS[0], "csv": tables[0]}
    done = subprocess.run([sys.executable, str(Path(__file__).parent / "web_browser.py"), str(page), folder],
                          input=json.dumps(given), text=True, capture_output=True, timeout=300)
    assert not done.returncode, done.stderr
    found, wanted = json.loads(done.stdout), load(runs[0].path).translate(TEXTS, beam_size=4)  # which looks pairs up
    online, words, forecast = found["online"], found["next words"], found["forecast"]
    assert found["offline"] == online["answers"] == wanted and online["lines"] == "\n".join(wanted[:2])
    assert online["others"] == 4 and " ms" in online["facts"] and online["cut"] and online["next"] == "copy"
    first = answered["complete"][0]["words"]
    assert words["words"] == [one["word"] for one in first] and words["taken"] == f"The red dog {first[0]['word']} "
    assert words["continuation"].startswith("The red dog sees") and words["begun"] and set(words["begun"]) <= set(words["words"])
    assert [",".join(row) for row in forecast["table"]] == answered["series"][0].strip().splitlines()
    assert forecast["chart"].startswith("wind: 24 steps that were and 6 ahead") and "there is no oil, wind" in forecast["problem"]
    assert found["title"] == "Models" and found["tabs"] == ["Translator", "Next words", "Forecast"]
    assert all(found["narrow"]) and found["font"] and not found["errors"]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromedriver"), reason="Chromium is not installed")
def test_a_browser_hears_and_sees_as_the_files_do_in_python(page, tmp_path):
    """Untrained models: what they say is nonsense, but the same nonsense."""
    pytest.importorskip("selenium")
    folder, tabs = shutil.copytree(page, tmp_path / "page"), []
    samples, pixels = spoken("low high middle", 3), painted("green", "left", 9)
    (tmp_path / "a.wav").write_bytes(wav.encode(samples, RATE))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    tf.keras.utils.set_random_seed(1)
    made = config(*PICTURES)
    seeing = EncoderDecoder(made, SOURCES["image"].fit(made, [pixels]), TARGETS["text"].fit(made, ["the top is red", "left, green"]))
    for number, core in enumerate((listening("search.max_length=12"), seeing)):
        phone = Phone(Predictor(core), Sizes(beam_size=2))
        (folder / f"model-{number}.tflite").write_bytes(convert(phone, ["none"])["none"])
        tabs.append(web._tab(phone) | {"model": f"model-{number}.tflite"})
    web._write(folder / "page.json", {"title": "Models", "runs": tabs})
    done = subprocess.run([sys.executable, str(Path(__file__).parent / "web_browser.py"), str(folder), str(tmp_path)], text=True,
                          input=json.dumps({"files": [str(tmp_path / "a.wav"), str(tmp_path / "a.png")]}), capture_output=True, timeout=300)
    assert not done.returncode, done.stderr
    found = json.loads(done.stdout)
    waveform = np.zeros((1, 2 * RATE), np.float32)
    heard = wav.decode((tmp_path / "a.wav").read_bytes(), made.set([f"audio.sample_rate={RATE}"]).audio)
    waveform[0, :len(heard)] = heard / 32768 if heard.dtype == np.int16 else heard
    wanted = [SayingFile(folder / "model-0.tflite", "transcribe").ask({"waveform": waveform}, True).texts,
              SayingFile(folder / "model-1.tflite", "caption").ask({"image": pixels[None]}, True).texts]
    assert [[best, *others] for best, others in zip(found["answers"], found["others"])] == wanted
    assert found["problem"].startswith("This picture cannot be read: ")
