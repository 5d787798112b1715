"""What the work of a profile would cost on other devices, by published constants."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..chip.specification import read_toml
from ..network import Network
from .result import Profile

_FILE = Path(__file__).parent / "elsewhere.toml"


@dataclass(frozen=True)
class Elsewhere:
    """An inference on another device, estimated from constants alone.

    Attributes
    ----------
    name, device : str
    dynamic_joules : float
        Of the events that were counted; no static power, no memory traffic.
    dense_joules : float
        Of every synapse in every step; NaN on event-driven devices, or where the
        network is not known.
    one_pass_joules : float
        Of every synapse and neuron once, as a network that is not spiking runs: what
        KerasSpiking says of a CPU, GPU or ARM. NaN as above.
    source : str
    """

    name: str
    device: str
    dynamic_joules: float
    dense_joules: float
    one_pass_joules: float
    source: str

    def as_dict(self) -> dict[str, Any]:
        """As plain types for JSON; what is not known becomes None."""
        plain = asdict(self)
        return {k: None if v != v else v for k, v in plain.items()}


def elsewhere(profile: Profile, network: Network | None = None) -> tuple[Elsewhere, ...]:
    """Price a profile's work on each device of ``elsewhere.toml``.

    ``synops * synop_joules + neuron_updates * update_joules``, the formula of
    KerasSpiking's ``ModelEnergy``. Compare with `Profile.dynamic_joules` alone.

    Parameters
    ----------
    profile : Profile
    network : Network, optional
        That was profiled; without it nothing dense is known.
    """
    updates, synapses = profile.neuron_updates, math.nan
    if network is not None:
        dense = (network.fan_out(p, dense=True) for p in network.projections)
        synapses = float(sum(fan_out.sum() for fan_out in dense))
    found = []
    for name, entry in read_toml(_FILE, _FILE.name)["devices"].items():
        each, update = entry["synop_joules"], entry["update_joules"]
        known = math.nan if entry["event_driven"] else synapses
        found.append(
            Elsewhere(
                name=name,
                device=entry["device"],
                dynamic_joules=profile.synops * each + updates * update,
                dense_joules=profile.steps * known * each + updates * update,
                one_pass_joules=known * each + updates / profile.steps * update,
                source=entry["source"],
            )
        )
    return tuple(found)
