"""Every synapse operator by its definition, in NumPy int64: slow and obvious.

`arriving` gives what reaches a population at one step. ``heard(lag)`` is what the
source sent `lag` steps before the step whose messages arrive now, flat.
"""

from __future__ import annotations

import itertools

import numpy as np

from neurodeploy.network import (
    Complex,
    ComplexConv,
    ComplexDense,
    Conv,
    ConvTranspose,
    DelayedDense,
    DelayedSparse,
    Dense,
    OneToOne,
    Pool,
    Readout,
    Sparse,
    TemporalFIR,
    Unpool,
)


def arriving(synapse, heard, source_shape, target_shape) -> np.ndarray:
    """Give int64 [ports * targets]."""
    now = heard(0)
    image = now.reshape(source_shape)
    if isinstance(synapse, Dense):
        return synapse.weight.astype(np.int64) @ now
    if isinstance(synapse, Conv):
        return convolve(synapse, image).ravel()
    if isinstance(synapse, Readout):
        return now.reshape(int(np.prod(target_shape)), -1).sum(axis=1)
    if isinstance(synapse, ComplexDense):
        return np.concatenate(
            [part.astype(np.int64) @ now for part in (synapse.real, synapse.imag)]
        )
    if isinstance(synapse, ComplexConv):
        return np.concatenate([convolve(part, image, wrap=False).ravel() for part in synapse.parts])
    if isinstance(synapse, Complex):
        parts = [arriving(part, heard, source_shape, target_shape) for part in synapse.parts]
        return np.concatenate(parts)
    if isinstance(synapse, ConvTranspose):
        return scatter(synapse, image, target_shape).ravel()
    if isinstance(synapse, Pool):
        return pool(synapse, image, target_shape).ravel()
    if isinstance(synapse, Unpool):
        return unpool(synapse, image, target_shape).ravel()
    if isinstance(synapse, OneToOne):
        return now * np.asarray(synapse.weight, np.int64)
    result = np.zeros(int(np.prod(target_shape)), np.int64)
    if isinstance(synapse, DelayedSparse):
        for i in range(len(result)):
            for k in range(synapse.indptr[i], synapse.indptr[i + 1]):
                result[i] += int(synapse.weight[k]) * heard(int(synapse.delay[k]))[synapse.index[k]]
    elif isinstance(synapse, Sparse):
        for i in range(len(result)):
            for k in range(synapse.indptr[i], synapse.indptr[i + 1]):
                result[i] += int(synapse.weight[k]) * now[synapse.index[k]]
    elif isinstance(synapse, DelayedDense):
        for lag in range(int(synapse.delay.max()) + 1):
            result += (synapse.weight * (synapse.delay == lag)).astype(np.int64) @ heard(lag)
    else:
        assert isinstance(synapse, TemporalFIR)
        for k, tap in enumerate(synapse.weight.astype(np.int64)):
            result += tap @ heard(k) if tap.ndim == 2 else tap * heard(k)
    return result


def convolve(synapse: Conv, messages: np.ndarray, wrap: bool = True) -> np.ndarray:
    """Convolve one [C, H, W] array by the definition."""
    out, per_group, kernel_h, kernel_w = synapse.weight.shape
    (sy, sx), (py, px), (dy, dx) = synapse.stride, synapse.padding, synapse.dilation
    padded = np.pad(messages, ((0, 0), (py, py), (px, px)))
    shape = synapse.output_shape(messages.shape)
    result = np.zeros(shape, np.int64)
    for o in range(out):
        group = o // (out // synapse.groups)
        for c in range(per_group):
            for ky in range(kernel_h):
                for kx in range(kernel_w):
                    window = padded[
                        group * per_group + c,
                        ky * dy : ky * dy + (shape[1] - 1) * sy + 1 : sy,
                        kx * dx : kx * dx + (shape[2] - 1) * sx + 1 : sx,
                    ]
                    result[o] += int(synapse.weight[o, c, ky, kx]) * window
    return (result + 2**23) % 2**24 - 2**23 if wrap else result


def scatter(synapse: ConvTranspose, messages: np.ndarray, shape) -> np.ndarray:
    """Every message adds its kernel at its place; what lands outside is lost."""
    channels, per_group, kernel_h, kernel_w = synapse.weight.shape
    (sy, sx), (py, px), (dy, dx) = synapse.stride, synapse.padding, synapse.dilation
    result = np.zeros(shape, np.int64)
    for c, y, x in np.argwhere(messages):
        first = c // (channels // synapse.groups) * per_group
        for o, k, m in itertools.product(range(per_group), range(kernel_h), range(kernel_w)):
            row, column = y * sy - py + k * dy, x * sx - px + m * dx
            if 0 <= row < shape[1] and 0 <= column < shape[2]:
                result[first + o, row, column] += (
                    int(synapse.weight[c, o, k, m]) * messages[c, y, x]
                )
    return result


def pool(synapse: Pool, messages: np.ndarray, shape) -> np.ndarray:
    end_y, end_x = synapse.end_padding
    messages = np.pad(messages, ((0, 0), (0, end_y), (0, end_x)))
    images = _laid_out(synapse, messages)
    how = (synapse.stride, synapse.padding, synapse.dilation)
    kernel = Conv(synapse.weight[None, None], *how)
    return np.concatenate([convolve(kernel, image[None], wrap=False) for image in images]).reshape(
        shape
    )


def unpool(synapse: Unpool, messages: np.ndarray, shape) -> np.ndarray:
    images = _laid_out(synapse, messages)
    how = (synapse.stride, synapse.padding, synapse.dilation)
    kernel = ConvTranspose(synapse.weight[None, None], *how)
    rows = shape[0] * shape[1] // len(images)
    spread = [scatter(kernel, image[None], (1, rows, shape[2])) for image in images]
    return np.concatenate(spread).reshape(shape)


def _laid_out(synapse: Pool | Unpool, messages: np.ndarray) -> list[np.ndarray]:
    """Each channel for itself, or all of them below each other as one image."""
    channels, height, width = messages.shape
    if synapse.across_channels:
        return [messages.reshape(channels * height, width)]
    return list(messages)
