"""Log-mel frames against numpy's Fourier transform, and the little changes of training."""

import numpy as np
import pytest
import tensorflow as tf

from keras_s2s import mel
from keras_s2s.config import Audio

AUDIO = Audio(sample_rate=8000, mels=20)
SEED = tf.constant([3, 4], tf.int64)


def sound(samples=4000, rows=1, seed=0):
    """Noise and a tone, never 0."""
    random, time = np.random.default_rng(seed), np.arange(samples) / 8000
    made = 0.3 * np.sin(2 * np.pi * (300 + 200 * np.arange(rows)[:, None]) * time) + 0.05 * random.normal(size=(rows, samples))
    return np.where(made == 0, 1e-3, made).astype(np.float32)


def reference(samples, audio):
    """The same by numpy, in 64 bits, with bands drawn as the books do: O'Shaughnessy's scale, triangles of height 1."""
    window, hop = round(audio.window * audio.sample_rate), round(audio.hop * audio.sample_rate)
    points = 2 ** int(np.ceil(np.log2(window)))
    count = -(-len(samples) // hop)
    padded = np.append(samples.astype(np.float64), np.zeros(window))
    bell = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power = np.abs(np.fft.rfft([padded[i * hop:i * hop + window] * bell for i in range(count)], points)) ** 2
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + audio.sample_rate / 1400), audio.mels + 2) / 2595) - 1)
    places = np.fft.rfftfreq(points, 1 / audio.sample_rate)
    bands = np.array([np.interp(places, edges[i:i + 3], [0, 1, 0]) for i in range(audio.mels)])
    return np.log(np.maximum(power @ bands.T, mel.SOFTEST))


@pytest.mark.parametrize("settings", [{}, {"window": 0.032, "hop": 0.016}, {"sample_rate": 16000, "mels": 40}])
def test_frames_are_those_of_numpys_fourier_transform(settings):
    audio = Audio(**{"sample_rate": 8000, "mels": 20, **settings})
    samples = sound(5001)
    found = mel.log_mel(tf.constant(samples), audio, tf.constant(mel.frames_of(5001, audio)))
    np.testing.assert_allclose(found[0], reference(samples[0], audio), atol=2e-3)


def test_a_tone_is_loudest_in_the_band_about_its_pitch():
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), AUDIO.mels + 2) / 2595) - 1)
    for band in (3, 9, 16):
        samples = np.sin(2 * np.pi * edges[band + 1] * np.arange(2000) / 8000).astype(np.float32)[None] + 1e-6
        found = mel.log_mel(tf.constant(samples), AUDIO, tf.constant(10)).numpy()[0, 4]
        assert found.argmax() == band


def test_zeros_behind_the_end_change_no_frame_and_no_end():
    samples = sound(3000, rows=2)
    longer = np.pad(samples, [[0, 0], [0, 1777]])
    frames = tf.constant(mel.frames_of(3000, AUDIO))
    np.testing.assert_allclose(mel.log_mel(tf.constant(samples), AUDIO, frames), mel.log_mel(tf.constant(longer), AUDIO, frames),
                               atol=1e-5)
    assert mel.ends(tf.constant(longer)).numpy().tolist() == [3000, 3000]
    assert mel.ends(tf.zeros([2, 50])).numpy().tolist() == [0, 0]


def test_disturbing_is_a_pure_function_of_the_seed_and_within_its_bounds():
    samples = tf.constant(np.pad(sound(4000, rows=16), [[0, 0], [0, 400]]))
    one, same, other = (mel.disturbed(samples, AUDIO, seed).numpy() for seed in (SEED, SEED, SEED + 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.05
    ends = mel.ends(tf.constant(one)).numpy()
    assert len(set(ends.tolist())) > 8 and one.shape[1] >= ends.max()
    assert ends.min() >= (4000 - AUDIO.shift * 8000) / (1 + AUDIO.speed) - 2 and ends.max() <= 4000 / (1 - AUDIO.speed) + 1
    loud, plain = np.abs(one).max(axis=1), np.abs(samples.numpy()).max(axis=1)
    assert (loud < plain * 10 ** (AUDIO.gain / 20) * 1.5).all() and np.ptp(loud) > 0.1


def test_a_change_that_is_0_is_none():
    audio = Audio(sample_rate=8000, speed=0, gain=0, shift=0, noise=0)
    samples = sound(1000, rows=3)
    np.testing.assert_allclose(mel.disturbed(tf.constant(samples), audio, SEED), samples, atol=1e-6)


def test_speed_raises_the_pitch():
    audio = Audio(sample_rate=8000, speed=0.2, gain=0, shift=0, noise=0)
    samples = np.tile(np.sin(2 * np.pi * 400 * np.arange(8000) / 8000).astype(np.float32) + 1e-6, (8, 1))
    found = mel.disturbed(tf.constant(samples), audio, SEED).numpy()
    for row, end in zip(found, mel.ends(tf.constant(found)).numpy()):
        pitch = np.abs(np.fft.rfft(row[:end])).argmax() * 8000 / end
        assert pitch == pytest.approx(400 * 8000 / end, rel=0.02) and 300 < pitch < 500


def test_masks_take_whole_stretches_and_bands_and_at_most_their_share():
    audio = Audio(sample_rate=8000, mels=20, time_masks=1, frequency_masks=1, frequency_mask=5, time_mask=0.1)
    features, lengths = tf.ones([64, 50, 20]), tf.fill([64], 50)
    found = mel.masked(features, lengths, audio, SEED).numpy()
    np.testing.assert_array_equal(found, mel.masked(features, lengths, audio, SEED))
    frames, bands = (found == 0).all(axis=2).sum(axis=1), (found == 0).all(axis=1).sum(axis=1)
    assert 0 < frames.max() <= 10 and 0 < bands.max() <= 5 and len(set(frames.tolist())) > 3
    kept = np.outer(np.ones(50), np.ones(20))[None] * ~(found == 0).all(axis=2)[:, :, None] * ~(found == 0).all(axis=1)[:, None]
    np.testing.assert_array_equal(found, kept)
