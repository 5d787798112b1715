"""The finger-velocity decoders of neural-decoding-RSNN (MIT) as float networks.

stork's neurons, in its order of operations: a spike is sent from the voltage of the step before,
and the step after it the voltage is 0 whatever comes in; the current of a step enters the
voltage in the next. Counted from the spike, that is a reset that wipes out the next step's input,
and recurrence that takes two steps more; the input's share is a shift in time alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InputError
from neurodeploy.network import (
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    Population,
    Projection,
    Source,
)
from neurodeploy.numpy_files import read_archive

DT_SECONDS = 4e-3
SYNAPSE_SECONDS, MEMBRANE_SECONDS = 10e-3, 20e-3
"""Time constants at a parameter whose softplus is 1."""

RECURRENT_DELAY = 2

DRIFT = 0.6
"""Radians between the preferred directions of a neuron in two sessions, standard deviation."""

WEIGHTS = ("con1.op.weight", "con2.op.weight", "con3.op.weight")
CONSTANTS = (
    "group2.syn_param", "group2.mem_param", "group3.syn_param_readout", "group3.mem_param_readout",
)  # fmt: skip


def parameters(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read stork's parameters, every array that the file holds.

    Raises
    ------
    InputError
        If one that a decoder needs is missing or of another shape.
    """
    held = read_archive(path, cure="give one of the published decoders")
    for name in (*WEIGHTS, *CONSTANTS):
        if name not in held:
            raise InputError(f"{path}: no {name}; give one of the published decoders")
    feed, loop, read = (held[name].shape for name in WEIGHTS)
    if len(feed) != 2 or loop != (feed[0], feed[0]) or len(read) != 2 or read[1] != feed[0]:
        raise InputError(f"{path}: weights of shapes {feed}, {loop}, {read} are no decoder")
    return held


def load(path: Path) -> Network:
    """Read a decoder: 96 or 192 inputs, 64 recurrent neurons, 2 leaky integrators."""
    held = parameters(path)
    feed, loop, read = (held[name].astype(np.float32) for name in WEIGHTS)
    keep_u = keep(held["group2.syn_param"], SYNAPSE_SECONDS)
    keep_v = keep(held["group2.mem_param"], MEMBRANE_SECONDS)
    read_u = keep(held["group3.syn_param_readout"], SYNAPSE_SECONDS)
    read_v = keep(held["group3.mem_param_readout"], MEMBRANE_SECONDS)
    hidden = FloatLIF(
        current_keep=keep_u, voltage_keep=keep_v, voltage_gain=1 - keep_v, reset_time="after"
    )
    readout = FloatLIF(
        current_keep=read_u, voltage_keep=read_v, voltage_gain=1 - read_v,
        sends="voltage", reset="none",
    )  # fmt: skip
    late = np.full(loop.shape, RECURRENT_DELAY, np.int32)
    return Network(
        (
            Population("input", feed.shape[1:], Source()),
            Population("hidden", loop.shape[:1], hidden),
            Population("readout", read.shape[:1], readout),
        ),
        (
            Projection("input", "hidden", Dense(feed)),
            Projection("hidden", "hidden", DelayedDense(loop, late)),
            Projection("hidden", "readout", Dense(read)),
        ),
    )


def keep(parameter: np.ndarray, seconds: float) -> np.ndarray:
    """What a state keeps of itself in a step, by stork's time constant softplus(p) * seconds."""
    tau = np.log1p(np.exp(parameter.astype(np.float64))) * seconds
    return np.exp(-DT_SECONDS / tau).astype(np.float32)


def footprint(path: Path) -> int:
    """Bytes of a decoder's parameters in half precision, as published.

    The file names an array once for each object that uses it (``group2.mem_param``,
    ``con1.dst.mem_param``, ...); what is the same array counts once.
    """
    unique = {(a.shape, a.astype(np.float16).tobytes()) for a in parameters(path).values()}
    return sum(len(data) for _, data in unique)


def connection_sparsity(path: Path) -> float:
    """Share of weights that are 0: NeuroBench's ConnectionSparsity."""
    held = parameters(path)
    weights = np.concatenate([held[name].ravel() for name in WEIGHTS])
    return float(np.mean(weights == 0))


def poisson(samples: int, steps: int, rate: float, seed: int, inputs: int = 96) -> np.ndarray:
    """Spikes, uint8 [samples, steps, inputs], each with probability `rate` in a step."""
    random = np.random.default_rng(seed).random((samples, steps, inputs))
    return (random < rate).astype(np.uint8)


def cortex(
    samples: int,
    steps: int,
    inputs: int,
    seed: int,
    rate_hz: float = 12.5,
    depth: float = 0.9,
    session: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A synthetic motor cortex: spikes [samples, steps, inputs], velocity [samples, steps, 2].

    A finger moves at random and smoothly. A neuron's rate is tuned to the direction of movement,
    ``rate_hz (1 + depth cos(direction - preferred))`` (Georgopoulos et al. 1982), its spikes are
    a Poisson process of that rate. The preferred directions are the same for every seed; those of
    a session other than 0 have drifted from them, each by a normal deviate of `DRIFT`.
    """
    rng = np.random.default_rng(seed)
    preferred = np.random.default_rng(99).uniform(-np.pi, np.pi, inputs)
    if session:
        preferred += DRIFT * np.random.default_rng([99, session]).normal(size=inputs)
    bell = np.exp(-0.5 * (np.arange(-60, 61) / 25) ** 2)  # a tenth of a second
    bell /= np.sqrt((bell**2).sum())
    pushes = rng.normal(size=(samples, 2, steps + len(bell) - 1))
    velocity = np.array([[np.convolve(p, bell, "valid") for p in both] for both in pushes])
    direction = np.arctan2(velocity[:, 1], velocity[:, 0])[..., None]
    chance = DT_SECONDS * rate_hz * (1 + depth * np.cos(direction - preferred))
    return (rng.random(chance.shape) < chance).astype(np.uint8), velocity.swapaxes(1, 2)
