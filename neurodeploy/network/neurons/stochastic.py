"""Neurons whose threshold fluctuates, by numbers that depend on seed, step and neuron alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..fields import choice, one_integer
from ..fixed_point import ACTIVATION_SHIFT, round_to_zero
from .base import IntArray
from .lif import CubaLIF
from .registry import NEURONS

QUANTILE_BITS = 12
"""The logistic distribution is drawn from so many bits: 4096 values of equal probability."""

QUANTILE_SHIFT = 16
"""Of which each is stored with so many bits behind the point."""

SEED_OFFSET = 0x9E3779B9
"""So that no seed begins with the hash of 0, which is 0."""

AMPLITUDE_LIMIT = 1 << 16


def hash32(x: NDArray[Any]) -> NDArray[np.uint32]:
    """Scatter 32-bit integers, one to one, the same on every machine.

    Source: Wellons, "Prospecting for hash functions" (2018), ``lowbias32``, public domain.

    Parameters
    ----------
    x : integer array
        Modulo 2^32.

    Examples
    --------
    >>> import numpy as np
    >>> from neurodeploy.network.neurons.stochastic import hash32
    >>> hash32(np.array([0, 1, 2])).tolist()
    [0, 1753845952, 3507691905]
    """
    h = np.asarray(np.asarray(x, np.int64) & 0xFFFFFFFF, np.uint64)
    h = (h ^ (h >> np.uint64(16))) * np.uint64(0x7FEB352D) & np.uint64(0xFFFFFFFF)
    h = (h ^ (h >> np.uint64(15))) * np.uint64(0x846CA68B) & np.uint64(0xFFFFFFFF)
    found: NDArray[np.uint32] = (h ^ (h >> np.uint64(16))).astype(np.uint32)
    return found


def draw(seed: Any, step: Any, neuron: Any) -> NDArray[np.uint32]:
    """Give the random number of a step and neuron; arguments broadcast.

    Examples
    --------
    >>> from neurodeploy.network.neurons.stochastic import draw
    >>> draw(3, 0, [0, 1]).tolist(), int(draw(3, 0, 1))
    ([2902073159, 3981200753], 3981200753)
    """
    first = hash32(np.asarray(seed, np.int64) + SEED_OFFSET).astype(np.int64)
    second = hash32(first + np.asarray(neuron, np.int64)).astype(np.int64)
    return hash32(second + np.asarray(step, np.int64))


@lru_cache(maxsize=1)
def logistic_quantiles() -> NDArray[np.int64]:
    """Give 2^16 ln(p / (1 - p)) in the middles of 4096 equal shares of p, rounded.

    By decimal arithmetic, whose logarithm is the same on every machine.
    """
    count = 1 << QUANTILE_BITS
    with localcontext() as context:
        context.prec = 25
        logarithms = [Decimal(2 * i + 1).ln() for i in range(count)]
        upper = [
            int(((logarithms[i] - logarithms[count - 1 - i]) * (1 << QUANTILE_SHIFT)).to_integral())
            for i in range(count // 2, count)
        ]
    half = np.array(upper, np.int64)
    found: NDArray[np.int64] = np.concatenate([-half[::-1], half])
    found.flags.writeable = False
    return found


@NEURONS.register
@dataclass(frozen=True, eq=False)
class StochasticLIF(CubaLIF):
    r"""`CubaLIF` whose threshold carries noise: a message is a matter of probability.

    .. math::
        u &\leftarrow wrap(rz(u\,(4096 - d_u)) + 64 a) \\
        v &\leftarrow clip(rz(v\,(4096 - d_v)) + u + 64 b) \\
        s &= [v + n_t > 64\,\theta], \quad v \leftarrow 0 \text{ where } s, \quad t \leftarrow t + 1

    with A the `amplitude` and h = ``draw(seed, t, neuron)`` of 32 bits,

    .. math::
        n_t = \lfloor 128 A h / 2^{32} \rfloor - 64 A \text{ (uniform), or }
        rz_{16}(64 A\, Q_{h / 2^{20}}) \text{ (logistic)}

    Q are the 4096 quantiles of the logistic distribution times 2^16, `logistic_quantiles`. Then
    the probability of a message is :math:`clip((v - 64\theta + 64 A) / 128 A, 0, 1)`, or
    :math:`1 / (1 + e^{-(v - 64\theta) / 64 A})` within 1/4096.

    Attributes
    ----------
    current_decay, voltage_decay, threshold, bias : int or int32 [neurons]
        As in `CubaLIF`.
    noise : {"uniform", "logistic"}
    amplitude : int
        A in 0..65536, in the unit of `threshold`: half the width, or the scale. 0: no noise.
    seed : int
        0..2^32 - 1. See `reseeded`.

    Notes
    -----
    The numbers depend on seed, step since the start of the sample, and neuron, so a run is the same
    in any batches, chunks of steps and threads. All samples of a run see the same noise; another
    draw is another seed. **No chip draws these numbers**: how Loihi 2 draws its own is not public.
    What can agree with a chip is the distribution, see ``neurodeploy compare --distribution``. On
    Loihi 2 it needs a neuron program with random numbers; Loihi 1 has one noise for a whole core.
    Threshold noise as a model of escape: Gerstner et al., Neuronal Dynamics (2014), chapter 9.
    """

    noise: str = field(default="uniform", metadata=choice("uniform", "logistic"))
    amplitude: int = field(default=0, metadata=one_integer(0, AMPLITUDE_LIMIT))
    seed: int = field(default=0, metadata=one_integer(0, (1 << 32) - 1))
    kind: ClassVar[str] = "stochastic-lif"
    states: ClassVar[tuple[str, ...]] = ("u", "v", "clock")
    has_own_microcode: ClassVar[bool] = True

    def step(
        self, states: Mapping[str, IntArray], current: IntArray
    ) -> tuple[dict[str, IntArray], IntArray]:
        """See `Neuron.step`."""
        u = self.next_current(states["u"], current)
        reached = self.next_voltage(states["v"], u)
        clock = states["clock"]
        sent = self.messages(reached + self.noise_at(clock, np.arange(reached.shape[-1])))
        return {"u": u, "v": np.where(sent, 0, reached), "clock": clock + 1}, sent

    def with_seed(self, seed: int) -> StochasticLIF:
        """See `Neuron.with_seed`."""
        return replace(self, seed=seed)

    def noise_at(self, step: Any, neuron: Any) -> NDArray[np.int64]:
        """Give n, in v's unit; arguments broadcast."""
        return noise_of(draw(self.seed, step, neuron), self.noise, self.amplitude)

    def probability(self, v: IntArray) -> NDArray[np.float64]:
        """Give the probability of a message at a voltage before the reset, of what can be drawn.

        Parameters
        ----------
        v : integer array [..., neurons]
        """
        short = self.scaled("threshold") - np.asarray(v, np.int64)
        if self.noise == "uniform" and self.amplitude:
            half = self.amplitude << ACTIVATION_SHIFT
            chance: NDArray[np.float64] = np.clip((half - 1 - short) / (2 * half), 0.0, 1.0)
            return chance
        values = np.sort(noise_of(_middles(), self.noise, self.amplitude))
        beyond = len(values) - np.searchsorted(values, short, side="right")
        return np.asarray(beyond / len(values), np.float64)


def noise_of(drawn: NDArray[np.uint32], kind: str, amplitude: int) -> NDArray[np.int64]:
    """Give noise in v's unit from numbers of 32 bits; see `StochasticLIF`."""
    size = amplitude << ACTIVATION_SHIFT
    if kind == "uniform":
        uniform: NDArray[np.int64] = (drawn.astype(np.int64) * (2 * size) >> 32) - size
        return uniform
    quantile = logistic_quantiles()[drawn >> np.uint32(32 - QUANTILE_BITS)]
    return round_to_zero(size * quantile, QUANTILE_SHIFT).astype(np.int64)


def _middles() -> NDArray[np.uint32]:
    count = 1 << QUANTILE_BITS
    return (np.arange(count, dtype=np.uint64) << np.uint64(32 - QUANTILE_BITS)).astype(np.uint32)
