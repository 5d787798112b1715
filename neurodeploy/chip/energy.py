"""What counted events cost, in energy and in time, by a chip file's constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..network.neurons import model_of
from .specification import Chip

LEARNING = "weight_update_energy"


def event_joules(
    chip: Chip,
    *,
    synops: Any,
    updates: Any,
    active: Any,
    messages: Any = 0.0,
    core_steps: Any = 0.0,
    weight_updates: Any = 0.0,
) -> Any:
    """Dynamic energy of counted events.

    Parameters
    ----------
    chip : Chip
    synops : float or float64 array
        Synaptic operations.
    updates, active : float or float64 array
        Neuron updates, and those of them in which a message was sent.
    messages : float or float64 array
        Copies of messages that cores get.
    core_steps : float or float64 array
        Steps times the cores that take part in them.
    weight_updates : float or float64 array
        Synapses that a learning rule has changed or found that it need not; free on a chip whose
        file has no ``weight_update_energy``.

    Returns
    -------
    float or float64 array
        Joules.
    """
    return (
        chip["synop_energy"] * synops
        + chip["neuron_update_active_energy"] * active
        + chip["neuron_update_inactive_energy"] * (updates - active)
        + chip["message_energy"] * messages
        + (chip["core_step_energy"] if "core_step_energy" in chip.constants else 0.0) * core_steps
        + (chip[LEARNING] if LEARNING in chip.constants else 0.0) * weight_updates
    )


@dataclass(frozen=True)
class UpdateTimes:
    """Seconds that a core needs to update one neuron.

    Attributes
    ----------
    inactive, active : float
        Without and with a message sent; passes of its program counted.
    own : float
        Part of both that is a program of its own, which a barrier does not hide.
    """

    inactive: float
    active: float
    own: float = 0.0


def has_microcode(chip: Chip) -> bool:
    """Whether a neuron's update may be a program: its file has ``microcoded_update_time``."""
    return "microcoded_update_time" in chip.constants


def joined_compartments(chip: Chip, neuron: str) -> int:
    """Places of a core that a neuron of this kind takes, see `Neuron.compartments`."""
    return 1 if has_microcode(chip) else model_of(neuron).compartments


def update_times(chip: Chip, neuron: str) -> UpdateTimes:
    """Times of an update of a neuron model, by its kind, see `Neuron.has_own_microcode`.

    Without microcode the times hold for every model; further compartments send nothing.
    """
    model, joined = model_of(neuron), joined_compartments(chip, neuron)
    if model.has_own_microcode and has_microcode(chip):
        time = chip["microcoded_update_time"]
        return UpdateTimes(time, time, time)
    passes = model.update_passes if has_microcode(chip) else 1
    inactive = chip["neuron_update_inactive_time"]
    active = chip["neuron_update_active_time"] + (joined - 1) * inactive
    return UpdateTimes(passes * joined * inactive, passes * active)
