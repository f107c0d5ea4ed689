"""cli.py: the options of train.py and the commands, and that what is mistyped is told at once and without TensorFlow."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keras_s2s import cli
from keras_s2s.config import Config
from keras_s2s.presets import PRESETS

ROOT = Path(__file__).resolve().parents[1]
SPY = "import sys, atexit; atexit.register(lambda: print('TENSORFLOW' if 'tensorflow' in sys.modules else 'light'))\n"


def run(words, tmp_path, stdin=""):
    """Runs a command line in a fresh process; its last line of output says whether TensorFlow was loaded."""
    program = {"train.py": "import runpy; runpy.run_path({!r}, run_name='__main__')".format(str(ROOT / "train.py")),
               "keras-s2s": "from keras_s2s.cli import main; sys.exit(main())",
               "export": "import runpy; runpy.run_module('export', run_name='__main__')"}[words[0]]
    code = SPY + f"sys.argv = {list(words)!r}\n{program}"
    return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, input=stdin, timeout=120,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("words, said", [
    ("train.py --help", "--preset"), ("train.py --settings", "model.units"), ("keras-s2s --help", "translate"),
    ("keras-s2s translate --help", "--n-best"), ("keras-s2s evaluate --help", "--json"),
    ("keras-s2s compare --help", "RUN RUN"), ("keras-s2s inspect --help", "RUN"), ("export --help", "--format")])
def test_help_needs_no_tensorflow(words, said, tmp_path):
    done = run(words.split(), tmp_path)
    assert done.returncode == 0 and said in done.stdout and not done.stderr
    assert done.stdout.endswith("light\n")


@pytest.mark.parametrize("words, status, said", [
    ("train.py --set model.unit=3", 2, "there is no setting 'model.unit'. Did you mean model.units?"),
    ("train.py --set units", 2, "a setting is written section.field=value, such as model.units=512; got 'units'."),
    ("train.py --set units=0", 2, "`model.units` must be at least 1; got 0."),
    ("train.py --preset atention", 2, "invalid choice: 'atention'"),
    ("train.py --colums 1,2", 2, "unrecognized arguments: --colums"),
    ("train.py --columns 1", 2, "`data.columns` must name two different columns"),
    ("train.py --resume --run nowhere", 2, "nowhere is not a run: it has no config.json."),
    ("train.py --data nothing.tsv --run new", 1, "there is no file 'nothing.tsv'."),
    ("train.py --data pears.tsv --run new", 1, "Did you mean 'pairs.tsv'?"),
    ("train.py --data . --run new", 1, "a file of pairs is required; '.' is a folder."),
    ("train.py --data pairs.tsv --run other", 1, "other exists already. Continue it with --resume, or choose another name"),
    ("keras-s2s", 2, "the following arguments are required: COMMAND"),
    ("keras-s2s trnslate r", 2, "invalid choice: 'trnslate'"),
    ("keras-s2s translate", 2, "the following arguments are required: RUN"),
    ("keras-s2s translate nowhere", 1, "error: nowhere is not a run: it has no config.json."),
    ("keras-s2s translate other", 1, "other is not a run: it has no config.json. Runs in .: ready."),
    ("keras-s2s translate ready --beam-size 0", 1, "`search.beam_size` must be between 1 and 100; got 0."),
    ("keras-s2s translate ready --n-best 0", 1, "--n-best must be at least 1; got 0."),
    ("keras-s2s translate ready --n-best 3 --beam-size 2", 1, "--n-best 3 needs a beam at least as wide; got --beam-size 2."),
    ("keras-s2s translate ready pairs.txt", 1, "pairs.txt is not a file. Give text files, one sentence a line"),
    ("keras-s2s translate ready --set model.units=3", 1, "only settings of the search can be changed here: search.beam_size"),
    ("keras-s2s translate ready --set bean_size=3", 1, "there is no setting 'bean_size'. Did you mean search.beam_size?"),
    ("keras-s2s evaluate ready --beam-size many", 2, "argument --beam-size: invalid int value: 'many'"),
    ("keras-s2s compare ready", 2, "the following arguments are required: RUN"),
    ("keras-s2s inspect nowhere", 1, "nowhere is not a run"),
    ("export", 2, "the following arguments are required: RUN"),
    ("export ready --format onnx", 2, "invalid choice: 'onnx'"),
    ("export nowhere", 1, "nowhere is not a run"),
])
def test_a_mistake_is_told_in_its_words_without_a_traceback_or_tensorflow(words, status, said, tmp_path):
    (tmp_path / "pairs.tsv").write_text("a\tb\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    (tmp_path / "ready").mkdir()
    (tmp_path / "ready" / "config.json").write_text(Config().to_json())
    done = run(words.split(), tmp_path)
    assert said in done.stderr, done.stderr
    assert done.returncode == status
    assert "Traceback" not in done.stderr and done.stdout.endswith("light\n")
    assert (tmp_path / "other" / "file").read_text() == "mine"


def test_the_options_of_train_make_the_configuration():
    made = cli.training_arguments(["--data", "a.tsv", "b*.tsv", "c.en,c.hi", "--dev", "d.tsv", "--columns", "2,3", "--preset",
                                   "attention", "--set", "units=64", "train.epochs=3", "--set", "dropout=0.1", "--run", "x"])
    assert made.config.data.train == ("a.tsv", "b*.tsv", "c.en,c.hi")
    assert (made.config.data.dev, made.config.data.test, made.config.data.columns) == (("d.tsv",), (), (2, 3))
    assert (made.config.model.units, made.config.train.epochs, made.config.model.dropout) == (64, 3, 0.1)
    assert made.config.model.attention == PRESETS["attention"][1].model.attention
    assert (made.run, made.resume) == (Path("x"), False)


@pytest.mark.parametrize("words, name", [
    ([], "runs/phrasebook"), (["--data", "some/pairs.tsv.gz"], "runs/pairs"), (["--data", "a.en,a.hi"], "runs/a"),
    (["--preset", "gru"], "runs/phrasebook-gru"), (["--data", "*.tsv"], "runs/data")])
def test_a_run_is_named_after_its_data(words, name):
    assert cli.training_arguments(words).run == Path(name)


def test_settings_are_listed_with_their_values(capsys):
    with pytest.raises(SystemExit):
        cli.training_arguments(["--settings", "--set", "units=78"])
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1)
    assert lines["model.units"] == "78" and lines["data.columns"] == "1,2"


def test_the_search_is_the_runs_own_unless_told_otherwise(tmp_path):
    (tmp_path / "config.json").write_text(Config().set(["search.beam_size=4", "search.length_penalty=1"]).to_json())

    def settings(*words):
        return cli.search_settings(tmp_path, cli._parser().parse_args(["translate", str(tmp_path), *words]))

    assert settings().beam_size == 4 and settings().length_penalty == 1
    assert settings("--beam-size", "1").beam_size == 1
    assert settings("--n-best", "7").beam_size == settings("--n-best", "7").n_best == 7
    assert settings("--set", "length_penalty=0.5").length_penalty == 0.5
    assert json.loads(Config().to_json())["search"]["beam_size"] == 1


def test_a_signal_stops_even_where_a_library_makes_an_error_of_its_own_of_it(capsys):
    def as_numpy_does():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            raise TypeError("expected str, bytes or os.PathLike object, not BufferedWriter") from None

    assert cli.guarded(as_numpy_does, "more") == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "stopped by SIGTERM. Go on with: more\n"
    with pytest.raises(TypeError):
        cli.guarded(lambda: (_ for _ in ()).throw(TypeError("a fault")))


@pytest.mark.parametrize("there, given, wanted", [(2, None, "1"), (16, None, "8"), (1, None, "1"), (16, "3", "3")])
def test_batches_side_by_side_share_the_cores_unless_the_user_says_otherwise(monkeypatch, there, given, wanted):
    monkeypatch.setattr(os, "cpu_count", lambda: there)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "")  # so that it is put back
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    if given:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", given)
    assert cli.guarded(lambda: None) == 0
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == wanted


def test_each_part_of_a_training_batch_has_cores_of_its_own(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    cli.training_arguments(["--set", "train.parts=4"])
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "2"
    assert cli.guarded(lambda: None) == 0 and os.environ["TF_NUM_INTRAOP_THREADS"] == "2"
