"""Categorical cross-entropy over real tokens: sums and counts, so that padding and replicas never change the mean.

A mean over a padded batch divides by padding as well, and the mean of two replicas' means is not the mean over all
their tokens. So the loss leaves here as a sum and a count, which add up over batches and replicas; one division is
the last step.

Axes: B batch, T target steps, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class TokenLoss(NamedTuple):
    """The loss of each token, already multiplied by its weight, in nats."""

    loss: tf.Tensor  # [B, T] float32: what is minimised, label smoothing included
    unsmoothed: tf.Tensor  # [B, T] float32: -log p(target), the same tensor where there is no smoothing


class LossSums(NamedTuple):
    """Sums over tokens. They add up: over replicas, over the batches of an epoch."""

    loss: tf.Tensor  # [] float32: sum of what is minimised
    unsmoothed: tf.Tensor  # [] float32: sum of -log p(target)
    tokens: tf.Tensor  # [] float32: the sum of the weights, which is the number of real tokens

    @property
    def mean(self) -> tf.Tensor:
        """The loss of a token, in nats; 0 when there was none."""
        return tf.math.divide_no_nan(self.loss, self.tokens)

    @property
    def perplexity(self) -> tf.Tensor:
        """exp of the mean -log p(target): comparable between runs with and without label smoothing."""
        return tf.exp(tf.math.divide_no_nan(self.unsmoothed, self.tokens))


def token_cross_entropy(target: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor,
                        label_smoothing: float = 0.0) -> TokenLoss:
    """Cross-entropy of each token against its target, softened towards all tokens alike by `label_smoothing`.

    With logits z, log Z = log sum_k exp z_k and target y,

        -log p(y) = log Z - z_y
        loss      = -sum_k q_k log p_k = log Z - (1 - e) z_y - e mean_k z_k,   q_k = (1 - e) [k = y] + e / V

    which is label smoothing as in Szegedy et al. (2016), section 7, with u(k) = 1 / V. One log Z serves both, and no
    one-hot target [B, T, V] is ever made.

    Args:
        target: [B, T] int32, the true tokens; any id where the weight is 0.
        logits: [B, T, V] of any float type; computed in float32, so that float16 neither overflows nor rounds away.
        weights: [B, T], 1 where the token is real and 0 where it is padding.
        label_smoothing: e, from 0 to below 1.

    Raises:
        ValueError: `label_smoothing` out of range.
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"`label_smoothing` must be at least 0 and below 1; got {label_smoothing!r}. Usual: 0.1.")
    logits = tf.cast(logits, tf.float32)
    weights = tf.cast(weights, tf.float32)
    true = tf.gather(logits, target, batch_dims=2)  # [B, T]: z_y
    unsmoothed = (tf.reduce_logsumexp(logits, axis=-1) - true) * weights
    if label_smoothing == 0:
        return TokenLoss(unsmoothed, unsmoothed)
    softened = label_smoothing * (true - tf.reduce_mean(logits, axis=-1)) * weights
    return TokenLoss(unsmoothed + softened, unsmoothed)


def symmetric_divergence(one: tf.Tensor, other: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """[KL(p || q) + KL(q || p)] / 2 of the distributions of two logits, as R-Drop has it (Liang et al., 2021, eq. 3).

    Args:
        one, other: logits [B, T, V].
        weights: [B, T], 1 where the token is real and 0 where it is padding.

    Returns:
        [B, T], in nats, already multiplied by the weights.
    """
    log_p, log_q = (tf.nn.log_softmax(tf.cast(logits, tf.float32)) for logits in (one, other))
    return 0.5 * tf.reduce_sum((tf.exp(log_p) - tf.exp(log_q)) * (log_p - log_q), axis=-1) * tf.cast(weights, tf.float32)


def sum_tokens(losses: TokenLoss, weights: tf.Tensor) -> LossSums:
    """Adds up the tokens of a batch: TokenLoss [B, T], weights [B, T] -> scalars."""
    return LossSums(tf.reduce_sum(losses.loss), tf.reduce_sum(losses.unsmoothed),
                    tf.reduce_sum(tf.cast(weights, tf.float32)))


def series_loss(target: tf.Tensor, values: tf.Tensor, weights: tf.Tensor, kind: str, quantiles: tuple[float, ...]) -> tf.Tensor:
    """The mean over series and quantiles of each step's loss [B, T], already multiplied by its weight.

    With e = y - x the error of a value x,

        mse        e^2
        huber      e^2 / 2 up to |e| = 1, then |e| - 1/2 (Huber, 1964)
        quantiles  max(q e, (q - 1) e), the pinball loss, least where x is the q-quantile (Koenker and Bassett, 1978)

    Args:
        target: y [B, T, F].
        values: x [B, T, F, Q].
        weights: [B, T].
        kind: one of the three.
        quantiles: Q of them.
    """
    errors = target[..., None] - values
    size = tf.abs(errors)
    level = tf.constant(quantiles, errors.dtype)
    by_kind = {"mse": lambda: errors * errors, "huber": lambda: tf.where(size <= 1, 0.5 * errors * errors, size - 0.5),
               "quantiles": lambda: tf.maximum(level * errors, (level - 1) * errors)}
    return tf.reduce_mean(by_kind[kind](), axis=[-2, -1]) * weights
