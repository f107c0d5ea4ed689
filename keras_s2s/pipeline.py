"""Pairs -> shuffled, length-bucketed, padded batches, each a pure function of (seed, step).

Rows of like length share a batch, so that little is padded; a batch holds about `batch_tokens` steps, so that every batch
costs about the same. Which rows make batch number `step` follows from the seed alone: a run resumed at step 1,234 reads
exactly what it would have read, without replaying anything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_s2s.corpus import Rows
from keras_s2s.sources import Source
from keras_s2s.targets import Target, Teaching

GROWTH = 1.1  # ratio of two neighbouring bucket lengths


class Batches:
    """Which rows make up each batch.

    Args:
        lengths: [N, 2] steps of source and target of each row.
        batch_tokens: steps of the longer side of a batch, padding included.
        seed: of the shuffling.

    Memory: 12 bytes a row.
    """

    def __init__(self, lengths: np.ndarray, batch_tokens: int, seed: int):
        longest = np.maximum(1, lengths.max(axis=1))
        self.seed = seed
        self.buckets = []  # rows and batch size of each bucket
        bounds = _bounds(int(longest.max()))
        of_row = np.searchsorted(bounds, longest)
        for i in np.unique(of_row):
            self.buckets.append((np.nonzero(of_row == i)[0].astype(np.int32), max(1, batch_tokens // int(bounds[i]))))
        self.steps_per_epoch = sum(-(-len(rows) // size) for rows, size in self.buckets)

    def rows_of(self, step: int) -> np.ndarray:
        """Row numbers of batch `step`, counted from 0 through all epochs."""
        epoch, place = divmod(int(step), self.steps_per_epoch)
        return self._epoch(epoch)[place]

    @functools.lru_cache(maxsize=2)  # the prefetching thread may be an epoch ahead
    def _epoch(self, epoch: int) -> list[np.ndarray]:
        random = np.random.Generator(np.random.Philox(key=[self.seed, epoch]))
        batches = []
        for rows, size in self.buckets:
            shuffled = random.permutation(rows)
            batches += [shuffled[i:i + size] for i in range(0, len(rows), size)]
        return [batches[i] for i in random.permutation(len(batches))]


def _bounds(longest: int) -> np.ndarray:
    """Bucket lengths 1, 2, ... growing by GROWTH, the last one `longest` or above."""
    bounds = [1]
    while bounds[-1] < longest:
        bounds.append(max(bounds[-1] + 1, int(bounds[-1] * GROWTH)))
    return np.array(bounds)


def measure(rows: Rows, source: Source, target: Target, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Lengths [N, 2] int32 of source and target in steps, the target's with its EOS; prepares each row once."""
    @tf.function(input_signature=[source.signature, target.signature])
    def lengths(sources, targets):
        return source.lengths(source.prepare(sources)), tf.reduce_sum(tf.cast(target.prepare(targets).weights, tf.int32), 1)

    parts = []
    for chunk in _chunks(len(rows), 2048):
        parts.append(np.stack([part.numpy() for part in lengths(*_texts(rows, chunk))], axis=1))
        if progress:
            progress(int(chunk[-1]) + 1, len(rows))
    return np.concatenate(parts)


def training_batches(rows: Rows, batches: Batches, source: Source, target: Target, first: int, last: int) -> tf.data.Dataset:
    """Batches `first` to `last` as `fit` takes them: ((source, target_in), target_out, weights)."""
    def read(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        sources, targets = tf.numpy_function(lambda s: _texts(rows, batches.rows_of(s)), [step], [tf.string, tf.string])
        sources.set_shape([None])
        targets.set_shape([None])
        return sources, targets

    def prepare(step: tf.Tensor) -> Any:
        sources, targets = read(step)
        seed = tf.stack([tf.constant(batches.seed, tf.int64), step * 2])
        return _example(source.prepare(sources, seed), target.prepare(targets, seed + tf.constant([0, 1], tf.int64)))

    return tf.data.Dataset.range(first, last).map(prepare, num_parallel_calls=2, deterministic=True).prefetch(4)


def scoring_batches(rows: Rows, lengths: np.ndarray, batch_tokens: int, source: Source, target: Target) -> tf.data.Dataset:
    """Every row once, in order of length, without augmentation: for the dev loss."""
    def read() -> Iterator[tuple[Any, Any]]:
        for part in by_length(lengths.max(axis=1), batch_tokens):
            yield _texts(rows, part)

    texts = tf.data.Dataset.from_generator(read, output_signature=(source.signature, target.signature))
    return texts.map(lambda s, t: _example(source.prepare(s), target.prepare(t))).prefetch(2)


def by_length(lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Row numbers in batches of like length, the longest first, each of at most `batch_tokens` padded steps."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, int(lengths[order[start]])))
        yield order[start:start + size]
        start += size


def _example(prepared: Any, teaching: Teaching) -> Any:
    return (prepared, teaching.inputs), teaching.outputs, teaching.weights


def _texts(rows: Rows, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sources, targets = rows.read(numbers)
    return np.array(sources, object), np.array(targets, object)


def _chunks(total: int, size: int) -> Iterator[np.ndarray]:
    for start in range(0, total, size):
        yield np.arange(start, min(start + size, total))
