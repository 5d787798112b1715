"""Whether a network fits on a chip, and where it would go."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import ChipError, NetworkError
from ..network import Network, Population
from .balance import balanced
from .partition import Partition, cut_into_blocks, cut_into_lists
from .placement import Misfit, Placement
from .resources import ALONE, NEURONS, REMEDY, Needs, on_chip
from .specification import LIMITS, Chip, Constant, load_chip, read_toml

if TYPE_CHECKING:
    from ..recording import Recording

_CAPACITIES = ("synapse_word_bits", *(name for name in LIMITS if name.endswith("s_per_core")))
"""Those of `LIMITS` that nothing fits into where they are 0."""

_BOARDS = Path(__file__).parent / "data" / "boards.toml"


def fit(
    network: Network,
    chip: str | os.PathLike[str] | Chip = "loihi2",
    *,
    board: str | None = None,
    cores: int | None = None,
    recording: Recording | None = None,
) -> Placement:
    """Lay a network onto the cores of a chip the way Intel's compiler does, or better.

    Rules and the rows of the compiler's tables that support them: docs/chip.md.

    Parameters
    ----------
    network : Network
        In the chip's integers.
    chip : str, path or Chip
        ``loihi1``, ``loihi2`` or a chip file.
    board : str, optional
        Of ``boards.toml``: more chips than it has are a misfit.
    cores : int, optional
        Usable cores per chip, in place of the chip file's.
    recording : Recording, optional
        A run of this network, with counts: populations whose cores are the busiest get
        further ones on the chips that are taken anyway (``strategy == "balanced"``).

    Returns
    -------
    Placement
        Also where something does not fit: see `Placement.misfits`.

    Raises
    ------
    ChipError
        If there is no such chip or board, or the chip file lacks a limit.
    NetworkError
        If the network is in float32, or `recording` is of another one.
    """
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    chip = _with_cores(chip, cores)
    for name in LIMITS:
        value = chip.limit(name)
        if value < 1 and name in _CAPACITIES:
            raise ChipError(f"{chip.name}: constant {name!r} is {value}; give at least 1")
    if network.is_float:
        raise NetworkError(
            "network: computes in float32, a chip in integers; quantize it before it is placed"
        )
    chips = _chips_of(board, chip)
    partitions = _partitions(network, chip)
    plain = _placement(network, chip, board, chips, partitions)
    if recording is None:
        return plain
    if recording.header.network != network.fingerprint:
        raise NetworkError(
            "recording: made by another network; record this one, then place it by its counts"
        )
    return balanced(
        plain,
        network,
        recording,
        lambda most: _placement(network, chip, board, chips, _partitions(network, chip, most)),
    )


def boards() -> dict[str, tuple[str, int]]:
    """Chip and number of chips of every board."""
    raw = read_toml(_BOARDS, _BOARDS.name)["boards"]
    return {name: (entry["chip"], entry["chips"]) for name, entry in raw.items()}


def _chips_of(board: str | None, chip: Chip) -> int | None:
    if board is None:
        return None
    known = boards()
    if board not in known:
        raise ChipError(f"no board {board!r}; there are {', '.join(sorted(known))}")
    kind, chips = known[board]
    if kind != chip.name.split("-")[0]:  # loihi2-fitted is a loihi2 with other constants
        raise ChipError(f"board {board!r} carries {kind}, not {chip.name}; ask for that chip")
    return chips


def _with_cores(chip: Chip, cores: int | None) -> Chip:
    if cores is None:
        return chip
    if cores < 1:
        raise ChipError(f"{cores} usable cores per chip; give at least 1")
    changed = {**chip.constants, "cores_per_chip": Constant(cores, "1", "given by the user")}
    return replace(chip, constants=MappingProxyType(changed))


def _partitions(
    network: Network, chip: Chip, most: dict[str, int] | None = None
) -> tuple[Partition, ...]:
    """Cut every population; `most` bounds the neurons of one core."""
    known: dict[str, int] = {}
    for _ in range(4):  # an output axon per core that is reached: cores depend on each other
        needs = Needs(network, chip, known)
        cut = tuple(
            _cut(needs, p, (most or {}).get(p.name, p.size))
            for p in network.populations
            if on_chip(network, p)
        )
        found = {partition.population.name: partition.cores for partition in cut}
        if found == known or not chip.limit("map_per_target_core"):
            break
        known = found
    return cut


def _cut(needs: Needs, population: Population, bound: int) -> Partition:
    limits = needs.limits(population)
    need = partial(needs.of, population)
    most = max(1, limits[NEURONS] // population.neuron.ports)
    if bound < population.size:
        most = min(most, bound)
    if needs.is_image(population):
        fits = partial(needs.kernels_fit, population)
        return cut_into_blocks(population, need, limits, most, fits)
    return cut_into_lists(population, need, limits, most)


def _placement(
    network: Network,
    chip: Chip,
    board: str | None,
    chips: int | None,
    partitions: tuple[Partition, ...],
) -> Placement:
    needs = Needs(network, chip, {})
    limits = {p.population.name: needs.limits(p.population) for p in partitions}
    misfits = []
    for partition in partitions:
        name = partition.population.name
        for resource, limit in limits[name].items():
            worst = max(used[resource] for used in partition.used)
            if worst > limit:
                alone = max(piece.neurons for piece in partition.pieces) == 1
                remedy = (ALONE if alone else REMEDY)[resource]
                misfits.append(Misfit(name, resource, worst, limit, remedy))
    place = Placement(network, chip, board or "", partitions, limits)
    if chips is not None and place.chips_used > chips:
        remedy = "take a larger board, or fewer weight bits"
        misfits.append(Misfit("", "chips", place.chips_used, chips, remedy))
    return replace(place, misfits=tuple(misfits))
