"""Leaky integrators of a current, with and without spikes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import NetworkError
from ..fields import choice, flag, integers, one_integer
from ..fixed_point import ACTIVATION_SHIFT, BIAS_LIMIT, DECAY_UNITY, STATE_LIMIT, THRESHOLD_LIMIT
from .base import IntArray, Parameter
from .cuba_states import CubaStates
from .floating import FloatLIF
from .registry import NEURONS


@NEURONS.register
@dataclass(frozen=True, eq=False)
class CubaLIF(CubaStates):
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

    current_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    voltage_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    threshold: Parameter = field(metadata=integers(-THRESHOLD_LIMIT, THRESHOLD_LIMIT))
    bias: Parameter = field(default=0, metadata=integers(-BIAS_LIMIT, BIAS_LIMIT))
    kind: ClassVar[str] = "cuba-lif"
    masks_v: ClassVar[bool] = True

    def messages(self, v: IntArray) -> IntArray:
        """See `CubaStates.messages`."""
        return (v > self.scaled("threshold")).astype(np.int64)

    def float_form(self) -> FloatLIF | None:
        """See `Neuron.float_form`; none of what fires at rest, or is derived from this model."""
        if type(self) is not CubaLIF or np.min(self.threshold) < 1:
            return None
        return FloatLIF(
            current_keep=_kept(self.current_decay),
            voltage_keep=_kept(self.voltage_decay),
            voltage_bias=np.asarray(self.bias, np.float32),
            threshold=np.asarray(self.threshold, np.float32),
        )

    def cuba_form(self) -> GeneralCubaLIF | None:
        """Give the same neurons as `GeneralCubaLIF`; None for a derived model."""
        if type(self) is not CubaLIF:
            return None
        return GeneralCubaLIF(self.current_decay, self.voltage_decay, self.threshold, self.bias)


@NEURONS.register
@dataclass(frozen=True, eq=False)
class GeneralCubaLIF(CubaStates):
    r"""`CubaLIF` with more choices: reset, refractory period, bias, payload; NetX can name some.

    .. math::
        u &\leftarrow wrap(rz(u\,(4096 - d_u)) + 2^e a + 64 b_u) \\
        v &\leftarrow clip(rz(v\,(4096 - d_v)) + 2^{e_v} (u + 64 b_v))
            \text{ where } w = 0, \text{ else } v \\
        f &= [v > 64\,\theta][w = 0] \\
        s &= f, \text{ or } f v \text{ if graded} \\
        v &\leftarrow 0 \text{ or } v - \rho \text{ where } f \\
        w &\leftarrow R - 1 \text{ where } f, \text{ else } \max(w - 1, 0)

    Recordings hold w as ``wait``. With a late reset nothing happens to v in the step of the spike;
    its next update is

    .. math::
        v \leftarrow clip(rz(v\,(4096 - d_v)) - \rho + 2^{e_v} (u + 64 b_v))

    Attributes
    ----------
    current_decay, voltage_decay, threshold, bias : int or int32 [neurons]
        As in `CubaLIF`.
    bias_into : {"voltage", "current"}
        Whether the bias is b_v (`CubaLIF`) or b_u.
    reset : {"zero", "subtract", "subtract-late"}
        What a spike does to the voltage: hard reset; soft reset in the step of the spike, before
        the next decay; soft reset in the next update of v, after its decay.
    refractory : int or int32 [neurons]
        R >= 1. For R - 1 steps after a spike v is held where the reset left it
        and no spike is sent; u goes on. 1 is `CubaLIF`.
    graded_spike : bool
        Send v, in the state's unit, in place of 1.
    input_exponent : int
        e in -24..16: 6 for spikes; a negative one shifts right, rounding
        towards zero. -6 is SLAYER's meaning of graded spikes, see Notes.
    voltage_exponent : int
        e_v in -16..16, likewise, for what the current adds to the voltage.
    reset_amount : int, int32 [neurons] or None
        rho in 0..2^23-1 that a soft reset takes off, in v's own unit (64 times finer than
        `threshold`); a hard reset ignores it. None: the threshold, 64 theta.

    Notes
    -----
    The equations are our own choice where neither NetX nor SLAYER has any
    (soft reset, R > 1). With the defaults they are `CubaLIF`'s, bit for bit.
    R is Lava's ``LIFRefractory.refractory_period`` + 1: there v is frozen in
    all of the `refractory_period` steps after a spike
    (``lava/proc/lif/models.py:483``, lava-nc 0.10.0; float only). It is also
    the chip's refractory delay as nengo-loihi's emulator has it, and what
    NetX's ``refDelay`` is read as; see `formats.netx_neurons`.

    SLAYER's graded spike is the voltage as a float, v / 2^12
    (``slayer/spike/spike.py:86``, lava-dl 0.6.0), so a synapse of integer
    weight W adds W v / 2^6 to the next layer's u: `input_exponent` -6 there.
    What arrives must then stay within int32.

    e_v is what SLAYER's ``WgtScaleBatchNorm`` does: it subtracts a mean from
    the current and divides it by a power of two, rounded towards zero as it
    enters the voltage (``neuron/norm.py:164``, ``neuron/cuba.py:328``).

    The late soft reset is snnTorch's ``v = beta v + x - s_last theta``
    (``Leaky._base_sub``, snnTorch 1.0.0). Where a target subtracts before the decay alone,
    rho = 64 theta 4096 / (4096 - d_v) does the same in floats; in integers v is off by up to 2
    units, since it is rounded at other places. A late reset needs a threshold of at least 0:
    then v stands above it between a spike and the reset, and never else.
    """

    current_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    voltage_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    threshold: Parameter = field(metadata=integers(-THRESHOLD_LIMIT, THRESHOLD_LIMIT))
    bias: Parameter = field(default=0, metadata=integers(-BIAS_LIMIT, BIAS_LIMIT))
    bias_into: str = field(default="voltage", metadata=choice("voltage", "current"))
    reset: str = field(default="zero", metadata=choice("zero", "subtract", "subtract-late"))
    refractory: Parameter = field(default=1, metadata=integers(1, 1 << 16))
    graded_spike: bool = field(default=False, metadata=flag())
    input_exponent: int = field(default=ACTIVATION_SHIFT, metadata=one_integer(-24, 16))
    voltage_exponent: int = field(default=0, metadata=one_integer(-16, 16))
    reset_amount: Parameter | None = field(
        default=None, metadata=integers(0, STATE_LIMIT - 1, optional=True)
    )
    kind: ClassVar[str] = "cuba-lif-general"
    states: ClassVar[tuple[str, ...]] = ("u", "v", "wait")
    masks_v: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reset == "subtract-late" and np.min(self.threshold) < 0:
            raise NetworkError(
                f"{self.label}: threshold holds {np.min(self.threshold)}, and reset "
                f"'subtract-late' needs at least 0"
            )

    @property
    def graded(self) -> bool:
        """Whether spikes carry the voltage."""
        return self.graded_spike

    def cuba_form(self) -> GeneralCubaLIF | None:
        """See `CubaLIF.cuba_form`."""
        return self if type(self) is GeneralCubaLIF else None

    @property
    def taken_off(self) -> Parameter:
        """What a soft reset takes off, in v's unit."""
        if self.reset_amount is None:
            return self.threshold << ACTIVATION_SHIFT
        return self.reset_amount

    def messages(self, v: IntArray) -> IntArray:
        """See `CubaStates.messages`."""
        return np.where(self.fires(v), v if self.graded_spike else 1, 0)

    def fires(self, v: IntArray) -> NDArray[np.bool_]:
        """See `CubaStates.fires`; a payload may be 0 where the threshold is negative."""
        return v > self.scaled("threshold")

    def owed(self, v: IntArray) -> IntArray:
        """See `CubaStates.owed`."""
        late = (self.reset == "subtract-late") & self.fires(v)
        return np.where(late, self.taken_off, 0)

    def after_message(self, v: IntArray) -> IntArray:
        """See `CubaStates.after_message`."""
        if self.reset == "zero":
            return np.zeros_like(v)
        return v - self.taken_off if self.reset == "subtract" else v


@NEURONS.register
@dataclass(frozen=True, eq=False)
class LeakyIntegrator(CubaStates):
    r"""A readout: `CubaLIF`'s states without spikes; nothing is sent.

    .. math::
        u &\leftarrow wrap(rz(u\,(4096 - d_u)) + 2^e a) \\
        v &\leftarrow clip(rz(v\,(4096 - d_v)) + u + 64 b), \quad s = 0

    The host reads v, which costs no message: record ``v``. This is SLAYER's
    ``cuba.Affine`` block, voltage for voltage; v / 2^12 is its output
    (``slayer/block/base.py:340``, lava-dl 0.6.0).

    Attributes
    ----------
    current_decay, voltage_decay, bias : int or int32 [neurons]
        As in `CubaLIF`.
    input_exponent : int
        As in `GeneralCubaLIF`.
    """

    current_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    voltage_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    bias: Parameter = field(default=0, metadata=integers(-BIAS_LIMIT, BIAS_LIMIT))
    input_exponent: int = field(default=ACTIVATION_SHIFT, metadata=one_integer(-24, 16))
    kind: ClassVar[str] = "leaky-integrator"
    is_readout: ClassVar[bool] = True

    def float_form(self) -> FloatLIF | None:
        """See `Neuron.float_form`; none where inputs are scaled otherwise than by 64."""
        if type(self) is not LeakyIntegrator or self.input_exponent != ACTIVATION_SHIFT:
            return None
        return FloatLIF(
            current_keep=_kept(self.current_decay),
            voltage_keep=_kept(self.voltage_decay),
            voltage_bias=np.asarray(self.bias, np.float32),
            sends="voltage",
            reset="none",
        )

    def cuba_form(self) -> GeneralCubaLIF | None:
        """See `CubaLIF.cuba_form`: a threshold that no v passes."""
        if type(self) is not LeakyIntegrator:
            return None
        return GeneralCubaLIF(
            self.current_decay, self.voltage_decay, THRESHOLD_LIMIT, self.bias,
            input_exponent=self.input_exponent,
        )  # fmt: skip


@NEURONS.register
@dataclass(frozen=True, eq=False)
class TernaryLIF(CubaStates):
    r"""`CubaLIF` with a second threshold below which it sends -1.

    .. math::
        u &\leftarrow wrap(rz(u\,(4096 - d_u)) + 64 a) \\
        v &\leftarrow clip(rz(v\,(4096 - d_v)) + u + 64 b) \\
        s &= [v > 64\,\theta_{hi}] - [v < 64\,\theta_{lo}], \quad
        v \leftarrow 0 \text{ where } s \ne 0

    Attributes
    ----------
    current_decay, voltage_decay, bias : int or int32 [neurons]
        As in `CubaLIF`; the same quirk holds for Lava's ``du``.
    upper, lower : int or int32 [neurons]
        Mantissas of the thresholds, as `CubaLIF.threshold` (Lava ``vth_hi``, ``vth_lo``).

    Notes
    -----
    Source: ``PyTernLifModelFixed``, ``lava/proc/lif/models.py:309``, lava-nc
    0.10.0. Where the lower threshold is above the upper one a voltage between
    them would meet both; Lava sends 0 there and does not reset, so do we.
    """

    current_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    voltage_decay: Parameter = field(metadata=integers(0, DECAY_UNITY))
    upper: Parameter = field(metadata=integers(-THRESHOLD_LIMIT, THRESHOLD_LIMIT))
    lower: Parameter = field(metadata=integers(-THRESHOLD_LIMIT, THRESHOLD_LIMIT))
    bias: Parameter = field(default=0, metadata=integers(-BIAS_LIMIT, BIAS_LIMIT))
    kind: ClassVar[str] = "ternary-lif"
    masks_v: ClassVar[bool] = True
    graded: ClassVar[bool] = True
    fires_above: ClassVar[str] = "upper"

    def messages(self, v: IntArray) -> IntArray:
        """See `CubaStates.messages`."""
        return (v > self.scaled("upper")).astype(np.int64) - (v < self.scaled("lower"))


def _kept(decay: Parameter) -> NDArray[np.float32]:
    """Share of a state that a step leaves, of a 12-bit decay."""
    share: NDArray[np.float32] = (1 - np.asarray(decay, np.float64) / DECAY_UNITY).astype(
        np.float32
    )
    return share
