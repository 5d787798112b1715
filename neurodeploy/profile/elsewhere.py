"""What the events of a profile would cost on other devices, by published constants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..chip.specification import read_toml
from .result import Profile

_FILE = Path(__file__).parent / "elsewhere.toml"


@dataclass(frozen=True)
class Elsewhere:
    """An inference on another device, estimated from constants alone.

    Attributes
    ----------
    device : str
    dynamic_joules : float
        Synaptic operations and neuron updates; no static power, no memory traffic.
    source : str
    """

    device: str
    dynamic_joules: float
    source: str


def elsewhere(profile: Profile) -> tuple[Elsewhere, ...]:
    """Price a profile's counted events on each device of ``elsewhere.toml``.

    ``synops * synop_joules + neuron_updates * update_joules``, as KerasSpiking's
    ``ModelEnergy`` does. Compare with `Profile.dynamic_joules` alone; a device that computes
    densely costs more than the events that a chip counts.
    """
    devices = read_toml(_FILE, _FILE.name)["devices"]
    return tuple(
        Elsewhere(
            device,
            profile.synops * entry["synop_joules"]
            + profile.neuron_updates * entry["update_joules"],
            entry["source"],
        )
        for device, entry in devices.items()
    )
