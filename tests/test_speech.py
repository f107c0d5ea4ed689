"""Recordings to text: tones that stand for words are learnt, transcribed, shown and exported."""

import base64
import io
import json
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from faults import Training, outcome, stopped
from PIL import Image

import export.saved_model
import keras_s2s
from export import parity
from export.runtime import SayingFile
from export.tflite import Sizes
from keras_s2s import cli, overlays, plots, wav
from keras_s2s.config import Audio
from keras_s2s.corpus import CorpusError
from keras_s2s.media import Item
from keras_s2s.model import EncoderDecoder
from keras_s2s.presets import PRESETS
from keras_s2s.run import Run
from keras_s2s.scoring.transcripts import TranscriptScoring, interval
from keras_s2s.sources import SOURCES
from keras_s2s.targets import TARGETS
from keras_s2s.training import TeacherForced
from small import Note, begin, config, finish

RATE = 8000
PITCHES = {"low": 300, "middle": 800, "high": 2000}
QUIET = ["audio.speed=0.05", "audio.shift=0.02", "audio.time_masks=0", "audio.frequency_masks=0"]
HEARD = ["data.source=audio", "audio.sample_rate=8000", "audio.mels=16", "audio.window=0.04", "audio.hop=0.02", "audio.max_seconds=2"]
SETTINGS = [*HEARD, *QUIET, "data.target_tokenizer=words", "model.units=32", "model.embedding_dim=24", "model.attention=luong",
            "model.bidirectional=true", "model.dropout=0", "train.learning_rate=0.01", "train.batch_tokens=400", "train.epochs=14",
            "train.evaluate_every=7", "train.monitor=wer", "train.parts=2", "search.max_length=12"]


def spoken(words, seed=0, rate=RATE):
    """A tone for each word, of about 0.15 s, with pauses and a little noise."""
    random = np.random.default_rng(seed)
    parts = [np.zeros(int(rate * 0.03))]
    for word in words.split():
        time = np.arange(int(rate * random.uniform(0.12, 0.18))) / rate
        parts += [random.uniform(0.2, 0.6) * np.sin(2 * np.pi * PITCHES[word] * random.uniform(0.96, 1.04) * time),
                  np.zeros(int(rate * random.uniform(0.04, 0.1)))]
    samples = np.concatenate(parts)
    return samples + 0.003 * random.normal(size=len(samples))


def write_recordings(folder, texts, first=0):
    """WAV files in a folder beside the TSV that names them; returns the TSV."""
    (folder / "wavs").mkdir(parents=True)
    for number, text in enumerate(texts, first):
        (folder / "wavs" / f"{number:03}.wav").write_bytes(wav.encode(spoken(text, number), RATE))
    lines = [f"wavs/{number:03}.wav\t{text}\n" for number, text in enumerate(texts, first)]
    (folder / "all.tsv").write_text("".join(lines), encoding="utf-8")
    return str(folder / "all.tsv")


def sayings(count, seed):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(list(PITCHES), random.integers(1, 4))) for _ in range(count)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    train, held = (write_recordings(folder / name, sayings(count, seed), 1000 * seed)
                   for name, count, seed in (("train", 200, 1), ("held", 40, 2)))
    path = finish(folder / "run", config(f"data.train={train}", f"data.dev={held}", f"data.test={held}", *SETTINGS))
    for name in ("train", "held"):
        shutil.rmtree(folder / name)  # the run needs them no more
    return path


def model(*settings):
    """An untrained model of recordings."""
    made = config(*HEARD, "data.target_tokenizer=words", "model.attention=luong", "model.bidirectional=true", *settings)
    source = SOURCES["audio"].fit(made, [spoken("low high", 1).astype(np.float32)])
    return EncoderDecoder(made, source, TARGETS["text"].fit(made, ["low middle high"]))


def test_recordings_are_learnt_and_scored_by_words_and_characters_beside_the_commonest_text(run):
    found = Run.open(run).metrics()["test"]
    assert found["wer"] < 10 and found["cer"] < 10 and found["exact_match"] > 80
    low, high = found["wer_interval"]
    assert low <= found["wer"] <= high
    assert found["naive"]["wer"] > 60 and found["naive"]["text"] in PITCHES
    assert set(TranscriptScoring.heads) <= set(found)
    assert found["sentences"] == 40


def test_error_rates_are_those_of_their_definitions():
    said = [type("Said", (), {"best": text}) for text in ("one two", "three", "four five six")]
    right = ["one two", "three four", "four six"]  # one left out, one put in, of 6 words
    scores = TranscriptScoring().measure(said, right, ["a", "b", "c"]).scores
    assert scores["wer"] == pytest.approx(100 * 2 / 6) and scores["exact_match"] == pytest.approx(100 / 3)
    assert scores["cer"] == pytest.approx(100 * 10 / len("".join(right)))
    assert interval(right, right) == [0, 0] and interval(["x"] * 3, ["y"] * 3) == [100, 100]
    low, high = interval(["one", "x"] * 50, ["one", "two"] * 50)
    assert 30 < low < 50 < high < 70


def test_recordings_are_transcribed_from_the_command_line(run, tmp_path, capsys):
    paths = [str(tmp_path / f"{number}.wav") for number in range(3)]
    (tmp_path / "0.wav").write_bytes(wav.encode(spoken("high low", 7), RATE))
    (tmp_path / "1.wav").write_bytes(wav.encode(spoken("middle", 8, 44100), 44100))  # another rate
    (tmp_path / "2.wav").write_bytes(b"RIFF")
    assert cli.main(["transcribe", str(run), *paths, str(tmp_path / "none.wav")]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [f"{paths[0]}\thigh low", f"{paths[1]}\tmiddle"]
    assert "2.wav: not a WAV file" in told.err and "none.wav: there is no such file" in told.err
    assert cli.main(["transcribe", str(run), paths[0], "--json", "--beam-size", "2"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree["texts"][0]["text"] == "high low"
    assert tree["alignment"]["source"][:3] == ["0.00", "0.08", "0.16"]  # seconds
    weights = np.array(tree["alignment"]["weights"])
    assert weights[0].argmax() < weights[1].argmax()  # the second word is heard later


def test_a_run_of_recordings_says_what_else_it_cannot_do(run, capsys):
    assert cli.main(["translate", str(run)]) != 0
    assert "this run cannot translate: it reads audio. Use: keras-s2s transcribe" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["transcribe", str(run)])


def test_the_spectrum_lies_below_the_attention_in_the_report(run):
    maps = json.loads((run / "evaluation" / "inside.json").read_text())["maps"]
    picture = maps[0]["picture"]
    assert picture["grid"] == [1, len(maps[0]["source"])]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture["png"]))))
    assert pixels.shape == (16, 4 * picture["grid"][1], 3) and np.ptp(pixels) > 200
    over, under = overlays.inside({"kind": "attention", "maps": maps})[0].axes
    assert over.get_xlim() == under.get_xlim() and len(over.get_yticks()) == len(maps[0]["target"])
    assert len(plots.png(overlays.inside({"kind": "attention", "maps": maps}, together=True)[0])[0]) > 3000
    assert cli.main(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "WER on test" in page and "attention-1" in page


def test_the_spectrum_has_what_is_loud_where_it_sounds():
    core = model()
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(core.source.picture(
        spoken("high low", 3).astype(np.float32))["png"]))))[..., 0].astype(int)
    half = pixels.shape[1] // 2
    first, second = (part.min(axis=1).argmin() for part in (pixels[:, :half], pixels[:, half:]))
    assert first < second  # the high tone is nearer the top


def test_the_phone_files_hear_what_the_model_hears(run, tmp_path):
    copy = Run.open(shutil.copytree(run, tmp_path / "run"))
    parity.export(copy, ["none", "int8"], Sizes(max_output_bytes=64, beam_size=2))
    report = json.loads((copy.export / "report.json").read_text())
    assert len(report["files"]) == 2
    core = keras_s2s.load(copy.path).model
    for name, found in report["files"].items():
        assert found["passed"] and found["identical"] >= 0.9 * report["sentences"]
        assert abs(found["wer_difference"]) <= 5 and "cer_difference" in found
        assert found["signatures"]["transcribe"]["inputs"] == {"waveform": ["float32", [1, 16000]]}
        assert_hears(SayingFile(copy.export / name, "transcribe"), core)


def assert_hears(file, core):
    """A file transcribes, says what it cut off, and computes the spectrum of the model."""
    waveform, samples = np.zeros((1, 16000), np.float32), spoken("low high middle", 9)
    waveform[0, :len(samples)] = samples
    said = file.ask({"waveform": waveform})
    assert said.texts == ["low high middle"] and said.scores[0] > -1 and not said.truncated
    assert file.ask({"waveform": np.resize(samples, (1, 16000)).astype(np.float32)}).truncated
    assert file.ask({"waveform": np.zeros((1, 16000), np.float32)}).texts == [""]
    prepared = file.run["prepare"](waveform=waveform)
    wanted = core.source.prepare(tf.constant(waveform))[0].numpy()
    assert prepared["frames"][0] == len(wanted)
    np.testing.assert_allclose(prepared["features"][0, :len(wanted)], wanted, atol=0.02)


def test_a_saved_model_takes_samples(run):
    path = export.saved_model.export(Run.open(run))
    served = tf.saved_model.load(str(path)).signatures["transcribe"]
    recordings = [spoken(text, 20 + i).astype(np.float32) for i, text in enumerate(("low", "high middle", "middle low high"))]
    predictor = keras_s2s.load(run)
    batch = predictor.model.source.batch(recordings)
    said = [text.decode() for text in served(waveform=tf.constant(batch))["text"].numpy()]
    assert said == [answer.best for answer in predictor.predict(recordings)] == ["low", "high middle", "middle low high"]


def test_neither_silence_behind_the_end_nor_other_recordings_in_the_batch_change_what_is_heard():
    core = model()
    recordings = [spoken(text, i).astype(np.float32) for i, text in enumerate(("low", "high middle low", "middle high"))]
    together = core.encode(core.source.prepare(tf.constant(np.pad(core.source.batch(recordings), [[0, 0], [0, 999]]))))
    for row, recording in enumerate(recordings):
        alone = core.encode(core.source.prepare(tf.constant(recording[None])))
        steps = alone.outputs.shape[1]
        np.testing.assert_allclose(together.outputs[row, :steps], alone.outputs[0], atol=1e-5)
        assert together.mask[row].numpy().tolist() == [True] * steps + [False] * (together.mask.shape[1] - steps)
        for one, other in zip(together.state, alone.state):
            np.testing.assert_allclose(one[row], other[0], atol=1e-5)


@pytest.mark.parametrize("strides", ["1", "2,2", "3,2", "2,2,2"])
def test_steps_are_counted_as_they_are_made(strides):
    core = model(f"audio.strides={strides}")
    for samples in (321, 3000, 7777):
        recording = (0.1 + spoken("low high middle middle", 5)[:samples]).astype(np.float32)
        prepared = core.source.prepare(tf.constant(recording[None]))
        steps = core.encode(prepared).outputs.shape[1]
        assert core.source.counted([recording]).tolist() == core.source.lengths(prepared).numpy().tolist() == [steps]
        assert len(core.source.names(prepared[0].numpy(), steps)) == core.source.picture(recording)["grid"][1] == steps


def test_samples_of_16_bits_are_those_between_minus_one_and_one():
    source = model().source
    whole = (32768 * spoken("low", 1)).astype(np.int16)
    np.testing.assert_array_equal(source.batch([whole, Item("x.wav", whole / np.float32(32768))])[0], source.batch([whole])[0])
    np.testing.assert_array_equal(source.batch([Item("x.wav", whole / np.float32(32768))]), source.batch([whole]))


def test_what_cannot_be_used_is_named_and_counted(tmp_path):
    data = write_recordings(tmp_path, ["low", "high", "middle low", "high high"])
    (tmp_path / "wavs" / "long.wav").write_bytes(wav.encode(np.full(3 * RATE, 0.1), RATE))
    (tmp_path / "wavs" / "silent.wav").write_bytes(wav.encode(np.zeros(RATE), RATE))
    (tmp_path / "wavs" / "cut.wav").write_bytes((tmp_path / "wavs" / "000.wav").read_bytes()[:700])
    (tmp_path / "wavs" / "empty.wav").write_bytes(b"")
    with open(data, "a") as file:
        file.write("".join(f"wavs/{name}.wav\tlow\n" for name in ("long", "silent", "cut", "empty", "gone")))
    made = begin(tmp_path / "run", config(f"data.train={data}", f"data.dev={data}", *SETTINGS))
    rejects = [line.split("\t")[1:4] for line in (made.path / "rejects.tsv").read_text().splitlines()[1:6]]
    assert [(line, reason) for line, reason, _ in rejects] == [
        ("5", "longer than 2 s (audio.max_seconds)"), ("6", "silent: all samples are 0"), ("7", "cut off"), ("8", "an empty file"),
        ("9", "there is no such file")]
    assert "3.0 s" in rejects[0][2]
    with pytest.raises(CorpusError, match="all 1 are rejected: 1 there is no such file"):
        (tmp_path / "none.tsv").write_text("gone.wav\tlow\n")
        begin(tmp_path / "other", config(f"data.train={tmp_path / 'none.tsv'}", *SETTINGS))


def test_bands_that_are_not_those_of_the_settings_are_refused(tmp_path):
    source = model().source
    source.save(tmp_path)
    tree = json.loads((tmp_path / "source.json").read_text())
    (tmp_path / "source.json").write_text(json.dumps(tree | {"mean": tree["mean"][:-1]}))
    with pytest.raises(ValueError, match="cannot be read: it must tell of 16 bands .audio.mels.. Copy the whole run directory again"):
        SOURCES["audio"].load(source.config, tmp_path)


def test_training_that_is_stopped_and_resumed_ends_in_the_same_bits(tmp_path):
    data = write_recordings(tmp_path / "data", sayings(40, 3))
    settings = [*HEARD, "model.units=8", "model.embedding_dim=8", "train.epochs=3", "train.batch_tokens=100", "train.save_every_steps=2",
                "train.parts=1", "train.warmup_steps=2"]
    arguments = ["--preset", "speech", "--data", data, "--dev", data, "--set", *settings]
    assert Training(tmp_path / "whole", *arguments).end() == 0, (tmp_path / "whole.log").read_text()
    codes = stopped(tmp_path / "run", [signal.SIGTERM], *arguments)
    assert codes == [128 + signal.SIGTERM, 0], (tmp_path / "run.log").read_text()
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_a_batch_of_fewer_recordings_than_parts_is_learnt_from_like_any_other():
    def steps_of(parts):
        keras.utils.set_random_seed(1)
        core, seen = model(f"train.parts={parts}", "model.dropout=0"), []

        def batch(count):
            teaching = core.target.prepare(tf.constant(["low high"] * count))
            raw = core.source.batch([spoken("low high", i).astype(np.float32) for i in range(count)])
            return (core.source.prepare(tf.constant(raw)), teaching.inputs), teaching.outputs, teaching.weights

        one, two, three = (tf.data.Dataset.from_tensors(batch(count)) for count in (1, 2, 3))
        data = one.concatenate(two).concatenate(three).repeat(3)
        TeacherForced(core, 9).fit(data, verbose=0, shuffle=False, callbacks=[Note(seen)])
        return seen

    whole, parted = steps_of(1), steps_of(3)
    assert [step["tokens"] for step in whole] == [3, 6, 9] * 3
    for one, other in zip(whole, parted, strict=True):
        assert other == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("settings, message", [
    (["audio.sample_rate=100"], "`audio.sample_rate` must be between 4000 and 48000; got 100"),
    (["audio.max_seconds=0"], "`audio.max_seconds` must be between 0.1 and 600; got 0"),
    (["audio.mels=2"], "`audio.mels` must be between 4 and 256; got 2"),
    (["audio.speed=1"], "`audio.speed` must be between 0 and 0.5; got 1"),
    (["audio.hop=0.05"], "`audio.hop` must be at most `audio.window` 0.025, so that every sample is heard; got 0.05"),
    (["audio.strides="], "`audio.strides` must name at least one stride between 1 and `audio.kernel` 5, such as 2,2; got "),
    (["audio.strides=2,9"], "`audio.strides` must name at least one stride between 1 and `audio.kernel` 5, such as 2,2; got 2,9"),
    (["audio.frequency_mask=40"], "`audio.frequency_mask` must be below `audio.mels` 40; got 40")])
def test_settings_of_recordings_are_tested_by_their_words(settings, message):
    with pytest.raises(ValueError) as caught:
        PRESETS["speech"][1].set(settings)
    assert message in str(caught.value)


def test_the_preset_is_for_speech():
    made = PRESETS["speech"][1]
    assert made.data.source == "audio" and made.audio == Audio() and made.train.monitor == "wer"
