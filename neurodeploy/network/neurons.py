"""Neuron models as plain dataclasses, each with its integer update equations.

Notation: ``a`` is the sum of what the synapses deliver in this step (an
integer in weight units), ``rz(x) = sign(x) * (|x| >> 12)`` rounds towards zero,
``s`` is the message sent. Every model starts from zero state. Source of each
rule: Lava 0.10.0's CPU fixed-point models, see `fixed_point`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

Parameter: TypeAlias = "int | NDArray[np.int32]"
"""One integer for the whole population, or one per neuron, flat in (C, H, W) order."""


@dataclass(frozen=True, eq=False)
class Neuron:
    """Base of all neuron models.

    Attributes
    ----------
    kind : str
        The model's short name in tables and files.
    states : tuple of str
        State variables a recording can hold.
    graded : bool
        Whether messages carry a payload other than 1.
    ports : int
        Currents that enter each neuron: 1, or 2 for a real and an imaginary part.
    """

    kind: ClassVar[str] = "neuron"
    states: ClassVar[tuple[str, ...]] = ()
    graded: ClassVar[bool] = False
    ports: ClassVar[int] = 1

    def __post_init__(self) -> None:
        # One form for each meaning: equal values for all neurons are one integer.
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and value.size and (value == value.flat[0]).all():
                object.__setattr__(self, name, int(value.flat[0]))


@dataclass(frozen=True, eq=False)
class Source(Neuron):
    """An input port: sends what it is given, in the same step.

    Attributes
    ----------
    signed : bool
        Whether payloads may be negative (inputs of sigma-delta networks).
        Spiking networks take 0 (none), 1 (a spike) or a positive payload.
    """

    signed: bool = False
    kind: ClassVar[str] = "source"
    graded: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class CubaLIF(Neuron):
    r"""Current-based leaky integrate-and-fire neuron with hard reset.

    .. math::
        u &\leftarrow wrap(rz(u\,(4096 - d_u)) + 64 a) \\
        v &\leftarrow clip(rz(v\,(4096 - d_v)) + u + 64 b) \\
        s &= [v > 64\,\theta], \quad v \leftarrow 0 \text{ where } s

    `wrap` is `fixed_point.wrap_current`, `clip` is `saturate_voltage`.

    Attributes
    ----------
    current_decay, voltage_decay : int or int32 [neurons]
        12-bit decays d_u and d_v in 0..4096 (NetX ``iDecay``, ``vDecay``).
    threshold : int or int32 [neurons]
        Mantissa, in 1/64 of the state's unit (NetX ``vThMant``).
    bias : int or int32 [neurons]
        Mantissa b, added to the voltage at every step from the first on.

    Notes
    -----
    Lava's ``du`` is ``d_u - 1``: its fixed-point model adds 1 to ``du`` and
    not to ``dv``. No refractory period: Lava's LIF has none, NetX's
    ``refDelay`` of 1 is what the hard reset already does.
    """

    current_decay: Parameter
    voltage_decay: Parameter
    threshold: Parameter
    bias: Parameter = 0
    kind: ClassVar[str] = "cuba-lif"
    states: ClassVar[tuple[str, ...]] = ("u", "v")


@dataclass(frozen=True, eq=False)
class Delta(Neuron):
    r"""Sends the change of its input once it reaches the threshold.

    .. math::
        x &= 2^{12} a, \quad \delta = x - x' + r, \quad
        o = \delta\,[|\delta| \ge 2^{12}\theta] \\
        r &\leftarrow \delta - o, \quad x' \leftarrow x, \quad s = o \gg 6

    Attributes
    ----------
    threshold : int or int32 [neurons]
        NetX ``vThMant``, in 1/64 of the input's unit.
    """

    threshold: Parameter
    kind: ClassVar[str] = "delta"
    states: ClassVar[tuple[str, ...]] = ("u", "v")
    graded: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class SigmaDelta(Neuron):
    r"""Adds up messages, applies a rectifier and sends the change.

    .. math::
        \sigma &\leftarrow \sigma + a, \quad
        x = \max(\sigma + 2^{12} b, 0), \quad \delta = x - x' + r \\
        o &= \delta\,[|\delta| \ge 2^{12}\theta], \quad
        r \leftarrow \delta - o, \quad x' \leftarrow x, \quad s = o \gg 6

    The 6 bits that ``o >> 6`` drops are never repaid (as in Lava 0.10.0).
    Recordings hold sigma as ``u`` and the activation x as ``v``. sigma is
    int32 on Lava's CPU; crossing 24 bits is counted, silicon may differ there.

    Attributes
    ----------
    threshold : int or int32 [neurons]
        NetX ``vThMant``.
    bias : int or int32 [neurons]
        NetX ``bias``.
    rectify : bool
        ReLU (NetX ``activation`` = ``relu``); False leaves x unrectified.
    """

    threshold: Parameter
    bias: Parameter = 0
    rectify: bool = True
    kind: ClassVar[str] = "sigma-delta"
    states: ClassVar[tuple[str, ...]] = ("u", "v")
    graded: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class Sigma(Neuron):
    r"""Adds up messages and sends the sum: :math:`\sigma \leftarrow \sigma + a, s = \sigma`.

    Recordings hold sigma as ``u``.
    """

    kind: ClassVar[str] = "sigma"
    states: ClassVar[tuple[str, ...]] = ("u",)
    graded: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class Average(Neuron):
    """Readout on the host: sums groups of neurons in the same step.

    SLAYER's ``Average`` block gives the mean of each group; integers hold the
    sum, so an output divided by `group_size` is SLAYER's number, exactly. It
    is no population of the chip and costs no hop.

    Attributes
    ----------
    group_size : int
        How many neurons of the source make one output.
    """

    group_size: int
    kind: ClassVar[str] = "average"
    graded: ClassVar[bool] = True
