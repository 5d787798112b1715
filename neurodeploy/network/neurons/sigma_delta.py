"""Sigma-delta neurons: they send changes of a value, and add changes up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...errors import NetworkError
from ..fields import INT32, flag, integers, one_integer
from ..fixed_point import SIGMA_DELTA_SHIFT, STATE_BITS, STATE_EXPONENT
from .base import Neuron, Parameter
from .registry import NEURONS

_KEPT: Mapping[str, str] = {
    **Neuron.beyond_limits,
    "u_overflows": "u left 24 bits",
}
"""Lava's CPU and the engine keep sigma in 32 bits; see `SigmaDelta`."""


@NEURONS.register
@dataclass(frozen=True, eq=False)
class Delta(Neuron):
    r"""Sends the change of its input once it reaches the threshold.

    .. math::
        x &= 2^{12} a, \quad \delta = x - x' + r, \quad
        o = \delta\,[|\delta| \ge 2^{12-f}\theta] \\
        r &\leftarrow \delta - o, \quad x' \leftarrow x, \quad s = o \gg 6

    Attributes
    ----------
    threshold : int or int32 [neurons]
        NetX ``vThMant``, in 1/64 of the input's unit, with f more bits below it.
    fraction_bits : int
        f in 0..12; 0 is NetX.

    Notes
    -----
    Recordings hold r as ``u`` and x as ``v``.
    """

    threshold: Parameter = field(metadata=integers(0))
    fraction_bits: int = field(default=0, metadata=one_integer(0, SIGMA_DELTA_SHIFT))
    kind: ClassVar[str] = "delta"
    runs_on_host: ClassVar[str] = "first"
    states: ClassVar[tuple[str, ...]] = ("u", "v")
    graded: ClassVar[bool] = True
    resettable: ClassVar[bool] = False
    sends_values: ClassVar[bool] = True
    beyond_limits: ClassVar[Mapping[str, str]] = _KEPT

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_within_state(self)

    @property
    def mantissa_shift(self) -> int:
        """See `Neuron.mantissa_shift`."""
        return SIGMA_DELTA_SHIFT - self.fraction_bits


@NEURONS.register
@dataclass(frozen=True, eq=False)
class SigmaDelta(Neuron):
    r"""Adds up messages, applies a rectifier and sends the change.

    .. math::
        \sigma &\leftarrow \sigma + a, \quad
        x = \max(\sigma + 2^{12-f} b, 0), \quad \delta = x - x' + r \\
        o &= \delta\,[|\delta| \ge 2^{12-f}\theta], \quad
        r \leftarrow \delta - o, \quad x' \leftarrow x, \quad s = o \gg 6

    The 6 bits that ``o >> 6`` drops are never repaid (as in Lava 0.10.0).
    Recordings hold sigma as ``u``, the activation x as ``v`` and r as ``residue``. sigma is
    int32 on Lava's CPU; crossing 24 bits is counted, silicon may differ there.
    SLAYER takes any function as activation (``slayer/neuron/sigma_delta.py:100``,
    lava-dl 0.6.0) and writes its name; netx and Lava know the rectifier only.
    Rectifier and identity are what is exact in these integers.

    Attributes
    ----------
    threshold : int or int32 [neurons]
        NetX ``vThMant``.
    bias : int or int32 [neurons]
        NetX ``bias``.
    rectify : bool
        ReLU (NetX ``activation`` = ``relu``); False leaves x unrectified.
    fraction_bits : int
        f in 0..12: bits of threshold and bias below NetX's 1/64, for learned
        values that SLAYER does not round; 0 is NetX.
    """

    threshold: Parameter = field(metadata=integers(0))
    bias: Parameter = field(default=0, metadata=integers())
    rectify: bool = field(default=True, metadata=flag())
    fraction_bits: int = field(default=0, metadata=one_integer(0, SIGMA_DELTA_SHIFT))
    kind: ClassVar[str] = "sigma-delta"
    update_passes: ClassVar[int] = 2
    states: ClassVar[tuple[str, ...]] = ("u", "v", "residue")
    graded: ClassVar[bool] = True
    resettable: ClassVar[bool] = False
    sends_values: ClassVar[bool] = True
    beyond_limits: ClassVar[Mapping[str, str]] = _KEPT

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_within_state(self)

    @property
    def mantissa_shift(self) -> int:
        """See `Neuron.mantissa_shift`."""
        return SIGMA_DELTA_SHIFT - self.fraction_bits


def _check_within_state(neuron: Delta | SigmaDelta) -> None:
    """Make sure that threshold and bias are within int32 in the state's unit."""
    limit = (1 << (31 - SIGMA_DELTA_SHIFT + neuron.fraction_bits)) - 1
    for name in ("threshold", "bias"):
        largest = int(np.max(np.abs(np.asarray(getattr(neuron, name, 0), np.int64))))
        if largest > limit:
            raise NetworkError(
                f"{neuron.label}: {name} holds {largest}, limit {limit} with "
                f"{neuron.fraction_bits} fraction_bits"
            )


LOWEST, HIGHEST = int(INT32.min), int(INT32.max)
"""What int32 holds: no bound of `GeneralSigmaDelta`."""


@NEURONS.register
@dataclass(frozen=True, eq=False)
class GeneralSigmaDelta(Neuron):
    r"""`SigmaDelta` with another scale, and with bounds at both ends.

    .. math::
        \sigma &\leftarrow \sigma + a, \quad
        x = \min(\max(\sigma + b, l), h), \quad \delta = x - x' + r \\
        o &= \delta\,[|\delta| \ge \theta], \quad
        r \leftarrow \delta - o, \quad x' \leftarrow x, \quad s = o \gg k

    A norm that divides by :math:`2^p` leaves the integers of the state as they
    are and makes each stand for :math:`2^p` times less, so that messages lose p
    bits more: k = 6 + p. SLAYER's ``WgtScaleBatchNorm`` (``neuron/norm.py:152``),
    its ``scale`` (``neuron/sigma_delta.py``) and activations that clip are such
    neurons. Lava has none. Overflows are counted as in `SigmaDelta`.

    Attributes
    ----------
    threshold, bias : int or int32 [neurons]
        In the state's unit, that of `a`.
    lowest, highest : int
        Bounds of the activation, in the state's unit; 0 below is ReLU.
    message_shift : int
        k in 0..24.
    """

    threshold: Parameter = field(metadata=integers())
    bias: Parameter = field(default=0, metadata=integers())
    lowest: int = field(default=LOWEST, metadata=one_integer())
    highest: int = field(default=HIGHEST, metadata=one_integer())
    message_shift: int = field(default=STATE_EXPONENT, metadata=one_integer(0, STATE_BITS))
    kind: ClassVar[str] = "general-sigma-delta"
    update_passes: ClassVar[int] = 2
    states: ClassVar[tuple[str, ...]] = ("u", "v", "residue")
    graded: ClassVar[bool] = True
    resettable: ClassVar[bool] = False
    sends_values: ClassVar[bool] = True
    beyond_limits: ClassVar[Mapping[str, str]] = _KEPT

    @property
    def mantissa_shift(self) -> int:
        """See `Neuron.mantissa_shift`."""
        return 0


@NEURONS.register
@dataclass(frozen=True, eq=False)
class Sigma(Neuron):
    r"""Adds up messages and sends the sum: :math:`\sigma \leftarrow \sigma + a, s = \sigma`.

    Recordings hold sigma as ``u``.
    """

    kind: ClassVar[str] = "sigma"
    states: ClassVar[tuple[str, ...]] = ("u",)
    graded: ClassVar[bool] = True
    resettable: ClassVar[bool] = False
    sends_values: ClassVar[bool] = True
    beyond_limits: ClassVar[Mapping[str, str]] = _KEPT
