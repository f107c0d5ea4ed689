"""WAV files -> samples of one channel at the rate that a model hears: PCM of 8 to 32 bits, and floating point.

What is no such file, is cut off or holds nothing is rejected by name. Python's `wave` knows no floating point, and takes a file
that is cut off for a shorter one.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from keras_s2s.kind_settings import Audio
from keras_s2s.reading import Rejected

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # what samples are: the format tags of RIFF
UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # of a data chunk whose writer could not go back
RATES = (4000, 384_000)


class Format(NamedTuple):
    """What a file says of its samples."""

    tag: int
    channels: int
    rate: int
    bits: int


def decode(content: bytes, audio: Audio) -> np.ndarray:
    """A WAV file's bytes -> int16 [N] at `audio.sample_rate`, without silence of zeros at its end.

    Raises:
        Rejected: no WAV file, cut off, of a kind that is not read, silent, too short, too long.
    """
    form, data = chunks(content)
    seconds = len(data) // (form.channels * form.bits // 8) / form.rate
    if seconds > audio.max_seconds:
        raise Rejected(f"longer than {audio.max_seconds:g} s (audio.max_seconds)", f"{seconds:.1f} s")
    if seconds < audio.window:
        raise Rejected(f"shorter than a frame of {audio.window:g} s (audio.window)", f"{seconds:.4f} s")
    samples = resampled(mixed(form, data), form.rate, audio.sample_rate)
    result = np.clip(np.round(32768 * samples), -32768, 32767).astype(np.int16)
    heard = np.flatnonzero(result)
    if not len(heard):
        raise Rejected("silent: all samples are 0", f"{seconds:.1f} s")
    return result[:heard[-1] + 1]


def chunks(content: bytes) -> tuple[Format, bytes]:
    """The format and the samples of a file."""
    if content[:4] == b"RIFX" or content[:4] in (b"RF64", b"fLaC", b"OggS", b"FORM") or content[:3] == b"ID3":
        raise Rejected("not a WAV file", f"it begins with {content[:4].decode('latin-1')}; ffmpeg -i FILE new.wav converts it")
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise Rejected("not a WAV file")
    form, place = None, 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        body = content[place + 8:place + 8 + size]
        if name == b"fmt ":
            form = described(body)
        if name == b"data":
            if form is None:
                raise Rejected("a WAV file without a format")
            if size in UNKNOWN_SIZES:
                body = content[place + 8:]
            elif len(body) < size:
                raise Rejected("cut off", f"{len(body):,} of {size:,} bytes of samples")
            width = form.channels * form.bits // 8
            return form, body[:len(body) // width * width]
        place += 8 + size + size % 2
    raise Rejected("cut off", "no samples follow its head")


def described(body: bytes) -> Format:
    """What a format chunk says."""
    if len(body) < 16:
        raise Rejected("cut off", "within its head")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack_from("<H", body, 24)[0]
    if (tag, bits) not in {(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)}:
        raise Rejected("a WAV file of samples that are not read: write it as PCM", f"format {tag} of {bits} bits")
    if not 1 <= channels <= 64 or not RATES[0] <= rate <= RATES[1]:
        low, high = RATES
        raise Rejected(f"a WAV file must have 1 to 64 channels of {low:,} to {high:,} Hz", f"{channels} of {rate:,} Hz")
    return Format(tag, channels, rate, bits)


def mixed(form: Format, data: bytes) -> np.ndarray:
    """Samples between -1 and 1, the mean of the channels, float32 [N]."""
    if form.tag == FLOAT:
        read = np.frombuffer(data, f"<f{form.bits // 8}").astype(np.float32)
        samples: np.ndarray = np.nan_to_num(read, posinf=1.0, neginf=-1.0)
    elif form.bits == 8:
        samples = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    elif form.bits == 24:  # a byte of zeros below each makes it one of 32 bits
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        samples = wide.view("<i4")[:, 0].astype(np.float32) / 2.0 ** 31
    else:
        samples = np.frombuffer(data, f"<i{form.bits // 8}").astype(np.float32) / 2.0 ** (form.bits - 1)
    return samples.reshape(-1, form.channels).mean(axis=1)


def resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The same sound at another rate, what the rate cannot hold filtered out."""
    if rate == wanted:
        return samples
    import soxr

    return soxr.resample(samples, rate, wanted)


def encode(samples: np.ndarray, rate: int) -> bytes:
    """Samples between -1 and 1 -> a WAV file of 16 bits, one channel."""
    body = np.clip(np.round(32768 * np.asarray(samples, np.float64)), -32768, 32767).astype("<i2").tobytes()
    head = struct.pack("<HHIIHH", PCM, 1, rate, 2 * rate, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack(
        "<I", len(body)) + body
