"""The finger-velocity decoder of neural-decoding-RSNN (MIT) as a float network.

stork's neurons, in its order of operations: a spike is sent from the voltage of the step before,
and the step after it the voltage is 0 whatever comes in; the current of a step enters the
voltage in the next. Counted from the spike, that is a reset that wipes out the next step's input,
and recurrence that takes two steps more; the input's share is a shift in time alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurodeploy.network import (
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    Population,
    Projection,
    Source,
)

DT_SECONDS = 4e-3
SYNAPSE_SECONDS, MEMBRANE_SECONDS = 10e-3, 20e-3
"""Time constants at a parameter whose softplus is 1."""

RECURRENT_DELAY = 2


def load(path: Path) -> Network:
    """Read stork's parameters: 96 inputs, 64 recurrent neurons, 2 leaky integrators."""
    with np.load(path) as data:
        weight = {n: data[f"con{n}.op.weight"].astype(np.float32) for n in (1, 2, 3)}
        keep_u = keep(data["group2.syn_param"], SYNAPSE_SECONDS)
        keep_v = keep(data["group2.mem_param"], MEMBRANE_SECONDS)
        read_u = keep(data["group3.syn_param_readout"], SYNAPSE_SECONDS)
        read_v = keep(data["group3.mem_param_readout"], MEMBRANE_SECONDS)
    hidden = FloatLIF(
        current_keep=keep_u, voltage_keep=keep_v, voltage_gain=1 - keep_v, reset_time="after"
    )
    readout = FloatLIF(
        current_keep=read_u, voltage_keep=read_v, voltage_gain=1 - read_v,
        sends="voltage", reset="none",
    )  # fmt: skip
    return Network(
        (
            Population("input", (96,), Source()),
            Population("hidden", (64,), hidden),
            Population("readout", (2,), readout),
        ),
        (
            Projection("input", "hidden", Dense(weight[1])),
            Projection(
                "hidden", "hidden",
                DelayedDense(weight[2], np.full((64, 64), RECURRENT_DELAY, np.int32)),
            ),
            Projection("hidden", "readout", Dense(weight[3])),
        ),
    )  # fmt: skip


def keep(parameter: np.ndarray, seconds: float) -> np.ndarray:
    """What a state keeps of itself in a step, by stork's time constant softplus(p) * seconds."""
    tau = np.log1p(np.exp(parameter.astype(np.float64))) * seconds
    return np.exp(-DT_SECONDS / tau).astype(np.float32)


def poisson(samples: int, steps: int, rate: float, seed: int) -> np.ndarray:
    """Spikes, uint8 [samples, steps, 96], each with probability `rate` in a step."""
    random = np.random.default_rng(seed).random((samples, steps, 96))
    return (random < rate).astype(np.uint8)
