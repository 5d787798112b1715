"""What lava-dl's importer, and Lava's CPU models behind it, make of the file that we write.

Source: ``lava/lib/dl/netx/hdf5.py`` and ``netx/utils.py`` of lava-dl 0.6.0; the tests
build netx's network of each kind of layer and run it. Found there, not in any of its
messages: what it leaves out it leaves out silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats.netx.writer import is_axon, why_no_layers
from ..network import Network, Neuron, Population, Projection, Rating, Synapse, neurons, synapses
from ..network.fixed_point import ACTIVATION_SHIFT, MAX_DELAY, WEIGHT_MAX_UNSIGNED, WEIGHT_MIN
from .lava_rules import HINTS
from .registry import TARGETS, Finding, Target
from .rewrite.catalogue import FOR_NETX
from .rewrite.resonators import through_floats

WEIGHT_BITS = 8


def netx_needs(network: Network, inputs: NDArray[np.int32]) -> list[str]:
    """Say what netx must be given, or asked for, to run a network the same on some inputs.

    Parameters
    ----------
    network : Network
    inputs : int [samples, steps, *shape]
        What is presented.
    """
    needs = [need for p in network.populations for need in _needs(network, p, inputs)]
    return list(dict.fromkeys(needs))  # what several need once


def message_bits(inputs: NDArray[np.int32]) -> int:
    """Give netx's ``input_message_bits`` for inputs: 0 for spikes of 1, else 8, 16 or 24."""
    if not inputs.size or (inputs.min() >= 0 and inputs.max() <= 1):
        return 0
    most = max(int(inputs.max()), -int(inputs.min()) - 1)
    return next((bits for bits in (8, 16) if most < 1 << (bits - 1)), 24)


def begin(imported: Any, network: Network) -> None:
    """Let a network that netx made of a file begin at the voltages that stand in the file.

    netx knows no first voltages; Lava's processes do.

    Parameters
    ----------
    imported : lava.lib.dl.netx.hdf5.Network
        Not yet run.
    network : Network
        As `nd.load` reads the same file.

    Examples
    --------
    >>> imported = netx.hdf5.Network("chip.net")
    >>> begin(imported, nd.load("chip.net"))
    """
    chain = [p for p in network.populations if not p.neuron.is_port and not is_axon(network, p)]
    layers = [layer for layer in imported.layers if layer.neuron is not None]
    for population, layer in zip(chain, layers, strict=True):
        first = np.broadcast_to(population.initial_voltage, population.size)
        if first.any():  # in Lava's (W, H, C) order
            layer.neuron.v.init = first.reshape(population.shape).T.copy()


def _needs(
    network: Network, population: Population, inputs: NDArray[np.int32] | None
) -> Iterator[str]:
    """Say what netx needs for a population; for any inputs where none are given."""
    neuron = population.neuron
    if population is network.input and neuron.is_port:
        if getattr(neuron, "signed", False):
            yield "a port of payloads: give netx input_message_bits=24, else it takes plain spikes"
        elif inputs is None:
            yield (
                "netx counts every input as 1 (its input_message_bits is 0): where inputs are "
                "payloads, give it input_message_bits=8, or 16 or 24 for larger ones"
            )
        elif bits := message_bits(inputs):
            yield (
                f"the inputs are payloads ({inputs.min()}..{inputs.max()}): give netx "
                f"input_message_bits={bits}; its default, 0, counts each as 1"
            )
        if _feeds_a_matrix(network, population):
            yield "netx's port for it is flat: give it the inputs flattened in (C, H, W) order"
    if need := NEEDS.get(type(neuron)):
        yield need
    if np.any(population.initial_voltage):
        yield (
            "give netx's network the first voltages; "
            "neurodeploy.targets.netx_importer.begin(imported, nd.load(file)) does"
        )


def _delayed_loop(network: Network, name: str, where: str) -> Finding:
    """What netx makes of a recurrent layer's delays: it gives them to the loop's synapses, too.

    Source: ``RecurrentDense`` in ``netx/blocks/process.py:265``, which leaves the weights'
    exponent out as well.
    """
    sources = [p.source for p in network.into(name) if p.source != p.target]
    if all(network[source].size == network[name].size for source in sources):
        return Rating.APPROXIMATE, (
            f"netx gives a recurrent layer's delays{where} to its inputs' synapses and its loop's "
            f"alike, and drops the exponent of its weights"
        )
    return Rating.UNSUPPORTED, (
        f"netx refuses delays{where} of a recurrent layer that has not as many inputs as neurons "
        f"(ValueError)"
    )


def _feeds_a_matrix(network: Network, population: Population) -> bool:
    heard = [p.synapse for p in network.out_of(population.name)]
    image = population.neuron.is_port and len(population.shape) == 3
    return image and all(PARTS.get(type(s), _no_parts)(s) for s in heard)


def _input_block(population: Population) -> str:
    connect = "netx does not connect it: connect to net.in_layer.neuron.a_in, not to net.inp"
    if population.transform is None:
        return connect
    weight, bias = population.transform.weight, population.transform.bias
    first = "round the inputs to 1/32 and " if population.transform.rounds_first else ""
    return (
        f"{connect}, and {first}apply its weight {weight:g} and bias {bias:g} to the inputs "
        f"yourself"
    )


def _general(neuron: neurons.GeneralCubaLIF | neurons.LeakyIntegrator) -> Iterator[Finding]:
    if np.any(np.asarray(getattr(neuron, "refractory", 1)) != 1):
        yield Rating.APPROXIMATE, "netx ignores refDelay: it fires again at once"
    if neuron.input_exponent != ACTIVATION_SHIFT or int(getattr(neuron, "voltage_exponent", 0)):
        yield Rating.APPROXIMATE, "netx ignores exponents of weights and norms"


def _fraction(neuron: neurons.Delta | neurons.SigmaDelta) -> Iterator[Finding]:
    if bits := neuron.fraction_bits:
        yield Rating.APPROXIMATE, f"threshold and bias have {bits} bits below 1/64, NetX none"


def _decays(neuron: neurons.ResonateFire) -> Iterator[Finding]:
    given = neuron.sin_decay, neuron.cos_decay
    off = max(np.abs(a - b).max() for a, b in zip(given, through_floats(*given), strict=True))
    if off:
        yield Rating.APPROXIMATE, f"netx takes its decays through floats: they are {off}/4096 less"


_ADAPTS = Rating.APPROXIMATE, "netx reads it as a resonator that does not adapt"
READ_AS: dict[type[Neuron], Finding] = {
    neurons.ALIF: (Rating.UNSUPPORTED, "netx crashes on ALIF; deploy --target lava runs it"),
    neurons.AdaptiveResonateFire: _ADAPTS,
    neurons.AdaptiveResonateFireIzhikevich: _ADAPTS,
}
"""What netx makes of a neuron model, whatever its parameters."""

LEAVES_OUT: dict[type[Neuron], Callable[[Any], Iterator[Finding]]] = {
    neurons.GeneralCubaLIF: _general,
    neurons.LeakyIntegrator: _general,
    neurons.Delta: _fraction,
    neurons.SigmaDelta: _fraction,
    neurons.ResonateFire: _decays,
    neurons.ResonateFireIzhikevich: _decays,
}
"""Which parameters of a neuron model netx leaves out."""

NEEDS: dict[type[Neuron], str] = {
    neurons.LeakyIntegrator: "netx takes it for a neuron that never spikes: read v of "
    "net.out_layer.neuron"
}


def _delays(network: Network, population: Population) -> Iterator[Finding]:
    delay = population.axon_delay
    if delay is None or not delay.any():
        return
    into = [p for p in network.into(population.name) if p.source != population.name]
    if is_axon(network, population):
        return  # said already
    if not into or into[0].synapse.kind not in (synapses.Dense.kind, synapses.DelayedDense.kind):
        yield Rating.APPROXIMATE, "netx ignores delays of all but dense layers"
    elif np.any(np.asarray(getattr(population.neuron, "bias", 0)) != 0):
        yield Rating.APPROXIMATE, "netx moves its delays before it, where its bias is not delayed"
    if delay.max() > MAX_DELAY:
        reason = f"a delay of {delay.max()} steps becomes netx's longest, {MAX_DELAY}"
        yield Rating.APPROXIMATE, reason


def _no_parts(synapse: Synapse) -> tuple[NDArray[np.int32], ...]:
    return ()


PARTS: dict[type[Synapse], Callable[[Any], tuple[NDArray[np.int32], ...]]] = {
    synapses.Readout: _no_parts,
    synapses.Conv: _no_parts,  # netx leaves its weights as they are, whole numbers of any size
    synapses.Dense: lambda synapse: (synapse.weight,),
    synapses.DelayedDense: lambda synapse: (synapse.weight,),
    synapses.ComplexDense: lambda synapse: (synapse.real, synapse.imag),
}
"""Synapses that netx has a layer of, and their matrices, which it scales."""


def weights_of_netx(weight: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights as Lava's Dense holds them after netx has scaled them.

    Source: ``optimize_weight_bits`` (``netx/utils.py:80``), whose scale brings an
    all-inhibitory minimum to -256, which ``clip_weights`` and ``truncate_weights``
    (``lava/utils/weightutils.py``) then clip and cut.

    Parameters
    ----------
    weight : int [targets, sources], not all 0

    Returns
    -------
    float64 of the same shape
    """
    low, high = int(weight.min()), int(weight.max())
    if low < 0 < high and (high > WEIGHT_MAX_UNSIGNED - 1 or low < WEIGHT_MIN):
        weight = np.clip(weight, WEIGHT_MIN, WEIGHT_MAX_UNSIGNED - 1)
        low, high = int(weight.min()), int(weight.max())
    signed = int(low < 0 <= high)  # a largest weight of 0 counts as mixed in netx
    if signed:
        scale = min(127 / high if high else np.inf, -128 / low)
    else:
        scale = -256 / low if high < 0 else WEIGHT_MAX_UNSIGNED / high
    shift = int(np.floor(np.log2(scale))) + signed
    if shift < 0:  # NumPy shifts everything out
        return np.zeros(weight.shape)
    whole = next((n for n in range(WEIGHT_BITS, 0, -1) if not (weight % (1 << n)).any()), 0)
    bits = WEIGHT_BITS - shift - (whole - signed)
    mixed = int(low < 0 < high)  # what Lava derives for itself
    turned = -1 if high <= 0 else 1
    mantissa = turned * np.floor(weight * 2.0**shift).astype(np.int64)
    mantissa = np.clip(mantissa, -256 * mixed, WEIGHT_MAX_UNSIGNED)
    cut = max(WEIGHT_BITS - bits + mixed, 0)
    held: NDArray[np.float64] = turned * ((mantissa >> cut) << cut) * 2.0**-shift
    return held


@TARGETS.register
class NetX(Target):
    """Lava-dl's importer reading the file that we write."""

    name = "netx"
    has_exponents = False
    mended = (Rating.UNSUPPORTED, Rating.APPROXIMATE)
    rewrites = FOR_NETX
    verified_on = ("lava",)

    def of_network(self, network: Network) -> Iterator[Finding]:
        """See `Target`."""
        if why := why_no_layers(network):
            reason = f"the file has no NetX layers, neurodeploy alone reads it: {why}"
            yield Rating.UNSUPPORTED, reason

    def needs(self, network: Network, inputs: NDArray[np.int32]) -> list[str]:
        """See `Target`."""
        return netx_needs(network, inputs)

    def of_population(self, network: Network, population: Population) -> Iterator[Finding]:
        """See `Target`."""
        neuron = population.neuron
        if population is network.input and not neuron.is_port:
            yield Rating.APPROXIMATE, _input_block(population)
        for need in _needs(network, population, None):
            yield Rating.FAITHFUL, need
        if is_axon(network, population):
            (into,) = network.into(population.name)
            yield _delayed_loop(network, into.source, "")
        elif neuron.sums_on_host:
            yield (
                Rating.UNSUPPORTED,
                "netx has no averages (NotImplementedError); average on the host",
            )
        if read_as := READ_AS.get(type(neuron)):
            yield read_as
        if getattr(neuron, "graded_spike", False):
            yield Rating.APPROXIMATE, "netx sends plain spikes in place of graded ones"
        if leaves_out := LEAVES_OUT.get(type(neuron)):
            yield from leaves_out(neuron)
        if population.starts:
            reason = f"its bias acts from step 0 on, not from step {population.starts} on"
            yield Rating.APPROXIMATE, reason
        yield from _delays(network, population)

    def of_projection(self, network: Network, projection: Projection) -> Iterator[Finding]:
        """See `Target`."""
        synapse = projection.synapse
        parts_of = PARTS.get(type(synapse))
        if parts_of is None:
            hint = HINTS.get(type(synapse), "").format(target=self.name)
            yield (
                Rating.UNSUPPORTED,
                f"netx has no {synapse.kind} layer (NotImplementedError){hint}",
            )
            return
        parts = parts_of(synapse)
        if not parts or projection.source == projection.target:
            return  # netx rounds it together with the weights into the layer
        loops = [p.synapse for p in network.into(projection.target) if p.source == p.target]
        if loops and synapse.kind == synapses.DelayedDense.kind:
            yield _delayed_loop(network, projection.target, " of synapses")
        beside = [
            part
            for s in loops
            if s.kind == synapses.Dense.kind
            for part in PARTS[synapses.Dense](s)
        ]
        for part in parts:
            weight: NDArray[np.int64] = np.hstack([part, *beside]).astype(np.int64)
            if not weight.any():
                yield Rating.UNSUPPORTED, "all weights are 0: netx crashes (log2 of 0)"
            elif not np.array_equal(held := weights_of_netx(weight), weight):
                worst = np.abs(held - weight).max()
                reason = (
                    f"weights {weight.min()}..{weight.max()} are rounded or clipped by up to "
                    f"{worst:g}, as netx scales them to 8 bits"
                )
                yield Rating.APPROXIMATE, reason
