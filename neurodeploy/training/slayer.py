"""SLAYER modules that train on the very integers that run, at any bit width, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.weight_norm import WeightNorm

from ..errors import InputError, UnsupportedError
from ..formats.slayer.module_kinds import kind_of
from ..network.fixed_point import ACTIVATION_SHIFT
from ..quantization.config import QuantConfig
from ..quantization.weights import Grid
from .pruning import mask_of_largest
from .torch_rounding import rounded

MIXED = np.array([-1.0, 1.0])
"""Trained weights may change sign, so they are held to the grid of mixed signs: even steps."""


class Rounding(torch.nn.Module):
    """A synapse's ``pre_hook_fx``: weights as multiples of a power of two, straight-through.

    A submodule of the synapse, so step and pruned synapses are in its ``state_dict``.

    Parameters
    ----------
    weight : tensor
        Of the synapse, in SLAYER's unit.
    bits : int or "ternary"
    unit : int
        What a weight of 1.0 is in integers (``neuron.w_scale``).
    fixed : bool
        Whether the weights are not trained, so that their own signs decide on the grid.
    """

    step: torch.Tensor
    keep: torch.Tensor

    def __init__(self, weight: Any, bits: int | str, unit: int, fixed: bool) -> None:
        super().__init__()
        exact = weight.detach().cpu().numpy().astype(np.float64) * unit
        self.bits, self.unit = bits, unit
        self.grid = Grid.of(exact if fixed else MIXED, bits)
        least = int(not fixed or bool((exact < 0).any() and (exact > 0).any()))
        self.register_buffer("step", torch.tensor(step_of(exact, self.grid, least)))
        self.register_buffer("keep", torch.ones(weight.shape, dtype=torch.bool))

    def forward(self, weight: Any, descale: bool = False) -> Any:
        """Round; with `descale` to integers, without to SLAYER's unit."""
        grid, step = self.grid, 2.0 ** int(self.step)
        # Recurrent blocks give their weights as a matrix, `neurodeploy.load` as they are.
        scaled = weight * self.unit * self.keep.reshape(weight.shape)
        whole = rounded(scaled, step, grid.low, grid.high, grid.binary)
        return whole if descale else whole / self.unit


def step_of(weight: NDArray[np.float64], grid: Grid, least: int) -> int:
    """Exponent of a layer: the weights' least square error among the steps that the chip has."""
    best, error = least, np.inf
    for step in range(least, grid.last_step + 1):
        off = weight - grid.mantissas(weight, step, split=False) * 2.0**step
        if not off.any():
            return step
        if (found := float((off**2).sum())) < error:
            best, error = step, found
    return best


def quantized(
    module: Any,
    bits: int | str = 8,
    *,
    layers: Mapping[str, int | str] | None = None,
    exclude: Collection[str] = (),
    fan_in: int | None = None,
) -> Any:
    """Make every synapse of a module of SLAYER blocks compute with weights of few bits.

    Forward passes see the integers that `neurodeploy.load` reads from the module then and that
    run on the engine; gradients pass straight through. Weights are mantissas of `bits` bits times
    a power of two for each synapse layer, chosen now by the least square error of its weights:
    so call it on the trained float weights, or again after training them. Works with
    ``weight_norm``, on real and complex synapses, of blocks or standing alone. The pre-hooks that
    were there are replaced.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    bits : int or "ternary"
        1..8; see `QuantConfig`.
    layers : mapping of str to int or "ternary", optional
        Other bits for the synapses under a module's path, e.g. ``{"blocks.0": 8}``.
    exclude : collection of str
        Paths whose synapses keep the pre-hook they have.
    fan_in : int, optional
        Most synapses of a neuron from one synapse layer; the smallest weights are 0 from now on.

    Returns
    -------
    torch.nn.Module
        `module`.

    Raises
    ------
    UnsupportedError
        If it has no SLAYER synapse.
    InputError
        If a path leads to no synapse.
    NetworkError
        If a bit width is impossible.
    """
    layers = dict(layers or {})
    for width in (bits, *layers.values()):
        QuantConfig(width)
    synapses = synapses_of(module)
    for path in (*layers, *exclude):
        if not any(_under(name, path) for name in synapses):
            raise InputError(
                f"{path}: leads to no synapse of the module; there are {', '.join(synapses)}"
            )
    for name, synapse in synapses.items():
        if any(_under(name, path) for path in exclude):
            continue
        longest = max((p for p in layers if _under(name, p)), key=len, default=None)
        _hook(module, name, synapse, bits if longest is None else layers[longest], fan_in)
    return module


def one_by_one(
    module: Any,
    bits: int | str = 8,
    *,
    layers: Mapping[str, int | str] | None = None,
    fan_in: int | None = None,
) -> Iterator[str]:
    """Quantize a module's synapse layers one after another, those before frozen.

    All synapses compute in floats at first. Each turn rounds one more layer and gives its path;
    train the module then, for a few epochs. Before the next turn the parameters of that layer's
    block are frozen, and its norms keep their averages whatever ``module.train()`` says, so its
    integers stay. (Progressive tandem learning, Wu et al. 2021,
    arXiv:2007.01204, trains so from one layer to the next.)

    Parameters
    ----------
    module, bits, layers, fan_in
        As in `quantized`.

    Yields
    ------
    str
        Path of the block or synapse.
    """
    layers = dict(layers or {})
    synapses = synapses_of(module)
    blocks: dict[str, list[str]] = {}
    for name, synapse in synapses.items():
        _attach(synapse, None)
        blocks.setdefault(_block_of(module, name), []).append(name)
    for path, names in blocks.items():
        touching = [name for name in layers if _under(name, path) or _under(path, name)]
        quantized(
            module, bits, layers={name: layers[name] for name in touching},
            exclude=[n for n in synapses if n not in names], fan_in=fan_in,
        )  # fmt: skip
        yield path
        _freeze(module.get_submodule(path))


def _freeze(block: Any) -> None:
    """Keep a block's parameters and the running averages of its norms from changing."""
    for parameter in block.parameters():
        parameter.requires_grad_(False)
    for part in block.modules():
        if isinstance(getattr(part, "update", None), bool):  # a norm's switch, see neuron/norm.py
            part.update = False


def synapses_of(module: Any) -> dict[str, Any]:
    """All SLAYER synapses with weights of their own, by their path, complex ones as two.

    Raises
    ------
    UnsupportedError
        If there is none.
    """
    found = {
        name: m
        for name, m in module.named_modules()
        if kind_of(m).startswith("synapse.") and not getattr(m, "complex", False)
    }
    if not found:
        raise UnsupportedError(
            f"{type(module).__name__}: has no SLAYER synapse; build it of lava.lib.dl.slayer.block"
        )
    return found


def _hook(module: Any, name: str, synapse: Any, bits: int | str, fan_in: int | None) -> None:
    for made_weight in synapse._forward_pre_hooks.values():
        if isinstance(made_weight, WeightNorm):  # it sets the weight when the synapse runs
            made_weight(synapse, None)
    learns = any(p.requires_grad for p in synapse.parameters())
    fixed = kind_of(synapse) in ("synapse.Pool", "synapse.Unpool") and not learns
    neuron = getattr(module.get_submodule(_block_of(module, name)), "neuron", None)
    unit = int(getattr(neuron, "w_scale", 1 << ACTIVATION_SHIFT))
    made = Rounding(synapse.weight, bits, unit, fixed)
    if fan_in is not None and not fixed:
        weight = np.abs(synapse.weight.detach().cpu().numpy())
        if kind_of(synapse) == "synapse.ConvTranspose":  # its kernels stand source by source
            raise UnsupportedError(
                f"{name}: a limit of the fan-in takes dense and convolution synapses, these are a "
                f"transposed convolution; leave it out with exclude"
            )
        made.keep.copy_(torch.from_numpy(mask_of_largest(weight, fan_in)))
    _attach(synapse, made.to(synapse.weight.device))


def _attach(synapse: Any, hook: Any) -> None:
    """Set a pre-hook; torch refuses a plain function in the place of a submodule."""
    synapse._modules.pop("_pre_hook_fx", None)
    synapse._pre_hook_fx = hook


def _block_of(module: Any, name: str) -> str:
    """Path of the block that a synapse is in; its own where it stands alone."""
    parts = name.split(".")
    for end in range(len(parts), -1, -1):
        path = ".".join(parts[:end])
        if kind_of(module.get_submodule(path)).startswith("block."):
            return path
    return name


def _under(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}.")


__all__ = ["Rounding", "one_by_one", "quantized"]
