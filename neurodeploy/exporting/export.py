"""``nd.export``: make the module, load its weights, write it, hold it against SLAYER."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, InputError
from ..files import check_place
from ..formats import FORMATS
from ..formats.netx.writer import save_netx
from ..formats.slayer import Export
from ..inputs import read_inputs
from ..network import Audit, AuditEntry, Network, Rating
from ..targets.look_ahead import look_ahead
from ..targets.netx_importer import netx_needs
from ..targets.rewrite import wrapped_sums_in_parts
from .forward_pass import Agreement, compare_forward_pass, with_measured_audit


@dataclass(frozen=True, eq=False)
class ExportedModule:
    """What an export did.

    Attributes
    ----------
    network : Network
    out : Path
    example : str
        What the module was run on, with the seed if it was drawn.
    no_layers : str
        Why the file has no NetX layers; nothing where it has.
    agreement : tuple of Agreement
    inputs : int [samples, steps, *shape]
        The example in the network's integers.

    Examples
    --------
    >>> made = nd.export(module, "net.net")  # doctest: +SKIP
    >>> made.equal, made.netx_reads  # doctest: +SKIP
    """

    network: Network
    out: Path
    example: str
    no_layers: str
    agreement: tuple[Agreement, ...]
    inputs: NDArray[Any]

    @cached_property
    def in_netx(self) -> Audit:
        """What lava-dl's importer makes of the file; empty where it has no NetX layers."""
        return Audit() if self.no_layers else look_ahead(self.network, "netx")

    @property
    def equal(self) -> bool:
        """Whether SLAYER's forward pass and the engine agree to the bit."""
        return all(population.equal for population in self.agreement)

    def lines(self) -> list[str]:
        """What the terminal says.

        Returns
        -------
        list of str
            Sentences, without line ends.

        Examples
        --------
        >>> made = nd.export(module, "net.net")  # doctest: +SKIP
        >>> made.lines()  # doctest: +SKIP
        """
        lines = [f"SLAYER's CPU forward pass against the engine, on {self.example}:"]
        lines += [f"  {population.line()}" for population in self.agreement]
        verdict = "they agree to the bit" if self.equal else "they differ"
        lines.append(f"{verdict}; {len(self.network.populations)} populations in {self.out}")
        if silent := [a.population for a in self.agreement if not a.sent]:
            names = ", ".join(silent)
            lines.append(f"nothing but 0 from {names}: this example shows little; give another")
        if self.no_layers:
            lines.append(f"no NetX layers in it, neurodeploy alone reads it: {self.no_layers}")
        elif self.in_netx.worst is Rating.FAITHFUL:
            needs = self.netx_needs
            lines.append(
                "lava-dl's netx reads it and runs it the same" + (", if:" if needs else "")
            )
            lines += [f"  {need}" for need in needs]
        else:
            lines.append("lava-dl's netx reads it, but:" if self.netx_reads else "netx refuses it:")
            for entry in self.in_netx:
                if entry.rating is not Rating.FAITHFUL:
                    lines.append(f"  {entry.element}: {entry.reason}")
            lines += [f"  {need}" for need in self.netx_needs if self.netx_reads]
        return lines

    @property
    def netx_reads(self) -> bool:
        """Whether lava-dl's importer reads the file at all."""
        return not self.no_layers and self.in_netx.worst is not Rating.UNSUPPORTED

    @property
    def netx_needs(self) -> list[str]:
        """What netx must be given to run the file as the engine does on the example."""
        return [] if self.no_layers else netx_needs(self.network, self.inputs)

    def as_dict(self) -> dict[str, Any]:
        """For JSON.

        Returns
        -------
        dict
            Numbers, strings, lists and mappings alone.

        Examples
        --------
        >>> json.dumps(nd.export(module, "net.net").as_dict())  # doctest: +SKIP
        """
        return {
            "network": self.out,
            "fingerprint": self.network.fingerprint,
            "equal": self.equal,
            "example": self.example,
            "netx_layers": not self.no_layers,
            "netx_reads": self.netx_reads,
            "netx_needs": self.netx_needs,
            "in_netx": [e.as_dict() for e in self.in_netx],
            "populations": [{**vars(a), "equal": a.equal} for a in self.agreement],
            "audit": [e.as_dict() for e in self.network.audit],
        }


def export(
    module: Any,
    out: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    example: NDArray[Any] | str | os.PathLike[str] | None = None,
    shape: tuple[int, ...] | str | None = None,
    steps: int = 24,
    seed: int = 0,
    allow: Collection[str] = (),
    split_sums: bool = False,
    static: bool = False,
) -> ExportedModule:
    """Write a trained SLAYER network as NetX HDF5, and hold the engine against SLAYER.

    SLAYER's CPU forward pass and the engine run on an example, and every population is compared.

    Parameters
    ----------
    module : torch.nn.Module or str
        Of SLAYER blocks; or ``"package.module:factory"``, which makes it.
    out : path
        The network to write (``.net``).
    weights : path, optional
        A state dict that ``torch.save`` wrote; it is loaded into the module first.
    example : array or path, optional
        What the module is run on, as it takes it. Random by default.
    shape : tuple of int or str, optional
        Input shape of a random example, (neurons,) or (C, H, W), or ``"C,H,W"``.
    steps, seed : int
        Of a random example.
    allow : collection of str
        Unsupported elements to go on without, by the names that the error gives.
    split_sums : bool
        Split convolutions whose sums leave 24 bits on the example.
    static : bool
        The module takes images without time and repeats them itself.

    Returns
    -------
    ExportedModule

    Raises
    ------
    NeurodeployError
        Of every kind: one line that says what and where.

    Examples
    --------
    >>> made = nd.export("package.module:Net", "net.net", weights="net.pt")  # doctest: +SKIP
    >>> made.equal  # doctest: +SKIP
    True
    """
    from ..formats.slayer import example_for, export_slayer, with_sample_axis
    from ..formats.slayer.checkpoint import load_checkpoint, make_module

    path = Path(out)
    _check_out(path)
    if steps < 1:
        raise InputError(f"steps {steps}: a random example needs 1 or more")
    if isinstance(module, str):
        module = make_module(module)
    if isinstance(example, (str, os.PathLike)):
        given, what = np.asarray(read_inputs(Path(example))[0], np.float32), str(example)
    elif example is not None:
        given = np.asarray(example, np.float32)
        what = f"the given example of shape {given.shape}"
    else:
        given = example_for(module, _shape(shape), steps=steps, seed=seed, static=static)
        length = "one image" if static else f"{steps} steps"
        what = f"a random example of {length}, seed {seed}"
    given = with_sample_axis(given, static)
    if weights is not None:
        load_checkpoint(module, Path(weights), given, static)
    done = export_slayer(module, example=given, allow=allow, static=static)
    held = compare_forward_pass(done)
    if split_sums:
        done, held = split_until_none_wraps(done, held)
    network = with_measured_audit(done, held, what)
    missing = save_netx(network, path)
    return ExportedModule(network, path, what, missing, held, done.inputs)


def split_until_none_wraps(
    export: Export, held: Sequence[Agreement]
) -> tuple[Export, tuple[Agreement, ...]]:
    """Use the rewrite `wrapped_sums_in_parts` until no sum wraps on the example, or none helps."""
    whole = network = export.network
    while wrapped := frozenset(a.population for a in held if a.wrapped):
        split = wrapped_sums_in_parts(network, wrapped)
        if len(split.projections) == len(network.projections):
            break
        network = split
        export = replace(export, network=network)
        held = compare_forward_pass(export)
    parts = {p.name: len(network.into(p.name)) for p in network.populations}
    notes = tuple(
        AuditEntry(name, Rating.FAITHFUL, f"its sums in {count} parts, so that fewer wrap")
        for name, count in parts.items()
        if count > len(whole.into(name))
    )
    network = replace(network, audit=whole.audit + Audit(notes))
    return replace(export, network=network), tuple(held)


def _check_out(out: Path) -> None:
    """Refuse a place that cannot be written to before anything runs."""
    if out.suffix.lower() not in FORMATS["netx"].suffixes:
        raise FormatError(f"{out}: export writes NetX HDF5; name it .net, and convert that to .nir")
    check_place(out)


def _shape(text: tuple[int, ...] | str | None) -> tuple[int, ...] | None:
    if not isinstance(text, str):
        return text
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise InputError(f"shape {text!r}: give C,H,W or the number of inputs, e.g. 3,448,448")
    return shape
