"""Loops over steps, in-graph: of records of tensors, with buffers that are written and rows that leave when they are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

LARGEST_BLOCK = 128  # columns that `largest` takes together: the more, the sooner their maximum is found
WORTH = 4  # and the blocks are at least so many times as many as it keeps
CROWDED = 4  # rows that are done leave a loop each time they are one in so many

Tree = Any  # any nest (lists, tuples, dicts) of tensors


def follow(going: Callable[[Any], tf.Tensor], advance: Callable[[Any], Any], first: Any) -> Any:
    """tf.while_loop over one record. A body may forget static shapes, or return a list for a tuple in the state."""
    def body(loop: Any) -> tuple[Any]:
        after = tf.nest.flatten(advance(loop))
        for new, old in zip(after, tf.nest.flatten(loop), strict=True):
            new.set_shape(old.shape)
        return (tf.nest.pack_sequence_as(loop, after),)

    return tf.while_loop(going, body, (first,))[0]


class _Left(NamedTuple):
    """What goes on in a loop that rows leave: n of B."""

    places: tf.Tensor  # [n] int32: where they were among all
    loop: Any  # the record, of n rows
    memory: Tree  # of n rows
    found: Tree  # of all B rows, as far as they are done


def until_done(advance: Callable[[Any, Tree], Any], finish: Callable[[Any], Any], first: Any, memory: Tree,
               times: int = 1) -> Any:
    """Advances a record until all its rows are done.

    Where their number B is open, rows that are done leave, a quarter of them at once, so that the short do not wait for the
    longest: a batch costs little more than its rows do alone.

    Args:
        advance: the record one step on, given the memory of its rows.
        finish: what is found, of a record: any nest of tensors, a row for each.
        first: the record before the first step. Its field t [] counts the steps; `done` [B] is bool; `state` has `times`
            rows for each of the others.
        memory: B rows that stay as they are.
        times: K, of the state.

    Returns:
        what `finish` makes of the record at its end, of all rows in their order.
    """
    if first.done.shape[0] is not None:
        return finish(follow(lambda loop: ~tf.reduce_all(loop.done), lambda loop: advance(loop, memory), first))

    def going(loop: Any) -> tf.Tensor:
        return CROWDED * tf.reduce_sum(tf.cast(loop.done, tf.int32)) < tf.size(loop.done)

    def leave(left: _Left) -> _Left:
        loop = follow(going, lambda loop: advance(loop, left.memory), left.loop)
        found = tf.nest.map_structure(lambda whole, rows: tf.tensor_scatter_nd_update(whole, left.places[:, None], rows),
                                      left.found, finish(loop))
        rows = tf.cast(tf.where(~loop.done)[:, 0], tf.int32)
        kept = take(loop._replace(t=(), state=()), rows)
        return _Left(take(left.places, rows), kept._replace(t=loop.t, state=take(loop.state, side_by_side(rows, times))),
                     take(left.memory, rows), found)

    everyone = _Left(tf.range(row_count(first.done)), first, memory, finish(first))
    return follow(lambda left: tf.size(left.places) > 0, leave, everyone).found


def write(buffer: tf.Tensor, t: tf.Tensor, values: tf.Tensor, axis: int) -> tf.Tensor:
    """The buffer with `values`, which lack its time axis, at step t; by a mask, which converts to TFLite."""
    here = tf.reshape(tf.range(size(buffer, axis)) == t, [-1] + [1] * (buffer.shape.rank - axis - 1))
    return tf.where(here, tf.expand_dims(values, axis), buffer)


def largest(x: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """tf.math.top_k of [N, M]: values and places [N, k], descending, among equals the first; sooner where M is large and known.

    The k largest lie in the k blocks with the largest maxima, and maxima are found many times faster than places.
    """
    columns = x.shape[1] or 1  # 1: not known
    block = max((n for n in range(2, LARGEST_BLOCK + 1) if columns % n == 0 and columns // n >= WORTH * k), default=0)
    if not block:
        return tf.math.top_k(x, k)
    blocks = tf.reshape(x, [-1, columns // block, block])
    kept = tf.sort(tf.math.top_k(tf.reduce_max(blocks, axis=2), k, sorted=False).indices, axis=1)  # in order: ties stay ties
    values, places = tf.math.top_k(tf.reshape(tf.gather(blocks, kept, batch_dims=1), [-1, k * block]), k)
    return values, tf.gather(kept, places // block, batch_dims=1) * block + places % block


def take(tree: Tree, rows: tf.Tensor) -> Tree:
    """Some rows of each tensor."""
    return tf.nest.map_structure(lambda x: tf.gather(x, rows), tree)


def side_by_side(rows: tf.Tensor, times: int) -> tf.Tensor:
    """Where rows [n] are in a tensor that has each of them `times` times: [n * times]."""
    return tf.reshape(rows[:, None] * times + tf.range(times), [-1])


def of_parents(parents: tf.Tensor, times: int) -> tf.Tensor:
    """The same for some of them: the rows [B * n] of `parents` [B, n], each a number below `times`."""
    return tf.reshape(parents + times * tf.range(row_count(parents))[:, None], [-1])


def repeat_rows(tree: Tree, times: int) -> Tree:
    """Each row of each tensor `times` times, side by side: [B, ...] -> [B * times, ...]."""
    return tree if times == 1 else tf.nest.map_structure(lambda x: tf.repeat(x, times, axis=0), tree)


def tensors(tree: Tree) -> Tree:
    return tf.nest.map_structure(tf.convert_to_tensor, tree)


def size(x: tf.Tensor, axis: int) -> Any:
    """The size of an axis: a number where it is fixed, for that is what TFLite converts best."""
    return x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis]


def row_count(x: tf.Tensor) -> Any:
    return size(x, 0)
