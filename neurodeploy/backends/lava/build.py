"""Lava processes of a network's neurons and synapses; imported only where Lava is.

Used by the `lava` backend, which simulates them, and by `loihi2`, which has
them compiled for the chip. Lava's Conv works in (W, H, C) order and is a true
convolution, ours a correlation over (C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from lava.proc.atrlif.process import ATRLIF as LavaATRLIF
from lava.proc.conv.process import Conv as LavaConv
from lava.proc.dense.process import DelayDense as LavaDelayDense
from lava.proc.dense.process import Dense as LavaDense
from lava.proc.graded.process import GradedReluVec as LavaGradedReluVec
from lava.proc.graded.process import GradedVec as LavaGradedVec
from lava.proc.lif.process import LIF as LavaLIF
from lava.proc.lif.process import LIFReset as LavaLIFReset
from lava.proc.lif.process import TernaryLIF as LavaTernaryLIF
from lava.proc.prodneuron.process import ProdNeuron as LavaProduct
from lava.proc.resfire.process import RFZero as LavaRFZero
from lava.proc.rf.process import RF as LavaRF
from lava.proc.rf_iz.process import RF_IZ as LavaRFIzhikevich
from lava.proc.sdn.process import ActivationMode
from lava.proc.sdn.process import Delta as LavaDelta
from lava.proc.sdn.process import Sigma as LavaSigma
from lava.proc.sdn.process import SigmaDelta as LavaSigmaDelta
from lava.proc.sparse.process import DelaySparse as LavaDelaySparse
from lava.proc.sparse.process import Sparse as LavaSparse
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from ...errors import NetworkError
from ...network import (
    ALIF,
    Conv,
    CubaLIF,
    DelayedSparse,
    Delta,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    GradedThreshold,
    LeakyIntegrator,
    ModulatedLIF,
    Neuron,
    Population,
    Product,
    Projection,
    ResonateFire,
    ResonateFireIzhikevich,
    ResonateFireZero,
    Sigma,
    SigmaDelta,
    Synapse,
    TernaryLIF,
    Threshold,
)
from ...network.fixed_point import (
    ACTIVATION_SHIFT,
    DECAY_BITS,
    DECAY_UNITY,
    PAYLOAD_BITS,
    SPIKE_EXPONENT,
    STATE_EXPONENT,
)
from ...network.neurons import Parameter
from ...targets.lava_rules import NEVER_REACHED, lava_weight
from .learning import modulated

Shape: TypeAlias = "tuple[int, ...]"
Resets: TypeAlias = "tuple[int, int] | None"
"""Interval and phase, where there are any."""


def are_graded(values: NDArray[np.int32]) -> bool:
    """Whether inputs hold anything but 0 and 1, so that their messages need payloads."""
    return bool(values.min(initial=0) < 0 or values.max(initial=0) > 1)


def message_bits(neuron: Neuron, graded_input: bool) -> int:
    """``num_message_bits`` of the synapses behind a population: 0 where it sends ones alone."""
    graded = graded_input if neuron.is_port else neuron.graded
    return PAYLOAD_BITS if graded else 0


def _leaks(neuron: CubaLIF | GeneralCubaLIF | LeakyIntegrator | TernaryLIF) -> dict[str, Any]:
    return {
        "du": neuron.current_decay - 1,  # Lava's model adds ds_offset = 1
        "dv": neuron.voltage_decay,
        # What goes into the current is sent there by a process of its own.
        "bias_mant": neuron.bias if neuron.bias_into == "voltage" else 0,
        "bias_exp": ACTIVATION_SHIFT,
    }


def _lif(neuron: CubaLIF | GeneralCubaLIF, shape: Shape, resets: Resets) -> Any:
    return _leaky(_leaks(neuron), neuron.threshold, shape, resets)


def _readout(neuron: LeakyIntegrator, shape: Shape, resets: Resets) -> Any:
    return _leaky(_leaks(neuron), NEVER_REACHED, shape, resets)


def _threshold(neuron: Threshold, shape: Shape, resets: Resets) -> Any:
    without_memory = CubaLIF(DECAY_UNITY, DECAY_UNITY, neuron.threshold, neuron.bias)
    return _leaky(_leaks(without_memory), neuron.threshold, shape, resets)


def _leaky(leaks: dict[str, Any], threshold: Parameter, shape: Shape, resets: Resets) -> Any:
    options = {"shape": shape, "vth": threshold, **leaks}
    if resets is None:
        return LavaLIF(**options)
    return LavaLIFReset(**options, reset_interval=resets[0], reset_offset=resets[1])


def _ternary(neuron: TernaryLIF, shape: Shape, resets: Resets) -> Any:
    return LavaTernaryLIF(shape=shape, vth_hi=neuron.upper, vth_lo=neuron.lower, **_leaks(neuron))


def _alif(neuron: ALIF, shape: Shape, resets: Resets) -> Any:
    # Fractions, although the fixed-point model declares them as 12-bit integers: it multiplies
    # them by 4096 (atrlif/models.py:144). It adds 1 to the current's decay alone.
    return LavaATRLIF(
        shape=shape,
        delta_i=(neuron.current_decay - 1) / DECAY_UNITY,
        delta_v=neuron.voltage_decay / DECAY_UNITY,
        delta_theta=neuron.threshold_decay / DECAY_UNITY,
        delta_r=neuron.refractory_decay / DECAY_UNITY,
        theta_0=neuron.threshold,
        theta=neuron.threshold,
        theta_step=neuron.threshold_step,
    )


def _resonator(neuron: ResonateFire, shape: Shape, resets: Resets) -> Any:
    made = LavaRFIzhikevich if neuron.kind == ResonateFireIzhikevich.kind else LavaRF
    process = made(
        shape=shape, period=1, alpha=0, state_exp=neuron.input_exponent, decay_bits=DECAY_BITS
    )
    # Lava's constructor derives these from a period and a decay: it misses two of five pairs.
    process.sin_decay.init, process.cos_decay.init = neuron.sin_decay, neuron.cos_decay
    process.vth.init = neuron.threshold << ACTIVATION_SHIFT
    return process


def _resonator_zero(neuron: ResonateFireZero, shape: Shape, resets: Resets) -> Any:
    process = LavaRFZero(shape=shape, freqs=np.ones(1), decay_tau=np.ones(1), uth=neuron.threshold)
    for var, decay in ((process.lst, neuron.sin_decay), (process.lct, neuron.cos_decay)):
        var.init = np.broadcast_to(np.asarray(decay, np.int32), shape).copy()
    return process


def _product(neuron: Product, shape: Shape, resets: Resets) -> Any:
    return LavaProduct(shape=shape, vth=neuron.threshold, exp=neuron.shift)


def _graded(neuron: GradedThreshold, shape: Shape, resets: Resets) -> Any:
    graded = LavaGradedReluVec if neuron.rectify else LavaGradedVec
    return graded(shape=shape, vth=neuron.threshold)


def _sigma_delta(neuron: SigmaDelta, shape: Shape, resets: Resets) -> Any:
    return _changes_of_sum(neuron, neuron.rectify, STATE_EXPONENT, shape)


def _general_sigma_delta(neuron: GeneralSigmaDelta, shape: Shape, resets: Resets) -> Any:
    return _changes_of_sum(neuron, neuron.lowest == 0, neuron.message_shift, shape)


def _changes_of_sum(
    neuron: SigmaDelta | GeneralSigmaDelta, rectify: bool, shift: int, shape: Shape
) -> Any:
    mode = ActivationMode.RELU if rectify else ActivationMode.UNIT
    process = LavaSigmaDelta(shape=shape, vth=0, act_mode=mode, state_exp=shift)
    # In the state's unit, as Lava's constructor leaves them, so that no bit below 1/64 is lost.
    process.vth.init = neuron.threshold << neuron.mantissa_shift
    process.bias.init = neuron.bias << neuron.mantissa_shift
    return process


def _delta(neuron: Delta, shape: Shape, resets: Resets) -> Any:
    process = LavaDelta(shape=shape, vth=0, spike_exp=SPIKE_EXPONENT, state_exp=STATE_EXPONENT)
    process.vth.init = neuron.threshold << neuron.mantissa_shift
    return process


def _sigma(neuron: Sigma, shape: Shape, resets: Resets) -> Any:
    return LavaSigma(shape=shape)


def _modulated(neuron: ModulatedLIF, shape: Shape, resets: Resets) -> Any:
    return modulated(neuron, _leaks(neuron), shape)


PROCESSES: dict[type[Neuron], Callable[[Any, Shape, Resets], Any]] = {
    CubaLIF: _lif,
    GeneralCubaLIF: _lif,
    LeakyIntegrator: _readout,
    ModulatedLIF: _modulated,
    Threshold: _threshold,
    TernaryLIF: _ternary,
    ALIF: _alif,
    ResonateFire: _resonator,
    ResonateFireIzhikevich: _resonator,
    ResonateFireZero: _resonator_zero,
    Product: _product,
    GradedThreshold: _graded,
    SigmaDelta: _sigma_delta,
    GeneralSigmaDelta: _general_sigma_delta,
    Delta: _delta,
    Sigma: _sigma,
}
"""Lava's process of each neuron model; `lava_rules` refuses the others."""


def neurons(neuron: Neuron, shape: Shape, resets: Resets = None) -> Any:
    """Lava's process of a neuron model.

    Parameters
    ----------
    neuron : Neuron
        Parameters that differ from neuron to neuron are of size 1 or of `shape`.
    shape : tuple of int
        Of the process; parameters of another shape must be brought to it before.
    resets : (interval, phase), optional
        For neurons that are Lava's LIF: u and v become zero where ``step % interval == phase``,
        steps counted from 1 (``LIFReset``).
    """
    process = PROCESSES[type(neuron)](neuron, shape, resets)
    for var in process.vars:  # Lava's have room for one du, dv or vth for all neurons
        if np.ndim(var.init) and var.init.shape != var.shape:
            var.shape = var.init.shape
    return process


CURRENTS: dict[type, tuple[str, ...]] = {
    LavaRF: ("a_real_in", "a_imag_in"),
    LavaRFIzhikevich: ("a_real_in", "a_imag_in"),
    LavaRFZero: ("u_in", "v_in"),
    LavaProduct: ("a_in1", "a_in2"),
}
"""Names of the ports at which currents arrive, where there are two."""


def currents_into(process: Any) -> tuple[Any, ...]:
    """Ports of a population's process at which its currents arrive, in the order of ours."""
    names = CURRENTS.get(type(process), ("a_in",))
    return tuple(getattr(process, name) for name in names)


def parts_of(projection: Projection) -> Iterator[Projection]:
    """One projection for each current of the target, with the operator that delivers it."""
    for part in projection.synapse.parts:
        yield replace(projection, synapse=part)


def matrix(projection: Projection, source: Population, bits: int) -> Any:
    """Lava's process of a matrix, with the delays of its synapses and of the axons before it.

    Raises
    ------
    NetworkError
        If the installed Lava would hold other weights than these.
    """
    synapse = projection.synapse
    mantissa, exponent = lava_weight(projection)
    sign = determine_sign_mode(mantissa)
    held = truncate_weights(clip_weights(mantissa, sign, 8), sign, 8)
    if not np.array_equal(held, mantissa):
        raise NetworkError(
            f"projection {projection.name}: this Lava holds {np.count_nonzero(held != mantissa)} "
            f"weights otherwise than lava-nc 0.10.0 does; install lava-nc 0.10.0"
        )
    options = {"weights": mantissa, "weight_exp": exponent, "num_message_bits": bits}
    own = synapse.delays_to_dense() if synapse.kind == DelayedSparse.kind else None  # type: ignore[attr-defined]
    delays = np.zeros(mantissa.shape, int) + (getattr(synapse, "delay", 0) if own is None else own)
    if source.axon_delay is not None:
        delays += source.axon_delay
    if not synapse.is_listed:
        if not delays.any():
            return LavaDense(**options)
        return LavaDelayDense(delays=delays, max_delay=int(delays.max()), **options)
    delays = np.where(mantissa != 0, delays, 0)
    if not delays.any():
        return LavaSparse(**options)
    options["weights"] = csr_matrix(mantissa)
    return LavaDelaySparse(delays=csr_matrix(delays), max_delay=int(delays.max()), **options)


def is_conv(synapse: Synapse) -> TypeGuard[Conv]:
    """Whether Lava has a synapse as a convolution rather than as a matrix."""
    return synapse.kind == Conv.kind


def conv(synapse: Conv, source_shape: tuple[int, ...], bits: int) -> Any:
    """Lava's process of a convolution; `source_shape` is (C, H, W)."""
    return LavaConv(
        weight=synapse.weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1),
        input_shape=source_shape[::-1],
        stride=synapse.stride[::-1],
        padding=synapse.padding[::-1],
        dilation=synapse.dilation[::-1],
        groups=synapse.groups,
        num_message_bits=bits,
    )
