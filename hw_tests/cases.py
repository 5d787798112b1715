"""Networks and inputs that show one thing each; run on a chip, on Lava and on a stand-in.

Every case must be equal on the engine and on the chip, number by number. Where
silicon is known or likely to differ from Lava's CPU models, the case is a
*corner*: a lab learns from it, and a difference is no failure of the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.network import (
    ALIF,
    Average,
    ComplexDense,
    Conv,
    CubaLIF,
    DelayedDense,
    Delta,
    Dense,
    GradedThreshold,
    InputTransform,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    Readout,
    ResonateFire,
    ResonateFireIzhikevich,
    Sigma,
    SigmaDelta,
    Source,
    Sparse,
    Synapse,
)
from neurodeploy.targets.rewrite import axon_delays_by_relays, late_bias_as_initial_voltage

Ints = NDArray[np.int32]
STEPS = 16
SAMPLES = 2


@dataclass(frozen=True)
class Case:
    """A network, what is presented to it, and how it is run.

    Attributes
    ----------
    network : Network
    inputs : int32 [samples, steps, *shape]
    options : dict
        More arguments of ``nd.run``.
    corner : bool
        Whether silicon may differ from Lava's CPU models here.
    """

    network: Network
    inputs: Ints
    options: dict[str, Any]
    corner: bool = False


def _chain(*parts: Population | Synapse) -> Network:
    populations = [p for p in parts if isinstance(p, Population)]
    synapses = [p for p in parts if isinstance(p, Synapse)]
    projections = [
        Projection(a.name, b.name, synapse)
        for (a, b), synapse in zip(pairwise(populations), synapses, strict=True)
    ]
    return Network(tuple(populations), tuple(projections))


def _even(rng: np.random.Generator, *shape: int, low: int = -30, high: int = 40) -> Ints:
    return (2 * rng.integers(low, high, shape)).astype(np.int32)


def _spikes(rng: np.random.Generator, *shape: int, rate: float = 0.4) -> Ints:
    return (rng.random((SAMPLES, STEPS, *shape)) < rate).astype(np.int32)


def _payloads(rng: np.random.Generator, *shape: int, most: int = 200) -> Ints:
    dense = rng.integers(-most, most, (SAMPLES, STEPS, *shape))
    return np.where(rng.random(dense.shape) < 0.5, dense, 0).astype(np.int32)


def _input(*shape: int, signed: bool = False) -> Population:
    return Population("input", shape, Source(signed=signed))


def dense() -> Case:
    """Two layers of leaky neurons, no bias: samples run back to back."""
    rng = np.random.default_rng(1)
    network = _chain(
        _input(12),
        Dense(_even(rng, 16, 12)),
        Population("first", (16,), CubaLIF(1000, 300, 100)),
        Dense(_even(rng, 5, 16)),
        Population("second", (5,), CubaLIF(2000, 128, 200)),
    )
    return Case(network, _spikes(rng, 12), {})


def odd_weights() -> Case:
    """Odd weights of mixed sign, which the chip holds doubled with an exponent of -1."""
    rng = np.random.default_rng(2)
    weight = rng.integers(-128, 128, (8, 12)).astype(np.int32)
    network = _chain(
        _input(12), Dense(weight), Population("neurons", (8,), CubaLIF(1000, 300, 300))
    )
    return Case(network, _spikes(rng, 12), {})


def one_sign() -> Case:
    """Matrices that only excite, with all eight bits, and only inhibit."""
    rng = np.random.default_rng(3)
    network = _chain(
        _input(12),
        Dense(rng.integers(0, 256, (8, 12)).astype(np.int32)),
        Population("excited", (8,), CubaLIF(3000, 500, 900)),
        Dense(rng.integers(-255, 1, (4, 8)).astype(np.int32)),
        Population("inhibited", (4,), CubaLIF(4096, 100, 300, bias=310)),
    )
    return Case(network, _spikes(rng, 12), {})


def bias() -> Case:
    """A bias in each layer: samples run one at a time."""
    rng = np.random.default_rng(4)
    network = _chain(
        _input(6),
        Dense(_even(rng, 8, 6)),
        Population("neurons", (8,), CubaLIF(1000, 300, 400, bias=np.arange(-10, 70, 10))),
        Dense(_even(rng, 3, 8)),
        Population("readout", (3,), CubaLIF(1000, 300, 400, bias=30)),
    )
    return Case(network, _spikes(rng, 6), {})


def recurrent() -> Case:
    """A layer that drives itself."""
    rng = np.random.default_rng(5)
    network = Network(
        (_input(6), Population("loop", (10,), CubaLIF(800, 300, 150))),
        (
            Projection("input", "loop", Dense(_even(rng, 10, 6))),
            Projection("loop", "loop", Dense(_even(rng, 10, 10, low=-20, high=15))),
        ),
    )
    return Case(network, _spikes(rng, 6), {})


def branches() -> Case:
    """A skip past a layer."""
    rng = np.random.default_rng(6)
    network = Network(
        (
            _input(6),
            Population("side", (7,), CubaLIF(900, 300, 120)),
            Population("out", (5,), CubaLIF(900, 300, 150)),
        ),
        (
            Projection("input", "side", Dense(_even(rng, 7, 6))),
            Projection("side", "out", Dense(_even(rng, 5, 7))),
            Projection("input", "out", Dense(_even(rng, 5, 6))),
        ),
    )
    return Case(network, _spikes(rng, 6), {})


def axon_delays() -> Case:
    """Axons of different delays."""
    rng = np.random.default_rng(7)
    late = rng.integers(0, 9, 10).astype(np.int32)
    network = _chain(
        _input(6),
        Dense(_even(rng, 10, 6)),
        Population("late", (10,), CubaLIF(900, 300, 120), axon_delay=late),
        Dense(_even(rng, 4, 10)),
        Population("out", (4,), CubaLIF(900, 300, 150)),
    )
    return Case(network, _spikes(rng, 6), {})


def synapse_delays() -> Case:
    """Every synapse a delay of its own."""
    rng = np.random.default_rng(8)
    delay = rng.integers(0, 13, (8, 6)).astype(np.int32)
    network = _chain(
        _input(6),
        DelayedDense(_even(rng, 8, 6), delay),
        Population("neurons", (8,), CubaLIF(900, 300, 120)),
    )
    return Case(network, _spikes(rng, 6), {})


def sparse() -> Case:
    """A matrix that is mostly empty."""
    rng = np.random.default_rng(9)
    weight = np.where(rng.random((12, 20)) < 0.2, _even(rng, 12, 20), 0)
    network = _chain(
        _input(20),
        Sparse.from_dense(weight.astype(np.int32)),
        Population("neurons", (12,), CubaLIF(900, 300, 60)),
    )
    return Case(network, _spikes(rng, 20), {})


def conv() -> Case:
    """Two convolutions with stride and padding, then a matrix: orders of axes matter."""
    rng = np.random.default_rng(10)
    network = _chain(
        _input(2, 9, 7),
        Conv(_even(rng, 4, 2, 3, 3), stride=(2, 1), padding=(1, 0)),
        Population("first", (4, 5, 5), CubaLIF(1000, 300, 150)),
        Conv(_even(rng, 3, 4, 2, 3)),
        Population("second", (3, 4, 3), CubaLIF(1000, 300, 200)),
        Dense(_even(rng, 5, 36)),
        Population("out", (5,), CubaLIF(1000, 300, 200)),
    )
    return Case(network, _spikes(rng, 2, 9, 7), {})


def grouped_conv() -> Case:
    """A convolution in groups, dilated."""
    rng = np.random.default_rng(11)
    network = _chain(
        _input(4, 8, 8),
        Conv(_even(rng, 6, 2, 3, 3), groups=2, dilation=(2, 1)),
        Population("out", (6, 4, 6), CubaLIF(1000, 300, 200)),
    )
    return Case(network, _spikes(rng, 4, 8, 8), {})


def input_layer() -> Case:
    """An input layer that is presented numbers, as images are."""
    rng = np.random.default_rng(12)
    neuron = CubaLIF(4096, 0, 500)
    network = _chain(
        Population("input", (6,), neuron, transform=InputTransform(64.0, 0.0)),
        Dense(_even(rng, 5, 6)),
        Population("out", (5,), CubaLIF(1000, 300, 100)),
    )
    pixels = rng.integers(0, 4, (SAMPLES, 1, 6)).repeat(STEPS, axis=1)
    return Case(network, pixels.astype(np.int32), {})


def image_layer() -> Case:
    """The same with an image of three channels before a convolution."""
    rng = np.random.default_rng(13)
    network = _chain(
        Population("input", (3, 6, 5), CubaLIF(4096, 0, 500)),
        Conv(_even(rng, 2, 3, 3, 3)),
        Population("out", (2, 4, 3), CubaLIF(1000, 300, 200)),
    )
    pixels = rng.integers(0, 200, (SAMPLES, 1, 3, 6, 5)).repeat(STEPS, axis=1)
    return Case(network, pixels.astype(np.int32), {})


def average() -> Case:
    """A readout that the host averages."""
    rng = np.random.default_rng(14)
    network = _chain(
        _input(8),
        Dense(_even(rng, 6, 8)),
        Population("neurons", (6,), CubaLIF(900, 300, 100)),
        Readout(),
        Population("average", (2,), Average(group_size=3)),
    )
    return Case(network, _spikes(rng, 8), {})


def resets() -> Case:
    """Resets within a sample, every eight steps, as netx has them."""
    return Case(dense().network, dense().inputs, {"reset_interval": 8})


def graded() -> Case:
    """Payloads through thresholds without memory."""
    rng = np.random.default_rng(15)
    network = _chain(
        _input(8, signed=True),
        Dense(_even(rng, 6, 8)),
        Population("either", (6,), GradedThreshold(500)),
        Dense(_even(rng, 4, 6, low=-3, high=4)),
        Population("positive", (4,), GradedThreshold(300, rectify=True)),
    )
    return Case(network, _payloads(rng, 8), {})


def sigma_delta() -> Case:
    """Sigma-delta neurons with biases; sums with their signs come back."""
    rng = np.random.default_rng(16)
    network = _chain(
        _input(6, signed=True),
        Dense(_even(rng, 8, 6)),
        Population("hidden", (8,), SigmaDelta(np.int32(20), bias=_even(rng, 8))),
        Dense(_even(rng, 3, 8)),
        Population("out", (3,), Sigma()),
    )
    return Case(network, _payloads(rng, 6), {})


def delta_conv() -> Case:
    """A delta encoder, then a convolution of sigma-delta neurons."""
    rng = np.random.default_rng(17)
    network = _chain(
        Population("input", (2, 6, 6), Delta(np.int32(4))),
        Conv(_even(rng, 3, 2, 3, 3)),
        Population("hidden", (3, 4, 4), SigmaDelta(np.int32(30), rectify=True)),
    )
    steps = rng.integers(-5, 6, (SAMPLES, STEPS, 2, 6, 6)).cumsum(axis=1)
    return Case(network, steps.astype(np.int32), {})


def adaptive() -> Case:
    """Thresholds that adapt, in a loop, and a readout of which the host reads v."""
    rng = np.random.default_rng(18)
    network = _chain(
        _input(6),
        Dense(_even(rng, 8, 6)),
        Population("loop", (8,), ALIF(900, 300, 40, 60, 40, 9)),
        Dense(_even(rng, 3, 8)),
        Population("voltage", (3,), LeakyIntegrator(700, 60)),
    )
    out = Population("out", (4,), CubaLIF(2000, 128, 60))
    more = (
        Projection("loop", "loop", Dense(_even(rng, 8, 8, low=-20, high=20))),
        Projection("loop", "out", Dense(_even(rng, 4, 8))),
    )
    network = Network((*network.populations, out), (*network.projections, *more))
    return Case(network, _spikes(rng, 6), {})


def resonators() -> Case:
    """Neurons of two currents, that fire by phase and by height."""
    rng = np.random.default_rng(19)

    def both(*shape: int) -> ComplexDense:
        return ComplexDense(_even(rng, *shape), _even(rng, *shape))

    network = _chain(
        _input(6),
        both(8, 6),
        Population("phase", (8,), ResonateFire(1900, 3500, 20)),
        both(4, 8),
        Population("height", (4,), ResonateFireIzhikevich(1200, 3800, 60)),
    )
    return Case(network, _spikes(rng, 6), {})


def first_voltages() -> Case:
    """Biases that lead v from where it begins to 0 just when the first message arrives."""
    rng = np.random.default_rng(20)
    network = _chain(
        _input(6),
        Dense(_even(rng, 8, 6)),
        Population("one", (8,), CubaLIF(900, 300, 90, 12), starts=1),
        Dense(_even(rng, 4, 8)),
        Population("two", (4,), CubaLIF(1200, 200, 90, 9), starts=2),
    )
    return Case(late_bias_as_initial_voltage(network), _spikes(rng, 6), {})


def relays() -> Case:
    """A convolution behind delays, through neurons that wait for it."""
    rng = np.random.default_rng(21)
    late = np.repeat(np.array([0, 3], np.int32), 16)
    network = _chain(
        _input(2, 4, 4),
        Conv(_even(rng, 2, 2, 3, 3), padding=(1, 1)),
        Population("late", (2, 4, 4), CubaLIF(900, 300, 90), axon_delay=late),
        Conv(_even(rng, 3, 2, 3, 3)),
        Population("out", (3, 2, 2), CubaLIF(900, 300, 90)),
    )
    return Case(axon_delays_by_relays(network), _spikes(rng, 2, 4, 4), {})


def current_wraps() -> Case:
    """Currents beyond 24 bits: Lava's CPU model wraps."""
    weight = np.full((4, 16), 255, np.int32)
    network = _chain(
        _input(16, signed=True), Dense(weight), Population("out", (4,), CubaLIF(0, 4096, 131_000))
    )
    inputs = np.full((1, STEPS, 16), 40, np.int32)
    return Case(network, inputs, {}, corner=True)


def voltage_saturates() -> Case:
    """Voltages at the end of 24 bits: Lava's CPU model holds them there."""
    weight = np.array([[-254] * 16, [254] * 16], np.int32)
    network = _chain(_input(16), Dense(weight), Population("out", (2,), CubaLIF(40, 0, 131_071)))
    return Case(network, np.ones((1, 64, 16), np.int32), {}, corner=True)


CASES: dict[str, Callable[[], Case]] = {
    make.__name__: make
    for make in (
        dense,
        odd_weights,
        one_sign,
        bias,
        recurrent,
        branches,
        axon_delays,
        synapse_delays,
        sparse,
        conv,
        grouped_conv,
        input_layer,
        image_layer,
        average,
        resets,
        graded,
        sigma_delta,
        delta_conv,
        adaptive,
        resonators,
        first_voltages,
        relays,
        current_wraps,
        voltage_saturates,
    )
}
