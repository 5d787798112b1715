"""Lava processes of a network's neurons and synapses; imported only where Lava is.

Used by the `lava` backend, which simulates them, and by `loihi2`, which has
them compiled for the chip. Lava's Conv works in (W, H, C) order and is a true
convolution, ours a correlation over (C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from lava.proc.conv.process import Conv as LavaConv
from lava.proc.dense.process import DelayDense as LavaDelayDense
from lava.proc.dense.process import Dense as LavaDense
from lava.proc.graded.process import GradedReluVec as LavaGradedReluVec
from lava.proc.graded.process import GradedVec as LavaGradedVec
from lava.proc.lif.process import LIF as LavaLIF
from lava.proc.lif.process import LIFReset as LavaLIFReset
from lava.proc.lif.process import TernaryLIF as LavaTernaryLIF
from lava.proc.sdn.process import ActivationMode
from lava.proc.sdn.process import Delta as LavaDelta
from lava.proc.sdn.process import Sigma as LavaSigma
from lava.proc.sdn.process import SigmaDelta as LavaSigmaDelta
from lava.proc.sparse.process import Sparse as LavaSparse
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
from numpy.typing import NDArray

from ...errors import NetworkError
from ...network import (
    Conv,
    CubaLIF,
    Delta,
    GradedThreshold,
    Neuron,
    Population,
    Projection,
    Sigma,
    SigmaDelta,
    Sparse,
    Synapse,
    TernaryLIF,
)
from ...network.fixed_point import ACTIVATION_SHIFT, PAYLOAD_BITS, SPIKE_EXPONENT, STATE_EXPONENT
from ...targets.lava_rules import lava_weight

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


_EXPONENTS = {"spike_exp": SPIKE_EXPONENT, "state_exp": STATE_EXPONENT}


def _leaks(neuron: CubaLIF | TernaryLIF) -> dict[str, Any]:
    return {
        "du": neuron.current_decay - 1,  # Lava's model adds ds_offset = 1
        "dv": neuron.voltage_decay,
        "bias_mant": neuron.bias,
        "bias_exp": ACTIVATION_SHIFT,
    }


def _lif(neuron: CubaLIF, shape: Shape, resets: Resets) -> Any:
    options = {"shape": shape, "vth": neuron.threshold, **_leaks(neuron)}
    if resets is None:
        return LavaLIF(**options)
    return LavaLIFReset(**options, reset_interval=resets[0], reset_offset=resets[1])


def _ternary(neuron: TernaryLIF, shape: Shape, resets: Resets) -> Any:
    return LavaTernaryLIF(shape=shape, vth_hi=neuron.upper, vth_lo=neuron.lower, **_leaks(neuron))


def _graded(neuron: GradedThreshold, shape: Shape, resets: Resets) -> Any:
    graded = LavaGradedReluVec if neuron.rectify else LavaGradedVec
    return graded(shape=shape, vth=neuron.threshold)


def _sigma_delta(neuron: SigmaDelta, shape: Shape, resets: Resets) -> Any:
    mode = ActivationMode.RELU if neuron.rectify else ActivationMode.UNIT
    options = {"vth": neuron.threshold, "bias": neuron.bias, "act_mode": mode}
    return LavaSigmaDelta(shape=shape, **options, **_EXPONENTS)


def _delta(neuron: Delta, shape: Shape, resets: Resets) -> Any:
    return LavaDelta(shape=shape, vth=neuron.threshold, **_EXPONENTS)


def _sigma(neuron: Sigma, shape: Shape, resets: Resets) -> Any:
    return LavaSigma(shape=shape)


PROCESSES: dict[type[Neuron], Callable[[Any, Shape, Resets], Any]] = {
    CubaLIF: _lif,
    TernaryLIF: _ternary,
    GradedThreshold: _graded,
    SigmaDelta: _sigma_delta,
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
        For leaky neurons: u and v become zero where ``step % interval == phase``,
        steps counted from 1 (``LIFReset``).
    """
    process = PROCESSES[type(neuron)](neuron, shape, resets)
    for var in process.vars:  # Lava's have room for one du, dv or vth for all neurons
        if np.ndim(var.init) and var.init.shape != var.shape:
            var.shape = var.init.shape
    return process


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
    delays = np.zeros(mantissa.shape, int)
    if source.axon_delay is not None:
        delays += source.axon_delay
    delays += getattr(synapse, "delay", 0)
    if not delays.any():
        return (LavaSparse if synapse.kind == Sparse.kind else LavaDense)(**options)
    return LavaDelayDense(delays=delays, max_delay=int(delays.max()), **options)


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
