"""Intel's LSNN for sequential MNIST (intel-nrc-ecosystem/models, BSD-3), and its input.

140 leaky and 100 adaptive neurons, all recurrent, read by 10 leaky integrators. On Loihi 1 an
adaptive neuron is two compartments: its second one gathers a current from the neuron's own spikes,
which leaks slowly and joins the first one's current **in the same step**. No neuron model of the
engine has two currents with decays of their own, so here the second compartment is a population
`adaptation`, whose neurons send their voltage at every step and are heard a step later. A synapse
of each adaptive neuron to itself makes up for the step, up to one step's decay of what it
adds: 5 / 4096 of it.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InputError
from neurodeploy.network import (
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    Source,
    Sparse,
)
from neurodeploy.network.fixed_point import THRESHOLD_LIMIT
from neurodeploy.numpy_files import map_array

LEAKY, ADAPTIVE, INPUTS, DIGITS = 140, 100, 80, 10
STEPS, PIXELS = 840, 784
LEVELS = np.floor(np.linspace(0, 255, 40)).astype(np.int64)
"""Grey levels; channels 2k and 2k + 1 spike where the next pixel crosses level k up or down."""

LEAK, NO_MEMORY, SLOW_LEAK = 204, 4096, 5
"""Decays, in 4096ths, of all voltages, of all currents, of the adaptation."""

THRESHOLD = 127
FINER = 4
"""By how much weights and threshold of the adaptive neurons are larger."""

COST = 96 * FINER
"""What a spike adds to the adaptation, in 1/64 of a weight's unit."""

UNIT = 64
"""Of a state in one of a weight."""


def weights(folder: Path) -> dict[str, NDArray[np.int32]]:
    """Read w_in, w_rec and w_out as [targets, sources].

    Raises
    ------
    InputError
        If one is missing or of another shape.
    """
    size = LEAKY + ADAPTIVE
    shapes = {"w_in": (INPUTS, size), "w_rec": (size, size), "w_out": (size, DIGITS)}
    found = {}
    for name, shape in shapes.items():
        array = np.asarray(map_array(folder / f"{name}.npy"))
        if array.shape != shape or (array != np.rint(array)).any() or np.abs(array).max() > 255:
            raise InputError(f"{folder / name}.npy: needs whole weights of at most 255, {shape}")
        found[name] = np.ascontiguousarray(array.T.astype(np.int32))
    return found


def network(folder: Path) -> Network:
    """Build the network: `adaptation` is the adaptive neurons' second compartment."""
    held = weights(folder)
    leaky, adaptive = slice(0, LEAKY), slice(LEAKY, None)
    into = {"leaky": (leaky, 1), "adaptive": (adaptive, FINER * UNIT)}
    projections = []
    for target, (rows, factor) in into.items():
        projections.append(Projection("input", target, Dense(factor * held["w_in"][rows])))
        for source, columns in (("leaky", leaky), ("adaptive", adaptive)):
            loop = factor * held["w_rec"][rows, columns]
            projections.append(Projection(source, target, Dense(loop)))
    for source, columns in (("leaky", leaky), ("adaptive", adaptive)):
        read = np.ascontiguousarray(held["w_out"][:, columns])
        projections.append(Projection(source, "digits", Dense(read)))
    projections += [
        Projection("adaptive", "adaptation", _each(-COST)),
        Projection("adaptation", "adaptive", _each(1)),
        Projection("adaptive", "adaptive", _each(-COST)),
    ]
    # Sends v at every step at which it is not 0, and keeps it.
    second = GeneralCubaLIF(
        NO_MEMORY, SLOW_LEAK, 1 - THRESHOLD_LIMIT, reset="subtract", reset_amount=0,
        graded_spike=True, input_exponent=0,
    )  # fmt: skip
    first = GeneralCubaLIF(NO_MEMORY, LEAK, FINER * THRESHOLD, input_exponent=0)
    return Network(
        (
            Population("input", (INPUTS,), Source()),
            Population("leaky", (LEAKY,), CubaLIF(NO_MEMORY, LEAK, THRESHOLD)),
            Population("adaptive", (ADAPTIVE,), first),
            Population("adaptation", (ADAPTIVE,), second),
            Population("digits", (DIGITS,), LeakyIntegrator(NO_MEMORY, LEAK)),
        ),
        projections,
    )


def _each(weight: int) -> Sparse:
    """One synapse of this weight from each of the adaptive neurons to its partner."""
    all_of_them = np.arange(ADAPTIVE)
    return Sparse(
        np.arange(ADAPTIVE + 1), all_of_them, np.full(ADAPTIVE, weight, np.int32), ADAPTIVE
    )


def images(folder: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The first test images of MNIST, uint8 [count, 784], and their digits."""
    pixels = _unpacked(folder / "t10k-images-idx3-ubyte.gz", 16, count * PIXELS)
    digits = _unpacked(folder / "t10k-labels-idx1-ubyte.gz", 8, count)
    return pixels.reshape(count, PIXELS), digits.astype(np.int64)


def _unpacked(path: Path, header: int, size: int) -> NDArray[np.uint8]:
    try:
        with gzip.open(path) as file:
            file.read(header)
            data = file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged ({error}); fetch it again") from error
    if len(data) < size:
        raise InputError(f"{path}: ends after {len(data)} of {size} bytes; ask for fewer images")
    return np.frombuffer(data, np.uint8)


def encode(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spikes [images, 840, 80] of images, pixel after pixel.

    Channel 78 spikes where a pixel is 255, channel 79 in the last 56 steps: now say the digit.
    """
    spikes = np.zeros((len(pixels), STEPS, INPUTS), np.uint8)
    now, after = (part.astype(np.int64) for part in (pixels[:, :-1], pixels[:, 1:]))
    for number in range(1, len(LEVELS) - 1):
        level = LEVELS[number]
        spikes[:, : PIXELS - 1, 2 * number] = (now < level) & (after >= level)
        spikes[:, : PIXELS - 1, 2 * number + 1] = (now >= level) & (after < level)
    spikes[:, :PIXELS, 78] = pixels == LEVELS[-1]
    spikes[:, PIXELS:, 79] = 1
    return spikes
