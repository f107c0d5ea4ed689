"""The LSTM's and GRU's loop over time for training on CPUs, with its gradient written out.

Keras runs the cell at every step and lets TensorFlow differentiate the loop: at each of T steps the input is projected, and
the gradients of three weight matrices are computed and added up. Here the input is projected for all steps at once, the
loops carry only what truly goes from step to step, and each weight's gradient is one large matrix product at the end. The
numbers are the same to rounding (tested against Keras); the work is the same too, in fewer and larger pieces.

In mixed precision matrices are multiplied in bfloat16, which CPUs with AVX512_BF16 or AMX do faster; gates and state are
computed in float32, for the state adds up over the steps.

Axes: T steps, B batch, H units, E input. All sequences here are time-major.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

FULL = tf.float32  # of what is not multiplied as a matrix
PROCESSOR = Path("/proc/cpuinfo")
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # a processor's names for products of bfloat16: of x86 two, of ARM one


def bfloat16_is_slow() -> bool:
    """Whether training is on a CPU that says it has no instructions for products of bfloat16."""
    if tf.config.list_physical_devices("GPU") or not PROCESSOR.exists():
        return False
    return not set(PROCESSOR.read_text(errors="replace").split()) & set(BFLOAT16)


def lstm(steps: tf.Tensor, mask: tf.Tensor | None, h: tf.Tensor, c: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor,
         bias: tf.Tensor, dropped: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Runs an LSTM (Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000).

        i, f, o = sigmoid(z), g = tanh(z),  z = x W + h U + b     in Keras's order i f g o
        c' = f c + i g,  h' = o tanh(c')                          a masked step keeps h and c

    Args:
        steps: [T, B, E].
        mask: [T, B, 1] bool, True where real, or None.
        h, c: [B, H], the state before the first step.
        kernel, recurrent, bias: W [E, 4H], U [H, 4H], b [4H].
        dropped: [B, H], what h is multiplied by before U (recurrent dropout, one mask for all steps), or None.
        All of one type, float32 or bfloat16.

    Returns:
        all h [T, B, H], and the last h and c [B, H], of that type.
    """
    h, c, dropped = _as(FULL, h, c, dropped)

    @tf.custom_gradient
    def run(projected, h0, c0, U):
        def step(t, h, c):
            i, f, g, o = tf.split(projected[t] + _times(_drop(h, dropped), U), 4, axis=1)
            i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
            new_c = f * c + i * g
            new_h = o * tf.tanh(new_c)
            return (*_keep(mask, t, (new_h, new_c), (h, c)), tf.concat([i, f, g, o], axis=1))

        hs, cs, gates = _forward(step, tf.shape(projected)[0], (h0, c0), 3)

        def gradient(d_hs, d_h, d_c):
            before_h, before_c = tf.concat([h0[None], hs[:-1]], 0), tf.concat([c0[None], cs[:-1]], 0)
            UT = tf.transpose(U)

            def back(t, d_h, d_c):
                d_h = d_h + d_hs[t]
                i, f, g, o = tf.split(gates[t], 4, axis=1)
                tanh_c = tf.tanh(cs[t])
                d_new = d_c + d_h * o * (1 - tanh_c * tanh_c)
                d_z = tf.concat([d_new * g * i * (1 - i), d_new * before_c[t] * f * (1 - f), d_new * i * (1 - g * g),
                                 d_h * tanh_c * o * (1 - o)], axis=1)
                if mask is not None:
                    d_z = tf.where(mask[t], d_z, 0)
                d_before = _drop(_times(d_z, UT), dropped)
                return (*_keep(mask, t, (d_before, d_new * f), (d_h, d_c)), d_z)

            d_h, d_c, d_z = _backward(back, tf.shape(projected)[0], (d_h, d_c))
            return d_z, d_h, d_c, _product(_drop(before_h, dropped), d_z, U)

        return (hs, hs[-1], cs[-1]), gradient

    return _as(steps.dtype, *run(_project(steps, kernel, bias), h, c, recurrent))


def gru(steps: tf.Tensor, mask: tf.Tensor | None, h: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor,
        bias: tf.Tensor, dropped: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs a GRU (Cho et al., 2014) with the reset gate after the matrix product, as Keras and cuDNN have it.

        z, r = sigmoid(x W + b + h U + d),  g = tanh(x W + b + r (h U + d))     in Keras's order z r g
        h' = z h + (1 - z) g

    Args:
        steps, mask, h, dropped: as for `lstm`.
        kernel, recurrent, bias: W [E, 3H], U [H, 3H], b and d [2, 3H].

    Returns:
        all h [T, B, H] and the last [B, H].
    """
    h, dropped, inner_bias = _as(FULL, h, dropped, bias[1])

    @tf.custom_gradient
    def run(projected, h0, U, d):
        def step(t, h):
            inner = _times(_drop(h, dropped), U) + d
            x_z, x_r, x_g = tf.split(projected[t], 3, axis=1)
            u_z, u_r, u_g = tf.split(inner, 3, axis=1)
            z, r = tf.sigmoid(x_z + u_z), tf.sigmoid(x_r + u_r)
            g = tf.tanh(x_g + r * u_g)
            return (*_keep(mask, t, (z * h + (1 - z) * g,), (h,)), tf.concat([z, r, g, u_g], axis=1))

        hs, gates = _forward(step, tf.shape(projected)[0], (h0,), 2)

        def gradient(d_hs, d_h):
            before = tf.concat([h0[None], hs[:-1]], 0)
            UT = tf.transpose(U)

            def back(t, d_h):
                d_h = d_h + d_hs[t]
                z, r, g, u_g = tf.split(gates[t], 4, axis=1)
                d_g = d_h * (1 - z) * (1 - g * g)
                d_z, d_r = d_h * (before[t] - g) * z * (1 - z), d_g * u_g * r * (1 - r)
                both = tf.concat([d_z, d_r, d_g, d_g * r], axis=1)  # the last two: of x W and of h U
                if mask is not None:
                    both = tf.where(mask[t], both, 0)
                through_z = d_h * z
                through_u = _drop(_times(_inner(both), UT), dropped)
                return (*_keep(mask, t, (through_z + through_u,), (d_h,)), both)

            d_h, both = _backward(back, tf.shape(projected)[0], (d_h,))
            d_inner = _inner(both)
            d_projected = both[:, :, :3 * h0.shape[1]]
            d_U = _product(_drop(before, dropped), d_inner, U)
            return d_projected, d_h, d_U, tf.reduce_sum(d_inner, axis=[0, 1])

        return (hs, hs[-1]), gradient

    return _as(steps.dtype, *run(_project(steps, kernel, bias[0]), h, recurrent, inner_bias))


def _inner(both: tf.Tensor) -> tf.Tensor:
    """[..., d_z d_r d_g d_inner_g] -> [..., d_z d_r d_inner_g]."""
    d_z, d_r, _, d_g = tf.split(both, 4, axis=-1)
    return tf.concat([d_z, d_r, d_g], axis=-1)


def _project(steps: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """x W + b for all steps at once: [T, B, E] -> [T, B, n], multiplied in the type of both."""
    shape = tf.shape(steps)
    flat = tf.cast(tf.matmul(tf.reshape(steps, [-1, kernel.shape[0]]), kernel), FULL)
    return tf.reshape(tf.nn.bias_add(flat, tf.cast(bias, FULL)), [shape[0], shape[1], kernel.shape[1]])


def _product(left: tf.Tensor, right: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """A weight's gradient, over all steps at once: [T, B, m], [T, B, n] -> [m, n], multiplied in the weight's type."""
    left, right = (tf.cast(tf.reshape(side, [-1, side.shape[2]]), weight.dtype) for side in (left, right))
    return tf.matmul(left, right, transpose_a=True)


def _times(left: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """[B, m] times a weight [m, n], multiplied in the weight's type."""
    return tf.cast(tf.matmul(tf.cast(left, weight.dtype), weight), FULL)


def _drop(state: tf.Tensor, dropped: tf.Tensor | None) -> tf.Tensor:
    return state if dropped is None else state * dropped


def _as(kind: tf.DType, *tensors: tf.Tensor | None) -> tuple[Any, ...]:
    return tuple(None if tensor is None else tf.cast(tensor, kind) for tensor in tensors)


def _keep(mask: tf.Tensor | None, t: tf.Tensor, new: tuple, old: tuple) -> tuple:
    """`new` where step t is real, `old` where it is padding."""
    return new if mask is None else tuple(tf.where(mask[t], n, o) for n, o in zip(new, old))


def _forward(step: Callable[..., tuple], length: tf.Tensor, state: tuple, written: int) -> list[tf.Tensor]:
    """Loops t = 0 ... T - 1; returns what `step` gave at each t, stacked: the states, then the rest."""
    def body(t: tf.Tensor, state: tuple, arrays: tuple) -> Any:
        made = step(t, *state)
        return t + 1, made[:len(state)], tuple(array.write(t, part) for array, part in zip(arrays, made))

    arrays = tuple(tf.TensorArray(state[0].dtype, length, element_shape=None) for _ in range(written))
    *_, arrays = tf.while_loop(lambda t, *_: t < length, body, (tf.constant(0), state, arrays))
    return [array.stack() for array in arrays]


def _backward(back: Callable[..., tuple], length: tf.Tensor, state: tuple) -> tuple:
    """Loops t = T - 1 ... 0; returns the states' gradients before step 0, and the last thing `back` gave, stacked."""
    def body(t: tf.Tensor, state: tuple, array: tf.TensorArray) -> Any:
        *carried, made = back(t, *state)
        return t - 1, tuple(carried), array.write(t, made)

    array = tf.TensorArray(state[0].dtype, length, element_shape=None)
    _, state, array = tf.while_loop(lambda t, *_: t >= 0, body, (length - 1, state, array))
    return (*state, array.stack())
