"""Mixed precision: which population gets how many bits, within a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetworkError
from ..network import Network
from ..recording.run_options import Progress
from .calibration import Calibration
from .config import QuantConfig
from .costs import ChipName, Costs, Meter
from .float_form import as_float, is_rescalable
from .quantize_network import quantize, rounded_names
from .scale_choice import Site
from .scales import choose_scale

WIDTHS = (8, 7, 6, 5, 4, 3, 2)


@dataclass(frozen=True)
class Budget:
    """What a network may cost at most; give one of the three.

    Attributes
    ----------
    memory_bits : int or None
        Synaptic memory as the chip packs it, all cores together, parallel synapses included.
    joules : float or None
        Dynamic energy per inference, as `Costs.joules`.
    loss : float or None
        Of accuracy where there are labels, else share of decisions that differ from the
        original's; 0..1. As little memory as this allows is taken.
    """

    memory_bits: int | None = None
    joules: float | None = None
    loss: float | None = None

    def __post_init__(self) -> None:
        given = [v for v in (self.memory_bits, self.joules, self.loss) if v is not None]
        if len(given) != 1 or not np.isfinite(given[0]) or given[0] < 0:
            raise NetworkError(
                "budget: give one of memory, energy and loss, a number of at least 0"
            )


@dataclass(frozen=True)
class Allotment:
    """Bits for each population, and what the network so made costs on the inputs.

    Attributes
    ----------
    config : QuantConfig
        With `population_bits`.
    network : Network
    costs : Costs
    """

    config: QuantConfig
    network: Network
    costs: Costs


def within_budget(
    network: Network,
    budget: Budget,
    config: QuantConfig,
    calibration: NDArray[Any],
    labels: NDArray[np.integer[Any]] | None = None,
    chip: ChipName = "loihi2",
    progress: Progress | None = None,
) -> Allotment:
    """Give each population bits so that the network keeps within a budget.

    All start at `config.bits`. Then, one at a time, the population goes to fewer bits that loses
    least in spikes and membrane, fed what the original sends, for what it frees of memory (or
    energy). After each step the network is rounded and measured whole. For memory and energy this
    goes on until the budget is kept; for a loss, steps that would break it, or free nothing, are
    taken back, until no other is left.

    Parameters
    ----------
    network : Network
        In float32 or in integers.
    budget : Budget
    config : QuantConfig
        Whose `bits` is the most that a population gets; its `population_bits` do not count.
    calibration : array [samples, steps, *input shape]
    labels : integer array [samples], optional
    chip : str, path or Chip
        Whose rules and constants say what is stored and what an event costs.
    progress : callable, optional
        Called with (how many measures were taken, how many are taken at most, about): of each
        population alone at each width, and of networks.

    Returns
    -------
    Allotment

    Raises
    ------
    NetworkError
        If the budget cannot be kept; it says the least that can be reached. If `config.bits` is
        1 or "ternary", of which there are none fewer.
    """
    names = rounded_names(network)
    top = config.bits
    widths = [w for w in WIDTHS if isinstance(top, int) and w <= top]
    if not widths:
        raise NetworkError(
            f"budget: bits: {top}; populations go from these to fewer, so start at 2 to 8"
        )
    meter = Meter(network, calibration, labels, chip)
    each = len(names) * len(widths)
    advance = _Advance(progress, len(widths) + each + each - len(names))
    kept: dict[tuple[int, ...], Allotment] = {}

    def made(given: Mapping[str, int]) -> Allotment:
        key = tuple(given[name] for name in names)
        if key not in kept:
            some = replace(config, population_bits=tuple(given.items()))
            fixed = quantize(network, some, calibration)
            kept[key] = Allotment(some, fixed, meter(fixed))
            advance()
        return kept[key]

    uniform = {width: made(dict.fromkeys(names, width)).costs for width in widths}
    loss = _losses(network, config, calibration, names, widths, made, advance)
    price = _Prices(meter, uniform, loss, widths, by_energy=budget.joules is not None)
    given = dict.fromkeys(names, widths[0])
    if budget.loss is not None:
        best = _least_within_loss(budget.loss, given, made, price)
        advance.end()
        return best
    while not _keeps(budget, made(given).costs):
        step = price.cheapest(given, barred=set())
        if step is None:
            raise NetworkError(_beyond(budget, [a.costs for a in kept.values()]))
        given[step[0]] = step[1]
    advance.end()
    return made(given)


@dataclass
class _Advance:
    """Counts what was measured and tells it."""

    progress: Progress | None
    most: int
    done: int = 0

    def __call__(self) -> None:
        self.done = min(self.done + 1, self.most)
        self._tell()

    def end(self) -> None:
        """Say that nothing is left to measure."""
        self.done = self.most
        self._tell()

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.most)


def _least_within_loss(
    most: float,
    given: dict[str, int],
    made: Callable[[Mapping[str, int]], Allotment],
    price: _Prices,
) -> Allotment:
    best = made(given)
    if best.costs.loss > most + 1e-12:
        raise NetworkError(
            f"budget: a loss of {most:g} at most; {best.costs.loss:g} is lost at "
            f"{best.config.bits} bits everywhere; allow more, or more bits"
        )
    barred: set[tuple[str, int]] = set()
    while (step := price.cheapest(given, barred)) is not None:
        name, width = step
        tried = made({**given, name: width})
        if tried.costs.loss <= most + 1e-12 and tried.costs.memory_bits <= best.costs.memory_bits:
            given[name], best = width, tried
        else:
            barred.add(step)
    return best


@dataclass(frozen=True)
class _Prices:
    """Loss for each bit of memory, or joule of synaptic operations, that fewer bits free."""

    meter: Meter
    uniform: Mapping[int, Costs]
    loss: Mapping[tuple[str, int], float]
    widths: list[int]
    by_energy: bool

    def cost(self, name: str, width: int) -> float:
        costs = self.uniform[width]
        if self.by_energy:
            return costs.synops_of.get(name, 0.0) * self.meter.chip["synop_energy"]
        return costs.memory_of.get(name, 0.0)

    def cheapest(
        self, given: Mapping[str, int], barred: set[tuple[str, int]]
    ) -> tuple[str, int] | None:
        """Population and width of the next step; None where nothing more can be freed."""
        found = []
        for name, width in given.items():
            for fewer in self.widths:
                freed = self.cost(name, width) - self.cost(name, fewer)
                if fewer < width and (name, fewer) not in barred and freed > 0:
                    lost = self.loss[name, fewer] - self.loss[name, width]
                    found.append((lost / freed, name, -fewer))
        if not found:
            return None
        _, name, fewer = min(found)
        return name, -fewer


def _losses(
    network: Network,
    config: QuantConfig,
    calibration: NDArray[Any],
    names: list[str],
    widths: list[int],
    made: Callable[[Mapping[str, int]], Allotment],
    advance: Callable[[], None],
) -> dict[tuple[str, int], float]:
    """How far each population at each width is from the original."""
    if not (network.is_float or is_rescalable(network)):
        # Neurons that have no float form: this population alone at the width, the others at most.
        most = dict.fromkeys(names, widths[0])
        return {
            (name, width): 1 - made({**most, name: width}).costs.coincidence
            for name in names
            for width in widths
        }
    from .population_alone import PopulationAlone, difference

    floats = network if network.is_float else as_float(network)
    reference = Calibration.of(floats, calibration)
    loss = {}
    for name in names:
        for width in widths:
            alone = replace(config, bits=width, population_bits=())
            site = Site(floats, floats[name], alone, reference)
            run = PopulationAlone(floats, site, reference).run(choose_scale(site, "mse"))
            loss[name, width] = difference(run, floats[name], reference)
            advance()
    return loss


def _keeps(budget: Budget, costs: Costs) -> bool:
    if budget.joules is not None:
        return costs.joules <= budget.joules
    assert budget.memory_bits is not None
    return costs.memory_bits <= budget.memory_bits


def _beyond(budget: Budget, tried: list[Costs]) -> str:
    if budget.joules is not None:
        least = min(costs.joules for costs in tried)
        return (
            f"budget: {budget.joules:g} J per inference; {least:.4g} J is the least reachable by "
            f"fewer bits; prune the network or raise the budget"
        )
    return (
        f"budget: {budget.memory_bits} bits of synaptic memory; "
        f"{min(costs.memory_bits for costs in tried)} is the least reachable by fewer bits; prune "
        f"the network or raise the budget"
    )
