"""series.py and windows.py: what is read from CSV files, what is repaired, what is refused, and how windows are cut."""

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import forecasting, write_series

from keras_s2s.config import Series
from keras_s2s.corpora import corpus_of
from keras_s2s.reading import Log
from keras_s2s.rows import CorpusError
from keras_s2s.run import Run
from keras_s2s.series import Layout, filled, read
from keras_s2s.windows import Windows, valid_starts

HOURLY = ["date,load,oil", "2024-01-01 00:00,1,10", "2024-01-01 01:00,2,20", "2024-01-01 02:00,3,30", "2024-01-01 03:00,4,40"]


def table(tmp_path, lines, *changes, columns=()):
    path = tmp_path / "series.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    log = Log()
    return read(forecasting(*changes).series, [str(path)], log, columns), log


def test_a_csv_is_read_with_its_times_and_step(tmp_path):
    (layout, steps), log = table(tmp_path, HOURLY)
    assert layout == Layout("date", ("load", "oil"), 3600.0, True)
    np.testing.assert_array_equal(steps, [[1704067200 + 3600 * i, i + 1, 10 * i + 10] for i in range(4)])
    assert not log.notices


@pytest.mark.parametrize("change", [lambda line: line.replace(",", ";"), lambda line: line.replace(",", "\t"), lambda line: line + "\r",
                                    lambda line: "\ufeff" + line if line.startswith("date") else line,
                                    lambda line: line.replace("2024-01-01 ", "2024/01/01T").replace(":00,", ":00Z,")])
def test_other_separators_line_ends_and_ways_to_write_a_time_are_the_same(tmp_path, change):
    wanted, _ = table(tmp_path, HOURLY)
    found, _ = table(tmp_path, [change(line) for line in HOURLY])
    assert found.layout == wanted.layout
    np.testing.assert_array_equal(found.steps, wanted.steps)


def test_gzip_files_and_several_files_are_one_table(tmp_path):
    wanted, _ = table(tmp_path, HOURLY)
    (tmp_path / "late.csv.gz").write_bytes(gzip.compress("\n".join([HOURLY[0], *HOURLY[3:]]).encode()))
    (tmp_path / "early.csv").write_text("\n".join(HOURLY[:3]))
    found = read(Series(), [str(tmp_path / "late.csv.gz"), str(tmp_path / "early.csv")], Log())
    np.testing.assert_array_equal(found.steps, wanted.steps)


def test_rows_out_of_order_are_sorted_and_rows_that_stand_twice_dropped_and_both_told(tmp_path):
    wanted, _ = table(tmp_path, HOURLY)
    found, log = table(tmp_path, [HOURLY[0], *HOURLY[:0:-1], HOURLY[2]])
    np.testing.assert_array_equal(found.steps, wanted.steps)
    assert log.notices["rows that stood twice, dropped"] == 1 and log.notices["rows out of order, sorted"] > 0


def test_a_missing_time_becomes_missing_values_and_is_told(tmp_path):
    lines = [HOURLY[0], *(f"2024-01-01 {hour:02}:00,{hour},5" for hour in range(20) if hour != 7)]
    found, log = table(tmp_path, lines)
    assert len(found.steps) == 20 and np.isnan(found.steps[7, 1:]).all() and not np.isnan(np.delete(found.steps, 7, 0)).any()
    assert log.notices["missing times, now missing values"] == 1


def test_times_may_be_numbers_and_trading_days_are_steps_of_their_own(tmp_path):
    (layout, steps), _ = table(tmp_path, ["rownames,x", *(f"{i},{i * i}" for i in range(1, 9))])
    assert (layout.step, layout.dated, layout.shown(3.0)) == (1.0, False, "3")
    days = ["day,x", *(f"2024-01-{day:02},{day}" for day in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 15))]
    with pytest.raises(CorpusError, match="27 % are, the most between 2024-01-05 and 2024-01-08. Set series.regular=false"):
        table(tmp_path, days)
    (layout, steps), _ = table(tmp_path, days, "series.regular=false")
    assert len(steps) == 11 and layout.step == 86400


WRONG = {
    "names": ([*HOURLY[1:]], (), "the first line of .* must name the columns, such as date,load"),
    "a column": (HOURLY, ["series.columns=laod"], "has no column 'laod'. Did you mean 'load'"),
    "the time": (HOURLY, ["series.time=day"], "has no column 'day'"),
    "a time": ([*HOURLY, "yesterday,1,2"], [], "line 6: a time must be written like 2024-01-31"),
    "a number": ([*HOURLY, "2024-01-01 04:00,much,2"], [], "line 6: load must be a finite number such as 12.5, or empty; got 'much'"),
    "infinity": ([*HOURLY, "2024-01-01 04:00,inf,2"], [], "line 6: load must be a finite number"),
    "cells": ([*HOURLY, "2024-01-01 04:00,1"], [], "line 6 must have 3 cells like the first; it has 2"),
    "other values": ([*HOURLY, "2024-01-01 03:00,9,9"], [], "2024-01-01 03:00:00 stands in .*line 5, and in .*line 6, with other values"),
    "irregular": ([*HOURLY, "2024-01-01 04:20,1,2"], [], "times must be 3600 seconds apart, or a multiple of it; 2024-01-01 04:20:00 "
                  "is not. Set series.regular=false"),
    "mixed": ([*HOURLY, "5,1,2"], [], "times must all be dates or all be numbers"),
    "nothing": (HOURLY[:1], [], "series need rows of a time and values"),
    "little": (HOURLY[:2], [], "series need more than a few steps; got 1"),
    "one column": (["date", "2024-01-01"], [], "must have a column of times and one or more series"),
    "twice": (["date,a,a", "2024-01-01,1,2"], [], "columns must have different names"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_what_cannot_be_read_is_named_with_its_place_and_what_to_do(tmp_path, name):
    lines, settings, words = WRONG[name]
    with pytest.raises(CorpusError, match=words):
        table(tmp_path, lines, *settings)


def test_short_gaps_are_filled_from_the_past_alone_and_long_ones_stay():
    gap = np.nan
    steps = np.array([[0, gap], [1, 1], [2, gap], [3, gap], [4, 5], [5, gap], [6, gap], [7, gap], [8, 9], [9, gap]])
    found, count = filled(steps, 2)
    np.testing.assert_array_equal(found[:, 1], [gap, 1, 1, 1, 5, gap, gap, gap, 9, 9])
    assert count == 3
    same, none = filled(steps, 0)
    assert none == 0 and same is steps


def test_no_window_holds_a_missing_value():
    steps = np.arange(20.0)[:, None] * [1, 1]
    assert valid_starts(steps, 5) == (16, None)
    steps[8, 1] = np.nan
    count, starts = valid_starts(steps, 5)
    assert count == len(starts) == 11
    assert all(not np.isnan(steps[start:start + 5]).any() for start in starts)
    assert valid_starts(steps[:3], 5)[0] == 0


def prepared(tmp_path, *settings, steps=400):
    made = forecasting(f"data.train={write_series(tmp_path / 'series.csv', steps)}", *settings)
    run = Run.create(tmp_path / "run", made)
    return run, corpus_of(made).prepare(run)


def test_windows_are_cut_from_the_parts_and_no_value_is_forecast_in_two(tmp_path):
    run, told = prepared(tmp_path)
    sets = {name: run.rows(name) for name in run.splits()}
    assert list(sets) == ["train", "dev", "test"]
    ahead = {name: {time for _, target in rows for time in target[1:, 0].tolist()} for name, rows in sets.items()}
    assert not ahead["train"] & ahead["dev"] and not ahead["dev"] & ahead["test"]
    assert len(ahead["dev"]) == 40 and len(ahead["test"]) == 80
    source, target = sets["dev"][3]
    assert source.shape == (24, 4) and target.shape == (7, 4)
    np.testing.assert_array_equal(source[-1], target[0])
    sources, targets = sets["dev"].read([3, 0, -1])
    np.testing.assert_array_equal(sources[0], source)
    np.testing.assert_array_equal(targets[2], sets["dev"][len(sets["dev"]) - 1][1])
    assert "train 280 steps, 251 windows" in told and "repaired    nothing" in told


def test_training_windows_may_lie_apart_and_others_never_do(tmp_path):
    run, _ = prepared(tmp_path, "series.stride=7")
    near = Windows(run.file("train"), run.config.series)
    rows = run.rows("train")
    assert len(rows) == 36 and len(near) == 251 and len(run.rows("dev")) == 35
    for row in (0, 5, 35):
        np.testing.assert_array_equal(rows[row][1], near[7 * row][1])


def test_the_split_may_be_numbers_of_steps_and_given_sets_stay_whole(tmp_path):
    run, _ = prepared(tmp_path, "series.split=200,50,50")
    assert [len(run.rows(name)) for name in run.splits()] == [171, 45, 45]
    other = write_series(tmp_path / "other.csv", 100)
    made = forecasting(f"data.train={tmp_path / 'series.csv'}", f"data.test={other}")
    run = Run.create(tmp_path / "given", made)
    corpus_of(made).prepare(run)
    assert [len(run.rows(name)) for name in run.splits()] == [331, 35, 71]


@pytest.mark.parametrize("change, settings, words", [
    (lambda text: text, ["series.window=300"], "train must have at least 306 steps in a row, which are `series.window` and `series.horizon`"),
    (lambda text: text, ["series.split=300,100,100"], "asks for 500 steps; the series have 400"),
    (lambda text: text, ["data.target=text"], "series are read to forecast series; `data.target` is 'text'"),
    (lambda text: "\n".join(",".join([*line.split(",")[:3], "wind" if not i else "7"]) for i, line in enumerate(text.splitlines())), [],
     "a series must change; 'wind' is 7 at each of its 280 steps of the training part. .*series.columns=load,oil"),
    (lambda text: "\n".join(",".join([*line.split(",")[:3], "wind" if not i else ""]) for i, line in enumerate(text.splitlines())), [],
     "'wind' has no value of the training part"),
    (lambda text: "\n".join(line if i % 9 else line.rsplit(",", 1)[0] + "," for i, line in enumerate(text.splitlines(), 5)),
     ["series.fill=0"], "with a missing value that `series.fill` 0 does not fill"),
])
def test_series_that_cannot_be_learnt_are_refused(tmp_path, change, settings, words):
    data = write_series(tmp_path / "series.csv")
    data.write_text(change(data.read_text()))
    made = forecasting(f"data.train={data}", *settings)
    with pytest.raises(ValueError, match=words):
        corpus_of(made).prepare(Run.create(tmp_path / "run", made))
    assert not (tmp_path / "run" / "rejects.tsv").exists()


def test_no_window_is_kept_in_memory(tmp_path):
    run, _ = prepared(tmp_path, "series.window=200", "series.horizon=10", steps=4000)
    tracemalloc.start()
    rows = run.rows("train")
    rows.lengths(), rows.read([1, 5])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rows) > 2000 and isinstance(rows, Windows)
    assert held < 8 * 200 * 4 * 20  # bytes of twenty windows


EDIT = st.tuples(st.floats(0, 1), st.sampled_from(
    [b"", b'"', b"\n", b"\r", b"\0", b",", b";", b"x", b"\xff", b"1e400", b"nan", b"9999-12-31", b"0001-01-01", b"-", b"9" * 140_000]))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDIT, max_size=6), cut=st.integers(0, 60), regular=st.booleans())
def test_whatever_is_in_a_file_it_is_read_or_refused_by_name(tmp_path, edits, cut, regular):
    content = bytearray("\n".join(HOURLY * 2).encode())
    for place, text in edits:
        i = int(place * len(content))
        content[i:i + 1] = text
    path = tmp_path / "any.csv"
    path.write_bytes(bytes(content[:len(content) - cut]))
    try:
        layout, steps = read(Series(regular=regular), [str(path)], Log())
    except CorpusError as error:
        assert "any.csv" in str(error) or "must" in str(error) or "need" in str(error)
        return
    assert np.isfinite(steps[:, 0]).all() and (np.diff(steps[:, 0]) > 0).all() and layout.season() >= 1
    assert layout.shown(steps[0, 0]) and layout.shown(steps[-1, 0])
