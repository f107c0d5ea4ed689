"""WAV files of every kind that is written come back as what was played; what is none, or broken, is rejected by name."""

import struct

import numpy as np
import pytest

from keras_s2s import wav
from keras_s2s.config import Audio
from keras_s2s.reading import Rejected

RATE = 16000
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def tone(rate=RATE, seconds=0.25, pitch=440.0, loud=0.5):
    return loud * np.sin(2 * np.pi * pitch * np.arange(int(rate * seconds)) / rate)


def packed(samples, tag, bits):
    """Samples between -1 and 1, [N] or [N, channels], as bytes."""
    if tag == FLOAT:
        return samples.astype(f"<f{bits // 8}").tobytes()
    whole = np.round(samples * (2 ** (bits - 1) - 1)).astype(np.int64)
    if bits == 8:
        return (whole + 128).astype(np.uint8).tobytes()
    return whole.astype("<i8").reshape(-1, 1).view(np.uint8).reshape(-1, 8)[:, :bits // 8].tobytes()


def wave_file(samples, rate=RATE, tag=PCM, bits=16, extensible=False, before=b"", size=None):
    """A WAV file written here, not by the code that is tested."""
    samples = np.asarray(samples, float)
    channels, body = samples.shape[1] if samples.ndim > 1 else 1, packed(samples, tag, bits)
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", EXTENSIBLE if extensible else tag, channels, rate, rate * width, width, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, tag) + bytes.fromhex("000000001000800000aa00389b71")
    size = len(body) if size is None else size
    content = b"WAVEfmt " + struct.pack("<I", len(form)) + form + before + b"data" + struct.pack("<I", size) + body
    return b"RIFF" + struct.pack("<I", len(content)) + content


def heard(content, **settings):
    return wav.decode(content, Audio(**settings)) / 32768


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("tag, bits", [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)])
def test_samples_of_every_width_are_heard_as_they_were(tag, bits, extensible):
    samples = heard(wave_file(tone(), tag=tag, bits=bits, extensible=extensible))
    np.testing.assert_allclose(samples, tone()[:len(samples)], atol=0.01 if bits == 8 else 1e-4)
    assert len(tone()) - len(samples) < 20  # all but a last sample that is 0


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_channels_are_mixed_down(bits):
    left, right = tone(), tone(pitch=1000, loud=0.3)
    samples = heard(wave_file(np.stack([left, right], axis=1), bits=bits))
    np.testing.assert_allclose(samples, ((left + right) / 2)[:len(samples)], atol=0.01 if bits == 8 else 1e-4)


@pytest.mark.parametrize("wanted", [8000, 16000])
@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000])
def test_every_rate_is_brought_to_that_of_the_model(rate, wanted):
    samples = heard(wave_file(tone(rate, 0.5), rate), sample_rate=wanted)
    assert abs(len(samples) - 0.5 * wanted) <= 20
    middle = slice(wanted // 10, -wanted // 10)
    np.testing.assert_allclose(samples[middle], tone(wanted, 0.5)[:len(samples)][middle], atol=2e-3)


def test_what_a_rate_cannot_hold_does_not_come_back_as_something_else():
    samples = heard(wave_file(tone(48000, 0.5, pitch=7000), 48000), sample_rate=8000)
    assert np.abs(samples[500:-500]).max() < 0.005


def test_other_chunks_are_passed_over_and_a_size_that_was_never_filled_in_is_the_rest_of_the_file():
    notes = b"LIST" + struct.pack("<I", 5) + b"hello\0"  # an odd one is padded
    samples = heard(wave_file(tone(), before=notes))
    np.testing.assert_array_equal(samples, heard(wave_file(tone())))
    for size in (0, 0xFFFFFFFF):
        np.testing.assert_array_equal(samples, heard(wave_file(tone(), size=size)))
    np.testing.assert_array_equal(samples, heard(wave_file(tone()) + b"LIST\4\0\0\0more"))
    np.testing.assert_array_equal(samples, heard(wave_file(np.append(tone(), np.zeros(500)))))  # nor zeros behind the end


def test_floating_point_beyond_its_range_is_clipped_and_what_is_no_number_is_silence():
    samples = heard(wave_file(np.array([2.0, -2.0, np.nan, np.inf, 0.5] * 200), tag=FLOAT, bits=32))
    np.testing.assert_allclose(samples[:5], [1, -1, 0, 1, 0.5], atol=1e-4)


@pytest.mark.parametrize("content, reason", [
    (b"ID3\3 and so on", "not a WAV file: it begins with ID3\3; ffmpeg -i FILE new.wav converts it"),
    (b"fLaC and so on", "not a WAV file: it begins with fLaC; ffmpeg -i FILE new.wav converts it"),
    (b"hello", "not a WAV file"),
    (b"RIFF\0\0\0\0AVI LIST", "not a WAV file"),
    (b"RIFF\0\0\0\0WAVE", "cut off: no samples follow its head"),
    (wave_file(tone())[:30], "cut off: within its head"),
    (wave_file(tone())[:40], "cut off: no samples follow its head"),
    (wave_file(tone())[:4044], "cut off: 4,000 of 8,000 bytes of samples"),
    (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "a WAV file without a format"),
    (wave_file(np.zeros(0)), "shorter than a frame of 0.025 s (audio.window): 0.0000 s"),
    (wave_file(tone(seconds=0.01)), "shorter than a frame of 0.025 s (audio.window): 0.0100 s"),
    (wave_file(np.zeros(8000)), "silent: all samples are 0: 0.5 s"),
    (wave_file(np.zeros(400), rate=1), "a WAV file must have 1 to 64 channels of 4,000 to 384,000 Hz: 1 of 1 Hz"),
    (wave_file(np.zeros((10, 70))), "a WAV file must have 1 to 64 channels of 4,000 to 384,000 Hz: 70 of 16,000 Hz"),
    (wave_file(tone())[:20] + b"\6" + wave_file(tone())[21:],
     "a WAV file of samples that are not read: write it as PCM: format 6 of 16 bits"),
    (wave_file(tone(8000, 600), 8000, bits=8), "longer than 30 s (audio.max_seconds): 600.0 s")])
def test_what_cannot_be_heard_is_rejected_by_name(content, reason):
    with pytest.raises(Rejected) as why:
        heard(content)
    assert str(why.value) == reason


def test_ten_minutes_are_heard_where_they_are_allowed():
    assert len(heard(wave_file(tone(8000, 600), 8000, bits=8), max_seconds=600, sample_rate=8000)) > 599.9 * 8000


def test_a_file_cut_off_anywhere_is_rejected_and_never_an_error():
    content = wave_file(tone(seconds=0.05), bits=24, extensible=True)
    for end in range(0, len(content), 7):
        with pytest.raises(Rejected):
            heard(content[:end])


def test_what_is_written_is_read_back():
    np.testing.assert_allclose(heard(wav.encode(tone(), RATE)), tone()[:len(heard(wav.encode(tone(), RATE)))], atol=1e-4)
