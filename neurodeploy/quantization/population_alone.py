"""One population in integers, fed what the float network's populations sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.floating_synapses import deliveries
from ..core.rounding import integrate
from ..network import Network, Population
from ..network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY
from .calibration import Calibration
from .neurons import STATE_UNIT, float_neuron, round_neurons
from .scale_choice import Choice, Site
from .weights import with_weight

NEAR = 2.0
"""Voltages count up to this many thresholds: what lies far below one decides no spike."""


@dataclass(frozen=True, eq=False)
class AloneRun:
    """What a population did in integers.

    Attributes
    ----------
    spikes : float32 [samples, steps, neurons]
    v : float64 [samples, steps, neurons]
        In the float network's unit, from the reset value on.
    saturated : int
        Neurons x steps at which u or v left 24 bits.
    """

    spikes: NDArray[np.float32]
    v: NDArray[np.float64]
    saturated: int


class PopulationAlone:
    """Runs a rounded population on what the float network's populations sent, recurrence included.

    Its own spikes do not reach it: it gets those of its float form, so that an error stays where
    it was made.
    """

    def __init__(self, network: Network, site: Site, calibration: Calibration) -> None:
        self.network, self.site, self.calibration = network, site, calibration
        self.name = site.population.name

    def run(self, choice: Choice) -> AloneRun:
        """Run the population as chosen."""
        population, shape = self.site.population, choice.shaped(self.site.shape)
        current = np.rint(shape.drive * choice.factor) + np.zeros(self._shape)
        for index, step in enumerate(choice.steps):
            mantissa = self.site.mantissas(index, choice)
            current += self._delivered(index, mantissa.astype(np.float32)) * 2.0**step
        neuron = round_neurons(population, shape, choice.factor).cuba_form()
        scale = 1 << ACTIVATION_SHIFT
        spread = [
            np.broadcast_to(np.asarray(parameter, np.float64), population.size)
            for parameter in (
                1 - np.asarray(neuron.current_decay) / DECAY_UNITY,
                1 - np.asarray(neuron.voltage_decay) / DECAY_UNITY,
                np.asarray(neuron.threshold) * scale, np.asarray(neuron.bias) * scale,
                neuron.refractory, neuron.taken_off,
            )
        ]  # fmt: skip
        spikes, v, saturated = integrate(current, np.stack(spread), neuron.reset)
        return AloneRun(spikes, v / (STATE_UNIT * choice.factor), saturated)

    def mean_error(self, choice: Choice) -> NDArray[np.float64]:
        """Mean current that rounding took from each neuron, in the chip form's unit."""
        lost = np.zeros(self.site.population.size)
        for index, step in enumerate(choice.steps):
            mantissa = self.site.mantissas(index, choice)
            error = self.site.weights[index] - mantissa * (2.0**step / choice.factor)
            lost += self._delivered(index, error).mean(axis=(0, 1))
        return lost

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.calibration.sent[self.name].shape

    def _delivered(self, index: int, weight: NDArray[Any]) -> NDArray[np.float64]:
        """Currents [samples, steps, neurons] by one projection with these weights."""
        projection, synapse = self.site.feeds[index]
        source = self.network[projection.source]
        sent = self.calibration.sent[source.name]
        samples, steps, _ = sent.shape
        total = np.zeros(self._shape)
        wait = int(self.network.closes(projection))
        changed = replace(projection, synapse=with_weight(synapse, weight))
        for delay, deliver in deliveries(changed, source, self.site.population):
            lag = wait + delay
            if lag >= steps:
                continue
            current = np.zeros((samples, steps - lag, total.shape[2]), np.float32)
            deliver(sent[:, : steps - lag], current)
            total[:, lag:] += current
        return total


def difference(run: AloneRun, population: Population, calibration: Calibration) -> float:
    """How far a population in integers is from its float form; 0 where they are equal.

    Spikes of one and not of the other, as a share of both, plus the square error of the membrane
    as a share of its power, voltages clipped at `NEAR` thresholds; for a readout the latter alone.
    """
    neuron, name = float_neuron(population), population.name
    zero = np.asarray(neuron.reset_value) if neuron.reset == "value" else 0.0
    exact, found = calibration.v[name] - zero, run.v
    if neuron.sends == "voltage":
        return float(((found - exact) ** 2).sum() / max(1e-30, float((exact**2).sum())))
    near = NEAR * (np.asarray(neuron.threshold) - zero)
    exact, found = np.clip(exact, -near, near), np.clip(found, -near, near)
    sent = calibration.sent[name]
    quiet = (run.spikes == 0) & (sent == 0)
    membrane = float(((found - exact)[quiet] ** 2).sum())
    membrane /= max(1e-30, float((exact[quiet] ** 2).sum()))
    apart = float(np.abs(run.spikes - sent).sum())
    return membrane + apart / max(1.0, float(run.spikes.sum() + sent.sum()))
