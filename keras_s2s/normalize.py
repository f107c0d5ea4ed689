"""Unicode clean-up, the same in Python and in-graph: what a model was trained on is what it is served.

    normalize("  cafe\\u0301\\u00a0au\\tlait ") == "café au lait"
    normalize_in_graph(tf.constant(["cafe\\u0301"])) -> [b"caf\\xc3\\xa9"]

In this order: control characters, U+FEFF and U+200B go; every run of white space becomes one space, as does U+2581, which
is how a vocabulary writes a space; the ends are stripped; NFC is made, last because a character taken out can bring a letter
and its accent together. The zero-width joiners U+200C and U+200D stay: Devanagari and Persian are spelt with them. The result
never holds a TAB, CR or LF.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

# Character classes as (first, last): written once, spelt for Python's `re` and for RE2 by `_character_class`.
_SPACES = ((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
           (0x202F, 0x202F), (0x205F, 0x205F), (0x2581, 0x2581), (0x3000, 0x3000))
_CONTROLS = ((0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F))
_INVISIBLE = ((0x200B, 0x200B), (0xFEFF, 0xFEFF))
# Characters that take part in NFC only since Unicode 15 or 16. tensorflow-text (ICU) and newer Pythons know them,
# Python 3.11 (Unicode 14) does not; both sides leave them as they are, so that text comes out the same everywhere.
_NEWER = ((0x0897, 0x0897), (0x105C0, 0x105FF), (0x10D69, 0x10D6D), (0x10EFA, 0x10EFF), (0x11380, 0x113FF),
          (0x11F41, 0x11F42), (0x16100, 0x1613F), (0x16D40, 0x16D7F), (0x1E08F, 0x1E08F), (0x1E4EC, 0x1E4EF),
          (0x1E5EE, 0x1E5EF))


def _character_class(*ranges: tuple[tuple[int, int], ...], form: str = "\\U{:08x}") -> str:
    spell = form.format
    return "[" + "".join(f"{spell(first)}-{spell(last)}" for part in ranges for first, last in part) + "]"


_REMOVED = re.compile(_character_class(_CONTROLS, _INVISIBLE))
_CONTROL = re.compile(_character_class(_CONTROLS))
_SURROGATE = re.compile("[\ud800-\udfff]")
_SINCE_UNICODE_15 = re.compile(f"({_character_class(_NEWER)})")


def normalize(text: str) -> str:
    """Returns `text` in NFC with single spaces and without control characters; idempotent, and always encodable.

    A lone surrogate, which no UTF-8 can hold, becomes U+FFFD.
    """
    if not text.isprintable():  # as no text is that holds a control or invisible character, or a surrogate
        text = _SURROGATE.sub("\ufffd", _REMOVED.sub("", text))
    text = " ".join(text.replace("\u2581", " ").split())  # str.split knows the rest of _SPACES, once U+001C-U+001F are gone
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(unicodedata.normalize("NFC", part) for part in _SINCE_UNICODE_15.split(text))


def normalize_in_graph(texts: Any) -> tf.Tensor:
    """Returns what `normalize` makes of each string, as TensorFlow operations that a SavedModel holds.

    Args:
        texts: a string tensor of any shape, or what makes one; bytes in UTF-8. Others become U+FFFD, as many as
            Python's decode("utf-8", "replace") would make; nothing raises.

    Returns:
        a string tensor of the same shape.
    """
    import tensorflow as tf
    import tensorflow_text

    re2 = functools.partial(_character_class, form="\\x{{{:x}}}")
    texts = tf.strings.unicode_transcode(tf.convert_to_tensor(texts, tf.string), "UTF-8", "UTF-8", errors="replace")
    texts = tf.strings.regex_replace(texts, re2(_CONTROLS, _INVISIBLE), "")
    texts = tf.strings.regex_replace(texts, re2(_SPACES) + "+", " ")
    texts = tf.strings.regex_replace(texts, "^ | $", "")
    # A control character on either side keeps NFC from touching what Python's tables may lack; none was left before.
    texts = tf.strings.regex_replace(texts, f"({re2(_NEWER)})", "\x01\\1\x01")
    texts = tensorflow_text.normalize_utf8(texts, "NFC")
    return tf.strings.regex_replace(texts, "\x01", "")


def holds_control_characters(text: str) -> bool:
    """Whether `normalize` takes control characters out of `text` (white space such as TAB and CR is not counted)."""
    return _CONTROL.search(text) is not None


def comparable(text: str) -> str:
    """Returns the key under which two sentences are one for a leak-free split: case, punctuation, spaces aside.

    Symbols stay ("C++" is not "C"). A text of nothing but punctuation is its own key.
    """
    text = normalize(text)
    return normalize(text.casefold().translate(_WITHOUT_PUNCTUATION)) or text


class _WithoutPunctuation(dict[int, int | None]):
    """For `str.translate`: takes out the characters of the Unicode categories P*, each looked up when first met."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if unicodedata.category(chr(code)).startswith("P") else code
        return self[code]


_WITHOUT_PUNCTUATION = _WithoutPunctuation()
