"""What systems need that no chip of today has: refusals name it, and what comes nearest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Beyond:
    """Something that cannot run, by parts of the names that its layers have.

    Attributes
    ----------
    names : tuple of str
        In small letters; a layer is meant whose type's name holds one of them.
    equation : str
        What it computes.
    needs : str
        What of that the chip's synapses and neurons lack.
    instead : str
        The nearest that runs.
    """

    names: tuple[str, ...]
    equation: str
    needs: str
    instead: str


PRODUCT = "a product of two activations (a synapse has a weight that stays)"

BEYOND = (
    Beyond(
        ("rwkv", "spikegpt", "timemix", "channelmix"),
        "wkv = sum(exp(k + w) v) / sum(exp(k + w))",
        f"exp and a division at each step, LayerNorm, and {PRODUCT}",
        "none that is near; its LIF layers alone run",
    ),
    Beyond(
        ("attention", "attn", "transformer", "spikformer"),
        "y = Q (K^T V)",
        f"{PRODUCT}: Q, K and V are all spikes or activations",
        "layers of convolutions and LIF neurons, without attention",
    ),
    Beyond(
        ("gru",),
        "z, r = sigmoid(W x + R y + b), g = tanh(W x + r (R y)), c = z c + (1 - z) g",
        "four accumulators in a neuron (z, r and both parts of g), look-up tables (LUTs) for "
        f"sigmoid and tanh, and {PRODUCT}: r (R y), z c",
        "a recurrent layer of LIF or ALIF neurons",
    ),
    Beyond(
        ("lstm",),
        "f, i, o = sigmoid(W x + R y + b), c = f c + i tanh(W x + R y), y = o tanh(c)",
        "four accumulators in a neuron (f, i, o and the cell's input), look-up tables (LUTs) for "
        f"sigmoid and tanh, and {PRODUCT}: f c, o tanh(c)",
        "a recurrent layer of LIF or ALIF neurons",
    ),
    Beyond(
        ("layernorm", "layer_norm", "rmsnorm"),
        "y = (x - mean(x)) / sqrt(var(x) + eps)",
        "LayerNorm: a mean, a variance and a division over a layer's neurons at each step",
        "a batch norm, which is folded into the weights",
    ),
)
"""Whole systems before their parts: the first that fits is named."""


def what_is_missing(kinds: Iterable[str]) -> str | None:
    """Say what the first of these types of layers would need; None where all are other ones.

    Parameters
    ----------
    kinds : iterable of str
        Names of types, e.g. of a torch module's layers or of NIR's nodes.

    Returns
    -------
    str or None
        Type, equation, what is missing, what comes nearest; one line.

    Examples
    --------
    >>> what_is_missing(["Linear", "MultiheadAttention"])[:35]
    'MultiheadAttention, y = Q (K^T V): '
    """
    given = list(kinds)
    for beyond in BEYOND:
        for kind in given:
            if any(name in kind.lower() for name in beyond.names):
                return (
                    f"{kind}, {beyond.equation}: needs {beyond.needs}; Loihi 2 has no public "
                    f"microcode for it; nearest: {beyond.instead}"
                )
    return None
