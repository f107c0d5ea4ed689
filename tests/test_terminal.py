"""What a person sees where standard error is no terminal, and where it is."""

import gc
import importlib
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from keras_s2s.terminal import Bar, lasting, without


def test_without_a_terminal_only_what_takes_long_is_told_in_plain_lines(capsys, monkeypatch):
    bar = Bar("reading", 10)
    bar.advance("loss 3", 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(Bar, "EVERY", 0.0)
    bar.advance("loss 2", 3)
    bar.reach(8, 20)
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["reading: 50 %, 0 min left  loss 2", "reading: 40 %, 0 min left"]


def test_on_a_terminal_a_bar_is_drawn_and_taken_away(capsys, monkeypatch):
    import sys

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = Bar("epoch 1/2", 4, done=1)
    bar.advance("loss 2.0")
    bar.reach(4, 4)
    bar.close()
    said = capsys.readouterr().err
    assert "epoch 1/2" in said and said.endswith("\r") and "min left" not in said


@pytest.mark.parametrize("total", [0, 5])
def test_a_bar_of_unknown_length_says_nothing_false(capsys, monkeypatch, total):
    monkeypatch.setattr(Bar, "EVERY", 0.0)
    bar = Bar("reading", total)
    bar.advance()
    assert ("%" in capsys.readouterr().err) == bool(total)


def test_tensorflow_is_loaded_without_a_word():
    code = "from keras_s2s.terminal import load_tensorflow; load_tensorflow(); import tensorflow, tensorflow_text"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1],
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_package_left_out_is_not_found_within_and_found_after_unless_it_was_there_before():
    sys.modules.pop("colorsys", None)
    with without("colorsys"), pytest.raises(ImportError):
        importlib.import_module("colorsys")
    module = importlib.import_module("colorsys")
    with without("colorsys"):
        assert importlib.import_module("colorsys") is module
    assert sys.modules["colorsys"] is module


def test_tensorflow_is_loaded_without_matplotlib_and_not_looked_through_for_garbage():
    code = ("import gc, sys; from keras_s2s.terminal import load_tensorflow; load_tensorflow(); frozen = gc.get_freeze_count(); "
            "load_tensorflow(); print('matplotlib' in sys.modules, gc.isenabled(), frozen > 50_000, gc.get_freeze_count() - frozen)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False True True 0"


def test_garbage_that_is_made_after_lasting_things_is_collected_and_a_collector_that_was_off_stays_off():
    with lasting():
        assert not gc.isenabled()
    assert gc.isenabled()
    one = type("One", (), {})()
    one.itself, known = one, weakref.ref(one)
    del one
    gc.collect()
    assert known() is None
    gc.disable()
    try:
        with lasting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
