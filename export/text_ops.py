"""UTF-8 <-> code points and the clean-up of text, in operations that TFLite has built in: fixed shapes, int32.

    bytes [N] --decode--> code points [N] --tidy--> characters and the spaces before them --emit--> bytes [W]

The clean-up is `keras_s2s.normalize`'s (control characters, white space, ends), from its own tables. Of NFC it does the
part that Hindi needs: U+0958-095F come apart, the three letters that take a nukta of their own come together; the rest is
the host's. TFLite has no bitwise `and`, so bits are taken apart by division.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_s2s.normalize import _CONTROLS, _INVISIBLE, _SPACES

NONE = -1  # where no character starts
REPLACEMENT = 0xFFFD
NUKTA = 0x93C
APART = {0x958: 0x915, 0x959: 0x916, 0x95A: 0x917, 0x95B: 0x91C, 0x95C: 0x921, 0x95D: 0x922, 0x95E: 0x92B, 0x95F: 0x92F}
TOGETHER = (0x928, 0x930, 0x933)  # with a nukta they are the next code point

_LEAD_BYTES = ((0x00, 0x7F, 1), (0xC2, 0xDF, 2), (0xE0, 0xEF, 3), (0xF0, 0xF4, 4))
_SECOND_BYTES = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}
_LETTER, _SPACE, _REMOVED = range(3)


def _lead_sizes() -> np.ndarray:
    sizes = np.zeros(256, np.int32)
    for first, last, size in _LEAD_BYTES:
        sizes[first:last + 1] = size
    return sizes


def _kinds() -> np.ndarray:
    """What the clean-up makes of each code point up to its last special one, and of all others in one last entry."""
    kinds = np.zeros(max(last for _, last in _CONTROLS + _INVISIBLE + _SPACES if last < 0xF000) + 2, np.uint8)
    for ranges, kind in ((_SPACES, _SPACE), (_CONTROLS + _INVISIBLE, _REMOVED)):
        for first, last in ranges:
            kinds[first:last + 1] = kind
    return kinds


LEAD_SIZES = _lead_sizes()  # [256]: bytes of the character that a byte begins; 0: none
KINDS = _kinds()
HIGH_REMOVED = tuple(first for first, _ in _INVISIBLE if first >= len(KINDS))  # U+FEFF


class Tidy(NamedTuple):
    """A cleaned text: its characters but the spaces, in order."""

    codes: tf.Tensor  # [N] int32; NONE after the end
    spaced: tf.Tensor  # [N] bool: a space stands before it; the first has none


class Emitted(NamedTuple):
    """A text as bytes again."""

    data: tf.Tensor  # [W] int32, 0 after the end
    length: tf.Tensor  # [] int32, bytes
    starts: tf.Tensor  # [K] int32: where each character begins, the space before it counted to it; W where it has none
    cut: tf.Tensor  # [] bool: not all characters fit


def once(function: Any, *given: tf.Tensor) -> tuple:
    """function(*given), as a loop that runs once.

    A .tflite file knows no function calls, but a loop's body is a subgraph, and equal subgraphs are stored once. So what
    several signatures do alike costs the file nothing after the first.

    Args:
        function: a `tf.function` of tensors that returns a tuple of them; traced once for all calls.
        given: its arguments, of known shapes.
    """
    traced = function.get_concrete_function(*(tf.TensorSpec(x.shape, x.dtype) for x in given))
    empty = (tf.zeros(x.shape, x.dtype) for x in traced.structured_outputs)
    return tf.while_loop(lambda step, *_: step < 1, lambda step, *_: (step + 1, *traced(*given)), (tf.constant(0), *empty))[1:]


def look_up(table: np.ndarray, places: tf.Tensor) -> tf.Tensor:
    """table[places] in int32; in the file, the table is of the smallest type that holds its whole numbers."""
    kind = next(kind for kind in (np.uint8, np.int16, np.int32)
                if np.iinfo(kind).min <= table.min() and table.max() <= np.iinfo(kind).max)
    return tf.cast(tf.gather(table.astype(kind), places), tf.int32)


def after(x: tf.Tensor, steps: int) -> tf.Tensor:
    """x[i + steps] at i, 0 (or False) beyond the end."""
    return tf.concat([x[steps:], tf.zeros([steps], x.dtype)], 0)


def before(x: tf.Tensor, steps: int) -> tf.Tensor:
    """x[i - steps] at i, 0 (or False) before the beginning."""
    return tf.concat([tf.zeros([steps], x.dtype), x[:-steps]], 0)


def pack(values: tf.Tensor, wanted: tf.Tensor, width: int) -> tf.Tensor:
    """The wanted values side by side, 0 after them: [N], [N] bool -> [width]; what does not fit is left out."""
    place = tf.cumsum(tf.cast(wanted, tf.int32)) - 1
    place = tf.where(wanted & (place < width), place, width)
    return tf.scatter_nd(place[:, None], values, [width + 1])[:width]


def decode(data: tf.Tensor, length: tf.Tensor, cut: tf.Tensor, per_byte: bool = False) -> tf.Tensor:
    """UTF-8 [N] int32 -> the code point where a character starts, NONE elsewhere [N].

    What is not UTF-8 becomes U+FFFD, as many as Python's decode("utf-8", "replace") makes: one for each beginning of a
    character that breaks off; or, with `per_byte`, one for each byte, as SentencePiece does.

    Args:
        data: the bytes.
        length: [] int32, how many of them count.
        cut: [] bool, the text went on: a character that breaks off at its end is left out, not replaced.
        per_byte: see above.
    """
    position = tf.range(data.shape[0])
    inside = position < length
    first = tf.where(inside, data, 0)
    second, third, fourth = (after(first, k) for k in (1, 2, 3))
    size = look_up(LEAD_SIZES, first)
    lowest, highest = np.full(256, 0x80, np.int32), np.full(256, 0xBF, np.int32)
    for lead, (low, high) in _SECOND_BYTES.items():
        lowest[lead], highest[lead] = low, high
    has_2 = (size >= 2) & (second >= look_up(lowest, first)) & (second <= look_up(highest, first))
    has_3 = has_2 & (size >= 3) & _trails(third)
    has_4 = has_3 & (size == 4) & _trails(fourth)
    right = 1 + sum(tf.cast(has, tf.int32) for has in (has_2, has_3, has_4))
    whole = right == size
    code = tf.where(size == 1, first, tf.where(
        size == 2, first * 64 + second - 0x3080, tf.where(
            size == 3, first * 4096 + second * 64 + third - 0xE2080,
            first * 262144 + second * 4096 + third * 64 + fourth - 0x3C82080)))
    counted = whole if per_byte else tf.ones_like(whole)
    covered = before(has_2 & counted, 1) | before(has_3 & counted, 2) | before(has_4 & counted, 3)
    broken_off = (size > 0) & tf.logical_not(whole) & (position + right == length) & cut
    end = tf.reduce_min(tf.where(broken_off, position, data.shape[0]))
    return tf.where(inside & tf.logical_not(covered) & (position < end), tf.where(whole, code, REPLACEMENT), NONE)


def _trails(byte: tf.Tensor) -> tf.Tensor:
    return (byte >= 0x80) & (byte <= 0xBF)


def bounded(values: tf.Tensor, most: int) -> tf.Tensor:
    """Values between 0 and `most`. The converter takes `clip_by_value` to 6 for an activation, and has none of integers."""
    return tf.where(values < 0, 0, tf.minimum(values, most))


def tidy(codes: tf.Tensor) -> Tidy:
    """Code points [N], NONE among them -> what `normalize` leaves of them, spaces aside."""
    width = codes.shape[0]
    codes = _apart(codes)
    kind = look_up(KINDS, tf.clip_by_value(codes, 0, len(KINDS) - 1))
    removed = codes < 0
    for code in HIGH_REMOVED:
        removed |= codes == code
    letter = (kind == _LETTER) & tf.logical_not(removed)
    number = tf.cumsum(tf.cast(letter, tf.int32), exclusive=True)  # of letters before it
    space = tf.where((kind == _SPACE) & tf.logical_not(removed) & (number > 0), number, width)
    spaced = tf.scatter_nd(tf.minimum(space, width)[:, None], tf.ones_like(space), [width + 1])[:width] > 0
    return _together(Tidy(pack(codes + 1, letter, width) - 1, spaced))


def _apart(codes: tf.Tensor) -> tf.Tensor:
    """[N] -> [2 N]: behind each letter a nukta, where it is one of the eight that NFC spells with one, or NONE."""
    first = min(APART)
    among = (codes >= first) & (codes <= max(APART))
    bases = np.array([APART[code] for code in sorted(APART)], np.int32)
    letters = tf.where(among, look_up(bases, tf.clip_by_value(codes - first, 0, len(APART) - 1)), codes)
    return tf.reshape(tf.stack([letters, tf.where(among, NUKTA, NONE)], 1), [-1])


def _together(text: Tidy) -> Tidy:
    base = tf.zeros_like(text.spaced)
    for code in TOGETHER:
        base |= text.codes == code
    joined = base & (after(text.codes, 1) == NUKTA) & tf.logical_not(after(text.spaced, 1))
    codes = tf.where(joined, text.codes + 1, text.codes)
    return text._replace(codes=tf.where(before(joined, 1), NONE, codes))


def emit(codes: tf.Tensor, spaced: tf.Tensor, width: int) -> Emitted:
    """Code points [K], NONE among them, and where a space comes before them [K] bool -> UTF-8 in `width` bytes.

    A character that does not fit whole ends the text.
    """
    real = codes >= 0
    size = 1 + sum(tf.cast(codes >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000))
    sixes = [codes // 64**k for k in range(4)]
    trail = [0x80 + part - 64 * rest for part, rest in zip(sixes[:3], sixes[1:])]  # the last byte first
    lead = tf.where(size == 1, codes, tf.where(size == 2, 0xC0 + sixes[1], tf.where(
        size == 3, 0xE0 + sixes[2], 0xF0 + sixes[3])))
    data = tf.stack([tf.fill(codes.shape, 0x20), lead, trail[2], trail[1], trail[0]], 1)  # [K, 5]
    wanted = tf.stack([spaced & real, real, real & (size == 4), real & (size >= 3), real & (size >= 2)], 1)
    ends = tf.cumsum(tf.reduce_sum(tf.cast(wanted, tf.int32), 1))
    fits = ends <= width
    wanted &= fits[:, None]
    return Emitted(pack(tf.reshape(data, [-1]), tf.reshape(wanted, [-1]), width),
                   tf.reduce_max(tf.where(fits, ends, 0)),
                   tf.where(real & fits, tf.concat([tf.zeros([1], tf.int32), ends[:-1]], 0), width),
                   tf.logical_not(tf.reduce_all(fits)))
