"""Ctrl-C, SIGTERM and a closed terminal: work ends at the next good place, with a message and the right exit status."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, TypeVar

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
Item = TypeVar("Item")


class Stopped(KeyboardInterrupt):
    """A signal asked to stop.

    Args:
        number: the signal.
        saved: what is to be said of the work done so far.
    """

    def __init__(self, number: int, saved: str = ""):
        super().__init__(f"stopped by {'Ctrl-C' if number == signal.SIGINT else signal.Signals(number).name}{saved}.")
        self.number = number


@contextlib.contextmanager
def handled(handler: Callable[[int, Any], Any]) -> Iterator[None]:
    """Within, `handler` hears of the signals that ask to stop; those that are ignored (nohup, a shell's &) stay so."""
    numbers = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():  # Python handles signals in the main thread alone
        numbers = []
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def broken_off() -> Iterator[None]:
    """Within, a signal breaks off the work at hand with Stopped, also where a library makes an error of its own of that, as
    NumPy's `tofile` does."""
    came: list[int] = []

    def stop(number: int, frame: Any) -> NoReturn:
        came.append(number)
        raise Stopped(number)

    try:
        with handled(stop):
            yield
    except Exception:
        if came:
            raise Stopped(came[-1]) from None
        raise


class Signals:
    """Notes a signal, for work that asks now and then whether to stop; a second one breaks it off at once."""

    def __init__(self) -> None:
        self.number = 0

    def note(self, number: int, frame: Any) -> None:
        """A handler."""
        if self.number:
            raise KeyboardInterrupt
        self.number = number

    def check(self) -> None:
        """Raises Stopped if a signal has come."""
        if self.number:
            raise Stopped(self.number)

    def between(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields the items, and checks before each."""
        for item in items:
            self.check()
            yield item
