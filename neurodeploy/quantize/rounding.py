"""Plain rounding: every population scaled so that its largest weight fits, then rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError, UnsupportedError
from ..network import (
    Audit,
    AuditEntry,
    CubaLIF,
    Dense,
    FloatLIF,
    Network,
    Population,
    Projection,
    Rating,
    Source,
    Synapse,
)
from ..network.fixed_point import MAX_DELAY
from .config import QuantConfig
from .neurons import Shape, largest_factor, made, shape_of
from .weights import room, rounded, scaled, weight_of, with_weight

BIAS = ".bias"
"""Ends the name of a population that drives another's current at every step."""


def quantize(network: Network, config: QuantConfig | None = None) -> Network:
    """Round a float network to the chip's integers.

    Each population has a scale of its own, by which its weights, bias and threshold are multiplied
    before they are rounded, so that its largest weight just fits; input factors of its neurons are
    folded into the weights before. Decays become 12 bits. A bias of a current that lasts, which the
    chip's neurons do not have, becomes a population that spikes at every step.

    Parameters
    ----------
    network : Network
        A float network.
    config : QuantConfig, optional

    Returns
    -------
    Network
        In integers; its audit says what each element lost. ``metadata["quantize/scale/<name>"]``
        is a population's scale: its v / 64 / scale is the float network's v.

    Raises
    ------
    NetworkError
        If the network is in integers already.
    UnsupportedError
        If an element has no counterpart on the chip.
    """
    if not network.is_float:
        raise NetworkError(
            f"population {network.output.name!r}: in integers already; quantize takes a float "
            f"network, e.g. one read from NIR"
        )
    return _Rounding(network, config or QuantConfig()).result()


class _Rounding:
    """Rounds one network."""

    def __init__(self, network: Network, config: QuantConfig) -> None:
        self.network, self.config = network, config
        self.audit: list[AuditEntry] = []
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.metadata = {**network.metadata, "quantize/bits": config.bits}
        self.depth = _depths(network)

    def note(self, element: str, rating: Rating, reason: str) -> None:
        self.audit.append(AuditEntry(element, rating, reason))

    def result(self) -> Network:
        for population in self.network.populations:
            if isinstance(population.neuron, Source):
                self.populations.append(replace(population, neuron=Source()))
                self.note(population.name, Rating.FAITHFUL, "input port")
            else:
                self._population(population)
        return Network(
            tuple(self.populations),
            tuple(self.projections),
            Audit(tuple(self.audit)),
            self.metadata,
        )

    def _population(self, population: Population) -> None:
        name = population.name
        neuron = population.neuron
        assert isinstance(neuron, FloatLIF)
        shape = shape_of(population, is_output=population is self.network.output)
        feeds = [(p, scaled(p, population, shape.gain)) for p in self.network.into(name)]
        factor = self._factor(population, shape, [synapse for _, synapse in feeds])
        self.metadata[f"quantize/scale/{name}"] = factor
        fixed = replace(population, neuron=made(population, shape, factor))
        self._check_delay(population)
        self._drive(population, shape, factor)
        self.populations.append(fixed)
        self._note_neuron(population, shape, factor)
        for projection, synapse in feeds:
            exact = weight_of(synapse)
            whole = rounded(exact, factor, self.config.bits)
            self.projections.append(replace(projection, synapse=with_weight(synapse, whole)))
            self._note_projection(projection, exact * factor, whole)

    def _factor(self, population: Population, shape: Shape, feeds: list[Synapse]) -> float:
        """Give the scale of a population."""
        factors = [room(weight_of(synapse), self.config.bits) for synapse in feeds]
        limit = largest_factor(shape, population.neuron)
        factor = min([*factors, limit])
        if not np.isfinite(factor):
            factor = 1.0
        if factor < min([*factors, np.inf]):
            reason = "weights use less than their range: threshold or bias would not fit the chip"
            self.note(f"{population.name}/scale", Rating.APPROXIMATE, reason)
        if self.config.scale == "power-of-two":
            factor = float(2.0 ** np.floor(np.log2(factor)))
        return float(factor)

    def _drive(self, population: Population, shape: Shape, factor: float) -> None:
        """Stand in for the bias of a current by neurons that spike at every step."""
        if not np.any(shape.drive):
            return
        hops = self.depth[population.name]
        number = max(1, int(np.ceil(factor / room(shape.drive, self.config.bits))))
        exact = np.repeat(shape.drive[:, None] / number, number, axis=1)
        whole = rounded(exact, factor, self.config.bits)
        name = f"{population.name}{BIAS}"
        # A bias counts from a population's first step on, which is hop by hop later on the chip.
        delay = np.full(number, hops - 1, np.int32) if hops > 1 else None
        always = CubaLIF(4096, 4096, threshold=0, bias=1)
        self.populations.append(Population(name, (number,), always, axon_delay=delay))
        self.projections.append(Projection(name, population.name, Dense(whole)))
        self.note(
            name, Rating.APPROXIMATE,
            f"bias of the current, by {number} neurons that spike at every step; weights off by up "
            f"to {_off(exact * factor, whole)}",
        )  # fmt: skip

    def _check_delay(self, population: Population) -> None:
        delay = population.axon_delay
        if delay is not None and delay.max() > MAX_DELAY:
            raise UnsupportedError(
                f"population {population.name!r}: a delay of {delay.max()} steps, the chip's limit "
                f"is {MAX_DELAY}; shorten it or use a larger time step"
            )

    def _note_neuron(self, population: Population, shape: Shape, factor: float) -> None:
        neuron, name = population.neuron, population.name
        assert isinstance(neuron, FloatLIF)
        keeps = (neuron.current_keep, neuron.voltage_keep)
        decays = (shape.current_decay, shape.voltage_decay)
        off = max(
            float(np.abs(1 - np.asarray(k, np.float64) - d / 4096).max())
            for k, d in zip(keeps, decays, strict=True)
        )
        threshold = shape.threshold * factor
        error = float(np.abs(np.rint(threshold) / threshold - 1).max())
        reason = f"scale {factor:.6g}; decays off by up to {off:.2g}"
        if neuron.sends != "voltage":
            reason += f", threshold by {error:.2g} of itself"
        if neuron.reset == "subtract":
            reason += "; soft reset, on the engine only: NetX and Lava's LIF have none"
        exact = off == 0 and error == 0 and np.array_equal(np.rint(shape.bias), shape.bias)
        self.note(name, Rating.FAITHFUL if exact else Rating.APPROXIMATE, reason)
        for note in shape.notes:
            self.note(name, Rating.APPROXIMATE, note)
        hops = self.depth[name]
        if np.any(shape.bias) and hops:
            reason = f"its bias counts from the chip's first step on, {hops} steps before its input"
            self.note(f"{name}/bias", Rating.APPROXIMATE, reason)

    def _note_projection(
        self, projection: Projection, exact: NDArray[np.float64], whole: NDArray[np.int32]
    ) -> None:
        self.note(
            projection.name,
            Rating.FAITHFUL if np.array_equal(exact, whole) else Rating.APPROXIMATE,
            f"{projection.synapse.kind} weights {whole.min()}..{whole.max()}, off by up to "
            f"{_off(exact, whole)}",
        )
        lag = self.depth[projection.target] - self.depth[projection.source] - 1
        closes = self.network.closes(projection)
        if (not closes and lag) or (closes and projection.source != projection.target):
            steps = -lag - 1 if closes else -lag
            reason = (
                f"takes {steps + 1} steps in its cycle in place of 1" if closes and steps > 0
                else f"arrives {lag} steps before the longest way to {projection.target!r}"
            )  # fmt: skip
            if not closes or steps:
                self.note(f"{projection.name}/time", Rating.APPROXIMATE, reason)


def _off(exact: NDArray[np.float64], whole: NDArray[np.int32]) -> str:
    """Largest and relative root-mean-square rounding error of weights."""
    error = exact - whole
    power = float(np.sqrt((exact**2).mean())) if exact.size else 0.0
    relative = float(np.sqrt((error**2).mean())) / power if power else 0.0
    return f"{np.abs(error).max(initial=0):.3g} (rms {relative:.2%} of the weights)"


def _depths(network: Network) -> dict[str, int]:
    """Hops of each population on the longest way that closes no cycle."""
    depths = {network.input.name: 0}
    for population in network.populations[1:]:
        sources = [p.source for p in network.into(population.name) if not network.closes(p)]
        depths[population.name] = max((depths[s] + 1 for s in sources), default=0)
    return depths
