"""Phone files of series: what they forecast is what Keras forecasts, in built-in operations, and what does not is refused."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from small import forecasting
from test_forecasting import WAVES, windows

from export import flatbuffer, parity, series_parity
from export.tflite import Phone, convert
from keras_s2s.ledger import exports
from keras_s2s.model import EncoderDecoder
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, load
from keras_s2s.sources.series import SeriesSource
from keras_s2s.targets.series import SeriesTarget


@pytest.fixture(scope="module")
def exported(forecaster, tmp_path_factory):
    run = Run.open(shutil.copytree(forecaster[0], tmp_path_factory.mktemp("phone") / "run"))
    parity.export(run, ["none", "int8"])
    return run, json.loads((run.export / "report.json").read_text())


def test_the_file_forecasts_what_keras_forecasts(exported):
    run, told = exported
    exact, small = told["files"]["model-float32.tflite"], told["files"]["model-int8.tflite"]
    assert exact["passed"] and exact["identical"] == told["fitting"] == len(run.rows("dev"))
    assert exact["largest_difference"] < 1e-4
    assert small["passed"] and abs(small["mse_change"]) < 5 and small["bytes"] < exact["bytes"]
    assert told["saved_model"]["largest_difference"] < 1e-5
    assert (run.export / "model-int8.tflite").stat().st_size == small["bytes"]


def test_its_border_is_that_of_the_documentation(exported):
    found = exported[1]["files"]["model-float32.tflite"]["signatures"]
    assert set(found) == {"forecast", "prepare", "encode", "decode_step"}
    assert found["forecast"]["inputs"] == {"values": ["float32", [1, 24, 3]], "time": ["int32", [1, 24]]}
    assert found["forecast"]["outputs"] == {"values": ["float32", [3, 6, 2]], "level": ["float32", [3]]}


def test_the_report_shows_the_files(exported):
    text = str(exports(exported[0]))
    assert "model-int8.tflite" in text and "MSE" in text and "BLEU" not in text


@pytest.mark.parametrize("settings", [["series.relative=log", "model.cell=gru", "series.calendar=weekday,year"],
                                      ["series.feedback=false", "model.num_layers=3", "model.bidirectional=true"]])
def test_every_way_to_forecast_is_built_of_what_phones_have(settings, tmp_path):
    config = forecasting(*settings)
    predictor = Predictor(EncoderDecoder(config, SeriesSource.fit(config, [WAVES]), SeriesTarget.fit(config, [WAVES])))
    phone = Phone(predictor)
    content = convert(phone, ["none"])["none"]
    flatbuffer.require_builtins(flatbuffer.read(content))
    (tmp_path / "model.tflite").write_bytes(content)
    sources, _ = windows()
    found, _, _ = series_parity.forecasts(tmp_path / "model.tflite", map(phone.input.feed, sources))
    np.testing.assert_allclose(found, [answer.values for answer in predictor.predict(sources)], rtol=1e-4)


def test_a_file_that_forecasts_something_else_is_refused(forecaster, tmp_path, monkeypatch):
    run = Run.open(shutil.copytree(forecaster[0], tmp_path / "run"))
    decode = series_parity.forecasts

    def wrong(path, sources):
        values, *rest = decode(path, sources)
        return values + 0.5, *rest

    monkeypatch.setattr(series_parity, "forecasts", wrong)
    with pytest.raises(parity.ParityError, match="float32 must forecast what Keras forecasts, to 0.0001 of a z-score; 35 of 35 windows"):
        parity.export(run, ["none"])
    with pytest.raises(parity.ParityError, match="% above Keras's; at most 5 % is allowed. Use --quantize float16"):
        parity.export(run, ["int8"])
    assert not list(run.export.glob("*.tflite"))


def test_a_model_for_phones_holds_no_other_numbers(exported):
    """The SavedModel and the file answer the same window alike."""
    run, _ = exported
    sources, _ = run.rows("test").raws(range(3))
    served = tf.saved_model.load(str(run.export / "saved_model")).signatures["forecast_n_best"](series=tf.constant(sources))
    feed = Phone(load(run.path)).input.feed
    found, _, _ = series_parity.forecasts(run.export / "model-float32.tflite", map(feed, sources))
    np.testing.assert_allclose(found, served["values"], rtol=1e-4)
