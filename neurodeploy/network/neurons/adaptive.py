"""Integrate-and-fire neurons that fire less the more they fire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..fields import flag, integers, one_integer
from ..fixed_point import (
    ACTIVATION_SHIFT,
    BIAS_LIMIT,
    DECAY_UNITY,
    RISE_LIMIT,
    STATE_LIMIT,
    THRESHOLD_LIMIT,
    round_to_zero,
    saturate_voltage,
)
from .base import IntArray, Neuron, Parameter
from .cuba_states import CubaStates
from .registry import NEURONS


@NEURONS.register
@dataclass(frozen=True, eq=False)
class ALIF(Neuron):
    r"""Adaptive leaky integrate-and-fire: threshold and refractoriness adapt, v is not reset.

    .. math::
        u &\leftarrow wrap(rz(u\,(4096 - d_u)) + 2^e a + 64 b) \\
        v &\leftarrow clip(rz(v\,(4096 - d_v)) + u) \\
        \vartheta &\leftarrow rz((\vartheta - 64\,\theta)(4096 - d_\vartheta)) + 64\,\theta \\
        r &\leftarrow rz(r\,(4096 - d_r)) \\
        f &= [v \ge \vartheta + r], \quad s = f, \text{ or } f v \text{ if graded} \\
        r &\leftarrow r + 2\vartheta, \quad
        \vartheta \leftarrow \vartheta + 64\,\theta_{step} \text{ where } f

    :math:`\vartheta` starts at :math:`64\,\theta`, r at 0, both are 24-bit
    states. Recordings hold the current u and the voltage v, :math:`\vartheta` as ``threshold``
    and r as ``refractory``. Note ``>=``: `CubaLIF` spikes above its threshold, ALIF at it.

    Attributes
    ----------
    current_decay, voltage_decay : int or int32 [neurons]
        12-bit decays d_u and d_v in 0..4096 (NetX ``iDecay``, ``vDecay``).
    threshold_decay, refractory_decay : int or int32 [neurons]
        12-bit decays of the threshold's rise and of r (NetX ``thDecay``, ``refDecay``).
    threshold, threshold_step : int or int32 [neurons]
        Resting threshold and its rise per spike, in 1/64 of the state's unit
        (NetX ``vThMant``, ``vThStep``).
    bias : int or int32 [neurons]
        Mantissa b, added to the current: an ALIF block's norm acts there
        (``slayer/neuron/alif.py:496``), a CUBA block's on the voltage.
    graded_spike : bool
        Send v, in the state's unit, in place of 1.
    input_exponent : int
        e, see `GeneralCubaLIF`.

    Notes
    -----
    Sources: ``slayer/neuron/alif.py`` and ``dynamics/adaptive_threshold.py:267``
    (lava-dl 0.6.0), which never wraps or clips; Lava's ``ATRLIF``
    (``lava/proc/atrlif/models.py:92``, lava-nc 0.10.0) with ``delta_i`` =
    (d_u - 1) / 4096 and the other deltas d / 4096, which wraps u and clips v
    as written here. Neither bounds threshold and r; a spike bounds them by v,
    so three times 24 bits hold them. Steps with either beyond 24 bits are
    counted with the overflows of v.
    """

    current_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    voltage_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    threshold_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    refractory_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    threshold: Parameter = field(metadata=integers(-RISE_LIMIT, RISE_LIMIT))
    threshold_step: Parameter = field(metadata=integers(0, RISE_LIMIT))
    bias: Parameter = field(default=0, metadata=integers(-BIAS_LIMIT, BIAS_LIMIT))
    graded_spike: bool = field(default=False, metadata=flag())
    input_exponent: int = field(default=ACTIVATION_SHIFT, metadata=one_integer(-24, 16))
    kind: ClassVar[str] = "alif"
    has_own_microcode: ClassVar[bool] = True
    states: ClassVar[tuple[str, ...]] = ("u", "v", "threshold", "refractory")
    has_initial_voltage: ClassVar[bool] = True

    @property
    def graded(self) -> bool:
        """Whether spikes carry the voltage."""
        return self.graded_spike

    @property
    def constant_current(self) -> Parameter:
        """See `Neuron.constant_current`."""
        return self.bias


@NEURONS.register
@dataclass(frozen=True, eq=False)
class AdaptiveCubaLIF(CubaStates):
    r"""`CubaLIF` with an adaptation current w of its own spikes, which has a decay of its own.

    .. math::
        u &\leftarrow wrap(rz(u\,(4096 - d_u)) + 64 a) \\
        v &\leftarrow clip(rz(v\,(4096 - d_v)) + u - w + 64 b) \\
        s &= [v > 64\,\theta], \quad v \leftarrow 0 \text{ where } s \\
        w &\leftarrow clip(rz(w\,(4096 - d_w)) + c\,s)

    A spike of one step takes c off the voltage of the next. Recordings hold w, as this step leaves
    it, as ``adaptation``.

    Attributes
    ----------
    current_decay, voltage_decay, threshold, bias : int or int32 [neurons]
        As in `CubaLIF`.
    adaptation_decay : int or int32 [neurons]
        12-bit decay d_w in 0..4096.
    adaptation_step : int or int32 [neurons]
        c in -(2^23-1)..2^23-1, in the state's unit (64 times finer than `threshold`). A negative
        one drives: each spike makes the next easier.

    Notes
    -----
    On Loihi 1 this is two joined compartments. The second has no current that lasts; its voltage,
    which decays by d_w, gathers -c for each spike of the neuron a step after it, and joins the
    current of the first in the same step. What it holds in step t is -w of step t - 1, to the bit.
    Source: the LSNN for sequential MNIST of intel-nrc-ecosystem/models (BSD-3), c = 384 and
    d_w = 5. There the synapse to the second compartment is a message and an operation for each
    spike, which no count here holds. Loihi 2 needs microcode of its own. It is the
    spike-triggered part of adaptive LIF neurons, AdLIF: Bittar and Garner, "A surrogate gradient
    spiking baseline for speech command recognition", 2022, with a = 0.

    Examples
    --------
    A neuron that is driven in every step spikes ever less often:

    >>> import numpy as np
    >>> import neurodeploy as nd
    >>> from neurodeploy.network import AdaptiveCubaLIF, Network, OneToOne, Population
    >>> from neurodeploy.network import Projection, Source
    >>> neuron = AdaptiveCubaLIF(4096, 204, 5, threshold=100, adaptation_step=384)
    >>> net = Network(
    ...     (Population("in", (1,), Source()), Population("out", (1,), neuron)),
    ...     (Projection("in", "out", OneToOne(60)),),
    ... )
    >>> sent = nd.run(net, np.ones((300, 1), int), record=("spikes",))["out"].spikes.ravel()
    >>> [int(part.sum()) for part in np.split(sent, 3)]
    [10, 2, 1]
    """

    current_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    voltage_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    adaptation_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    threshold: Parameter = field(metadata=integers(-THRESHOLD_LIMIT, THRESHOLD_LIMIT))
    adaptation_step: Parameter = field(metadata=integers(1 - STATE_LIMIT, STATE_LIMIT - 1))
    bias: Parameter = field(default=0, metadata=integers(-BIAS_LIMIT, BIAS_LIMIT))
    kind: ClassVar[str] = "cuba-lif-adaptive"
    states: ClassVar[tuple[str, ...]] = ("u", "v", "adaptation")
    has_own_microcode: ClassVar[bool] = True
    compartments: ClassVar[int] = 2

    def messages(self, v: IntArray) -> IntArray:
        """See `CubaStates.messages`."""
        return (v > self.scaled("threshold")).astype(np.int64)

    def voltage_before_reset(
        self, before: IntArray, u: IntArray, sent: IntArray | None
    ) -> IntArray | None:
        """See `Neuron.voltage_before_reset`; None: it depends on the adaptation."""
        return None

    def step(
        self, states: Mapping[str, IntArray], current: IntArray
    ) -> tuple[dict[str, IntArray], IntArray]:
        """See `Neuron.step`."""
        u = self.next_current(states["u"], current)
        w: NDArray[np.int64] = np.asarray(states["adaptation"], np.int64)
        v = self.next_voltage(states["v"], u - w)
        sent = self.messages(v)
        kept = round_to_zero(w * (DECAY_UNITY - np.asarray(self.adaptation_decay)))
        adaptation = saturate_voltage(kept + np.asarray(self.adaptation_step) * sent)
        return {"u": u, "v": np.where(sent, 0, v), "adaptation": adaptation}, sent
