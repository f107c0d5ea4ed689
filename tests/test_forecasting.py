"""Forecasts from a CSV to a picture: training, resuming, rolling out, scoring, the command line and the SavedModel."""

import json
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf
from faults import Training, outcome, stopped
from small import build, finish, forecasting, write_series

import keras_s2s
from keras_s2s import maps, overlays, report, workflow
from keras_s2s.cli import main
from keras_s2s.config import Search
from keras_s2s.losses import series_loss
from keras_s2s.run import Run
from keras_s2s.scaling import Scaling, calendar, minutes
from keras_s2s.scoring.pairing import block_bootstrap
from keras_s2s.scoring.series import LAST, SeriesScoring, verdict
from keras_s2s.series import Layout, Table
from keras_s2s.sources.series import SeriesSource
from keras_s2s.targets.series import SeriesTarget
from keras_s2s.training import TeacherForced
from keras_s2s.model import EncoderDecoder

HOURS = 1.6e9 // 3600 * 3600 + 3600 * np.arange(90.0)
WAVES = Table(Layout("date", ("a", "b"), 3600.0, True), np.stack(
    [HOURS, 10 + 3 * np.sin(np.arange(90) / 3), 5 + np.cos(np.arange(90.0))], axis=1))


def made(*settings):
    """An untrained model of two series."""
    config = forecasting(*settings)
    return EncoderDecoder(config, SeriesSource.fit(config, [WAVES]), SeriesTarget.fit(config, [WAVES]))


def windows(count=4):
    return (np.stack([WAVES.steps[i:i + 24] for i in range(count)]), np.stack([WAVES.steps[i + 23:i + 30] for i in range(count)]))


def test_it_learns_and_is_better_than_the_last_value(forecaster):
    found = Run.open(forecaster[0]).metrics()
    history, row = found["training"]["history"], found["test"]
    assert history[-1]["dev_loss"] < history[0]["dev_loss"]
    assert row["mse"] < 0.5 * row["naive"][LAST]["mse"] and row["mae"] < row["naive"][LAST]["mae"]
    assert set(row["naive"]) == {LAST, "season of 24"} and row["windows"] == 75
    assert verdict(row, LAST).startswith("better than last value: MSE -")
    assert 0 < row["coverage"] <= 100 and set(row["by_series"]) == {"wind", "load"}
    assert len(row["by_step"]) == 6 and np.isclose(np.mean(row["by_step"]), row["mse"], rtol=0, atol=5.01e-7)  # each is rounded at its sixth place


def test_training_that_is_stopped_and_resumed_ends_in_the_same_bits(tmp_path):
    settings = ["series.window=24", "series.horizon=6", "series.loss=quantiles", "series.calendar=hour", "series.feedback=true", "model.units=8",
                "model.embedding_dim=8", "train.epochs=3", "train.batch_tokens=800", "train.save_every_steps=2",
                "train.teacher_forcing=0.6", "train.parts=1"]
    arguments = ["--preset", "forecast", "--data", str(write_series(tmp_path / "series.csv")), "--set", *settings]
    assert Training(tmp_path / "whole", *arguments).end() == 0, (tmp_path / "whole.log").read_text()
    codes = stopped(tmp_path / "run", [signal.SIGTERM], *arguments)
    assert codes == [128 + signal.SIGTERM, 0], (tmp_path / "run.log").read_text()
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


@pytest.mark.parametrize("settings", [[], ["series.feedback=false", "series.calendar=hour,year"], ["series.relative=log", "model.cell=gru"],
                                      ["series.loss=quantiles", "series.targets=b", "series.calendar=weekday"]])
def test_a_forecast_is_the_steps_of_the_training_model_that_is_given_its_own_answers(settings):
    core = made(*settings)
    target = core.target
    sources, targets = (tf.constant(side) for side in windows())
    prepared, inputs = core.source.prepare(sources), target.prepare(targets).inputs
    known = len(target.places)
    given = inputs[:, :1]
    for t in range(6):
        logits = core.training_model([prepared, given], training=False)
        if t < 5:
            given = tf.concat([given, target.next_input(logits[:, -1], inputs[:, t + 1])[:, None]], axis=1)
    encoded = core.encode(prepared)
    found = target.search(core.step, encoded.state, (), core.source.lengths(prepared), Search(),
                          tf.zeros([2], tf.int32), last=core.source.last(sources))
    np.testing.assert_allclose(found.values, logits, atol=1e-5)
    assert known == (1 if "series.targets=b" in settings else 2)


@pytest.mark.parametrize("relative", ["none", "difference", "log"])
def test_what_is_scaled_comes_back_and_nothing_after_the_window_matters(relative):
    scaling = Scaling.fit(forecasting(f"series.relative={relative}").series, [WAVES])
    values = tf.constant(WAVES.steps[None, :30, 1:])
    for kind, tolerance in ((tf.float64, 1e-6), (tf.float32, 1e-5)):
        given = tf.cast(values, kind)
        scaled = scaling.scaled(given, given[:, 9:10])
        assert scaled.dtype == tf.float32
        np.testing.assert_allclose(scaling.unscaled(scaled, given[:, 9:10]), values, rtol=tolerance)
    later = tf.concat([values[:, :24], values[:, 24:] + 100], axis=1)
    np.testing.assert_array_equal(scaling.scaled(later, later[:, 23:24])[:, :24], scaling.scaled(values, values[:, 23:24])[:, :24])


def test_the_training_parts_statistics_make_z_scores():
    scaling = Scaling.fit(forecasting().series, [WAVES])
    scaled = scaling.scaled(tf.constant(WAVES.steps[:, 1:]), None)
    np.testing.assert_allclose([tf.reduce_mean(scaled, 0), tf.math.reduce_std(scaled, 0)], [[0, 0], [1, 1]], atol=1e-6)


def test_the_calendar_turns_once_a_day_a_week_a_year():
    day, week = minutes(tf.constant([0.0, 86400.0, 43200.0], tf.float64)), minutes(tf.constant([0.0, 7 * 86400], tf.float64))
    np.testing.assert_allclose(calendar(["hour"], day), [[0, 1], [0, 1], [0, -1]], atol=1e-6)
    np.testing.assert_allclose(*calendar(["weekday"], week), atol=1e-6)
    spring, next_spring = (np.datetime64(f"{year}-04-01", "s").astype(float) for year in (2001, 2025))
    np.testing.assert_allclose(*calendar(["year"], minutes(tf.constant([spring, next_spring], tf.float64))), atol=0.02)


def test_the_losses_are_those_of_the_books():
    target, weights = tf.constant([[[0.0], [0.0]]]), tf.constant([[1.0, 0.0]])
    values = tf.constant([[[[2.0]], [[5.0]]]])
    assert series_loss(target, values, weights, "mse", (0.5,)).numpy().tolist() == [[4, 0]]
    assert series_loss(target, values, weights, "huber", (0.5,)).numpy().tolist() == [[1.5, 0]]
    assert series_loss(target, values / 4, weights, "huber", (0.5,)).numpy().tolist() == [[0.125, 0]]
    np.testing.assert_allclose(series_loss(target, tf.repeat(values, 2, -1), weights, "quantiles", (0.1, 0.9)), [[1.0, 0]])
    drawn = np.sort(np.random.default_rng(1).normal(size=999)).astype(np.float32)
    for quantile in (0.1, 0.8):
        losses = [float(tf.reduce_sum(series_loss(drawn[None, :, None], tf.fill([1, 999, 1, 1], value), tf.ones([1, 999]),
                                                  "quantiles", (quantile,)))) for value in drawn[::9]]
        assert abs(9 * int(np.argmin(losses)) / 999 - quantile) < 0.02


def test_scheduled_sampling_keeps_the_calendar_and_the_first_step():
    core = made("series.calendar=hour", "train.teacher_forcing=0")
    sources, targets = (tf.constant(side) for side in windows())
    inputs = core.target.prepare(targets).inputs
    mixed = TeacherForced(core, 2).mix(core.source.prepare(sources), inputs)
    np.testing.assert_array_equal(mixed[:, 0], inputs[:, 0])
    np.testing.assert_array_equal(mixed[..., 2:], inputs[..., 2:])
    assert not np.isclose(mixed[:, 1:, :2], inputs[:, 1:, :2]).any()


def test_a_perfect_run_has_no_error_and_naive_ones_are_what_a_child_would_say():
    scoring = made().target.scoring
    sources, targets = windows()
    truth = scoring.truth(targets)
    naive = scoring.naive(sources, 6)
    np.testing.assert_array_equal(naive[LAST], np.repeat(sources[:, -1:, 1:], 6, axis=1))
    np.testing.assert_array_equal(naive["season of 24"], sources[:, :6, 1:])
    answers = [type("Answer", (), {"values": values[None]}) for values in truth]
    assert scoring.measure(answers, targets, sources).scores == {"mse": 0, "mae": 0}
    wrong = [type("Answer", (), {"values": values[None]}) for values in naive[LAST]]
    z = (naive[LAST] - truth) / np.std(WAVES.steps[:, 1:], axis=0)
    assert np.isclose(scoring.measure(wrong, targets, sources).scores["mse"], np.mean(z ** 2))


def test_mase_is_one_for_the_seasonal_naive_forecast_on_the_training_part_itself():
    core = made("series.season=3", "series.horizon=1")
    step = np.abs(WAVES.steps[3:, 1:] - WAVES.steps[:-3, 1:]).mean(axis=0)
    np.testing.assert_allclose(core.target.scaling.naive, step)


def test_the_interval_holds_the_truth_where_windows_overlap():
    random, inside = np.random.default_rng(3), 0
    for _ in range(60):
        noise = np.convolve(random.normal(size=423), np.ones(24) / 24, "valid")  # windows of 24 steps err alike
        low, high = block_bootstrap(noise, 24, 300)[0]
        inside += low <= 0 <= high
    assert inside > 45  # of 57 that were to be; without blocks about 20


@pytest.fixture
def command(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def test_the_command_prints_the_steps_after_the_last_and_draws_them(forecaster, command, tmp_path):
    run, data = forecaster
    code, out, told = command("forecast", run, "--data", data, "--plot", tmp_path / "f.png")
    lines = [line.split(",") for line in out.splitlines()]
    assert code == 0, told
    assert lines[0] == ["date", "wind@0.1", "wind@0.5", "wind@0.9", "load@0.1", "load@0.5", "load@0.9"]
    assert [line[0] for line in lines[1:]] == [f"2024-02-15 {hour}:00:00" for hour in range(16, 22)]
    assert all(float(line[1]) <= float(line[2]) <= float(line[3]) for line in lines[1:])
    assert (tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG" and "drawn" in told
    code, out, _ = command("forecast", run, "--data", data, "--json", "--plot", tmp_path / "f.svg")
    assert code == 0 and list(json.loads(out)) == ["date", "wind", "load"]
    assert f"{json.loads(out)['wind']['0.5'][0]:.6g}" == lines[1][2] and "<svg" in (tmp_path / "f.svg").read_text()


def test_the_command_reads_the_columns_by_name_and_fills_short_gaps(forecaster, command, tmp_path):
    run, data = forecaster
    rows = [line.split(",") for line in data.read_text().splitlines()]
    other = tmp_path / "other.csv"
    other.write_text("\n".join(",".join([row[3], row[0], "x", row[2], row[1]]) for row in rows if row != rows[200]))
    code, out, told = command("forecast", run, "--data", other)
    assert code == 0 and out == command("forecast", run, "--data", data)[1], told
    assert "repaired: 1 missing times, now missing values" in told
    rows[-2][1] = ""
    other.write_text("\n".join(map(",".join, rows)))
    assert command("forecast", run, "--data", other)[0] == 0


@pytest.mark.parametrize("change, words", [
    (lambda rows: rows[:20], "a forecast reads 24 steps"),
    (lambda rows: [row[:3] for row in rows], "has no column 'wind'"),
    (lambda rows: [rows[0], *rows[1::2]], "a step must be 3600 seconds, as it was in training; in .* it is 7200 seconds"),
    (lambda rows: [*rows[:-6], *([*row[:2], "", row[3]] for row in rows[-6:-1]), rows[-1]], "'oil' misses 5, the last at 2024-02-15 14:00:00"),
    (lambda rows: [["date", *rows[0][1:]], *([str(i), *row[1:]] for i, row in enumerate(rows[1:]))], "a step must be 3600 seconds"),
])
def test_data_that_cannot_be_gone_on_from_are_refused(forecaster, command, tmp_path, change, words):
    run, data = forecaster
    other = tmp_path / "other.csv"
    other.write_text("\n".join(map(",".join, change([line.split(",") for line in data.read_text().splitlines()]))))
    code, out, told = command("forecast", run, "--data", other)
    assert (code, out) == (1, "")
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(told)


def test_commands_for_another_kind_say_so(forecaster, trained, command, tmp_path):
    run, data = forecaster
    assert "this run cannot translate: it reads series. Use: keras-s2s forecast" in command("translate", run, data)[2]
    assert "this run cannot forecast: it reads text. Use: keras-s2s translate" in command("forecast", trained, "--data", data)[2]
    assert "--plot must name a .png, .svg or .pdf file" in command("forecast", run, "--data", data, "--plot", tmp_path / "f.gif")[2]
    assert "is not a file" in command("forecast", run, "--data", tmp_path / "none.csv")[2]
    assert "runs must answer alike to be compared; these go from series to series and text to text" in command("compare", run, trained)[2]
    assert "only runs that translate are put on one page" in command("report", run, run, "--output", tmp_path / "c.html")[2]


def test_two_forecasters_are_compared_on_the_steps_that_both_forecast(forecaster, command, tmp_path):
    run, data = forecaster
    code, out, told = command("compare", run, run, "--json")
    found = json.loads(out)
    assert code == 0 and found["count"] == 75 and found["mse"]["difference"] == 0 and found["mse"]["p_value"] == 1, told
    assert found["mse"]["scores"][0] == pytest.approx(json.loads((run / "metrics.json").read_text())["test"]["mse"])
    other = tmp_path / "worse"  # reads shorter windows of one series, forecasts fewer steps, and hardly learnt
    finish(other, forecasting(f"data.train={data}", "series.columns=load", "series.window=12", "series.horizon=4", "train.epochs=1",
                              "series.season=12", "train.learning_rate=0.0001"))
    code, out, told = command("compare", run, other)
    assert code == 0 and "windows, load, 4 steps, A = " in out, told
    lines = out.splitlines()
    assert lines[1].startswith("mse   A 0.") and "B - A +" in lines[1] and lines[1].endswith("p 0.000")
    assert "windows, load, 4 steps" in command("compare", other, run, "--data", data)[1]
    assert command("compare", other, run)[1].splitlines()[1].split("B - A ")[1].startswith("-")


def test_forecasters_that_share_nothing_are_not_compared(forecaster, command, tmp_path):
    run, _ = forecaster
    other = finish(tmp_path / "other", forecasting(f"data.train={write_series(tmp_path / 'o.csv', 200, ('a', 'b'))}", "train.epochs=1"))
    said = command("compare", run, other)[2]
    assert "runs must forecast a series that they share to be compared" in said and "forecasts wind, load" in said


@pytest.mark.parametrize("shift, sure", [(0.0, False), (0.5, True)])
def test_the_bootstrap_of_paired_errors_finds_what_is_there(shift, sure):
    random = np.random.default_rng(1)
    noise = np.convolve(random.normal(size=420), np.ones(20) / 20)[:400]  # windows that overlap err alike
    noise -= noise.mean()
    (low, high), p_value = block_bootstrap(noise + shift, 20)
    assert (p_value < 0.05) == sure and (low > 0) == sure and low < shift < high


def test_other_data_are_evaluated_and_a_run_inspected(forecaster, command, tmp_path):
    run, _ = forecaster
    code, out, told = command("evaluate", run, "--data", write_series(tmp_path / "new.csv", 100), "--json")
    assert code == 0 and json.loads(out)["new.csv"]["windows"] == 71, told
    code, out, _ = command("evaluate", run)
    assert code == 0 and "last value" in out and "test: better than last value" in out
    code, out, _ = command("inspect", run)
    assert code == 0 and "MSE 0." in out and "75 pairs" in out


def test_the_report_shows_errors_and_forecasts(forecaster, tmp_path):
    text = report.write(forecaster[0], tmp_path / "r.html").read_text()
    for words in ("season of 24", "MSE by steps ahead", "Forecasts", "in the band", "better than last value", "2024-02-15"):
        assert words in text, words
    assert "BLEU" not in text and "Translations" not in text


def test_tensorboard_has_pictures_of_forecasts_and_no_perplexity(forecaster):
    from test_watch import values

    found = values(forecaster[0] / "logs")
    assert {"dev/mse", "dev/mae", "dev/coverage", "dev/forecasts", "final/test_mse"} <= set(found)
    assert not {"dev/perplexity", "dev/bleu", "dev/translations"} & set(found)


def test_what_is_looked_at_is_drawn_with_and_without_a_band(forecaster):
    predictor, rows = keras_s2s.load(forecaster[0]), Run.open(forecaster[0]).rows("dev")
    sources, references = rows.raws(range(9))
    found = maps.look(predictor, sources, references, predictor.predict(sources))
    assert [window["series"] for window in found["windows"]] == ["wind", "load", "wind", "load"] and found["windows"][0]["band"]
    assert len(overlays.inside(found)) == 4
    assert json.loads(json.dumps(found)) == found


def test_the_saved_model_forecasts_as_the_run_does(forecaster, tmp_path):
    from export import saved_model

    run = Run.open(shutil.copytree(forecaster[0], tmp_path / "run"))
    predictor = keras_s2s.load(run.path)
    sources, _ = run.rows("test").raws(range(5))
    loaded = tf.saved_model.load(str(saved_model.export(run)))
    assert set(loaded.signatures) == {"serving_default", "forecast", "forecast_n_best", "encode", "decode_step"}
    best, every = (loaded.signatures[name](series=tf.constant(sources)) for name in ("forecast", "forecast_n_best"))
    answers = predictor.predict(sources)
    np.testing.assert_array_equal(every["values"], [answer.values for answer in answers])
    np.testing.assert_array_equal(best["values"], [answer.best for answer in answers])
    np.testing.assert_allclose(every["level"][0], [0.5, 0.1, 0.9])
    found = loaded.signatures["encode"](series=tf.constant(sources))
    first = predictor.model.target.prepare(tf.constant(run.rows("test").read(range(5))[1])).inputs[:, 0]
    after = loaded.signatures["decode_step"](target_in=first, **found)
    assert after["logits"].shape == (5, 6)


@pytest.mark.data
def test_the_real_series_are_read_as_they_come(data_sets):
    from keras_s2s.reading import Log
    from keras_s2s.series import read

    log = Log()
    power = read(forecasting().series, [str(data_sets / "timeseries" / "ETTh1.csv")], log)
    stocks = read(forecasting().series, [str(data_sets / "timeseries" / "EuStockMarkets.csv")], log)
    assert power.steps.shape == (17420, 8) and power.layout.step == 3600 and power.layout.columns[-1] == "OT"
    assert stocks.steps.shape == (1860, 5) and stocks.layout.columns == ("DAX", "SMI", "CAC", "FTSE")
    assert not log.notices and not np.isnan(power.steps).any()


def test_the_scoring_of_a_run_without_its_statistics_still_draws_its_tables():
    row = {"windows": 3, "mse": 0.5, "mae": 0.5, "mase": 1.0, "seconds": 1.0, "relative": "log", "naive": {
        LAST: {"mse": 0.4, "mae": 0.4, "mase": 0.9, "interval": [-0.1, 0.3]}}}
    text = SeriesScoring().table({"dev": row})
    assert "no different from last value: MSE +25.0 %" in text and "of logarithms" in text


def test_the_model_of_text_is_no_other(forecaster):
    """The same layers serve both: a recurrent encoder and decoder, attention, one projection."""
    series, text = keras_s2s.load(forecaster[0]).model, build("model.units=16", "model.attention=luong")
    names = [{layer.name for layer in core.training_model.layers if "encoder" in layer.name or "decoder" in layer.name
              or "attention" in layer.name} for core in (series, text)]
    assert names[0] == names[1] and type(series) is type(text)


def test_the_best_weights_go_by_a_score_that_there_is(tmp_path):
    with pytest.raises(ValueError, match="`train.monitor` must be one of loss, mse, mae for what this run says; got 'bleu'"):
        workflow.open_run(tmp_path / "run", forecasting("train.monitor=bleu"), False)
    assert not (tmp_path / "run").exists()
