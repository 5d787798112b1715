"""Which modules are SLAYER's own, and what each of them is."""

from __future__ import annotations

from typing import Any

from .importing import SLAYER

BOOTSTRAP = "lava.lib.dl.bootstrap"
ROOMS = tuple(f"{SLAYER}.{room}" for room in ("block", "synapse", "neuron", "dendrite", "axon"))
THEIRS = ("lava.lib.dl.", "torch.")
COMPUTING = ("forward", "dynamics", "spike", "_forward_synapse", "_forward_snn")
"""Methods by which SLAYER's modules compute what they send."""


def kind_of(module: Any) -> str:
    """What a SLAYER module is.

    Returns
    -------
    str
        ``block.Dense`` (``Conv``, ``Input``, ...), ``synapse.Dense`` (...), ``neuron``,
        ``dendrite.Sigma``, ``axon.Delay``, ``axon.Delta``; nothing for a module
        that is not SLAYER's, or whose ``forward`` somebody has rewritten. Of a
        synapse that makes no difference here: see `weights.find_used_weights`.
    """
    forward = getattr(type(module).forward, "__module__", "")
    if not forward.startswith((*ROOMS, f"{BOOTSTRAP}.block")) or "forward" in vars(module):
        synapses = (c for c in type(module).__mro__ if c.__module__ == f"{SLAYER}.synapse.layer")
        return next((f"synapse.{c.__name__}" for c in synapses if c.__name__ in SYNAPSES), "")
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


SYNAPSES = ("Dense", "Conv", "Pool", "ConvTranspose", "Unpool")


def own_forward(module: Any) -> str:
    """Name a method that computes what a module sends and is neither SLAYER's nor torch's."""
    for name in COMPUTING:
        own = vars(module).get(name)
        if callable(own):
            return name_of(own)
        function = getattr(type(module), name, None)
        if callable(function) and not f"{function.__module__}.".startswith(THEIRS):
            return name_of(function)
    return ""


def name_of(function: Any) -> str:
    """The name of a function or a hook, as its author knows it."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '')}.{name.replace('.<locals>', '')}".lstrip(".")


def is_bootstrap(module: Any) -> bool:
    """Whether a block is of lava-dl's second library, ``lava.lib.dl.bootstrap``."""
    return any(c.__module__ == f"{BOOTSTRAP}.block.base" for c in type(module).__mro__)


def has_dynamics(affine: Any) -> bool:
    """Whether an Affine block gives voltages; bootstrap's gives its currents, whatever is set."""
    return bool(affine.dynamics) and not is_bootstrap(affine)


def in_plain_containers(module: Any) -> dict[str, Any]:
    """SLAYER's modules that stand in plain lists or dicts, by the attribute, unknown to torch."""
    registered = {id(m) for m in module.modules()}
    found: dict[str, Any] = {}
    for name, holder in module.named_modules():
        for key, value in vars(holder).items():
            if key.startswith("_") and key in ("_modules", "_parameters", "_buffers"):
                continue
            lost = [m for m in _held(value) if id(m) not in registered]
            if any(kind_of(part) for m in lost for part in m.modules()):
                found[f"{name}.{key}" if name else key] = value
    return found


def _held(value: Any) -> list[Any]:
    """Modules in a container, however deep."""
    if hasattr(value, "named_modules"):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple, set)):
        return [module for item in value for module in _held(item)]
    return []


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
