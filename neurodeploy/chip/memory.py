r"""Words of synaptic memory: how wide weights are stored, and how lists of synapses are packed.

Decoded from the tables that Intel's Loihi 2 compiler printed (docs/chip.md has every
row). Loihi 1's format is the same in kind (``bits_per_axon`` of nengo-loihi 1.1.0).

**Lists** (dense, sparse, one-to-one). Each input axon of a core owns one list:

.. math::
    words = \lceil (n (b_w + b_{index} + b_{delay}) + b_{header}) / 64 \rceil

n synapses on this core. A dense list stores zeros too. Synapses that learn are wider, see
`synapse_bits`; what their traces take besides is in no table of the compiler and not counted.

**Kernels** (convolutions, pools). One list per kernel tap and input channel holds the
weights of the core's output channels, once per core however many positions share it:

.. math::
    words = \lceil (z (b_w + \log_2 stride_x) + b_{header}) / 64 \rceil
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import LearningRule, Synapse
from ..network.learning.widths import WEIGHT_BITS
from ..network.synapses.kernel import Kernel, kernels_of
from .specification import Chip

WIDEST = 8
"""Bits of the widest weight."""

TAG_BITS = WEIGHT_BITS + 1
"""Of the tag of a synapse that learns: Lava's width, with its sign (``W_TAG_1_S``). That a synapse
stores weight, delay and tag side by side is nengo-loihi 1.1.0's ``bits_per_axon``; no compiled row
of Loihi 2 has any."""


def weight_bits(weight: NDArray[Any]) -> int:
    """Bits of a weight on the chip, once the factor of two that all share is divided out.

    The shared factor goes into the weight exponent. Weights of both signs are stored in
    two's complement, weights of one sign without it. The widths are 1 to 6 and 8 (Loihi 1:
    nengo-loihi 1.1.0 ``discretize.py``; Loihi 2: Oxford's 7-bit weights take 8).
    """
    values = np.asarray(weight)
    # Of all bits set anywhere, the lowest is the largest power of two that divides every weight.
    anywhere = int(np.bitwise_or.reduce(values, axis=None)) if values.size else 0
    if anywhere == 0:
        return 1
    shared = anywhere & -anywhere
    low, high = int(values.min()) // shared, int(values.max()) // shared
    if low < 0 < high:
        bits = 1 + max((-low - 1).bit_length(), high.bit_length())
    else:
        bits = max(-low, high).bit_length()
    return WIDEST if bits == WIDEST - 1 else bits


def synapse_bits(synapse: Synapse, chip: Chip, rule: LearningRule | None = None) -> tuple[int, ...]:
    """Bits of one synapse of each of an operator's parts.

    Where it learns by a `rule`, its weight may become any, so it takes all 8 bits, and a tag and
    a delay variable take theirs if the rule changes them.
    """
    found = []
    for part in synapse.parts:
        weights = part.arrays()
        bits = weight_bits(weights[0]) if weights else 1
        if rule is not None:
            bits = WIDEST + sum(
                TAG_BITS if equation.changes == "t" else chip.limit("delay_bits")
                for equation in rule.equations
                if equation.changes != "w"
            )
        if kernels := kernels_of(part):
            bits += stride_bits(kernels[0], chip)
        else:
            bits += chip.limit("list_index_bits")
            bits += chip.limit("delay_bits") if part.has_delays else 0
        found.append(bits)
    return tuple(found)


def list_words(
    synapse: Synapse,
    start: int,
    stop: int,
    sources: int,
    chip: Chip,
    bits_of_parts: tuple[int, ...] | None = None,
) -> int:
    """Words that the lists of target neurons ``start <= i < stop`` take on one core.

    `bits_of_parts`, see `synapse_bits`, saves counting them again.
    """
    words = 0
    bits_of_parts = bits_of_parts or synapse_bits(synapse, chip)
    for part, bits in zip(synapse.parts, bits_of_parts, strict=True):
        lengths, times = part.stored_lists(start, stop, sources)
        packed = lengths * bits + chip.limit("list_header_bits")
        each = np.where(lengths > 0, -(-packed // chip.limit("synapse_word_bits")), 0)
        words += int((each * times).sum())
    return words


def kernel_words(
    synapse: Synapse,
    channels: int,
    source_channels: int,
    chip: Chip,
    bits_of_parts: tuple[int, ...] | None = None,
) -> int:
    """Words that the kernels of so many output channels take on one core."""
    words = 0
    bits_of_parts = bits_of_parts or synapse_bits(synapse, chip)
    for part, bits in zip(kernels_of(synapse), bits_of_parts, strict=True):
        taps = int(np.prod(part.weight.shape[-2:]))
        lists, width = _kernel_lists(part, channels, source_channels)
        packed = width * bits + chip.limit("kernel_header_bits")
        words += taps * lists * math.ceil(packed / chip.limit("synapse_word_bits"))
    return words


def stride_bits(kernel: Kernel, chip: Chip) -> int:
    """Bits by which a stride along x widens each weight of a kernel."""
    return math.ceil(math.log2(kernel.stride_along_x)) * chip.limit("kernel_stride_bits")


def input_axons(synapse: Synapse, sources: int) -> int:
    """Input axons of one core: one per source neuron, or one per residue of x by the stride."""
    kernels = kernels_of(synapse)
    return kernels[0].stride_along_x if kernels else sources


def _kernel_lists(kernel: Kernel, channels: int, source_channels: int) -> tuple[int, int]:
    """Lists per tap, and weights in each, for a block of so many output channels."""
    groups, outputs = kernel.groups_from(source_channels)
    lists = math.ceil(channels / outputs) * (source_channels // groups)
    return lists, min(channels, outputs)
