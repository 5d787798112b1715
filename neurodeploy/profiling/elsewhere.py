"""What the work of a profile would cost on other devices, and what was measured on them."""

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
    """An inference on a device, estimated from constants alone.

    The first is the chip itself, on the same basis as the others: `dynamic_joules`. What the
    others take besides is not known; the chip's total is, so a total is compared with nothing.

    Attributes
    ----------
    name, device : str
    dynamic_joules : float
        Of the events that were counted; no static power, no memory traffic.
    low_joules, high_joules : float
        Its band; NaN where no source has one.
    dense_joules : float
        Of every synapse in every step; NaN on event-driven devices, or where the
        network is not known.
    one_pass_joules : float
        Of every synapse and neuron once, as a network that is not spiking runs: what
        KerasSpiking says of a CPU, GPU or ARM. NaN as above.
    total_joules : float
        With static power; of the chip alone, NaN elsewhere.
    source : str
    """

    name: str
    device: str
    dynamic_joules: float
    low_joules: float
    high_joules: float
    dense_joules: float
    one_pass_joules: float
    total_joules: float
    source: str

    def as_dict(self) -> dict[str, Any]:
        """As plain types for JSON; what is not known becomes None."""
        plain = asdict(self)
        return {k: None if v != v else v for k, v in plain.items()}


@dataclass(frozen=True)
class Published:
    """A network that others measured on a device.

    Attributes
    ----------
    device, network, source : str
    total_joules, dynamic_joules, seconds : float or None
        Of an inference; None where it is not published.
    low_joules, high_joules : float or None
        Where the total is published as a range.
    """

    device: str
    network: str
    source: str
    total_joules: float | None = None
    dynamic_joules: float | None = None
    seconds: float | None = None
    low_joules: float | None = None
    high_joules: float | None = None


def elsewhere(profile: Profile, network: Network | None = None) -> tuple[Elsewhere, ...]:
    """Price a profile's work on the chip itself, then on each device of ``elsewhere.toml``.

    ``synops * synop_joules + neuron_updates * update_joules``, the formula of
    KerasSpiking's ``ModelEnergy``, and the same with the ends of a band.

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
    found = [_itself(profile)]
    for name, entry in read_toml(_FILE, _FILE.name)["devices"].items():
        each, update = entry["synop_joules"], entry["update_joules"]
        known = math.nan if entry["event_driven"] else synapses
        low, high = (entry.get(end, math.nan) for end in ("synop_low", "synop_high"))
        found.append(
            Elsewhere(
                name=name,
                device=entry["device"],
                dynamic_joules=profile.synops * each + updates * update,
                low_joules=(profile.synops + updates) * low,
                high_joules=(profile.synops + updates) * high,
                dense_joules=profile.steps * known * each + updates * update,
                one_pass_joules=known * each + updates / profile.steps * update,
                total_joules=math.nan,
                source=entry["source"],
            )
        )
    return tuple(found)


def published_networks() -> tuple[Published, ...]:
    """Networks that others measured on such devices, of ``elsewhere.toml``."""
    return tuple(Published(**row) for row in read_toml(_FILE, _FILE.name)["published"])


def _itself(profile: Profile) -> Elsewhere:
    band = profile.band
    return Elsewhere(
        name=profile.chip,
        device=f"this network on {profile.chip}",
        dynamic_joules=profile.dynamic_joules,
        low_joules=math.nan if band is None else band.low_dynamic_joules,
        high_joules=math.nan if band is None else band.high_dynamic_joules,
        dense_joules=math.nan,
        one_pass_joules=math.nan,
        total_joules=profile.energy_joules,
        source=f"{profile.kind}: {profile.model}",
    )
