"""The engine's inner loops, compiled by Numba and cached on disk.

Events of a population over a block of samples are four arrays: ``start`` and
``count`` [samples, steps] say where in ``neuron`` (and ``payload``) the
messages of a step lie. ``current`` [samples, window, neurons] is what the
synapses deliver in the steps t0..t1 of a window. Neurons of (C, H, W)
populations are in channels-last order here, see `plan`.

Arithmetic is int32 throughout, wrapping like NumPy's in Lava's process models;
every intermediate is cast so that LLVM can vectorise it as int32.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.extending import overload

from ..network.fixed_point import (
    ACTIVATION_SHIFT,
    DECAY_BITS,
    DECAY_UNITY,
    SIGMA_DELTA_SHIFT,
    STATE_EXPONENT,
    STATE_LIMIT,
)

_SHIFT = np.int32(ACTIVATION_SHIFT)
_DECAY = np.int32(DECAY_BITS)
_FRACTION = np.int32(DECAY_UNITY - 1)
_LIMIT = np.int32(STATE_LIMIT)
_SPAN = np.int32(2 * STATE_LIMIT)
_SIGMA_DELTA = np.int32(SIGMA_DELTA_SHIFT)
_STATE = np.int32(STATE_EXPONENT)
_ZERO = np.int32(0)


def _at(value, j):
    """Give a parameter of neuron j, be it one for all or one for each."""
    return value[j] if isinstance(value, np.ndarray) else value


@overload(_at, inline="always")
def _at_overload(value, j):
    if hasattr(value, "ndim"):
        return lambda value, j: value[j]
    return lambda value, j: value


@njit(inline="always")
def _decayed(x, keep):
    """Multiply by keep / 2^12, rounding towards zero, exactly, without leaving int32.

    ``|x| = 4096 h + l``, so ``|x| keep >> 12 = h keep + (l keep >> 12)``.
    """
    magnitude = np.int32(abs(x))
    high = np.int32(np.int32(magnitude >> _DECAY) * keep)
    low = np.int32(np.int32(np.int32(magnitude & _FRACTION) * keep) >> _DECAY)
    kept = np.int32(high + low)
    return np.int32(-kept) if x < _ZERO else kept


@njit(nogil=True, cache=True)
def deliver_dense(start, count, neuron, payload, graded, lag, t0, t1, weight, current):
    """Add ``weight[source]`` rows [sources, targets] to the current, `lag` steps later."""
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            first = start[s, t - lag]
            for e in range(first, first + count[s, t - lag]):
                row = weight[neuron[e]]
                if graded:
                    value = payload[e]
                    for j in range(into.size):
                        into[j] += np.int32(np.int32(row[j]) * value)
                else:
                    for j in range(into.size):
                        into[j] += row[j]


@njit(nogil=True, cache=True)
def deliver_conv(
    start, count, neuron, payload, graded, lag, t0, t1, weight, rows, columns, layout, current
):
    """Add kernels to the current, channels last.

    weight [source channels, kernel rows, kernel columns, targets per group];
    rows [source rows, kernel rows] and columns likewise say where a tap lands
    (-1: nowhere); layout = (source channels, source channels per group, target
    channels, target width).
    """
    source_channels, group_size, target_channels, target_width = layout
    width = columns.shape[0]
    taps_y, taps_x, group_targets = weight.shape[1], weight.shape[2], weight.shape[3]
    for s in range(current.shape[0]):
        for t in range(max(t0, lag), t1):
            into = current[s, t - t0]
            first = start[s, t - lag]
            for e in range(first, first + count[s, t - lag]):
                position, c = divmod(neuron[e], source_channels)
                y, x = divmod(position, width)
                offset = (c // group_size) * group_targets
                value = payload[e] if graded else np.int32(1)
                for ky in range(taps_y):
                    row = rows[y, ky]
                    if row < 0:
                        continue
                    for kx in range(taps_x):
                        column = columns[x, kx]
                        if column < 0:
                            continue
                        at = (row * target_width + column) * target_channels + offset
                        tap = weight[c, ky, kx]
                        target = into[at : at + group_targets]
                        if graded:
                            for j in range(group_targets):
                                target[j] += np.int32(np.int32(tap[j]) * value)
                        else:
                            for j in range(group_targets):
                                target[j] += tap[j]


@njit(nogil=True, cache=True)
def deliver_groups(start, count, neuron, payload, graded, t0, t1, group_size, current):
    """Sum the messages of each group of consecutive neurons, in the step they are sent."""
    for s in range(current.shape[0]):
        for t in range(t0, t1):
            first = start[s, t]
            for e in range(first, first + count[s, t]):
                value = payload[e] if graded else np.int32(1)
                current[s, t - t0, neuron[e] // group_size] += value


@njit(nogil=True, cache=True)
def wrap_currents(current, overflows):
    """Wrap each current to 24 signed bits, counting how often, per sample."""
    for s in range(current.shape[0]):
        flat = current[s].reshape(-1)
        wraps = 0
        for j in range(flat.size):
            value = flat[j]
            wrapped = np.int32(np.int32(value << np.int32(8)) >> np.int32(8))
            wraps += wrapped != value
            flat[j] = wrapped
        overflows[s] += wraps


@njit(nogil=True, cache=True)
def cuba_lif(
    current, t0, u, v, keep_u, keep_v, threshold, bias, resets, used,
    start, count, neuron, u_record, v_record, u_overflows, v_overflows,
):  # fmt: skip
    """Step `network.CubaLIF` over a window; returns how many events there are now.

    u, v [samples, neurons] are updated in place; keep = 2^12 - decay,
    threshold and bias are shifted to the state's unit already; u_record and
    v_record [samples, steps, neurons] are filled unless empty.
    """
    size = u.shape[1]
    top = np.int32(_LIMIT - 1)
    for s in range(current.shape[0]):
        us, vs = u[s], v[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            if resets[t]:
                us[:] = 0
                vs[:] = 0
            wraps = 0
            clips = 0
            for j in range(size):
                i = np.int32(_decayed(us[j], _at(keep_u, j)) + np.int32(a[j] << _SHIFT))
                high = i > _LIMIT
                low = i <= np.int32(-_LIMIT)
                wraps += high | low
                i = np.int32(i - _SPAN) if high else (np.int32(i + _SPAN) if low else i)
                us[j] = i
                x = np.int32(_decayed(vs[j], _at(keep_v, j)) + np.int32(i + _at(bias, j)))
                clips += (x > top) | (x < np.int32(-top))
                vs[j] = min(max(x, np.int32(-top)), top)
            u_overflows[s] += wraps
            v_overflows[s] += clips
            start[s, t] = used
            for j in range(size):
                fires = vs[j] > _at(threshold, j)
                neuron[used] = j
                used += fires
                vs[j] = _ZERO if fires else vs[j]
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = us
            if v_record.size:
                v_record[s, t] = vs
    return used


@njit(nogil=True, cache=True)
def sigma_delta(
    current, t0, sigma, act, residue, threshold, bias, mode, used,
    start, count, neuron, payload, u_record, v_record, u_overflows,
):  # fmt: skip
    """Step `network.Delta` (mode 0) or `SigmaDelta` (1: rectified, 2: not); see `cuba_lif`.

    threshold and bias are shifted to the state's unit already.
    """
    size = act.shape[1]
    for s in range(current.shape[0]):
        sigmas, acts, residues = sigma[s], act[s], residue[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            start[s, t] = used
            leaves = 0
            for j in range(size):
                if mode == 0:
                    x = np.int32(a[j] << _SIGMA_DELTA)
                else:
                    sigmas[j] = np.int32(sigmas[j] + a[j])
                    leaves += (sigmas[j] >= _LIMIT) | (sigmas[j] < np.int32(-_LIMIT))
                    x = np.int32(sigmas[j] + _at(bias, j))
                    if mode == 1:
                        x = max(x, _ZERO)
                delta = np.int32(np.int32(x - acts[j]) + residues[j])
                sent = delta if np.int32(abs(delta)) >= _at(threshold, j) else _ZERO
                residues[j] = np.int32(delta - sent)
                acts[j] = x
                message = np.int32(sent >> _STATE)
                neuron[used] = j
                payload[used] = message
                used += message != _ZERO
            u_overflows[s] += leaves
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = residues if mode == 0 else sigmas
            if v_record.size:
                v_record[s, t] = acts
    return used


@njit(nogil=True, cache=True)
def accumulate(
    current, t0, sigma, keep, used, start, count, neuron, payload, u_record, u_overflows
):
    """Send the sum so far (keep: `network.Sigma`) or just this step's input (not keep)."""
    for s in range(current.shape[0]):
        total = sigma[s]
        for t in range(t0, t0 + current.shape[1]):
            a = current[s, t - t0]
            start[s, t] = used
            leaves = 0
            for j in range(total.size):
                value = np.int32(total[j] + a[j]) if keep else a[j]
                total[j] = value
                leaves += (value >= _LIMIT) | (value < np.int32(-_LIMIT))
                neuron[used] = j
                payload[used] = value
                used += value != _ZERO
            u_overflows[s] += leaves
            count[s, t] = used - start[s, t]
            if u_record.size:
                u_record[s, t] = total
    return used


@njit(nogil=True, cache=True)
def delay_events(start, count, neuron, payload, graded, delay, out):
    """Move each event `delay[neuron]` steps on; those past the last step are dropped.

    ``out`` = (start, count, neuron, payload), as large as the input. Returns
    how many events are left.
    """
    new_start, new_count, new_neuron, new_payload = out
    samples, steps = start.shape
    new_count[:] = 0
    for s in range(samples):
        for t in range(steps):
            for e in range(start[s, t], start[s, t] + count[s, t]):
                later = t + delay[neuron[e]]
                if later < steps:
                    new_count[s, later] += 1
    total = 0
    for s in range(samples):
        for t in range(steps):
            new_start[s, t] = total
            total += new_count[s, t]
    new_count[:] = 0
    for s in range(samples):
        for t in range(steps):
            for e in range(start[s, t], start[s, t] + count[s, t]):
                later = t + delay[neuron[e]]
                if later < steps:
                    at = new_start[s, later] + new_count[s, later]
                    new_neuron[at] = neuron[e]
                    if graded:
                        new_payload[at] = payload[e]
                    new_count[s, later] += 1
    return total


@njit(nogil=True, cache=True)
def gather_events(start, count, neuron, payload, graded, order, out_neuron, out_payload):
    """Copy events in order of sample and step, translating neurons through `order`."""
    at = 0
    for s in range(start.shape[0]):
        for t in range(start.shape[1]):
            for e in range(start[s, t], start[s, t] + count[s, t]):
                out_neuron[at] = order[neuron[e]] if order.size else neuron[e]
                if graded:
                    out_payload[at] = payload[e]
                at += 1
