"""Pairs -> shuffled, length-bucketed, padded batches, each a pure function of (seed, step).

Rows of like length share a batch, so that little is padded; a batch holds about `batch_tokens` steps, so that every batch
costs about the same. Which rows make batch number `step` follows from the seed alone: a run resumed at step 1,234 reads
exactly what it would have read, without replaying anything.

Where augmentation draws another length for a row each time, rows are prepared a pool of batches at a time, and the pool is cut
into its batches by the lengths that were drawn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_s2s.kinds import Kind
from keras_s2s.sources import Source
from keras_s2s.targets import Target, Teaching

GROWTH = 1.1  # ratio of two neighbouring bucket lengths
POOL = 24  # batches prepared at once where lengths are drawn: 4 of 5 steps of their batches are real, of single ones half


class Batches:
    """Which rows make up each batch.

    Args:
        lengths: [N, 2] steps of source and target of each row.
        batch_tokens: steps of the longer side of a batch, padding included.
        seed: of the shuffling.
        pool: batches that are prepared at once.

    Memory: 12 bytes a row.
    """

    def __init__(self, lengths: np.ndarray, batch_tokens: int, seed: int, pool: int = 1):
        longest = np.maximum(1, lengths.max(axis=1))
        self.seed, self.pool = seed, pool
        self.buckets = []  # rows and batch size of each bucket
        bounds = _bounds(int(longest.max()))
        of_row = np.searchsorted(bounds, longest)
        for i in np.unique(of_row):
            self.buckets.append((np.nonzero(of_row == i)[0].astype(np.int32), max(1, batch_tokens // int(bounds[i]))))
        self.steps_per_epoch = sum(-(-len(rows) // size) for rows, size in self.buckets)
        self.pools_per_epoch = -(-self.steps_per_epoch // pool)

    def rows_of(self, step: int) -> np.ndarray:
        """Row numbers planned for batch `step`, counted from 0 through all epochs; those of a pool are dealt out anew."""
        epoch, place = divmod(int(step), self.steps_per_epoch)
        return self._epoch(epoch)[place]

    def pool_of(self, step: int) -> tuple[int, int]:
        """The pool that batch `step` is of, counted through all epochs, and how many of its batches come before."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return epoch * self.pools_per_epoch + place // self.pool, place % self.pool

    def steps_of(self, pool: int) -> range:
        """The batches of a pool; no pool goes on into the next epoch."""
        epoch, place = divmod(int(pool), self.pools_per_epoch)
        first, end = epoch * self.steps_per_epoch + place * self.pool, (epoch + 1) * self.steps_per_epoch
        return range(first, min(first + self.pool, end))

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


def measure(rows: Any, source: Source, target: Target, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Lengths [N, 2] int32 of source and target in steps, the target's with its EOS; prepares each row once, unless the rows
    know them."""
    if (known := rows.lengths()) is not None:
        return known

    @tf.function(input_signature=[source.stored], autograph=False)
    def source_lengths(raw):
        return source.lengths(source.prepare(raw))

    @tf.function(input_signature=[target.signature], autograph=False)
    def target_lengths(raw):
        return target.prepare(raw).lengths()

    parts = []
    for chunk in _chunks(len(rows), 2048):
        sources, targets = rows.read(chunk)
        counted = source.counted(sources)
        counted = source_lengths(_array(source, sources, source.stored)).numpy() if counted is None else counted
        parts.append(np.stack([counted, target_lengths(_array(target, targets, target.signature)).numpy()], axis=1))
        if progress:
            progress(int(chunk[-1]) + 1, len(rows))
    return np.concatenate(parts)


def training_batches(rows: Any, batches: Batches, source: Source, target: Target, first: int, last: int) -> tf.data.Dataset:
    """Batches `first` to `last` as `fit` takes them: ((source, target_in), target_out, weights)."""
    def read(pool: int) -> tuple[np.ndarray, np.ndarray, np.int64]:
        steps = batches.steps_of(pool)
        numbers = np.concatenate([batches.rows_of(step) for step in steps])
        return *_raws(rows, numbers, source, target), np.int64(len(steps))

    @tf.autograph.experimental.do_not_convert
    def prepare(pool: tf.Tensor) -> Any:
        sources, targets, count = tf.numpy_function(read, [pool], [source.stored.dtype, target.signature.dtype, tf.int64])
        sources.set_shape(source.stored.shape)
        targets.set_shape(target.signature.shape)
        seed = tf.stack([tf.constant(batches.seed, tf.int64), pool * 2])
        prepared, teaching = source.prepare(sources, seed), target.prepare(targets, seed + tf.constant([0, 1], tf.int64))
        longest = tf.maximum(source.lengths(prepared), teaching.lengths())
        order, sizes = tf.numpy_function(deal, [longest, count, seed], [tf.int64, tf.int64])
        order.set_shape([None])
        sizes.set_shape([None])
        return prepared, teaching, tf.RaggedTensor.from_row_lengths(order, sizes)

    @tf.autograph.experimental.do_not_convert
    def cut(prepared: Any, teaching: Teaching, parts: tf.RaggedTensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(parts).map(
            tf.autograph.experimental.do_not_convert(
                lambda part: _example(source.trim(tf.gather(prepared, part)), teaching.part(part))))

    (pool, before), (final, _) = batches.pool_of(first), batches.pool_of(last - 1)
    pools = tf.data.Dataset.range(pool, final + 1).map(prepare, num_parallel_calls=2, deterministic=True).prefetch(1)
    return pools.flat_map(cut).skip(before).take(last - first).prefetch(4)


def deal(lengths: np.ndarray, count: int, seed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deals rows out to batches of like length and like sums of lengths.

    Args:
        lengths: steps of each row [R].
        count: batches to make, at most R.
        seed: int64 [2], of the order of the batches.

    Returns:
        row numbers, batch after batch [R], and the rows of each batch [count], at least 1.
    """
    order = np.argsort(lengths, kind="stable")
    sums, number = np.cumsum(np.maximum(1, lengths[order])), np.arange(1, count)
    ends = np.clip(np.searchsorted(sums, sums[-1] * number / count), number, len(order) - count + number)
    parts = np.split(order, np.maximum.accumulate(ends - number) + number)
    random = np.random.Generator(np.random.Philox(key=seed.astype(np.uint64)))
    parts = [parts[i] for i in random.permutation(int(count))]
    return np.concatenate(parts), np.array([len(part) for part in parts], np.int64)


def scoring_batches(rows: Any, lengths: np.ndarray, batch_tokens: int, source: Source, target: Target) -> tf.data.Dataset:
    """Every row once, in order of length, without augmentation: for the dev loss."""
    def read() -> Iterator[tuple[Any, Any]]:
        for part in by_length(lengths.max(axis=1), batch_tokens):
            yield _raws(rows, part, source, target)

    raws = tf.data.Dataset.from_generator(read, output_signature=(source.stored, target.signature))
    prepare = tf.autograph.experimental.do_not_convert(lambda s, t: _example(source.prepare(s), target.prepare(t)))
    return raws.map(prepare).prefetch(2)


def by_length(lengths: np.ndarray, batch_tokens: int, most: int | None = None) -> Iterator[np.ndarray]:
    """Row numbers in batches of like length, the longest first, each of at most `batch_tokens` padded steps and `most` rows."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, min(batch_tokens // max(1, int(lengths[order[start]])), most or len(order)))
        yield order[start:start + size]
        start += size


def _example(prepared: Any, teaching: Teaching) -> Any:
    return (prepared, teaching.inputs), teaching.outputs, teaching.weights


def _raws(rows: Any, numbers: np.ndarray, source: Source, target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Raw sources and targets of rows, as arrays of their signatures."""
    sources, targets = rows.read(numbers)
    return _array(source, sources, source.stored), _array(target, targets, target.signature)


def _array(kind: Kind, raws: Any, spec: tf.TensorSpec) -> np.ndarray:
    return np.asarray(kind.batch(raws), spec.dtype.as_numpy_dtype)


def _chunks(total: int, size: int) -> Iterator[np.ndarray]:
    for start in range(0, total, size):
        yield np.arange(start, min(start + size, total))
