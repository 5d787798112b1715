"""Which modules are SLAYER's own, and what each of them is."""

from __future__ import annotations

from typing import Any

from .importing import SLAYER

ROOMS = tuple(f"{SLAYER}.{room}" for room in ("block", "synapse", "neuron", "dendrite", "axon"))


def kind_of(module: Any) -> str:
    """What a SLAYER module is.

    Returns
    -------
    str
        ``block.Dense`` (``Conv``, ``Input``, ...), ``synapse.Dense`` (...), ``neuron``,
        ``dendrite.Sigma``, ``axon.Delay``, ``axon.Delta``; nothing for a module
        that is not SLAYER's, or whose ``forward`` somebody has rewritten.
    """
    forward = getattr(type(module).forward, "__module__", "")
    if not forward.startswith(ROOMS):
        return ""
    for cls in type(module).__mro__:
        if cls.__module__ == f"{SLAYER}.block.base":
            if cls.__name__ == "AbstractFlatten":  # only moves numbers, which is followed anyway
                return ""
            return f"block.{cls.__name__.removeprefix('Abstract')}"
        if cls.__module__ == f"{SLAYER}.block.sigma_delta" and cls.__name__ == "Output":
            return "block.Output"
        room = next((r for r in ROOMS[1:] if cls.__module__.startswith(r)), None)
        if room is not None:
            short = room.removeprefix(f"{SLAYER}.")
            return short if short == "neuron" else f"{short}.{cls.__name__}"
    return ""


def family_of(module: Any) -> str:
    """Neuron family of a block, e.g. ``cuba``; else the module's class."""
    for cls in type(module).__mro__:
        if cls.__module__.startswith(f"{SLAYER}.block.") and not cls.__module__.endswith(".base"):
            return str(cls.__module__).rsplit(".", 1)[-1]
    return type(module).__name__


STATES = (
    "current_state", "voltage_state", "threshold_state", "refractory_state", "real_state",
    "imag_state", "pre_state", "residual_state", "error_state", "spike_state",
)  # fmt: skip


class Rested:
    """Evaluation mode and zero states while a block runs; all back as it was after.

    SLAYER's recurrent blocks keep their neurons' states from one forward pass
    to the next. An empty state buffer makes each of them begin anew.
    """

    def __init__(self, torch: Any, module: Any) -> None:
        self.torch = torch
        self.module = module

    def __enter__(self) -> None:
        """Store and clear."""
        self.training = [(m, m.training) for m in self.module.modules()]
        self.states: list[tuple[Any, str, Any]] = []
        self.module.eval()
        for module in self.module.modules():
            for name in (*STATES, "delay_buffer"):
                held = getattr(module, name, None)
                if held is not None:
                    self.states.append((module, name, held))
                    empty = None if name == "delay_buffer" else self.torch.zeros(0)
                    setattr(module, name, empty)

    def __exit__(self, *error: object) -> None:
        """Put back."""
        for module, training in self.training:
            module.training = training
        for module, name, held in self.states:
            setattr(module, name, held)
