"""What counted events cost: the one sum of events times a chip file's constants."""

from __future__ import annotations

from typing import Any

from .specification import Chip

LEARNING = "weight_update_energy"


def event_joules(
    chip: Chip,
    *,
    synops: Any,
    updates: Any,
    active: Any,
    messages: Any = 0.0,
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
        + (chip[LEARNING] if LEARNING in chip.constants else 0.0) * weight_updates
    )
