"""The whole of an export: make the module, load its weights, write it, hold it against SLAYER."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..formats.netx_writer import save_netx
from ..network import Network
from ..signals import read_inputs
from .slayer import Agreement, agree


@dataclass(frozen=True, eq=False)
class Exported:
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
    """

    network: Network
    out: Path
    example: str
    no_layers: str
    agreement: tuple[Agreement, ...]

    @property
    def equal(self) -> bool:
        """Whether SLAYER's forward pass and the engine agree to the bit."""
        return all(population.equal for population in self.agreement)

    def lines(self) -> list[str]:
        """What the terminal says."""
        lines = [f"SLAYER's CPU forward pass against the engine, on {self.example}:"]
        lines += [f"  {population.line()}" for population in self.agreement]
        verdict = "they agree to the bit" if self.equal else "they differ"
        lines.append(f"{verdict}; {len(self.network.populations)} populations in {self.out}")
        if self.no_layers:
            lines.append(f"no NetX layers in it, neurodeploy alone reads it: {self.no_layers}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "network": self.out,
            "fingerprint": self.network.fingerprint,
            "equal": self.equal,
            "example": self.example,
            "netx_layers": not self.no_layers,
            "populations": [{**vars(a), "equal": a.equal} for a in self.agreement],
            "audit": [{**vars(e), "rating": e.rating.value} for e in self.network.audit],
        }


def export_job(
    factory: str,
    out: Path,
    weights: Path | None = None,
    example: Path | None = None,
    shape: str | None = None,
    steps: int = 24,
    seed: int = 0,
    allow: Collection[str] = (),
) -> Exported:
    """Export ``package.module:factory``; see the verb ``export`` for the parameters.

    Raises
    ------
    NeurodeployError
        Of every kind: one line that says what and where.
    """
    from ..formats.slayer import batched, example_for, export_slayer
    from ..formats.slayer.checkpoint import load_checkpoint, make_module

    module = make_module(factory)
    if example is not None:
        given, what = np.asarray(read_inputs(example)[0], np.float32), str(example)
    else:
        given = example_for(module, _shape(shape), steps=steps, seed=seed)
        what = f"a random example of {steps} steps, seed {seed}"
    given = batched(given)
    if weights is not None:
        load_checkpoint(module, weights, given)
    done = export_slayer(module, example=given, allow=allow)
    missing = save_netx(done.network, out)
    return Exported(done.network, out, what, missing, agree(done))


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise InputError(f"shape {text!r}: give C,H,W or the number of inputs, e.g. 3,448,448")
    return shape
