"""Resonators: a complex state that turns and decays, and fires by phase or by height."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..fields import flag, integers, one_integer
from ..fixed_point import ACTIVATION_SHIFT, DECAY_UNITY, RISE_LIMIT, THRESHOLD_LIMIT
from .base import Neuron, Parameter
from .registry import NEURONS

_UNITY = 1 << 15
"""Of the decays of `ResonateFireZero`."""

_CLIPPED: Mapping[str, str] = {**Neuron.beyond_limits, "u_overflows": "u saturated"}


@NEURONS.register
@dataclass(frozen=True, eq=False)
class ResonateFire(Neuron):
    r"""Resonate-and-fire neuron that fires as its phase passes zero (NetX ``RF_PHASE``).

    .. math::
        v' &= v \\
        u &\leftarrow clip(rz(c\,u) - rz(\sigma\,v') + 2^e a_{re}) \\
        v &\leftarrow clip(rz(\sigma\,u_{old}) + rz(c\,v') + 2^e a_{im}) \\
        f &= [u \ge 64\,\theta]\,[v \ge 0]\,[v' < 0], \quad s = f, \text{ or } f u \text{ if graded}

    `clip` is `fixed_point.saturate_voltage`. There is no reset. Recordings
    hold the real part as ``u`` and the imaginary part as ``v``.

    Attributes
    ----------
    sin_decay, cos_decay : int or int32 [neurons]
        sigma and c: 4096 (1 - decay) times sine and cosine of the angle turned
        in a step, in -4096..4096 (NetX ``sinDecay``, ``cosDecay``, used as
        they are written).
    threshold : int or int32 [neurons]
        In 1/64 of the state's unit (NetX ``vThMant``).
    graded_spike : bool
        Send the real part, in the state's unit, in place of 1.
    input_exponent : int
        e, see `GeneralCubaLIF`.

    Notes
    -----
    Sources: ``slayer/neuron/rf.py``, ``dynamics/resonator.py:356`` and
    ``spike/complex.py:82`` (lava-dl 0.6.0), which never clip; Lava's
    ``PyRFModelFixed``, ``lava/proc/rf/models.py:125`` (lava-nc 0.10.0), which
    clips. netx turns a file's two integers into a period and a decay and back,
    truncating; 39% of the pairs come out one lower. We keep the file's.
    """

    sin_decay: Parameter = field(metadata=integers(-DECAY_UNITY, DECAY_UNITY))
    cos_decay: Parameter = field(metadata=integers(-DECAY_UNITY, DECAY_UNITY))
    threshold: Parameter = field(metadata=integers(-THRESHOLD_LIMIT, THRESHOLD_LIMIT))
    graded_spike: bool = field(default=False, metadata=flag())
    input_exponent: int = field(default=ACTIVATION_SHIFT, metadata=one_integer(-24, 16))
    kind: ClassVar[str] = "rf"
    has_own_microcode: ClassVar[bool] = True
    states: ClassVar[tuple[str, ...]] = ("u", "v")
    ports: ClassVar[int] = 2
    beyond_limits: ClassVar[Mapping[str, str]] = _CLIPPED

    @property
    def graded(self) -> bool:
        """Whether spikes carry the state that fired."""
        return self.graded_spike


@NEURONS.register
@dataclass(frozen=True, eq=False)
class ResonateFireIzhikevich(ResonateFire):
    r"""Resonate-and-fire neuron that fires by height and resets (NetX ``RF_IZHIKEVICH``).

    The state turns as in `ResonateFire`; then

    .. math::
        f &= [v \ge 64\,\theta], \quad s = f, \text{ or } f v \text{ if graded} \\
        u &\leftarrow 0, \quad v \leftarrow 64\,\theta - 1 \text{ where } f

    Recordings hold u and v after the reset.

    Attributes
    ----------
    sin_decay, cos_decay, threshold, graded_spike, input_exponent
        As in `ResonateFire`; a graded spike carries the imaginary part.

    Notes
    -----
    Sources: ``slayer/neuron/rf_iz.py``, ``dynamics/resonator.py:364`` (lava-dl
    0.6.0); ``PyRF_IZModelFixed``, ``lava/proc/rf_iz/models.py:37`` (lava-nc
    0.10.0). SLAYER has a threshold below 0 mean "no reset"; here it resets.
    """

    kind: ClassVar[str] = "rf-iz"


@NEURONS.register
@dataclass(frozen=True, eq=False)
class AdaptiveResonateFire(Neuron):
    r"""`ResonateFire` with a threshold that adapts (NetX ``ADRF_PHASE``).

    .. math::
        \vartheta &\leftarrow rz((\vartheta - 64\,\theta)(4096 - d_\vartheta)) + 64\,\theta \\
        r &\leftarrow rz(r\,(4096 - d_r)) \\
        f &= [u \ge \vartheta + r]\,[v \ge 0]\,[v' < 0],
            \quad s = f, \text{ or } f u \text{ if graded} \\
        r &\leftarrow r + 2\vartheta, \quad
        \vartheta \leftarrow \vartheta + 64\,\theta_{step} \text{ where } f

    u, v and v' are `ResonateFire`'s; :math:`\vartheta` starts at
    :math:`64\,\theta`, r at 0. Recordings hold them as ``threshold`` and ``refractory``.

    Attributes
    ----------
    sin_decay, cos_decay, threshold, graded_spike, input_exponent
        As in `ResonateFire`.
    threshold_decay, refractory_decay, threshold_step : int or int32 [neurons]
        As in `ALIF` (NetX ``thDecay``, ``refDecay``, ``vThStep``).

    Notes
    -----
    Source: ``slayer/neuron/adrf.py``, ``dynamics/adaptive_phase_th.py:272``
    (lava-dl 0.6.0). Lava has no such neuron and netx reads the type as RF,
    without adaptation (``netx/hdf5.py:190``). SLAYER never clips u and v; that
    we clip them to 24 bits is our choice, taken over from Lava's RF.
    """

    sin_decay: Parameter = field(metadata=integers(-DECAY_UNITY, DECAY_UNITY))
    cos_decay: Parameter = field(metadata=integers(-DECAY_UNITY, DECAY_UNITY))
    threshold_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    refractory_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    threshold: Parameter = field(metadata=integers(-RISE_LIMIT, RISE_LIMIT))
    threshold_step: Parameter = field(metadata=integers(0, RISE_LIMIT))
    graded_spike: bool = field(default=False, metadata=flag())
    input_exponent: int = field(default=ACTIVATION_SHIFT, metadata=one_integer(-24, 16))
    kind: ClassVar[str] = "adrf"
    has_own_microcode: ClassVar[bool] = True
    states: ClassVar[tuple[str, ...]] = ("u", "v", "threshold", "refractory")
    ports: ClassVar[int] = 2
    beyond_limits: ClassVar[Mapping[str, str]] = _CLIPPED

    @property
    def graded(self) -> bool:
        """Whether spikes carry the state that fired."""
        return self.graded_spike


@NEURONS.register
@dataclass(frozen=True, eq=False)
class AdaptiveResonateFireIzhikevich(AdaptiveResonateFire):
    r"""`AdaptiveResonateFire` that fires by height (NetX ``ADRF_IZHIKEVICH``).

    .. math::
        f = [v \ge \vartheta + r], \quad s = f, \text{ or } f v \text{ if graded}

    and otherwise as there: :math:`\vartheta` and r adapt, u and v are *not*
    reset, unlike `ResonateFireIzhikevich`'s.

    Attributes
    ----------
    sin_decay, cos_decay, threshold_decay, refractory_decay, threshold, threshold_step, \
graded_spike, input_exponent
        As in `AdaptiveResonateFire`.

    Notes
    -----
    Source: ``dynamics/adaptive_resonator.py:425`` (lava-dl 0.6.0).
    ``adrf_iz.Neuron.forward`` (``slayer/neuron/adrf_iz.py:670``) passes
    threshold + refractory as one argument to ``spike``, which takes two: a
    TypeError for every input. Its ``dynamics`` and ``spike`` called one after
    the other give what is written here.
    """

    kind: ClassVar[str] = "adrf-iz"


@NEURONS.register
@dataclass(frozen=True, eq=False)
class ResonateFireZero(Neuron):
    r"""Resonator of 15-bit decays that sends its amplitude as its phase passes zero.

    .. math::
        v' &= v \\
        u &\leftarrow (c\,u \gg 15) - (\sigma\,v' \gg 15) + a_{re} \\
        v &\leftarrow (\sigma\,u_{old} \gg 15) + (c\,v' \gg 15) + a_{im} \\
        s &= u\,[u > \theta]\,[v \ge 0]\,[v' < 0]

    Products are rounded down and inputs not shifted, unlike `ResonateFire`'s. There is no limit
    and no reset. Recordings hold the real part as ``u`` and the imaginary part as ``v``.

    Attributes
    ----------
    sin_decay, cos_decay : int or int32 [neurons]
        sigma and c: 2^15 exp(-dt / tau) times sine and cosine of the angle turned in a step,
        in -32768..32768 (Lava's ``lst`` and ``lct``).
    threshold : int or int32 [neurons]
        In the state's unit, that of the input (Lava's ``uth``).

    Notes
    -----
    Lava's ``RFZero`` (``lava/proc/resfire/models.py:38``, lava-nc 0.10.0). It multiplies in int32
    and wraps there: from 2^16 on, a state times a decay of 2^15 does not fit, though it declares
    24 bits. Steps that leave a state there are counted; the sums themselves are Lava's to the bit.
    """

    sin_decay: Parameter = field(metadata=integers(-_UNITY, _UNITY))
    cos_decay: Parameter = field(metadata=integers(-_UNITY, _UNITY))
    threshold: Parameter = field(metadata=integers())
    kind: ClassVar[str] = "rf-zero"
    has_own_microcode: ClassVar[bool] = True
    states: ClassVar[tuple[str, ...]] = ("u", "v")
    ports: ClassVar[int] = 2
    graded: ClassVar[bool] = True
    beyond_limits: ClassVar[Mapping[str, str]] = {
        **Neuron.beyond_limits,
        "u_overflows": "u left 17 bits, so its products wrap",
        "v_overflows": "v left 17 bits, so its products wrap",
    }

    @property
    def mantissa_shift(self) -> int:
        """See `Neuron.mantissa_shift`."""
        return 0
