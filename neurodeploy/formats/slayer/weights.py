"""The weights that a block computes with, from the parameters that its checkpoint holds.

Torch computes some weights from others (weight norm, spectral norm, pruning) in a
hook that runs when the synapse is called. SLAYER's recurrent blocks never call their
recurrent synapse, so what they use is what was computed last, often before a
checkpoint was loaded. `Recomputed` brings such weights up to date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from .module_kinds import STATES, name_of


def computing_hooks(module: Any) -> list[tuple[Any, str]]:
    """Forward pre-hooks of torch that compute a weight, with the weight's name."""
    from torch.nn.utils.prune import BasePruningMethod
    from torch.nn.utils.spectral_norm import SpectralNorm
    from torch.nn.utils.weight_norm import WeightNorm

    found: list[tuple[Any, str]] = []
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, (WeightNorm, SpectralNorm)):
            found.append((hook, hook.name))
        elif isinstance(hook, BasePruningMethod):
            found.append((hook, str(hook._tensor_name)))
    return found


class Recomputed:
    """Computed weights of a module as its parameters have them now; as they were after.

    They are computed in evaluation mode, so that a spectral norm takes no step.
    """

    def __init__(self, torch: Any, module: Any) -> None:
        self.torch = torch
        self.module = module
        self.before: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> None:
        """Compute; the module is in evaluation mode already."""
        with self.torch.no_grad():
            for module in self.module.modules():
                for hook, name in computing_hooks(module):
                    self.before.append((module, name, getattr(module, name)))
                    hook(module, ())

    def __exit__(self, *error: object) -> None:
        """Put back, the oldest last."""
        for module, name, held in reversed(self.before):
            setattr(module, name, held)


class Kept:
    """Parameters and buffers as they are at one moment, but for neurons' states."""

    def __init__(self, module: Any) -> None:
        self.held = {
            name: (tensor, tensor.detach().clone()) for name, tensor in self._tensors(module)
        }

    @staticmethod
    def _tensors(module: Any) -> Iterator[tuple[str, Any]]:
        yield from module.named_parameters()
        for name, tensor in module.named_buffers():
            if name.rsplit(".", 1)[-1] not in STATES:
                yield name, tensor

    def changed(self) -> list[tuple[str, int, int]]:
        """(name, numbers that changed, numbers) of each tensor that kept its shape."""
        found = []
        for name, (tensor, before) in self.held.items():
            if tensor.shape != before.shape:  # drawn in a block's first forward pass
                continue
            apart = (tensor != before) & ~((tensor != tensor) & (before != before))
            if bool(apart.any()):
                found.append((name, int(apart.sum()), tensor.numel()))
        return found


@dataclass(frozen=True, eq=False)
class Used:
    """What a synapse computes with: ``weight`` after every hook, and ``bias`` or None."""

    weight: Any
    bias: Any


def effective_weight(synapse: Any, used: Used | None, where: str) -> NDArray[np.float64]:
    """Weights as floats, after weight norm, masks, hooks and ``pre_hook_fx``.

    Raises
    ------
    UnsupportedError
        If they are computed by a hook that SLAYER never runs.
    """
    if used is not None:
        weight = used.weight
    else:
        hooks = list(synapse._forward_pre_hooks.values())
        if "weight" in vars(synapse) and hooks and not computing_hooks(synapse):
            raise UnsupportedError(
                f"{where}.weight: computed by the hook {name_of(hooks[0])}, which SLAYER's forward "
                f"pass never runs here; use pre_hook_fx or torch.nn.utils.parametrize"
            )
        raw, hook = synapse.weight.detach(), synapse.pre_hook_fx
        weight = raw if hook is None else hook(raw)
    floats: NDArray[np.float64] = weight.detach().cpu().numpy().astype(np.float64)
    return floats


def effective_bias(synapse: Any, used: Used | None) -> NDArray[np.float64] | None:
    """Bias of each output channel, or None."""
    bias = synapse.bias if used is None else used.bias
    if bias is None or not bool((bias != 0).any()):
        return None
    floats: NDArray[np.float64] = bias.detach().cpu().numpy().astype(np.float64)
    return floats
