"""How settings are checked: what is required, what came, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def require(condition: bool, message: str) -> None:
    """Raises ValueError(message) unless `condition`: the form of every check of a setting."""
    if not condition:
        raise ValueError(message)


def choice(section: str, name: str, value: str, choices: Iterable[str]) -> None:
    """Raises ValueError unless a setting is one of some words."""
    choices = tuple(choices)
    require(value in choices, f"`{section}.{name}` must be one of {', '.join(choices)}; got {value!r}."
            + (f" Did you mean {close[0]!r}?" if (close := difflib.get_close_matches(str(value), choices, 1)) else ""))


def between(section: str, name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raises ValueError unless a setting is a number within limits."""
    limits = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
    require(low <= value <= high and value < float("inf"), f"`{section}.{name}` must be {limits}; got {value!r}.")
