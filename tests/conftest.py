"""What the tests share: quiet TensorFlow, a clean state of Keras, one small trained run."""

import fcntl
import gc
import os
import shutil
import signal
import sys
from pathlib import Path

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # begun by a shell's &; the trainings that tests interrupt would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
gc.set_threshold(50_000)  # as cli.guarded does
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # export/ and train.py lie in the checkout, not in the wheel

import pytest  # noqa: E402

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    """Tests marked `data` are skipped where the data sets do not lie beside the checkout."""
    if not DATA.is_dir():
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason=f"no data sets in {DATA}"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Each test, and what is made for it, begins with the same random numbers, whatever ran before it on its worker."""
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(1)


@pytest.fixture(scope="session")
def data_sets():
    """The folder of data sets beside the checkout."""
    return DATA


@pytest.fixture(autouse=True)
def keras_policy():
    """Each test leaves Keras's own precision to the next one, whatever it set."""
    yield
    if keras := sys.modules.get("keras"):
        keras.config.set_dtype_policy("float32")


def once(tmp_path_factory, name, make):
    """The folder of that name, which `make` fills once for all workers: the first makes it, and the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "whole").touch()
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run of whole words with attention, made in seconds: it knows its sentences, and copies names it never met.

    It is shared: copy it before anything writes into it.
    """
    from small import NAMED, config, finish, write_tsv

    def make(folder):
        data = str(write_tsv(folder / "pairs.tsv", NAMED))
        finish(folder / "run", config(
            f"data.train={data}", f"data.dev={data}", f"data.test={data}", "data.source_tokenizer=words",
            "data.target_tokenizer=words", "data.source_vocabulary_size=24", "data.target_vocabulary_size=24",
            "model.units=32", "model.embedding_dim=32", "model.dropout=0", "model.attention=luong",
            "model.bidirectional=true", "train.epochs=20", "train.evaluate_every=20", "train.learning_rate=0.02",
            "watch.images=true", "watch.graph=true"))

    return once(tmp_path_factory, "trained", make) / "run"


@pytest.fixture(scope="session")
def forecaster(tmp_path_factory):
    """A finished run of three series, two of them forecast with a band, made in seconds, and the CSV it learnt from.

    It is shared: copy it before anything writes into it.
    """
    from small import finish, forecasting, write_series

    def make(folder):
        finish(folder / "run", forecasting(
            f"data.train={write_series(folder / 'series.csv')}", "series.targets=wind,load", "series.loss=quantiles",
            "series.calendar=hour", "series.relative=difference", "model.units=16", "model.attention=luong", "train.epochs=8",
            "train.evaluate_every=4", "watch.images=true"))

    folder = once(tmp_path_factory, "forecaster", make)
    return folder / "run", folder / "series.csv"


@pytest.fixture(scope="session")
def completer(tmp_path_factory):
    """A finished run of sentences, made in seconds by the same steps as a translator. It is shared: copy it first."""
    from small import SOURCES_OF, config, finish

    def make(folder):
        (folder / "text.txt").write_text("\n".join(SOURCES_OF), encoding="utf-8")
        data = str(folder / "text.txt")
        finish(folder / "run", config(
            "data.corpus=sentences", f"data.train={data}", f"data.dev={data}", "data.cuts=4", "model.units=32",
            "model.embedding_dim=32", "model.dropout=0", "model.attention=luong", "train.epochs=12", "train.evaluate_every=6",
            "train.learning_rate=0.02"))

    return once(tmp_path_factory, "completer", make) / "run"
