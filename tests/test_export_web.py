"""The translator page: what it holds, and the same answers from the same file in Node and in a real browser."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small import NAMED

from export import web
from export.runtime import PhoneFile
from keras_s2s.run import Run, load

TEXTS = [NAMED[0][0], NAMED[40][0], "Quetzalcoatl sees a red tree.", "Asha", "नमस्ते क\u093c", "😀 \u0301 x"]


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    return Run.open(shutil.copytree(trained, tmp_path_factory.mktemp("web") / "run"))


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    """An exported page, with LiteRT.js from npm."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("Node.js and npm are not here")
    try:
        web.fetch_litert(tmp_path_factory.mktemp("npm") / "litert")
    except web.WebError as error:
        pytest.skip(str(error))
    return web.export(run, "none")


def test_node_runs_the_page_s_translator_and_answers_as_keras_does(run, page):
    done = subprocess.run(["node", str(Path(__file__).parent / "web_runner.mjs"), str(page)], input=json.dumps(TEXTS),
                          text=True, capture_output=True, timeout=120)
    answers = json.loads(done.stdout.split("ANSWERS ")[1])
    predictor = load(run.path)
    assert [answer["greedy"]["answers"][0]["text"] for answer in answers] == predictor.translate(TEXTS)
    beams = [[one["text"] for one in answer["beam"]["answers"]] for answer in answers]
    assert beams == [answer.texts for answer in predictor.with_search(beam_size=4).predict(TEXTS)]
    phone = PhoneFile(page / "model.tflite")
    assert [answer["greedy"]["answers"][0]["score"] for answer in answers] == pytest.approx(
        [phone.translate(text).scores[0] for text in TEXTS], abs=1e-4)


def test_the_page_loads_nothing_from_elsewhere_and_keeps_all_it_needs(page):
    own = [file for file in page.iterdir() if file.suffix in (".html", ".js", ".css", ".webmanifest")]
    assert not [file.name for file in own if "://" in file.read_text().replace("http://www.w3.org/2000/svg", "")]
    kept = json.loads((page / "sw.js").read_text().split("const FILES = ")[1].split(";\n")[0])
    assert {"./", "model.tflite", "app.js", "litert/core/index.js", "litert/wasm/litert_wasm_internal.wasm",
            "NotoSansDevanagari-Regular.ttf"} <= set(kept)
    assert all((page / name).exists() for name in kept)


def test_a_page_without_npm_is_refused_and_nothing_is_left(run, monkeypatch):
    monkeypatch.setattr(web.shutil, "which", lambda name: None)
    with pytest.raises(web.WebError, match=r"LiteRT.js [0-9.]+ from npm, and there is no npm here. Install Node.js"):
        web.export(run)
    assert not list(run.export.glob(".web*"))


def test_a_network_without_npm_s_registry_is_told(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no route to the registry' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(web.shutil, "which", lambda name: str(npm))
    with pytest.raises(web.WebError, match="npm could not fetch .*no route to the registry"):
        web.fetch_litert(tmp_path / "litert")


@pytest.fixture
def served(page):
    """The address of a plain static server with the page."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(page)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        yield re.search(r"http://\S+/", server.stdout.readline()).group()
        server.terminate()


@pytest.mark.slow
def test_a_browser_translates_as_keras_does_online_and_offline(run, served, tmp_path):
    pytest.importorskip("playwright")
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    if not chromium:
        pytest.skip("no Chromium here")
    folder = os.environ.get("SCREENSHOTS", str(tmp_path))
    done = subprocess.run([sys.executable, str(Path(__file__).parent / "web_browser.py"), served, chromium, folder],
                          input=json.dumps(TEXTS), text=True, capture_output=True, timeout=180)
    assert not done.returncode, done.stderr
    found, wanted = json.loads(done.stdout), load(run.path).translate(TEXTS)
    assert found["online"] == found["offline"] == wanted
    assert found["lines"] == "\n".join(wanted[:2])
    assert found["others"] == 4 and " ms" in found["facts"]
    assert found["narrow"] and found["cut"] and found["font"]
    assert found["next"] == "copy" and not found["errors"]
