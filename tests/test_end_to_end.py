"""The whole story on small data: train.py from files to exports, and what a person does next."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keras_s2s.reading import read_pairs
from small import NAMED, PAIRS, begin, config, write_tsv

ROOT = Path(__file__).resolve().parents[1]
TINY = ["model.units=16", "model.embedding_dim=16", "model.attention=luong", "train.epochs=2", "train.batch_tokens=300",
        "train.learning_rate=0.02", "data.held_out=6", "search.max_length=30", "data.subword_sampling=0.2"]


def python(*words, folder, stdin=None):
    return subprocess.run([sys.executable, *map(str, words)], cwd=folder, capture_output=True, text=True, input=stdin,
                          timeout=550, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A run from two parallel gzip files and a glob of TSVs, made by train.py in a process of its own."""
    folder = tmp_path_factory.mktemp("story")
    for name, side in (("pairs.en.gz", 0), ("pairs.hi.gz", 1)):
        with gzip.open(folder / name, "wt", encoding="utf-8") as file:
            file.writelines(pair[side] + "\n" for pair in PAIRS)
    for i, part in enumerate((NAMED[:50], NAMED[50:100])):
        write_tsv(folder / f"named{i}.tsv", [(source, f"{target}\tCC-BY {source}") for source, target in part])
    with open(folder / "named1.tsv", "ab") as file:
        file.write(b"no target\nbad \xff bytes\t\xff\n")
    write_tsv(folder / "last.tsv", NAMED[100:])
    done = python(ROOT / "train.py", "--data", "pairs.en.gz,pairs.hi.gz", "named*.tsv", "--test", "last.tsv", "--run", "runs/tiny",
                  "--set", *TINY, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return folder, folder / "runs" / "tiny", done


def test_the_run_holds_everything_and_prints_what_it_read(story):
    _, run, done = story
    made = json.loads((run / "config.json").read_text())
    assert made["data"]["train"] == ["pairs.en.gz,pairs.hi.gz", "named*.tsv"] and made["model"]["units"] == 16
    assert {"keras_s2s", "tensorflow", "keras"} <= set(made["versions"])
    for name in ("assets/source.model", "assets/target.model", "data/train.tsv", "data/dev.tsv", "data/test.tsv", "checkpoints",
                 "logs", "metrics.json", "rejects.tsv", "export/saved_model/saved_model.pb"):
        assert (run / name).exists(), name
    for words in ("rejected    ", "characters", "sample", "epoch   2", "BLEU", "keras-s2s translate"):
        assert words in done.stderr, words
    assert "Traceback" not in done.stderr


def test_rejected_lines_are_listed_with_file_and_line(story):
    rows = [line.split("\t") for line in (story[1] / "rejects.tsv").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["file", "line", "reason", "text"]
    assert [row[:3] for row in rows[1:]] == [["named1.tsv", "51", "too few columns"], ["named1.tsv", "52", "invalid UTF-8"]]


def test_no_sentence_is_on_two_sides_of_the_split(story):
    train, dev = (list(read_pairs(str(story[1] / "data" / f"{name}.tsv"))) for name in ("train", "dev"))
    assert len(dev) >= 5 and len(train) + len(dev) == 160
    for side in (0, 1):
        assert not {pair[side] for pair in train} & {pair[side] for pair in dev}


def test_metrics_hold_scores_signatures_and_times(story):
    found = json.loads((story[1] / "metrics.json").read_text())
    assert found["training"]["epochs"] == 2 and found["training"]["seconds"] > 0
    for name in ("dev", "test"):
        assert {"bleu", "chrf", "exact_match", "wer", "cer", "seconds", "sentences", "by_length"} <= set(found[name])
        assert set(found[name]["signatures"]) == {"bleu", "chrf"}
    assert found["test"]["sentences"] == 20


def test_a_run_that_was_moved_translates_in_a_fresh_process(story):
    folder, run, _ = story
    moved = shutil.copytree(run, folder / "moved here")
    command = "import sys; from keras_s2s.cli import main; sys.exit(main())"
    answers = [python("-c", command, "translate", path, folder="/", stdin="The red dog sees a tree.\n\nRavi sees a big house.\n").stdout
               for path in (run, moved)]
    assert answers[0] == answers[1] and answers[0].count("\n") == 3 and answers[0].split("\n")[1] == ""


def test_a_run_directory_that_exists_is_left_alone(story):
    folder, run, _ = story
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*")}
    done = python(ROOT / "train.py", "--data", "last.tsv", "--run", "runs/tiny", folder=folder)
    assert done.returncode == 1
    assert "runs/tiny exists already. Continue it with --resume, or choose another name with --run." in done.stderr
    assert before == {file: file.stat().st_mtime_ns for file in run.rglob("*")}


@pytest.mark.data
def test_three_columns_of_tatoeba_need_no_flag(data_sets, tmp_path):
    made = config(f"data.train={data_sets / 'tatoeba-en-hi' / 'pairs.tsv'}", "data.held_out=100")
    run = begin(tmp_path / "run", made)
    sizes = {name: len(list(read_pairs(str(run.data / f"{name}.tsv")))) for name in ("train", "dev", "test")}
    assert sizes["train"] > 1000 and 80 <= sizes["dev"] <= 110 and 80 <= sizes["test"] <= 110
    source, target = next(read_pairs(str(run.data / "train.tsv")))
    assert source.isascii() and not target.isascii() and "CC-BY" not in target
