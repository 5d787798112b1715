"""Neurons without memory: what arrives in a step is sent in that step, or never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..fields import flag, integers, one_integer
from ..fixed_point import BIAS_LIMIT, THRESHOLD_LIMIT
from .base import Neuron, Parameter
from .registry import NEURONS

_KEPT: Mapping[str, str] = {**Neuron.beyond_limits, "input_overflows": "input left 24 bits"}
_WRAPS: Mapping[str, str] = {**Neuron.beyond_limits, "input_overflows": "product left 32 bits"}


@NEURONS.register
@dataclass(frozen=True, eq=False)
class Threshold(Neuron):
    r"""Spikes where a step's input exceeds the threshold: :math:`s = [64 a + 64 b > 64\,\theta]`.

    The same as a `CubaLIF` of decays 4096 and 4096, without its states.

    Attributes
    ----------
    threshold, bias : int or int32 [neurons]
        In weight units.
    """

    threshold: Parameter = field(metadata=integers(-THRESHOLD_LIMIT, THRESHOLD_LIMIT))
    bias: Parameter = field(default=0, metadata=integers(-BIAS_LIMIT, BIAS_LIMIT))
    kind: ClassVar[str] = "threshold"
    beyond_limits: ClassVar[Mapping[str, str]] = _KEPT

    @property
    def mantissa_shift(self) -> int:
        """See `Neuron.mantissa_shift`."""
        return 0


@NEURONS.register
@dataclass(frozen=True, eq=False)
class GradedThreshold(Neuron):
    r"""Sends a step's input where it exceeds the threshold: :math:`s = a\,[|a| > \theta]`.

    Attributes
    ----------
    threshold : int or int32 [neurons]
        In weight units, >= 0; compared with the magnitude.
    rectify : bool
        Compare a itself, so that nothing negative is sent.

    Notes
    -----
    Lava's ``GradedVec``, and with `rectify` its ``GradedReluVec``
    (``lava/proc/graded/models.py:35`` and ``:72``, lava-nc 0.10.0): ``v += a``,
    compare, ``v = 0``. int32 on Lava's CPU; an input beyond 24 signed bits is
    counted, silicon may differ there. Their ``exp`` is not used on the CPU.
    """

    threshold: Parameter = field(metadata=integers(0))
    rectify: bool = field(default=False, metadata=flag())
    kind: ClassVar[str] = "graded-threshold"
    beyond_limits: ClassVar[Mapping[str, str]] = _KEPT
    graded: ClassVar[bool] = True

    @property
    def mantissa_shift(self) -> int:
        """See `Neuron.mantissa_shift`."""
        return 0


@NEURONS.register
@dataclass(frozen=True, eq=False)
class Product(Neuron):
    r"""Sends the product of its two currents where that exceeds the threshold.

    .. math::
        p = wrap_{32}(a_1 a_2) \gg k, \quad s = p\,[|p| > \theta]

    Complex synapses deliver the two: the real part :math:`a_1`, the imaginary part :math:`a_2`.
    From two populations, each projection has zeros in the other part.

    Attributes
    ----------
    threshold : int or int32 [neurons]
        In the product's unit, >= 0; compared with the magnitude.
    shift : int
        k in 0..31; rounds down.

    Notes
    -----
    Lava's ``ProdNeuron`` (``lava/proc/prodneuron/models.py:32``, lava-nc 0.10.0), which multiplies
    in int32 and wraps there; a product that does is counted, silicon may differ.
    """

    threshold: Parameter = field(metadata=integers(0))
    shift: int = field(default=0, metadata=one_integer(0, 31))
    kind: ClassVar[str] = "product"
    ports: ClassVar[int] = 2
    beyond_limits: ClassVar[Mapping[str, str]] = _WRAPS
    graded: ClassVar[bool] = True

    @property
    def mantissa_shift(self) -> int:
        """See `Neuron.mantissa_shift`."""
        return 0
