"""SLAYER's ALIF as the parameters of Lava's ATRLIF process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import UnsupportedError
from ...network import ALIF
from ...network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY


@dataclass(frozen=True)
class ATRLIF:
    """Arguments of ``lava.proc.atrlif.process.ATRLIF``.

    Attributes
    ----------
    delta_i, delta_v, delta_theta, delta_r : float
        Decays as fractions; Lava adds 1/4096 to `delta_i` and to no other.
    theta_0, theta, theta_step : float
        In 1/64 of the state's unit.
    bias_mant, bias_exp : int
    """

    delta_i: float
    delta_v: float
    delta_theta: float
    delta_r: float
    theta_0: float
    theta: float
    theta_step: float
    bias_mant: int = 0
    bias_exp: int = ACTIVATION_SHIFT


def as_atrlif(neuron: ALIF) -> ATRLIF:
    """Give the ATRLIF that sends and holds the same numbers, step by step.

    Source: ``PyATRLIFModelFixed``, ``lava/proc/atrlif/models.py:92`` (lava-nc
    0.10.0), whose current decays by delta_i + 1/4096. netx cannot read ALIF.

    Raises
    ------
    UnsupportedError
        For parameters that differ between neurons, graded spikes, a bias, inputs
        in another unit, or a current that never decays.
    """
    values = {k: np.asarray(v) for k, v in vars(neuron).items()}
    if any(v.ndim for v in values.values()):
        raise UnsupportedError("alif as ATRLIF: its parameters differ; Lava's is one for all")
    if neuron.graded_spike or neuron.bias or neuron.input_exponent != ACTIVATION_SHIFT:
        raise UnsupportedError("alif as ATRLIF: it has plain spikes, no bias and inputs of 1/64")
    if neuron.current_decay < 1:
        raise UnsupportedError("alif as ATRLIF: its current never decays, Lava's always does")
    return ATRLIF(
        delta_i=(int(neuron.current_decay) - 1) / DECAY_UNITY,
        delta_v=int(neuron.voltage_decay) / DECAY_UNITY,
        delta_theta=int(neuron.threshold_decay) / DECAY_UNITY,
        delta_r=int(neuron.refractory_decay) / DECAY_UNITY,
        theta_0=int(neuron.threshold),
        theta=int(neuron.threshold),
        theta_step=int(neuron.threshold_step),
    )
