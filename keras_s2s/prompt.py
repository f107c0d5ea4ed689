"""A line that is typed on a terminal, and below it, at every key, what may come next.

    > The cat sat on the
      mat 31 %   floor 12 %   bed 9 %             Tab takes the first

Knows no model, only a function from a text to words with probabilities. Where there is no POSIX terminal, `able` says so.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = tty = None  # type: ignore[assignment]

TAKE, ENTER, ESCAPE, END = "\t", ("\r", "\n"), "\x1b", "\x04"
MIDDLE = [bytes([byte]) for byte in b"[O;0123456789"]  # of what follows ESC; any other byte is the last
ERASE, ERASE_WORD, ERASE_LINE = ("\x7f", "\b"), "\x17", "\x15"

Offers = Callable[[str], list[tuple[str, float]]]


def able() -> bool:
    """Whether standard input and standard error are a terminal whose lines can be drawn anew."""
    return bool(termios) and sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def ask(offers: Offers, source: Any = None, screen: Any = None) -> str | None:
    """Reads a line; None at Ctrl-D on an empty one, or where the terminal has gone.

    Args:
        offers: text typed so far -> words that may follow, or complete its last one, with their probabilities.
        source: the terminal's file to read from; standard input.
        screen: to draw on; standard error.
    """
    descriptor, screen = (source or sys.stdin).fileno(), screen or sys.stderr
    text = ""
    with raw(descriptor):
        _draw(screen, text, offers(text))
        for key in _keys(descriptor):
            if key in ENTER or key == END:
                _draw(screen, text, [])
                screen.write("\n")
                screen.flush()
                return text if key in ENTER or text else None
            text = _after(text, key, offers)
            if not _waiting(descriptor, 0):  # whoever types fast waits for nothing
                _draw(screen, text, offers(text))
    return None


@contextlib.contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Within, keys come one by one and are not shown; Ctrl-C still interrupts."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSADRAIN)  # what was typed ahead stays
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal was closed
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _keys(descriptor: int) -> Iterator[str]:
    """Characters as they are typed; arrows and the like are left out."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := _read(descriptor):
        for character in decoder.decode(data):
            if character == ESCAPE:
                while _waiting(descriptor, 0.02) and _read(descriptor) in MIDDLE:
                    pass
            else:
                yield character


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1)
    except OSError:  # the terminal was closed
        return b""


def _waiting(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


def _after(text: str, key: str, offers: Offers) -> str:
    """The text after a key."""
    if key == TAKE:
        found = offers(text)
        return text[:text.rfind(" ") + 1] + found[0][0] + " " if found else text
    if key in ERASE:
        return text[:-1]
    if key == ERASE_WORD:
        return text.rstrip()[:text.rstrip().rfind(" ") + 1]
    if key == ERASE_LINE:
        return ""
    return text + key if key.isprintable() or unicodedata.category(key) == "Cf" else text  # ZWJ is typed in Hindi


def _draw(screen: Any, text: str, found: list[tuple[str, float]]) -> None:
    """The line below first, so that the cursor is left behind the text."""
    columns = shutil.get_terminal_size().columns
    below = ""
    for word, p in found:
        more = f"  {word} {100 * p:.0f} %"
        if _width(below + more) >= columns:
            break
        below += more
    shown = "> " + text
    while _width(shown) >= max(columns, 8):
        shown = "> …" + shown[4:]
    screen.write(f"\r\x1b[J\n\x1b[2m{below}\x1b[0m\x1b[A\r{shown}")
    screen.flush()


def _width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(0 if unicodedata.category(sign) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(sign) in "WF")
               for sign in text)
