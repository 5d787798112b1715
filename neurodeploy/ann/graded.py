r"""The graded form: one pass, each message carries an activation.

Every hidden population is a memoryless rectifier with a scale, a `GeneralCubaLIF` without memory
(both decays 4096) that sends its voltage:

.. math::
    v = (2^e a + 64 b) / 2^{e + k}, \quad s = v\,[v > 0]

so one image may enter at each step, and its output leaves ``hops`` steps later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError
from ..network import (
    GeneralCubaLIF,
    GradedThreshold,
    InputTransform,
    LeakyIntegrator,
    Neuron,
    OneToOne,
    Population,
    Projection,
    Source,
    Threshold,
)
from ..network.fixed_point import (
    ACTIVATION_SHIFT,
    BIAS_LIMIT,
    DECAY_UNITY,
    STATE_LIMIT,
    THRESHOLD_LIMIT,
)
from .calibration import Range
from .graph import Array
from .units import Unit
from .weights import rounded, scale_for

HEADROOM = 2
"""How much larger than on the calibration inputs a sum may get before it leaves 24 bits."""

LOWEST_EXPONENT = -16
"""Of `GeneralCubaLIF.voltage_exponent`."""


@dataclass(frozen=True)
class Built:
    """A network, and how many integers 1.0 is in the messages of each unit."""

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    scales: Mapping[str, float]


def input_population(unit: Unit, measured: Range, bits: int) -> tuple[Population, float]:
    """Make the port: values are presented as they are, and rounded to payloads of `bits`."""
    signed = unit.activation == "signed-input"
    top = (1 << (bits - signed)) - 1
    scale = 1 / unit.grid if unit.grid else top / (measured.largest or 1.0)
    transform = InputTransform(scale, 0.0)
    return Population(unit.name, unit.shape, Source(signed), transform=transform), scale


def build_graded(
    units: Sequence[Unit], measured: Mapping[str, Range], bits: int, activation_bits: int
) -> Built:
    """Make the network.

    Parameters
    ----------
    units : sequence of Unit
    measured : mapping of str to Range
    bits, activation_bits : int
        Of a weight with its sign; of a payload without one.
    """
    return Building(measured, bits, activation_bits).of(units)


class Building:
    """Adds unit after unit; what a form's neurons are, `neuron` says."""

    def __init__(self, measured: Mapping[str, Range], bits: int, activation_bits: int) -> None:
        self.measured, self.bits, self.activation_bits = measured, bits, activation_bits
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.scales: dict[str, float] = {}
        self.hops: dict[str, int] = {}
        self.names: set[str] = set()

    headroom: float = HEADROOM
    starts_late = True

    def of(self, units: Sequence[Unit]) -> Built:
        """Make the network of all units."""
        first, *rest = units
        self.names = {unit.name for unit in units}
        port, self.scales[first.name] = self.input(first)
        self.populations.append(port)
        self.hops[first.name] = 0
        signed = {unit.name: unit.is_signed for unit in units}
        for unit in rest:
            self.add(unit, signed)
        return Built(tuple(self.populations), tuple(self.projections), dict(self.scales))

    def input(self, unit: Unit) -> tuple[Population, float]:
        """Make the first population."""
        return input_population(unit, self.measured[unit.name], self.activation_bits)

    def add(self, unit: Unit, signed: Mapping[str, bool]) -> None:
        """Add a unit, and the relays that bring all it gets to one step."""
        hops = 1 + max((self.hops[feed.source] for feed in unit.feeds), default=0)
        self.hops[unit.name] = hops
        sources = [self.scales[feed.source] for feed in unit.feeds]
        largest = self.measured[unit.name].largest_sum * self.headroom
        scale = scale_for(unit.feeds, sources, self.bits)
        while scale * largest >= STATE_LIMIT:  # a convolution's sum wraps at 24 bits
            scale /= 2
        neuron, self.scales[unit.name] = self.neuron(unit, scale, largest)
        projections = []
        for feed, of_source in zip(unit.feeds, sources, strict=True):
            synapse = rounded(feed, of_source, scale, self.bits)
            source = self.late(feed.source, hops - 1, signed[feed.source])
            projections.append(Projection(source, unit.name, synapse))
        # Before its first input arrives its bias alone would be sent, for nothing.
        starts = hops if self.starts_late and np.any(getattr(neuron, "bias", 0)) else 0
        self.populations.append(
            Population(
                unit.name,
                unit.shape,
                neuron,
                starts=starts,
                initial_voltage=self.initial_voltage(neuron),
            )
        )
        self.projections += projections

    def initial_voltage(self, neuron: Neuron) -> int:
        """Voltage at which a sample begins."""
        return 0

    def late(self, name: str, hops: int, signed: bool) -> str:
        """Name the population that sends a source's messages at these hops: itself, or relays."""
        late = name
        for hop in range(self.hops[name] + 1, hops + 1):
            before, late = late, f"{name}.late{hop - self.hops[name]}"
            if late in self.names:
                continue
            self.names.add(late)
            source = next(p for p in self.populations if p.name == name)
            relay: Neuron = GradedThreshold(0, rectify=not signed)
            if not source.neuron.graded:
                relay = Threshold(0)
            self.populations.append(Population(late, source.shape, relay))
            self.projections.append(Projection(before, late, OneToOne(1)))
        return late

    def neuron(self, unit: Unit, scale: float, largest: float) -> tuple[Neuron, float]:
        """Make the neurons of a unit; a sum of 1.0 is `scale` integers, `largest` the largest."""
        bias = unit.bias * scale
        if unit.is_binary:
            inclusive = unit.activation == "step-inclusive"
            # a + bias > 0 where a is whole: a > floor(-bias); a + bias >= 0: a > ceil(-bias) - 1.
            below = np.ceil(-bias) - 1 if inclusive else np.floor(-bias)
            return Threshold(0, bias=whole(unit.name, -below)), 1.0
        exponent = exponent_for(scale * largest)
        if unit.activation == "readout":
            return self.readout(unit, bias, exponent), scale * 2.0**exponent
        top = (1 << self.activation_bits) - 1
        wanted = scale * self.measured[unit.name].typical / top
        shift = max(0, int(np.ceil(np.log2(wanted)))) if wanted > 1 else 0
        if unit.grid:  # the power of two that is no coarser; a step of one is met exactly
            shift = max(0, int(np.floor(np.log2(scale * unit.grid) + 1e-6)))
            exponent = max(min(exponent, -LOWEST_EXPONENT - shift), LOWEST_EXPONENT)
        shift = min(shift, -LOWEST_EXPONENT - exponent)
        half = 2.0 ** (shift + exponent - 1) if shift + exponent > 0 else 0.0
        own = whole(unit.name, np.rint((bias * 2.0**exponent + half) / 64))
        signed = unit.activation == "identity"
        return GeneralCubaLIF(
            DECAY_UNITY,
            DECAY_UNITY,
            -THRESHOLD_LIMIT if signed else 0,
            bias=own,
            graded_spike=True,
            input_exponent=exponent,
            voltage_exponent=-(shift + exponent),
        ), scale / 2.0**shift

    def readout(self, unit: Unit, bias: Array, exponent: int) -> Neuron:
        """Make the output, which the host reads step by step."""
        own = whole(unit.name, np.rint(bias * 2.0**exponent / 64))
        return LeakyIntegrator(DECAY_UNITY, DECAY_UNITY, bias=own, input_exponent=exponent)


def exponent_for(largest: float) -> int:
    """Give the largest exponent of a sum with which so many integers stay within 24 bits."""
    room = float(np.log2(STATE_LIMIT / max(largest, 1.0)))
    return int(np.clip(np.floor(room), LOWEST_EXPONENT, ACTIVATION_SHIFT))


def whole(name: str, values: Array) -> int | NDArray[np.int32]:
    """Give biases as integers; one for all where they are alike."""
    most = int(np.abs(values).max(initial=0))
    if most > BIAS_LIMIT:
        raise NetworkError(
            f"population {name!r}: a bias of {most} integers, limit {BIAS_LIMIT}; its weights are "
            f"tiny beside its bias: leave it out, or scale the layer"
        )
    if (values == values.flat[0]).all():
        return int(values.flat[0])
    return values.astype(np.int32)
