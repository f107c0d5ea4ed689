"""Samples -> log-mel frames, in operations that TensorFlow and phones have built in; and the little changes of training.

A frame's spectrum is its product with the cosines and sines of a discrete Fourier transform. They and the bands are computed
where they are used, from whole numbers that come with the samples: constants of a phone file would be rounded to 8 bits, and
with them, by the size of the loudest band, all that is soft.

    mel(f) = 2595 log10(1 + f / 700)        (O'Shaughnessy, 1987)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from keras_s2s.kind_settings import Audio

SOFTEST = 1e-6  # power of a band below which all is silence; that of 16 bits' rounding is 1e-8
LARGEST_MASK = 0.2  # share of a recording that a mask may take
SMALLEST = 1e-6  # of noise: below this nothing is heard


def sizes(audio: Audio) -> tuple[int, int, int]:
    """Samples of a frame, samples from one to the next, samples of the Fourier transform."""
    window = round(audio.window * audio.sample_rate)
    return window, max(1, round(audio.hop * audio.sample_rate)), 1 << (window - 1).bit_length()


def ends(samples: tf.Tensor) -> tf.Tensor:
    """Samples of each recording up to its last that is not 0: [B, N] -> [B] int32."""
    places = tf.range(1, tf.shape(samples)[1] + 1)[None]
    return tf.reduce_max(tf.where(samples != 0, places, 0), axis=1)


def frames_of(samples: Any, audio: Audio) -> Any:
    """Frames of so many samples; works on numbers, arrays and tensors."""
    hop = sizes(audio)[1]
    return (samples + hop - 1) // hop


def log_mel(samples: tf.Tensor, audio: Audio, frames: tf.Tensor) -> tf.Tensor:
    """[B, N] float32 -> natural logarithms of the power in each band [B, F, M], of as many frames F as are asked for.

    A frame begins every `hop` samples; what lies beyond the end is 0.
    """
    window, hop, points = sizes(audio)
    zero = tf.cast(tf.minimum(tf.abs(samples[0, 0]), 0.0), tf.int32)  # known only with the samples, see above
    time, bins = tf.range(window) + zero, tf.range(points // 2 + 1) + zero
    places = (tf.range(frames) * hop)[:, None] + time[None]
    width = tf.shape(samples)[1]
    framed = tf.gather(samples, tf.minimum(places, width - 1), axis=1)  # [B, F, W]
    framed = tf.where(places < width, framed, 0.0)
    turns = tf.math.floormod(time[:, None] * bins[None], points)
    turns = tf.cast(turns, tf.float32) * (2 * math.pi / points)
    bell = 0.5 - 0.5 * tf.cos(tf.cast(time, tf.float32) * (2 * math.pi / window))  # Hann's window
    framed *= bell
    real, imaginary = (tf.linalg.matmul(framed, wave(turns)) for wave in (tf.cos, tf.sin))
    power = real * real + imaginary * imaginary
    loud = tf.linalg.matmul(power, triangles(tf.cast(bins, tf.float32) * (audio.sample_rate / points), audio))
    return tf.math.log(tf.maximum(loud, SOFTEST))


def triangles(frequencies: tf.Tensor, audio: Audio) -> tf.Tensor:
    """How much of each frequency [K], in Hz, is in each band: [K, M], a triangle between its neighbours' middles."""
    top = 2595 * math.log10(1 + audio.sample_rate / 2 / 700)
    edges = (700 * (10 ** (np.linspace(0, top, audio.mels + 2) / 2595) - 1)).astype(np.float32)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies[:, None] - low) / (middle - low)
    falling = (high - frequencies[:, None]) / (high - middle)
    return tf.maximum(0.0, tf.minimum(rising, falling))


def disturbed(samples: tf.Tensor, audio: Audio, seed: tf.Tensor) -> tf.Tensor:
    """Recordings [B, N] begun a little later, spoken faster or slower, louder or softer, with noise: a pure function of the
    seed, and as long as the slowest may be."""
    rows, width = tf.shape(samples)[0], tf.shape(samples)[1]

    def drawn(number: int, low: float, high: float, shape: Any = None) -> tf.Tensor:
        return tf.random.stateless_uniform([rows, 1] if shape is None else shape, tf.random.fold_in(seed, number), low, high)

    length = tf.cast(ends(samples), tf.float32)[:, None]
    late = tf.round(drawn(0, 0.0, audio.shift) * audio.sample_rate) if audio.shift else tf.zeros([rows, 1])
    late = tf.minimum(late, tf.math.floor(length / 2))
    speed = drawn(1, 1 - audio.speed, 1 + audio.speed) if audio.speed else tf.ones([rows, 1])
    new = tf.cast(tf.math.ceil(tf.cast(width, tf.float32) / (1 - audio.speed)), tf.int32)
    places = late + tf.cast(tf.range(new), tf.float32)[None] * speed
    first = tf.cast(tf.math.floor(places), tf.int32)
    between = places - tf.math.floor(places)
    near, far = (tf.gather(samples, tf.minimum(first + i, width - 1), batch_dims=1) for i in (0, 1))
    samples = tf.where(places < length, near + (far - near) * between, 0.0)
    if audio.gain:
        samples *= 10 ** (drawn(2, -audio.gain, audio.gain) / 20)
    if audio.noise:
        loudness = tf.sqrt(tf.reduce_sum(samples ** 2, axis=1, keepdims=True) / tf.maximum(length / speed, 1.0))
        white = tf.random.stateless_normal(tf.shape(samples), tf.random.fold_in(seed, 3))
        samples = tf.where(places < length, samples + drawn(4, 0.0, audio.noise) * loudness * white + SMALLEST, 0.0)
    return samples


def masked(features: tf.Tensor, lengths: tf.Tensor, audio: Audio, seed: tf.Tensor) -> tf.Tensor:
    """Scaled frames [B, F, M] with stretches and ranges of bands put to their mean, 0; a pure function of the seed."""
    rows, steps, bands = tf.unstack(tf.shape(features))
    most = tf.minimum(tf.cast(lengths, tf.float32) * LARGEST_MASK, audio.time_mask / audio.hop)
    for number in range(audio.time_masks):
        features = _without(features, tf.range(steps), tf.cast(lengths, tf.float32), most,
                            tf.random.fold_in(seed, 10 + number), 1)
    for number in range(audio.frequency_masks):
        widest = tf.fill([rows], float(audio.frequency_mask))
        features = _without(features, tf.range(bands), tf.fill([rows], tf.cast(bands, tf.float32)), widest,
                            tf.random.fold_in(seed, 40 + number), 2)
    return features


def _without(features: tf.Tensor, places: tf.Tensor, total: tf.Tensor, widest: tf.Tensor, seed: tf.Tensor,
             axis: int) -> tf.Tensor:
    """Puts a stretch of each row to 0, of a width up to `widest` [B], somewhere within `total` [B], along an axis."""
    drawn = tf.random.stateless_uniform([2, tf.shape(features)[0]], seed)
    width = tf.math.floor(drawn[0] * (widest + 1))
    begin = tf.math.floor(drawn[1] * tf.maximum(total - width + 1, 1))
    place = tf.cast(places, tf.float32)[None]
    out = (place >= begin[:, None]) & (place < (begin + width)[:, None])
    return tf.where(tf.expand_dims(out, 3 - axis), 0.0, features)
