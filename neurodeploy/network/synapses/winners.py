r"""k winners take all, as SLAYER's ``KWTA`` blocks compute it, out of plain parts.

.. math::
    a[t] = W s_{in}[t - 1] + R s[t - 1] + b\,[t \ge 1], \qquad
    R = -64\,(1 - I) + w_{self} I, \quad b = q(\theta (N - 2 K) / (64 N))

Source: ``AbstractKWTA`` in SLAYER's ``block/base.py``. R is a dense loop and b a
constant current, which a neuron that spikes at every step drives through a
weight of b (its first spike counts at step 1, where SLAYER's first does).
Nothing more happens: nothing is sorted. SLAYER divides b by 64 once more than the
threshold is multiplied, so b is 0 wherever :math:`\theta |N - 2K| / N \le 1`, with
theta as a float; K then has no effect and inhibition alone makes the winners.
"""

from __future__ import annotations

import numpy as np

from ...errors import NetworkError
from ..fixed_point import WEIGHT_MAX, WEIGHT_MIN
from .dense import Dense

UNIT = 64
"""A weight of 1.0 in SLAYER."""


def winners_loop(neurons: int, self_excitation: float = 0.5) -> Dense:
    """Inhibition between all neurons of a population and excitation of each by itself.

    Parameters
    ----------
    neurons : int
    self_excitation : float
        In 0..1; SLAYER clamps it to that. In SLAYER's units, rounded to 1/32.

    Returns
    -------
    Dense
        For a projection of the population to itself.
    """
    own = np.float32(min(max(self_excitation, 0.0), 1.0))
    # SLAYER forms (1 + a) * 1 - 1 in float32, and what that loses can decide a tie.
    weight = np.full((neurons, neurons), _quantized(np.float32(-1.0)), np.int32)
    np.fill_diagonal(weight, _quantized(np.float32(np.float32(1.0) + own) - np.float32(1.0)))
    return Dense(weight)


def winners_drive(neurons: int, winners: int, threshold: int) -> Dense:
    """Constant current that shall leave `winners` neurons spiking.

    Parameters
    ----------
    neurons, winners : int
    threshold : int
        Threshold mantissa of the neurons (``vThMant``, 1/64 of SLAYER's unit).

    Returns
    -------
    Dense
        From a population of one neuron that spikes at every step, for example
        ``CubaLIF(4096, 4096, threshold=0, bias=1)``.

    Raises
    ------
    NetworkError
        If there are more winners than neurons.
    """
    if not 0 < winners <= neurons:
        raise NetworkError(f"{winners} winners among {neurons} neurons; ask for 1..{neurons}")
    current = threshold / UNIT * (neurons - 2 * winners) / neurons / UNIT
    return Dense(np.full((neurons, 1), _quantized(np.float32(current)), np.int32))


def _quantized(weight: np.float32) -> int:
    """SLAYER's ``quantize_8bit``: to even multiples of 1/64, ties to even, clipped."""
    step = np.float32(2 / UNIT)
    return int(np.clip(2 * np.rint(weight / step), WEIGHT_MIN, WEIGHT_MAX))
