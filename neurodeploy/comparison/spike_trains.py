"""Spike trains held against each other: coincidences, distance, intervals.

A train is what one neuron sent in one sample, payloads left aside.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

TAU_STEPS = 5.0
"""Time constant of the van Rossum distance, in time steps."""


def coincidences(
    a: NDArray[np.bool_], b: NDArray[np.bool_], tolerance_steps: int = 0
) -> NDArray[np.int64]:
    """Messages of A that have a partner in B, one to one, as many as there can be.

    Parameters
    ----------
    a, b : bool [samples, steps, neurons]
    tolerance_steps : int
        Partners are of the same neuron and at most so many steps apart.

    Returns
    -------
    int64 [samples]

    Notes
    -----
    The count of coincidences of Kistler, Gerstner and van Hemmen 1997 (Neural
    Computation 9:1015), without their correction for chance.
    """
    if not tolerance_steps:
        found: NDArray[np.int64] = (a & b).sum(axis=(1, 2), dtype=np.int64)
        return found
    differ = (a != b).any(axis=1)
    found = (a & ~differ[:, None]).sum(axis=(1, 2), dtype=np.int64)
    sample, neuron = np.nonzero(differ)
    pairs = _most_pairs(a[sample, :, neuron], b[sample, :, neuron], tolerance_steps)
    np.add.at(found, sample, pairs)
    return found


def _most_pairs(a: NDArray[np.bool_], b: NDArray[np.bool_], reach: int) -> NDArray[np.int64]:
    """Size of the largest matching of each pair of trains, [trains, steps].

    In time order, each message takes the oldest of the other side that still
    waits; on a line that is as good as any matching. Those of both sides never
    wait at once: +1 is one of A, -1 one of B, the oldest first.
    """
    found = np.zeros(len(a), np.int64)
    waiting = np.zeros((reach, len(a)), np.int8)
    every = np.arange(len(a))
    for step in range(a.shape[1]):
        comes = a[:, step].astype(np.int8) - b[:, step].astype(np.int8)
        both = a[:, step] & b[:, step]
        oldest = (waiting != 0).argmax(axis=0)
        side = waiting[oldest, every]
        # Where both come, one takes the oldest and the other waits on its behalf.
        takes = (side != 0) & (both | (comes == -side))
        found += takes | (both & (side == 0))
        waiting[oldest[takes], every[takes]] = 0
        waits = np.where(both, side, np.where(takes, 0, comes))
        waiting[:-1] = waiting[1:]
        waiting[-1] = waits
    return found


def van_rossum(
    a: NDArray[np.bool_], b: NDArray[np.bool_], tau_steps: float = TAU_STEPS
) -> NDArray[np.float64]:
    r"""Distance of all trains of each sample, float64 [samples].

    .. math::
        D^2 = \frac{1 - e^{-2/\tau}}{2} \sum_n \sum_{t=0}^{\infty} x_n[t]^2, \qquad
        x_n[t] = e^{-1/\tau} x_n[t-1] + a_n[t] - b_n[t]

    van Rossum 2001, Neural Computation 13:751, with exponential kernels in
    discrete time, scaled so that one message too many or too few is
    :math:`D^2 = 1/2` as there; the tail past the last step is included.

    Parameters
    ----------
    a, b : bool [samples, steps, neurons]
    tau_steps : float
    """
    squared = np.zeros(len(a))
    differ = (a != b).any(axis=1)
    sample, neuron = np.nonzero(differ)
    if not len(sample):
        return squared
    keep = math.exp(-1.0 / tau_steps)
    change = a[sample, :, neuron].astype(np.int8) - b[sample, :, neuron].astype(np.int8)
    trace, total = np.zeros(len(sample)), np.zeros(len(sample))
    for step in range(change.shape[1]):
        trace = keep * trace + change[:, step]
        total += trace * trace
    total += trace * trace * keep**2 / (1 - keep**2)
    np.add.at(squared, sample, (1 - keep**2) / 2 * total)
    return np.sqrt(squared)


def intervals(spikes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Steps between successive messages of each train, one after the other.

    Parameters
    ----------
    spikes : bool [samples, steps, neurons]
    """
    sample, neuron, step = np.nonzero(spikes.transpose(0, 2, 1))
    same = (np.diff(sample) == 0) & (np.diff(neuron) == 0)
    between: NDArray[np.int64] = np.diff(step)[same]
    return between
