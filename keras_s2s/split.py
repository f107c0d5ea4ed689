"""Which rows go where: duplicates, and a split of a corpus that leaves no sentence on two sides.

Sentences are known by 64-bit hashes in numpy arrays, so that millions of rows fit into memory; two of ten million
different sentences share a hash once in 370,000 corpora, and then one row too many is left out or moved.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_s2s.normalize import comparable
from keras_s2s.rows import CorpusError

FEWEST = 20  # pairs from which dev and test sets can be split off
LARGEST_SHARE = 20  # a held-out set is at most one in so many pairs of the corpus


def digest(text: str) -> bytes:
    """The 8 bytes by which a text is known here."""
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def hashes_of(texts: Iterable[str]) -> np.ndarray:
    """The hashes, uint64, of sentences as `comparable` sees them."""
    return np.frombuffer(b"".join(digest(comparable(text)) for text in texts), "<u8")


def overlaps(rows: Any, train: Any) -> np.ndarray:
    """Returns, for each of `rows`, whether its source occurs among those of `train` (bool; case and the like aside)."""
    asked, known = (hashes_of(side.keys()) for side in (rows, train))
    return np.isin(asked, known)


def repeated(hashes: np.ndarray) -> np.ndarray:
    """Returns which elements (bool) equal an earlier one."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    result = np.zeros(len(hashes), bool)
    result[order[1:]] = ordered[1:] == ordered[:-1]
    return result


def components(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns a number for each row, the same for two rows that a chain of shared sources or targets connects.

    Sources and targets are the nodes of a graph, rows its edges. In each round every root that an edge ties to a
    smaller one is hung below it, then all paths are made short (Shiloach and Vishkin, 1982): few rounds for many rows.
    """
    left = np.unique(sources, return_inverse=True)[1].astype(np.int32)
    right = np.unique(targets, return_inverse=True)[1].astype(np.int32) + (left.max(initial=-1) + np.int32(1))
    parent = np.arange(right.max(initial=-1) + 1, dtype=np.int32)
    while True:
        one, other = parent[left], parent[right]
        if np.array_equal(one, other):
            return one
        np.minimum.at(parent, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(above := parent[parent], parent):
            parent = above


def held_out(sources: np.ndarray, targets: np.ndarray, wanted: int, sides: int) -> np.ndarray:
    """Deals rows out so that no source and no target is on two sides: 0 train, 1 and (of two `sides`) 2 held out.

    Whole components move, in the order of their smallest source hash, to the side that has fewest rows until it has
    about `wanted`, or 5 % of the corpus if that is less. The order of the rows plays no part. Components of more than a
    twentieth of a side come last, smallest first, and those larger than a side stay in train.

    Args:
        sources, targets: hashes of the comparable sentences of each row, without duplicate pairs.

    Returns:
        the side of each row, int8.

    Raises:
        CorpusError: too few rows, or rows too connected, to hold any out.
    """
    if len(sources) < FEWEST:
        raise CorpusError(f"at least {FEWEST} different pairs are required to split off dev and test sets; "
                          f"got {len(sources)}. Give a dev set of your own with --dev, or more pairs.")
    wanted = max(1, min(wanted, len(sources) // LARGEST_SHARE))
    _, component, sizes = np.unique(components(sources, targets), return_inverse=True, return_counts=True)
    key = np.full(len(sizes), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(key, component, sources)
    order = np.lexsort((key, np.maximum(sizes, max(1, wanted // 20))))
    side_of = np.zeros(len(sizes), np.int8)
    filled = [(0, side) for side in range(1, sides + 1)]  # a heap: rows so far, side
    for i in order[sizes[order] <= wanted]:
        rows, side = filled[0]
        if rows >= wanted:
            break
        side_of[i] = side
        heapq.heapreplace(filled, (rows + int(sizes[i]), side))
    if filled[0][0] == 0:
        raise CorpusError("no pairs can be held out without leaving their source or target in train: nearly all of the "
                          f"{len(sources):,} pairs are connected by sentences they share. Give a dev set with --dev.")
    return side_of[component]
