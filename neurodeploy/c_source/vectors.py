"""What the engine gives for some inputs, as the emitted test holds the C against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.simulate import simulate
from ..errors import TooLargeError
from ..inputs import Presented, present
from ..network import Network
from ..recording.assemble import Events
from .c_arrays import CArray
from .lowering import Laid, Program

STEPS, SAMPLES = 24, 2
"""Of inputs that are drawn; the steps come beside the hops to the output."""

FEWEST_STEPS = 4
"""After the input has reached the output."""

MAX_VECTORS = 2_000_000
"""Numbers of inputs, outputs and sums together."""

SUM_FACTOR = 31
"""Odd, so that no single message that differs leaves a sum as it was."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Test vectors.

    Attributes
    ----------
    samples, steps : int
    inputs : int32 [samples x steps, input neurons]
    outputs : int32 [samples x steps, output neurons]
        In the network's order, as `inputs`.
    sums : uint32 [samples x steps, populations]
        Of all messages of each population.
    messages : dict of str to int
        Of each population, over all steps.
    """

    samples: int
    steps: int
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    sums: NDArray[np.uint32]
    messages: dict[str, int]

    @property
    def arrays(self) -> Iterator[CArray]:
        """As the test holds them."""
        for name in ("inputs", "outputs"):
            yield CArray.of(name, getattr(self, name))
        yield CArray("sums", self.sums)


def presented(
    network: Network,
    inputs: NDArray[Any] | None,
    steps: int | None,
    axes: str | None,
    apply_transform: bool,
) -> Presented:
    """Inputs of the vectors; drawn where none are given, from a seed.

    Raises
    ------
    InputError
        If they do not fit the network.
    TooLargeError
        If there would be more than `MAX_VECTORS` numbers.
    """
    if inputs is None:
        samples, count = _drawn_size(network, steps)
        _check_size(network, samples, count)
        inputs, apply_transform, axes = _drawn(network, samples, count), True, None
    values = present(network, inputs, steps, apply_transform, axes)
    _check_size(network, len(values), values.steps)
    return values


def _width(network: Network) -> int:
    """Numbers of a step."""
    return network.input.size + network.output.size + len(network.populations)


def _drawn_size(network: Network, steps: int | None) -> tuple[int, int]:
    """Samples and steps to draw: of a large network fewer, but some after the output begins."""
    hops, fitting = network.hops(network.output.name), MAX_VECTORS // _width(network)
    if steps is not None:
        return (SAMPLES if SAMPLES * steps <= fitting else 1), steps
    if SAMPLES * (STEPS + hops) <= fitting:
        return SAMPLES, STEPS + hops
    return 1, max(hops + FEWEST_STEPS, min(STEPS + hops, fitting))


def _check_size(network: Network, samples: int, steps: int) -> None:
    width = _width(network)
    numbers = samples * steps * width
    if numbers > MAX_VECTORS:
        raise TooLargeError(
            f"inputs: {samples} samples of {steps} steps make {numbers:,} numbers of test vectors, "
            f"limit {MAX_VECTORS:,}; give fewer samples, or fewer steps"
        )


def _drawn(network: Network, samples: int, steps: int) -> NDArray[Any]:
    """Spikes for a port, values in 0..1 for what scales them, else small numbers of both signs."""
    rng = np.random.default_rng(0)
    shape = (samples, steps, *network.input.shape)
    low, high = network.input.neuron.input_range
    if network.input.transform is not None:
        return rng.random(shape)
    if low >= 0:
        return (rng.random(shape) < 0.2).astype(np.uint8)
    return rng.integers(max(low, -64), min(high, 96) + 1, shape).astype(np.int32)


def engine_vectors(program: Program, values: Presented) -> Vectors:
    """Run the engine."""
    network = program.network
    readout = not program.output.sends
    samples, steps = len(values), values.steps
    inputs = values[:].reshape(samples * steps, -1)
    outputs = np.zeros((samples * steps, program.output.size), np.int32)
    sums = np.zeros((samples * steps, len(program.populations)), np.uint32)
    messages = dict.fromkeys((p.name for p in network.populations), 0)
    first = 0
    states = ("v",) if readout else ()
    for block in simulate(network, values, states=states):
        rows = slice(first * steps, (first + block.samples) * steps)
        for laid in program.populations:
            name = laid.population.name
            row, neuron, payload = _events(block[name])
            messages[name] += len(neuron)
            sums[rows, laid.number] = _sums(row, neuron, payload, laid, block.samples * steps)
            if laid is program.output and not readout:
                outputs[rows][row, neuron] = payload
            elif laid is program.output:
                outputs[rows] = block[name].states["v"].reshape(-1, laid.size)
        first += block.samples
    return Vectors(samples, steps, inputs, outputs, sums, messages)


def _events(found: Events) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Step (of all samples), neuron and payload of each message of a population."""
    assert found.step_counts is not None
    assert found.neuron is not None
    row = np.repeat(np.arange(found.step_counts.size), found.step_counts.ravel())
    payload = np.ones_like(found.neuron) if found.payload is None else found.payload
    return row, found.neuron, payload


def _sums(
    row: NDArray[np.int64],
    neuron: NDArray[np.int32],
    payload: NDArray[np.int32],
    laid: Laid,
    rows: int,
) -> NDArray[np.uint32]:
    """As the test's `sum_of`, modulo 2^32."""
    factors = np.full(laid.size, SUM_FACTOR, np.uint32)
    factors[0] = 1
    powers = np.multiply.accumulate(factors, dtype=np.uint32)[::-1]
    total = np.zeros(rows, np.uint32)
    np.add.at(total, row, payload.view(np.uint32) * powers[laid.places[neuron]])
    return total
