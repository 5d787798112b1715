"""What counted events cost: the one sum of events times a chip file's constants."""

from __future__ import annotations

from typing import Any

from .specification import Chip


def event_joules(chip: Chip, *, synops: Any, updates: Any, active: Any, messages: Any = 0.0) -> Any:
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
    )
