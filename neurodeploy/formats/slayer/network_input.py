"""How inputs enter a network: through a port, or through an Input block's neurons."""

from __future__ import annotations

import math

import numpy as np

from ...errors import UnsupportedError
from ...network import InputTransform, Population, Rating, Source
from ...network.fixed_point import ACTIVATION_SHIFT
from .converted import Converted
from .dataflow import Node, numbers_sent
from .draft import Draft
from .importing import import_slayer
from .module_kinds import family_of
from .neurons import convert_neuron, message_unit
from .sigma_delta import input_delta


def add_input_port(draft: Draft, source: Node, node: Node) -> None:
    """Make the module's input a population that sends what it is given."""
    neuron = getattr(node.emitter.module, "neuron", node.emitter.module)
    graded = hasattr(neuron, "delta")
    values = numbers_sent(source.emitter)
    unit = int(neuron.s_scale) if graded else 1
    scaled = values * unit
    whole = np.rint(scaled)
    if (whole != scaled).any():
        worst = np.abs(whole - scaled).max() / unit
        reason = f"inputs are no multiples of 1/{unit}; rounded, by at most {worst:.2g}"
        draft.note("input", Rating.APPROXIMATE, reason)
    source.population, source.unit = "input", unit
    draft.inputs = whole.astype(np.int32)
    shape = source.emitter.shape
    draft.put(Population("input", shape, Source(signed=graded)))


def add_input_block(draft: Draft, node: Node) -> None:
    """Make an Input block the first population, with its weight and bias as transform."""
    emitter, block = node.emitter, node.emitter.module
    source = draft.nodes[node.groups[0].emitter]
    size = math.prod(emitter.shape)
    if (
        draft.populations
        or len(node.groups) > 1
        or source.emitter.kind != "input"
        or not node.groups[0].is_whole(size)
    ):
        raise UnsupportedError(f"{emitter.name}: an Input block must be the first and take all")
    if block.neuron is None:
        raise UnsupportedError(f"{emitter.name}: an Input block without neurons; leave it out")
    shape = emitter.shape
    if hasattr(block.neuron, "delta"):
        made = Converted(input_delta(block.neuron, shape))
    else:
        made = convert_neuron(block.neuron, shape, emitter.name, draft.note)
    if made.neuron.ports > 1 or made.drive:
        raise UnsupportedError(f"{emitter.name}: SLAYER's forward pass refuses it, too")
    unit = block.neuron.w_scale
    if unit != 1 << ACTIVATION_SHIFT:
        raise UnsupportedError(
            f"{emitter.name}: an Input block of scale {unit}; presented values are rounded to 1/32 "
            f"as one of scale 64 does: give its neuron scale=64"
        )
    weight, bias = (
        default if part is None else float(block.pre_hook_fx(part.detach())[0]) * unit
        for part, default in ((block.weight, float(unit)), (block.bias, 0.0))
    )
    values = numbers_sent(source.emitter)
    hook = block.pre_hook_fx
    torch, _ = import_slayer()
    taken = hook(torch.from_numpy(values.astype(np.float32))).numpy().astype(np.float64)
    exact = taken * weight + bias
    draft.inputs = np.rint(exact).astype(np.int32)
    rounding = np.abs(draft.inputs - exact).max()
    if rounding:
        reason = (
            f"inputs times weight are rounded to 1/{unit}, by at most {rounding / unit:.2g} on the "
            f"example; SLAYER goes on with the float"
        )
        draft.note(f"{emitter.name}.transform", Rating.APPROXIMATE, reason)
    transform = InputTransform(weight, bias, rounds_first=True)
    node.population, node.unit = "input", message_unit(block.neuron)
    source.population = "input"
    draft.put(Population("input", shape, made.neuron, None, transform))
    draft.layers += 1
    draft.note("input", Rating.FAITHFUL, f"{emitter.name}: {family_of(block)}.Input")
    draft.remember(node, "input")
