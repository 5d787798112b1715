"""Whether a network fits on a chip, and where it would go."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import ChipError, NetworkError
from ..network import Network, Population
from .balance import balance_cores
from .joined_convolutions import with_parts_as_one
from .partition import INPUT_AXONS, LARGEST_SYSTEM, Partition, cut_into_blocks, cut_into_lists
from .placement import CHIPS, CORES, Misfit, Placement
from .resources import ALONE, ALONE_IN_IMAGE, NEURONS, REMEDY, Needs
from .specification import DEFAULT_CHIP, LIMITS, Chip, Constant, load_chip, read_toml

if TYPE_CHECKING:
    from ..recording import Recording

_CAPACITIES = ("synapse_word_bits", *(name for name in LIMITS if name.endswith("s_per_core")))
"""Those of `LIMITS` that nothing fits into where they are 0."""

_BOARDS = Path(__file__).parent / "data" / "boards.toml"


def fit(
    network: Network,
    chip: str | os.PathLike[str] | Chip = DEFAULT_CHIP,
    *,
    board: str | None = None,
    compiler: str | None = None,
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
    compiler : str, optional
        The version of the compiler whose limits hold, see `load_chip`: ``2024`` by default, or
        ``2022``. A `Chip` is of one already.
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
        If there is no such chip, board or compiler, or the chip file lacks a limit.
    NetworkError
        If the network is in float32, or `recording` is of another one.

    Examples
    --------
    >>> place = nd.fit(net, "loihi2")
    >>> place.fits, place.cores_used, place.chips_used
    (True, 2, 1)
    >>> [(u.population, u.binds) for u in place.per_population]
    [('0_dense', 'synapse words'), ('1_dense', 'words of core memory')]
    """
    chip = load_chip(chip, compiler)
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
    needs = Needs(with_parts_as_one(network), chip)
    plain = _placement(network, needs, board, chips, _partitions(needs))
    if recording is not None and recording.header.network != network.fingerprint:
        raise NetworkError(
            "recording: made by another network; record this one, then place it by its counts"
        )
    if recording is None or any(part.counted is not None for part in plain.partitions):
        return plain
    return balance_cores(
        plain,
        recording,
        lambda most: _placement(network, needs, board, chips, _partitions(needs, most)),
    )


def refit(network: Network, like: Placement, changed: Collection[str]) -> Placement:
    """Place a network again of which only some populations changed since `like`.

    Parameters
    ----------
    network : Network
    like : Placement
        Whose chip and board hold, and whose cuts hold for all others.
    changed : collection of str
        Populations that are new, or whose inputs, outputs or shapes changed. Their cores are
        counted and not laid out.
    """
    kept = {p.population.name: p for p in like.partitions if p.population.name not in changed}
    cores = {partition.population.name: partition.cores for partition in like.partitions}
    needs = Needs(with_parts_as_one(network), like.chip)
    for _ in range(2):  # an output axon per core that is reached: cores depend on each other
        needs = replace(needs, cores=cores)
        partitions = tuple(
            kept[p.name] if p.name in kept else _cut(needs, p, p.size, listed_up_to=0)
            for p in needs.network.populations
            if p.name in kept or (p.name in changed and needs.on_chip(p))
        )
        if not like.chip.limit("map_per_target_core"):
            break
        cores = {**cores, **{p.population.name: p.cores for p in partitions}}
    chips = _chips_of(like.board or None, like.chip)
    return _placement(network, needs, like.board, chips, partitions)


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
    if kind != chip.kind:
        raise ChipError(
            f"board {board!r} carries {kind}, not {chip.name}; ask for that chip, or name "
            f'base = "{kind}" in the chip file'
        )
    return chips


def _with_cores(chip: Chip, cores: int | None) -> Chip:
    if cores is None:
        return chip
    if cores < 1:
        raise ChipError(f"{cores} usable cores per chip; give at least 1")
    changed = {**chip.constants, "cores_per_chip": Constant(cores, "1", "given by the user")}
    return replace(chip, constants=MappingProxyType(changed))


def _partitions(needs: Needs, most: dict[str, int] | None = None) -> tuple[Partition, ...]:
    """Cut every population; `most` bounds the neurons of one core."""
    known: dict[str, int] = {}
    for _ in range(4):  # an output axon per core that is reached: cores depend on each other
        needs = replace(needs, cores=known)
        cut = tuple(
            _cut(needs, p, (most or {}).get(p.name, p.size))
            for p in needs.network.populations
            if needs.on_chip(p)
        )
        found = {partition.population.name: partition.cores for partition in cut}
        if found == known or not needs.chip.limit("map_per_target_core"):
            break
        known = found
    return cut


def _cut(
    needs: Needs, population: Population, bound: int, listed_up_to: int = LARGEST_SYSTEM
) -> Partition:
    limits = needs.limits(population)
    need = partial(needs.of, population)
    most = max(1, limits[NEURONS] // population.neuron.currents)
    if bound < population.size:
        most = min(most, bound)
    if needs.is_image(population):
        fits = partial(needs.kernels_fit, population)
        return cut_into_blocks(population, need, limits, most, fits, listed_up_to)
    fullest = needs.fullest(population)
    return cut_into_lists(population, need, limits, most, fullest, listed_up_to)


def _placement(
    network: Network,
    needs: Needs,
    board: str | None,
    chips: int | None,
    partitions: tuple[Partition, ...],
) -> Placement:
    limits = {p.population.name: needs.limits(p.population) for p in partitions}
    misfits = [m for p in partitions for m in _misfits(p, limits[p.population.name])]
    place = Placement(network, needs.chip, board or "", partitions, limits, laid_out=needs.network)
    if chips is not None and place.chips_used > chips:
        remedy = "take a larger board, or fewer weight bits"
        misfits.append(Misfit("", CHIPS, place.chips_used, chips, remedy))
    return replace(place, misfits=tuple(misfits))


def _misfits(partition: Partition, limits: Mapping[str, int]) -> Iterator[Misfit]:
    name = partition.population.name
    single = max(piece.neurons for piece in partition.pieces) == 1
    remedies, cannot = REMEDY, single or partition.alone is not None
    if cannot:
        remedies = ALONE if partition.block is None else ALONE_IN_IMAGE
    alike = {id(used): used for used in partition.used}.values()
    used = alike if partition.alone is None else (partition.alone,)
    for resource, limit in limits.items():
        worst = max(u[resource] for u in used)
        if worst > limit:
            uncut = cannot or resource == INPUT_AXONS
            yield Misfit(name, resource, worst, limit, remedies[resource], converges=not uncut)
    if partition.cores > LARGEST_SYSTEM:
        yield Misfit(name, CORES, partition.cores, LARGEST_SYSTEM, "make the layer smaller")
