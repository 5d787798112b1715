"""What a float network does on calibration inputs: what its rounded form is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..inputs import present
from ..network import Network, Population
from ..network.canonical import hash_values
from .neurons import float_neuron

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Messages and states of every population of a float network, on some inputs.

    Attributes
    ----------
    inputs : array [samples, steps, *shape]
    sent, u, v : dict of population name to float32 [samples, steps, neurons]
        Messages as they leave; states of populations that have them.
    digest : str
        SHA-256 of the inputs.
    """

    inputs: NDArray[Any]
    sent: dict[str, Floats]
    u: dict[str, Floats]
    v: dict[str, Floats]
    digest: str

    @classmethod
    def of(cls, network: Network, inputs: NDArray[Any]) -> Calibration:
        """Run a float network and keep everything.

        Raises
        ------
        InputError
            If the inputs do not fit the network, hold NaN, or nothing ever spikes on them.
        """
        from ..core.floating import simulate

        inputs = fitting(network, inputs)
        values = present(network, inputs)
        blocks = list(simulate(network, values, states=("u", "v")))
        sent, u, v = {}, {}, {}
        for population in network.populations:
            name = population.name
            sent[name] = np.concatenate([block[name].sent for block in blocks])
            if population.neuron.is_float:
                u[name] = np.concatenate([block[name].states["u"] for block in blocks])
                v[name] = np.concatenate([block[name].states["v"] for block in blocks])
        return cls(inputs, sent, u, v, hash_values(inputs))

    def rates(self, name: str) -> NDArray[np.float64]:
        """Mean square of each neuron's messages, float64 [neurons]."""
        if name not in self._rates:  # asked for thousands of times in a search
            squares = np.square(self.sent[name], dtype=np.float64)
            self._rates[name] = np.asarray(np.mean(squares, axis=(0, 1)))
        return self._rates[name]

    @cached_property
    def _rates(self) -> dict[str, NDArray[np.float64]]:
        return {}

    def peak(self, population: Population) -> float:
        """Largest absolute current or voltage that a population reached, in the voltage's unit."""
        name = population.name
        if name not in self._peaks:
            gain = np.abs(np.asarray(float_neuron(population).voltage_gain))
            largest = np.abs(self.u[name] * gain).max(), np.abs(self.v[name]).max()
            self._peaks[name] = float(max(largest))
        return self._peaks[name]

    @cached_property
    def _peaks(self) -> dict[str, float]:
        return {}


def fitting(network: Network, inputs: NDArray[Any]) -> NDArray[Any]:
    """Give inputs as [samples, steps, *input shape].

    Raises
    ------
    InputError
        If they do not fit the network, or hold NaN.
    """
    inputs = np.asarray(inputs)
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        raise InputError("calibration: the inputs hold NaN or infinity; clean them")
    shape = network.input.shape
    if inputs.ndim == len(shape) + 1:
        inputs = inputs[None]
    if inputs.shape[2:] != shape or inputs.ndim != len(shape) + 2 or 0 in inputs.shape:
        raise InputError(
            f"calibration: inputs of shape {list(inputs.shape)} do not fit the network, which "
            f"takes [samples, steps, {', '.join(map(str, shape))}]; give inputs of that shape"
        )
    return inputs
