"""What rounding did to each population: local and cumulative differences, worst first."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError
from ..network import Network, Population, Synapse
from ..network.fixed_point import SCALE
from ..recording import Recording
from .calibration import Calibration, fitting
from .config import QuantConfig
from .float_form import as_float, is_rescalable
from .neurons import float_neuron
from .population_alone import PopulationAlone
from .quantize_network import CONFIG, STEPS, choice_of, rounded_names
from .scale_choice import Site
from .weights_only import CLIPPED


@dataclass(frozen=True)
class Difference:
    """A population in integers against its float form.

    Attributes
    ----------
    sqnr_db : float
        Power of the float membrane over that of the difference, 10 log10; where neither spiked.
        inf where nothing differs, -inf where the float membrane is 0 and the other is not.
    spikes, float_spikes : int
        Spikes in integers and in float.
    coincidence : float
        Spikes in both at the same step over their mean number; 1 where there are none.
    saturated : int
        Neurons x steps at which a state left 24 bits.
    """

    sqnr_db: float
    spikes: int
    float_spikes: int
    coincidence: float
    saturated: int


@dataclass(frozen=True)
class PopulationReport:
    """One population.

    Attributes
    ----------
    population : str
    bits : int or str
    local, cumulative : Difference
        Fed what the float network's populations sent (of a network in integers: with this
        population alone rounded); in the whole network.
    clipped : int
        Weights beyond what their synapses hold.
    split, synapses : int
        Synapses that splitting added; synapses in all.
    """

    population: str
    bits: int | str
    local: Difference
    cumulative: Difference
    clipped: int
    split: int
    synapses: int


@dataclass(frozen=True)
class QuantReport:
    """All populations that were rounded, the one that hurts most locally first.

    Attributes
    ----------
    populations : tuple of PopulationReport
    samples, steps : int
        Of the inputs measured on.
    """

    populations: tuple[PopulationReport, ...]
    samples: int
    steps: int

    def __getitem__(self, name: str) -> PopulationReport:
        for entry in self.populations:
            if entry.population == name:
                return entry
        raise NetworkError(f"no population {name!r} in the report")

    def as_dict(self) -> dict[str, Any]:
        """Give plain data for JSON."""
        plain: dict[str, Any] = without_infinities(asdict(self))
        return plain


def quantization_report(network: Network, fixed: Network, inputs: NDArray[Any]) -> QuantReport:
    """Measure what rounding did to each population of a network on some inputs.

    Parameters
    ----------
    network : Network
        What was rounded.
    fixed : Network
        What `quantize` made of it.
    inputs : array [samples, steps, *input shape]

    Returns
    -------
    QuantReport

    Raises
    ------
    NetworkError
        If `fixed` is not what `quantize` made of `network`.
    """
    from ..backends import run

    if CONFIG not in fixed.metadata:
        raise NetworkError("report: the network was not made by quantize; give one that was")
    config = QuantConfig.from_json(str(fixed.metadata[CONFIG]))
    if not network.is_float:
        return _of_integers(network, fixed, config, fitting(network, inputs))
    reference = Calibration.of(network, inputs)
    steps = reference.inputs.shape[1]
    longest = max(fixed.hops(p.name) for p in network.populations)
    whole = run(fixed, reference.inputs, steps=steps + longest, record=("spikes", "v"))
    found = []
    for population in network.populations:
        if not population.neuron.is_float:
            continue
        name = population.name
        _check_rounded(fixed, name)
        site = Site(network, population, config)
        choice = choice_of(fixed, name)
        alone = PopulationAlone(network, site, reference).run(choice)
        hops, shape = fixed.hops(name), reference.sent[name].shape
        spikes, v = (
            getattr(whole[name], what)[:, hops : hops + steps].reshape(shape)
            for what in ("spikes", "v")
        )
        saturated = sum((whole[name].overflows() or {}).values())
        held = [(grid, site.mantissas(i, choice)) for i, grid in enumerate(site.grids)]
        local = _difference(population, reference, alone.spikes, alone.v, alone.saturated)
        whole_v = v / (64 * choice.factor)
        cumulative = _difference(population, reference, spikes, whole_v, saturated)
        split = sum(int(grid.beyond(mantissa).sum()) for grid, mantissa in held)
        synapses = sum(int(np.count_nonzero(mantissa)) for _, mantissa in held)
        clipped = site.clipped(choice)
        found.append(PopulationReport(name, site.bits, local, cumulative, clipped, split, synapses))
    return _worst_first(found, reference.inputs)


def _worst_first(found: list[PopulationReport], inputs: NDArray[Any]) -> QuantReport:
    found.sort(key=lambda entry: (entry.local.coincidence, entry.local.sqnr_db))
    return QuantReport(tuple(found), inputs.shape[0], inputs.shape[1])


def _check_rounded(fixed: Network, name: str) -> None:
    if f"{STEPS}{name}" not in fixed.metadata:
        raise NetworkError(f"report: population {name!r} is not one that quantize rounded here")


def _of_integers(
    network: Network, fixed: Network, config: QuantConfig, inputs: NDArray[Any]
) -> QuantReport:
    """A network that was in integers before; local: this population alone rounded."""
    from ..backends import run

    steps = inputs.shape[1] + max(network.hops(p.name) for p in network.populations)
    record = ("spikes", "u", "v")
    exact = run(network, inputs, steps=steps, record=record)
    whole = run(fixed, inputs, steps=steps, record=record)
    floats = as_float(network) if is_rescalable(network) else None
    found = []
    for name in rounded_names(network):
        projections = tuple(p for p in network.projections if p.target != name) + fixed.into(name)
        populations = tuple(fixed[p.name] if p.name == name else p for p in network.populations)
        one = replace(network, populations=populations, projections=projections)
        alone = run(one, inputs, steps=steps, record=record)
        before, after = (
            sum(_synapses(p.synapse) for p in net.into(name)) for net in (network, fixed)
        )
        split = after - before if len(fixed.into(name)) > len(network.into(name)) else 0
        # Both are of what was trained in the first place.
        now, then = (float(net.metadata.get(f"{SCALE}{name}", 1.0)) for net in (fixed, network))
        scale = now / then
        local, cumulative = (_apart(network, name, exact, made, scale) for made in (alone, whole))
        bits = config.bits_of(name)
        if floats is None:
            facts = (fixed.metadata.get(f"{CLIPPED}{p.name}", 0) for p in network.into(name))
            clipped = sum(map(int, facts))
        else:
            _check_rounded(fixed, name)
            site, choice = Site(floats, floats[name], config), choice_of(fixed, name)
            clipped = site.clipped(choice)
        found.append(PopulationReport(name, bits, local, cumulative, clipped, max(0, split), after))
    return _worst_first(found, inputs)


def _synapses(synapse: Synapse) -> int:
    return sum(int(np.count_nonzero(weight)) for weight in synapse.arrays())


def _apart(
    network: Network, name: str, exact: Recording, made: Recording, scale: float
) -> Difference:
    """Two recordings of integers, the second's states `scale` times as fine."""
    states = network[name].neuron.states
    state = "spikes" if not states else "v" if "v" in states else states[0]
    before, after = (np.asarray(getattr(r[name], state), np.float64) for r in (exact, made))
    after = after / scale if states else after
    sent, theirs = (np.asarray(r[name].spikes) for r in (made, exact))
    quiet = (
        np.ones(sent.shape, bool) if network[name].neuron.graded else (sent == 0) & (theirs == 0)
    )
    ours, others = int(np.count_nonzero(sent)), int(np.count_nonzero(theirs))
    both = int(np.count_nonzero((sent != 0) & (theirs != 0)))
    return Difference(
        _decibels(before[quiet], after[quiet]), ours, others,
        2 * both / (ours + others) if ours + others else 1.0,
        sum((made[name].overflows() or {}).values()),
    )  # fmt: skip


def _decibels(exact: NDArray[Any], found: NDArray[Any]) -> float:
    """Power of a signal over that of the error in it, 10 log10."""
    power, noise = float((exact**2).sum()), float(((found - exact) ** 2).sum())
    if not noise:
        return float(np.inf)
    return float(10 * np.log10(power / noise)) if power else float(-np.inf)


def _difference(
    population: Population,
    reference: Calibration,
    spikes: NDArray[Any],
    v: NDArray[Any],
    saturated: int,
) -> Difference:
    neuron, name = float_neuron(population), population.name
    zero = np.asarray(neuron.reset_value) if neuron.reset == "value" else 0.0
    exact, sent = reference.v[name] - zero, reference.sent[name]
    if neuron.sends == "voltage":
        sent = np.zeros_like(sent)
    quiet = (spikes == 0) & (sent == 0)
    sqnr = _decibels(exact[quiet], v[quiet])
    ours, theirs = int(spikes.sum()), int(sent.sum())
    both = float((spikes * sent).sum())
    coincidence = 2 * both / (ours + theirs) if ours + theirs else 1.0
    return Difference(sqnr, ours, theirs, coincidence, saturated)


def without_infinities(value: Any) -> Any:
    """Plain data for JSON, which knows no infinity: None in its place."""
    if isinstance(value, dict):
        return {key: without_infinities(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinities(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
