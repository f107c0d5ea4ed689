"""A grid of runs: its names, its mistakes, and what is made, left out and told."""

import argparse

import pytest
from small import config, finish, write_tsv

from keras_s2s.cli import training_arguments
from keras_s2s.sweep import finished, grid, sweep


def test_a_grid_is_every_combination_by_a_name_that_tells_it():
    made = grid(config(), ["units=16,32", "model.dropout=0.2,0.3", "bidirectional=true"])
    assert list(made) == [f"units={units},dropout={dropout},bidirectional=true" for units in (16, 32) for dropout in (0.2, 0.3)]
    last = made["units=32,dropout=0.3,bidirectional=true"]
    assert (last.model.units, last.model.dropout, last.model.bidirectional, last.train) == (32, 0.3, True, config().train)


@pytest.mark.parametrize("ranges, words", [
    (["units"], r"must be written name=value,value such as units=128,256; got 'units'"),
    (["units="], r"must be written name=value,value"),
    (["unitz=1"], r"no setting 'unitz'. Did you mean model.units"),
    (["units=1,1"], r"a value stands twice in 'units=1,1'"),
    (["units=1", "model.units=2"], r"`model.units` is given twice"),
    (["units=8,9", "bidirectional=true"], r"must be even .* got 9"),
    (["units=many"], r"`model.units` must be of type int; got 'many'"),
])
def test_a_grid_that_cannot_be_is_told_in_words(ranges, words):
    with pytest.raises(ValueError, match=words):
        grid(config(), ranges)


def test_a_mistake_in_a_sweep_is_told_before_any_work(capsys):
    with pytest.raises(SystemExit):
        training_arguments(["--sweep", "unitz=1,2"])
    assert "no setting 'unitz'" in capsys.readouterr().err


def test_a_sweep_has_a_folder_of_its_own():
    arguments = training_arguments(["--data", "pairs.tsv", "--sweep", "units=2,4", "--resume"])
    assert arguments.run.name == "pairs-sweep" and arguments.sweep == ["units=2,4"]


def test_a_sweep_makes_what_is_missing_and_one_failure_does_not_end_it(tmp_path, capsys):
    made = []

    def story(one):
        made.append((one.run.name, one.resume))
        if one.config.model.units == 8:
            raise ValueError("too small")
        finish(one.run, one.config)

    base = config(f"data.train={write_tsv(tmp_path / 'pairs.tsv')}", "train.epochs=1")
    arguments = argparse.Namespace(run=tmp_path / "sweep", config=base, sweep=["units=8,12,16"], resume=False)
    assert sweep(arguments, story) == 1
    assert made == [("units=8", False), ("units=12", False), ("units=16", False)]
    said = capsys.readouterr().err
    assert "units=8 failed: too small" in said and "dev BLEU" in said and "comparison.html" in said
    rows = [line.split("\t") for line in (tmp_path / "sweep" / "sweep.tsv").read_text().splitlines()]
    assert rows[0][:3] == ["run", "dev BLEU", "dev chrF"] and {row[0] for row in rows[1:]} == {"units=12", "units=16"}
    assert float(rows[1][1]) >= float(rows[2][1])
    assert (tmp_path / "sweep" / "comparison.html").exists() and finished(tmp_path / "sweep" / "units=12")

    made.clear()
    arguments.sweep = ["units=12,16"]
    assert sweep(arguments, story) == 0 and made == []
    assert "units=12: finished before" in capsys.readouterr().err
