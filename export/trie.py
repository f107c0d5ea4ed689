"""A double-array trie (Aoe, 1989): strings of bytes -> numbers, as three integer tables that gathers can walk.

From state s, byte b leads to base[s] + b, if check[base[s] + b] == s; value[s] is the number of the string that ends there.
State 0 is the root. Tables are whole numbers: what holds floats would be rounded by quantisation.
"""

from __future__ import annotations

import functools
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
    free, waiting = -2, [(0, root)]  # bit s of `free`: state s is not taken; a negative number has ones without end
    while waiting:
        state, node = waiting.pop()
        value[state] = node.get(-1, -1)
        labels = sorted(label for label in node if label >= 0)
        if not labels:
            continue
        fitting = functools.reduce(lambda fits, label: fits & free >> label, labels, -1)
        offset = (fitting & -fitting).bit_length() - 1  # the lowest bit: the smallest base that leads to free states alone
        base[state] = offset
        for column, filler in ((base, 0), (check, -1), (value, -1)):
            column.extend([filler] * (offset + labels[-1] + 1 - len(column)))
        for label in labels:
            check[offset + label] = state
            free ^= 1 << offset + label
        waiting += [(offset + label, node[label]) for label in labels]
    spare = max(base) + BYTES - len(base)
    bases, checks, values = (np.array(column + [filler] * max(0, spare), np.int32)
                             for column, filler in ((base, 0), (check, -1), (value, -1)))
    return Tables(bases, checks, values, max(map(len, strings)))
