"""TensorBoard on a real run and the report, opened in headless Chromium and photographed; slow.

The photographs go to the folder that the variable PHOTOGRAPHS names, for people to look at.
"""

import base64
import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from small import NAMED, config, finish, write_tsv

from keras_s2s import comparison, report

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("chromedriver"), reason="Chromium is not installed")]
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars")
PAGES = ("timeseries", "images", "text", "graphs", "histograms", "hparams", "projector")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of two finished runs, with attention and without, with reports."""
    folder = tmp_path_factory.mktemp("photographs")
    data = write_tsv(folder / "pairs.tsv", NAMED)
    for name, attention in (("attention", "luong"), ("context", "none")):
        report.write(finish(folder / "runs" / name, config(
            f"data.train={data}", "model.units=32", "model.embedding_dim=32", f"model.attention={attention}", "watch.every=1",
            "train.epochs=4", "watch.histograms=true", "watch.images=true", "watch.graph=true")))
    comparison.write([folder / "runs" / name for name in ("attention", "context")], folder / "runs" / "comparison.html")
    return folder / "runs"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium without a screen."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def address(runs):
    """Where TensorBoard serves the runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(runs), "--port", str(port), "--host", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    for _ in range(120):
        try:
            if b"attention/logs" in urllib.request.urlopen(f"{url}data/runs", timeout=5).read():
                break
        except OSError:
            pass
        time.sleep(1)
    yield url
    server.terminate()
    server.wait(20)


def photograph(browser, name, width, height=None, dark=False):
    """A picture of the page at hand; returns it as an array [height, width, 3]."""
    import numpy as np
    from PIL import Image

    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
    whole = browser.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": height or min(whole, 8000), "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    content = base64.b64decode(taken["data"])
    if folder := os.environ.get("PHOTOGRAPHS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.png").write_bytes(content)
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def visit(browser, url, width, height=900, mobile=False):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile})
    browser.get(url)


@pytest.mark.parametrize("page, words", zip(PAGES, (
    ("accuracy", "Smoothed"), ("dev/attention", "dev/context"), ("dev/translations", "reference"), ("Main Graph",),
    ("gradients", "weights"), ("model.attention", "Trial ID"), ("Points:", "embeddings"))))
def test_each_page_of_tensorboard_shows_the_runs(browser, address, page, words):
    visit(browser, f"{address}?page={page}#{page}", 1400)
    script = """
        const seen = [], walk = node => { if (node.nodeType === 3) seen.push(node.data);
            if (node.shadowRoot) walk(node.shadowRoot);
            if (node.contentDocument && node.contentDocument.body) walk(node.contentDocument.body);
            for (const child of node.childNodes) walk(child); };
        walk(document.body); return seen.join(' ');"""
    deadline = time.monotonic() + 180
    while missing := [word for word in words if word not in browser.execute_script(script)]:
        if time.monotonic() > deadline:
            photograph(browser, f"tensorboard-{page}-missing", 1400, 900)
            pytest.fail(f"{page} does not show {missing}")
        time.sleep(1)
    time.sleep(3)
    assert len(set(map(tuple, photograph(browser, f"tensorboard-{page}", 1400, 900).reshape(-1, 3)[::97]))) > 15


@pytest.mark.parametrize("width, dark", [(1200, False), (1200, True), (390, False), (390, True)])
@pytest.mark.parametrize("file", ["attention/report.html", "context/report.html", "comparison.html"])
def test_pages_fit_wide_and_narrow_light_and_dark(browser, runs, file, width, dark):
    visit(browser, (runs / file).as_uri(), width, mobile=width < 500)
    picture = photograph(browser, f"{file.replace('/', '-').removesuffix('.html')}-{width}{'-dark' * dark}", width, dark=dark)
    assert (picture[2, 2].mean() < 60) == dark
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    cut = browser.execute_script("""
        return [...document.querySelectorAll('body *')].filter(node => !node.closest('.wide')
            && node.getBoundingClientRect().right > window.innerWidth + 1).map(node => node.outerHTML.slice(0, 80));""")
    assert not cut
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
