"""Loops over samples and steps that carry a state; integers or doubles, as they come."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=True)
def whole_product(matrix, vector):  # type: ignore[no-untyped-def]
    """Multiply whole numbers; one thread, where a BLAS would wake others 250 times a second.

    Fast mathematics may add in any order, which changes nothing in whole numbers below 2^53.
    """
    out = np.empty(matrix.shape[0], np.int64)
    for i in range(matrix.shape[0]):
        total = 0.0
        for j in range(matrix.shape[1]):
            total += matrix[i, j] * vector[j]
        out[i] = np.int64(total)
    return out


@njit(cache=True)
def product(columns, vector, out):  # type: ignore[no-untyped-def]
    """Add to `out` each of `columns` [n, m] times its number of `vector` [n], in this order.

    So sums of doubles come out the same on every machine, and no BLAS wakes other threads.
    """
    count, size = columns.shape
    flat = columns.ravel()
    k = 0
    while k + 3 < count:  # four at once, so that `out` is loaded and stored less often
        v0, v1, v2, v3 = vector[k], vector[k + 1], vector[k + 2], vector[k + 3]
        c0 = np.uint64(k * size)
        c1, c2, c3 = c0 + np.uint64(size), c0 + np.uint64(2 * size), c0 + np.uint64(3 * size)
        for j in range(size):
            i = np.uint64(j)
            total = out[i] + v0 * flat[c0 + i]
            total = total + v1 * flat[c1 + i]
            total = total + v2 * flat[c2 + i]
            out[i] = total + v3 * flat[c3 + i]
        k += 4
    while k < count:
        c0 = np.uint64(k * size)
        for j in range(size):
            i = np.uint64(j)
            out[i] += vector[k] * flat[c0 + i]
        k += 1
    return out


@njit(cache=True)
def gammatone_float(sound, hop, poles, state, out):  # type: ignore[no-untyped-def]
    """Run all bands over `sound`; mean of the rectified output of every hop into `out`."""
    for row in range(out.shape[0]):
        for band in range(out.shape[1]):
            real, imag, gain = poles[0, band], poles[1, band], poles[2, band]
            z = state[band]
            total = 0.0
            for n in range(row * hop, (row + 1) * hop):
                re, im = sound[n], 0.0
                for i in range(z.shape[0]):
                    new = real * z[i, 0] - imag * z[i, 1] + gain * re
                    im = real * z[i, 1] + imag * z[i, 0] + gain * im
                    re = new
                    z[i, 0], z[i, 1] = re, im
                total += abs(2.0 * re)
            out[row, band] = total / hop


@njit(cache=True)
def gammatone_integer(sound, hop, poles, bits, state, out):  # type: ignore[no-untyped-def]
    """As `gammatone_float` in int64; poles have `bits` fraction bits."""
    for row in range(out.shape[0]):
        for band in range(out.shape[1]):
            real, imag, gain = poles[0, band], poles[1, band], poles[2, band]
            z = state[band]
            total = np.int64(0)
            for n in range(row * hop, (row + 1) * hop):
                re, im = sound[n], np.int64(0)
                for i in range(z.shape[0]):
                    new = (real * z[i, 0] - imag * z[i, 1] + gain * re) >> bits
                    im = (real * z[i, 1] + imag * z[i, 0] + gain * im) >> bits
                    re = new
                    z[i, 0], z[i, 1] = re, im
                total += abs(2 * re)
            out[row, band] = total // hop


@njit(cache=True)
def delta(rows, threshold, sent, out):  # type: ignore[no-untyped-def]
    """Send what a value differs from all that was sent, once it reaches the threshold."""
    for t in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            change = rows[t, j] - sent[j]
            if abs(change) >= threshold:
                out[t, j] = change
                sent[j] += change


@njit(cache=True)
def sigma_delta(rows, threshold, held, out):  # type: ignore[no-untyped-def]
    """Add values up; send +1 or -1 and take the threshold off once the sum reaches it."""
    for t in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            held[j] += rows[t, j]
            if held[j] >= threshold:
                out[t, j] = 1
            elif held[j] <= -threshold:
                out[t, j] = -1
            held[j] -= out[t, j] * threshold


@njit(cache=True)
def level_crossing(rows, spacing, level, out):  # type: ignore[no-untyped-def]
    """Count levels crossed upwards (first half of a row) and downwards since the last crossing."""
    width = rows.shape[1]
    for t in range(rows.shape[0]):
        for j in range(width):
            change = rows[t, j] - level[j] * spacing
            crossed = np.int64(abs(change) // spacing)
            if change >= 0:
                out[t, j] = crossed
                level[j] += crossed
            else:
                out[t, width + j] = crossed
                level[j] -= crossed


@njit(cache=True)
def track(rows, threshold, level, out):  # type: ignore[no-untyped-def]
    """Follow each value by at most one threshold a step."""
    for t in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            change = rows[t, j] - level[j]
            out[t, j] = (change > threshold) - (change < -threshold)
            level[j] += out[t, j] * threshold
