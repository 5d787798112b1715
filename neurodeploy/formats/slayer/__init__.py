"""Modules of SLAYER blocks as networks, in the integers of SLAYER's forward pass.

A module is run once on an example and followed, whichever way its blocks are
wired; see `tracing`, and `build` for how it becomes a network. What a block is
read as is in `neurons` and `synapses`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, NetworkError, UnsupportedError
from ...network import Audit, AuditEntry, Network, Rating
from ..beyond_chip import what_is_missing
from .build import Builder
from .dataflow import Sent
from .importing import import_slayer, quiet
from .module_kinds import Rested, in_plain_containers, kind_of
from .network_output import places_of
from .weights import Kept, Recomputed

EXAMPLE_STEPS = 24
"""Of a random example."""

FLAT = ("Dense", "Recurrent", "KWTA", "Affine", "Output")
"""Blocks, and synapses, whose kernel says what shape they take."""

__all__ = [
    "Export",
    "Sent",
    "example_for",
    "export_slayer",
    "import_slayer",
    "load_slayer",
    "quiet",
    "with_sample_axis",
]


@dataclass(frozen=True, eq=False)
class Export:
    """A network, and what SLAYER's CPU forward pass did on the example.

    Attributes
    ----------
    network : Network
    inputs : int32 [samples, steps, *input shape]
        The example in the input population's integers (``apply_transform=False``).
    sent : tuple of Sent
        What each population's block sent.
    places : mapping of str to str
        The population of each element in the audit.
    """

    network: Network
    inputs: NDArray[np.int32]
    sent: tuple[Sent, ...]
    places: Mapping[str, str] = field(default_factory=dict)


def load_slayer(module: Any, **options: Any) -> Network:
    """Read a module of SLAYER blocks, with the options of `export_slayer`."""
    return export_slayer(module, **options).network


def export_slayer(
    module: Any,
    *,
    example: NDArray[Any] | None = None,
    shape: tuple[int, ...] | None = None,
    allow: Collection[str] = (),
    static: bool = False,
) -> Export:
    """Turn a module of SLAYER blocks into a network.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters are left as they are, and so are its blocks' states.
    example : array [steps, *shape] or [samples, steps, *shape], optional
        What the module takes, time last there and second here. Spikes, or
        values for a module that starts with an Input block. By default a
        random frame, see `example_for`.
    shape : tuple of int, optional
        (neurons,) or (C, H, W), for the random frame.
    allow : collection of str
        Elements rated unsupported to go on without, by the names the error gives.
    static : bool
        The module takes images without time and repeats them itself; an example is then
        [*shape] or [samples, *shape].

    Returns
    -------
    Export

    Raises
    ------
    BackendError
        Without torch or lava-dl.
    UnsupportedError, NetworkError
        Naming the module and the operation, weight or neuron.
    InputError
        If the module cannot run on the example; with its own words.
    """
    _blocks_of(module)  # tells who has none what to do, also where lava-dl is missing
    torch, _ = import_slayer()
    from .running import trace

    if example is None:
        example = example_for(module, shape, static=static)
    given = with_sample_axis(np.asarray(example, np.float32), static)
    # Weights are read, too, in evaluation mode: a spectral norm changes them in training.
    with Rested(torch, module), Recomputed(torch, module):
        before = Kept(module)
        traced = trace(torch, module, given, static)
        builder = Builder(traced, allow)
        network = builder.build()
        notes = _what_runs_change(before, traced.after_first)
    assert builder.inputs is not None
    if static:
        steps = builder.inputs.shape[1]
        reason = f"the module repeats an image for {steps} steps; present it as often"
        notes.append(AuditEntry("input", Rating.FAITHFUL, reason))
    network = replace(network, audit=network.audit + Audit(tuple(notes)))
    names = {population.name for population in network.populations}
    places = places_of((e.element for e in network.audit), builder.nodes, names)
    return Export(network, builder.inputs, tuple(builder.sent), places)


def _what_runs_change(before: Kept, after_first: Kept) -> list[AuditEntry]:
    """Notes on numbers of a checkpoint that a forward pass changes.

    Raises
    ------
    NetworkError
        If each pass changes them anew: no file would hold what SLAYER computes with.
    """
    for name, count, size in after_first.changed():
        raise NetworkError(
            f"{name}: every forward pass changes {count} of its {size} numbers, also in evaluation "
            f"mode, so no file can hold what SLAYER computes with; let forward leave them alone"
        )
    reason = "a forward pass changes {} of its {} numbers (a mask, or bounds); what it uses is kept"
    return [
        AuditEntry(name, Rating.FAITHFUL, reason.format(count, size))
        for name, count, size in before.changed()
    ]


def example_for(
    module: Any,
    shape: tuple[int, ...] | None = None,
    *,
    steps: int = EXAMPLE_STEPS,
    seed: int = 0,
    static: bool = False,
) -> NDArray[np.float32]:
    """Draw a random example: spikes, or values that change at every step for sigma-delta blocks.

    Parameters
    ----------
    module : torch.nn.Module
    shape : tuple of int, optional
        Told by the first block, if that is dense.
    steps, seed : int
    static : bool
        Draw an image: values from 0 to 1 for an Input block, else zeros and ones.

    Returns
    -------
    float32 [1, steps, *shape], or [1, *shape]
        Multiples of 1/32, which SLAYER's Input blocks take as they are.

    Raises
    ------
    InputError
        If the first block does not tell the shape.
    UnsupportedError
        If there is no SLAYER block.
    """
    leaves = _blocks_of(module)
    if shape is None:
        first = next((m for m in leaves if _synapse_of(m) is not None), None)
        shape = None if first is None else _shape_told(first)
    if shape is None:
        raise InputError(
            f"{type(module).__name__}: no block tells the shape of the input; give an example, or "
            f"the shape as C,H,W"
        )
    rng = np.random.default_rng(seed)
    if static and any(kind_of(m) == "block.Input" for m in leaves):
        return (rng.integers(0, 33, (1, *shape)) / 32).astype(np.float32)
    if static:
        return (rng.random((1, *shape)) < 0.3).astype(np.float32)
    if any(hasattr(m, "sigma_output") or hasattr(getattr(m, "neuron", m), "delta") for m in leaves):
        held = rng.integers(-48, 64, (1, 1, *shape))
        moving = rng.integers(-8, 9, (1, steps, *shape))
        return ((held + moving) / 32).astype(np.float32)
    return (rng.random((1, steps, *shape)) < 0.3).astype(np.float32)


def _blocks_of(module: Any) -> list[Any]:
    leaves = [m for m in module.modules() if kind_of(m)]
    names = [type(m).__name__ for m in module.modules()]
    if not leaves and (missing := what_is_missing(names)):
        raise UnsupportedError(f"{type(module).__name__}: {missing}")
    if lost := in_plain_containers(module):
        name, value = next(iter(lost.items()))
        kind = "ModuleDict" if isinstance(value, dict) else "ModuleList"
        raise UnsupportedError(
            f"{type(module).__name__}.{name}: SLAYER blocks in a plain {type(value).__name__}, "
            f"which torch does not see (no checkpoint holds them): use torch.nn.{kind}"
        )
    if not leaves:
        raise UnsupportedError(
            f"{type(module).__name__}: has no SLAYER block; build it of lava.lib.dl.slayer.block, "
            f"or give a network without spikes to nd.convert_ann(module, calibration)"
        )
    return leaves


def _synapse_of(module: Any) -> Any:
    return getattr(module, "synapse", None) or getattr(module, "input_synapse", None)


def _shape_told(module: Any) -> tuple[int, ...] | None:
    synapse = _synapse_of(module)
    synapse = getattr(synapse, "real", synapse)
    if synapse is None or kind_of(module).split(".")[-1] not in FLAT:
        return None
    kernel = tuple(int(n) for n in synapse.kernel_size[:2])
    channels = int(synapse.in_channels)
    return (channels,) if kernel == (1, 1) else (channels, *kernel)


def with_sample_axis(example: NDArray[np.float32], static: bool = False) -> NDArray[np.float32]:
    """Bring an example to [samples, steps, *shape] by the number of its axes.

    A static one is brought to [samples, *shape].

    Raises
    ------
    InputError
        If that tells nothing.
    """
    own = example.ndim - (0 if static else 1)  # axes beside time
    if own in (2, 4):
        return example
    if own in (1, 3):
        return example[None]
    how = "give [steps, *shape] or [samples, steps, *shape]"
    raise InputError(
        f"example: shape {tuple(example.shape)}; "
        f"{'without time it is [*shape] or [samples, *shape]' if static else how} "
        f"with shape (neurons) or (C, H, W)"
    )
