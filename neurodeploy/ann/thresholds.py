"""Thresholds of a sigma-delta network, layer by layer: what they save against what they lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import run
from ..errors import InputError
from ..network import Network
from ..network.audit import relative_error
from ..numbers import percent, si
from ..profiling import profile
from .calibration import BATCH, Range, forward, ranges
from .convert import PERCENTILES, inputs_of, read
from .graph import Array
from .sigma_delta import build_sigma_delta
from .units import Unit, units_of

SHARES = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)
"""Of a population's typical activation, that are tried one after the other."""


@dataclass(frozen=True)
class ThresholdPoint:
    """A network with these thresholds on the stream.

    Attributes
    ----------
    thresholds : mapping of str to float
        As `convert_ann` takes them; a population that is not named has the smallest.
    error : float
        Sum of the output's differences to the network in floats, over the sum of its magnitudes.
    synops, messages, dynamic_joules : float
        Of one step of the stream.
    """

    thresholds: Mapping[str, float]
    error: float
    synops: float
    messages: float
    dynamic_joules: float


@dataclass(frozen=True)
class ThresholdSweep:
    """What was tried.

    Attributes
    ----------
    points : tuple of ThresholdPoint
        In the order in which they were taken, from the smallest thresholds to the chosen ones.
    tried : tuple of ThresholdPoint
        All that were run.
    dense_synops : float
        Of a step in which every neuron sends: what a network without changes multiplies.
    chip : str
    """

    points: tuple[ThresholdPoint, ...]
    tried: tuple[ThresholdPoint, ...]
    dense_synops: float
    chip: str

    @property
    def chosen(self) -> ThresholdPoint:
        """The cheapest within the tolerance."""
        return self.points[-1]

    def __repr__(self) -> str:
        lines = [
            f"error {percent(p.error)}, {p.synops:,.0f} SynOps "
            f"({percent(p.synops / self.dense_synops)} of dense), {p.messages:,.0f} messages, "
            f"{si(p.dynamic_joules, 'J')} dynamic a step"
            for p in self.points
        ]
        return "\n".join([f"Thresholds on {self.chip}, {len(self.tried)} tried:", *lines])

    def plot(self, axes: Any = None) -> Any:
        """Draw error against SynOps; the colour is the dynamic energy. Needs matplotlib.

        Parameters
        ----------
        axes : matplotlib axes, optional
            New ones by default.

        Returns
        -------
        matplotlib axes
        """
        if axes is None:
            import matplotlib.pyplot as plt

            _, axes = plt.subplots()
        shown = axes.scatter(
            [p.synops for p in self.tried], [p.error for p in self.tried],
            c=[p.dynamic_joules for p in self.tried], s=12,
        )  # fmt: skip
        axes.plot([p.synops for p in self.points], [p.error for p in self.points], lw=1)
        axes.set_xscale("log")
        axes.set_xlabel("SynOps a step")
        axes.set_ylabel("relative error of the output")
        axes.figure.colorbar(shown, ax=axes, label=f"dynamic energy a step, J ({self.chip})")
        return axes


def choose_thresholds(
    module: Any,
    stream: Any,
    tolerance: float = 0.05,
    *,
    shares: Sequence[float] = SHARES,
    bits: int = 8,
    activation_bits: int = 8,
    chip: str = "loihi2",
) -> ThresholdSweep:
    """Raise thresholds where that saves most SynOps for the error that it adds.

    From the smallest thresholds on, the next share of each population is tried on the stream;
    the one that saves most for its error is taken, while the output stays within the tolerance.

    Parameters
    ----------
    module : torch.nn.Module, path or Graph
        As `convert_ann`.
    stream : array or tensor [steps, *shape]
        Inputs in order, without labels.
    tolerance : float
        Largest relative error of the output against the network in floats.
    shares : sequence of float
        Of a population's typical activation, rising.
    bits, activation_bits
        As `convert_ann`.
    chip : str
        Whose energy is estimated.

    Returns
    -------
    ThresholdSweep
        ``chosen.thresholds`` is what `convert_ann` takes.

    Raises
    ------
    InputError
        If the smallest thresholds are beyond the tolerance already.
    UnsupportedError
        As `convert_ann`.

    Examples
    --------
    >>> found = choose_thresholds(module, stream, tolerance=0.02)
    >>> net = nd.convert_ann(
    ...     module, stream, to="sigma-delta", thresholds=found.chosen.thresholds
    ... )
    """
    if not tolerance > 0:
        raise InputError(f"tolerance: {tolerance}; give a share above 0, such as 0.05")
    trial = _Trial(module, stream, bits, activation_bits, chip)
    points = [trial.at({})]
    if points[0].error > tolerance:
        raise InputError(
            f"tolerance: {tolerance}, and the smallest thresholds err by {points[0].error:.3g}; "
            f"give more activation_bits, or a larger tolerance"
        )
    taken = dict.fromkeys(trial.populations, -1)  # which share each has
    while True:
        now, best, gain = points[-1], None, 0.0
        for name, at in taken.items():
            if at + 1 == len(shares):
                continue
            point = trial.at({**now.thresholds, name: shares[at + 1]})
            saved = now.synops - point.synops
            # Where nothing is lost, what is saved decides.
            worth = saved / max(point.error - now.error, 1e-3 * tolerance)
            if point.error <= tolerance and saved > 0 and worth > gain:
                best, gain = (name, point), worth
        if best is None:
            break
        taken[best[0]] += 1
        points.append(best[1])
    return ThresholdSweep(tuple(points), tuple(trial.tried), trial.dense, chip)


class _Trial:
    """Runs one network with one set of thresholds after the other."""

    def __init__(
        self, module: Any, stream: Any, bits: int, activation_bits: int, chip: str
    ) -> None:
        graph = read(module)
        self.stream = inputs_of(stream, graph)
        signed = bool(self.stream.min() < 0)
        self.units: tuple[Unit, ...] = units_of(graph, self.stream.shape[1:], signed, False)
        self.measured: dict[str, Range] = ranges(
            self.units, self.stream, PERCENTILES["sigma-delta"]
        )
        wanted = []
        for first in range(0, len(self.stream), BATCH):
            *_, (_, _, values) = forward(self.units, self.stream[first : first + BATCH])
            wanted.append(values.reshape(len(values), -1))
        self.wanted: Array = np.concatenate(wanted)
        self.populations = [u.name for u in self.units if u.activation != "readout"]
        self.how, self.chip = (bits, activation_bits), chip
        self.tried: list[ThresholdPoint] = []
        self.dense = 0.0

    def at(self, thresholds: Mapping[str, float]) -> ThresholdPoint:
        """Run the stream."""
        built = build_sigma_delta(self.units, self.measured, *self.how, thresholds)
        network = Network(built.populations, built.projections)
        output, first = network.output.name, network.hops(network.output.name)
        steps = len(self.stream)
        shown = self.stream.reshape(1, steps, *network.input.shape)
        recording = run(network, shown, drain=True)
        sums = recording.output[0].astype(np.float64).cumsum(axis=0)[first : first + steps]
        found = sums.reshape(steps, -1) / built.scales[output]
        cost = profile(recording, chip=self.chip)
        self.dense = float(sum(network.fan_out(p, dense=True).sum() for p in network.projections))
        point = ThresholdPoint(
            dict(thresholds), relative_error(self.wanted, found), cost.synops / steps,
            cost.messages / steps, cost.dynamic_joules / steps,
        )  # fmt: skip
        self.tried.append(point)
        return point
