"""A double-array trie (Aoe, 1989): strings of bytes -> numbers, as three integer tables that gathers can walk.

From state s, byte b leads to base[s] + b, if check[base[s] + b] == s; value[s] is the number of the string that ends there.
State 0 is the root. Tables are whole numbers: what holds floats would be rounded by quantisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

BYTES = 256


class Tables(NamedTuple):
    """A trie as arrays of one length, in which base[s] + b never falls outside."""

    base: np.ndarray  # [states] int32
    check: np.ndarray  # [states] int32: the state a state is reached from, -1 where there is no state
    value: np.ndarray  # [states] int32: the number of the string that ends here, -1 where none does
    longest: int  # bytes of the longest string


def double_array(strings: Mapping[bytes, int]) -> Tables:
    """Builds the tables of a non-empty set of strings and their numbers (0 or above)."""
    root: dict[int, Any] = {}
    for string, number in strings.items():
        node = root
        for byte in string:
            node = node.setdefault(byte, {})
        node[-1] = number
    base, check, value = [0], [-1], [-1]
    first_free, waiting = 1, [(0, root)]
    while waiting:
        state, node = waiting.pop()
        value[state] = node.get(-1, -1)
        labels = sorted(label for label in node if label >= 0)
        if not labels:
            continue
        offset = _offset(check, first_free, labels)
        base[state] = offset
        for column, filler in ((base, 0), (check, -1), (value, -1)):
            column.extend([filler] * (offset + labels[-1] + 1 - len(column)))
        for label in labels:
            check[offset + label] = state
        while first_free < len(check) and check[first_free] >= 0:
            first_free += 1
        waiting += [(offset + label, node[label]) for label in labels]
    spare = max(base) + BYTES - len(base)
    bases, checks, values = (np.array(column + [filler] * max(0, spare), np.int32)
                             for column, filler in ((base, 0), (check, -1), (value, -1)))
    return Tables(bases, checks, values, max(map(len, strings)))


def _offset(check: list[int], first_free: int, labels: list[int]) -> int:
    """The smallest base under which every label falls on a free state."""
    place = max(first_free, labels[0])
    while True:
        offset = place - labels[0]
        if all(offset + label >= len(check) or (offset + label > 0 and check[offset + label] < 0) for label in labels):
            return offset
        place += 1
