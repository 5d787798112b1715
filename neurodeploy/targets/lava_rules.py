"""What Lava 0.10's CPU fixed-point simulator runs as the network says, element by element.

Backend ``lava`` refuses by these rules, the look-ahead to ``lava`` and ``loihi2`` speaks by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import Network, Neuron, Population, Projection, Rating, Synapse, neurons, synapses
from ..network.fixed_point import (
    ACTIVATION_SHIFT,
    BIAS_BITS,
    STATE_LIMIT,
    WEIGHT_MAX_UNSIGNED,
    WEIGHT_MIN,
)
from ..network.neurons.sigma_delta import HIGHEST, LOWEST
from ..recording.run_options import RunOptions, refuse_floats
from .first_messages import first_arrival, rests
from .registry import TARGETS, Finding, Target
from .rewrite.catalogue import FOR_LAVA
from .rewrite.late_bias import quiet_voltage

LONGEST_DELAY = 63
"""``PyDelayDenseModelBitAcc`` refuses more; its delays are 6 bits wide."""

LARGEST_BIAS = (1 << (BIAS_BITS - 1)) - 1
"""Lava's bias mantissa is an int16; a larger one would wrap silently."""

NEVER_REACHED = STATE_LIMIT >> ACTIVATION_SHIFT
"""A threshold above every 24-bit voltage: what a readout is given, as netx gives it to a layer
without neurons (``netx/hdf5.py:356``, lava-dl 0.6.0)."""

WEIGHT_EXPONENTS = (0, -1, *range(1, 8))
"""Weight exponents to try, the plainest first; Loihi's exponent has 4 bits, -8..7."""

MATRICES: dict[type[Synapse], Callable[[Any], NDArray[np.int32]]] = {
    synapses.Dense: attrgetter("weight"),
    synapses.DelayedDense: attrgetter("weight"),
    synapses.Sparse: synapses.Sparse.to_dense,
    synapses.DelayedSparse: synapses.Sparse.to_dense,
}
"""Operators that are a matrix in Lava, and how it reads: [targets, sources]."""

HINTS: dict[type[Neuron] | type[Synapse], str] = {
    synapses.Pool: "; deploy --target {target} rewrites it (pool-as-conv)",
    synapses.TemporalFIR: "; deploy --target {target} rewrites it (taps-as-delays)",
}
"""What else can be done about what is refused."""


def check_supported(network: Network, options: RunOptions) -> None:
    """Refuse what Lava would run otherwise than the network says.

    Raises
    ------
    UnsupportedError
        Naming the element, its value, Lava's limit and what to do.
    """
    refuse_floats(network)
    for population in network.populations:
        check_population(network, population, options)
    for projection in network.projections:
        check_projection(network, projection)
    on_lava = {p.name for p in network.populations if not p.neuron.sums_on_host}
    lost = on_lava - _connected(network)
    if lost:
        raise UnsupportedError(
            f"population {min(lost)!r}: not connected to the input, so Lava's compiler would not "
            f"find it; remove it or run the network on 'engine'"
        )


def check_population(network: Network, population: Population, options: RunOptions) -> None:
    """Refuse neurons that Lava would run otherwise; see `check_supported`."""
    name, neuron = population.name, population.neuron
    if not has_process(neuron) or (neuron.is_port and name != network.input.name):
        joined = joined_on_loihi_1(neuron)
        chips = f"{joined}, Loihi 2 needs microcode of their own" if joined else ""
        raise UnsupportedError(
            f"population {name!r}: the lava backend cannot run neuron model {neuron.kind!r} "
            f"here{chips}; 'neurodeploy deploy' rewrites what has another form, backend "
            f"'engine' runs the rest"
        )
    if options.reset_interval and not neuron.resettable:
        raise UnsupportedError(
            f"population {name!r}: Lava has no reset_interval for {neuron.kind!r} neurons; "
            f"run without reset_interval"
        )
    late = population.starts and not starts_by_itself(network, population)
    if late and (options.reset_interval or not starts_by_reset(network, population)):
        raise UnsupportedError(
            f"population {name!r}: starts at step {population.starts}, Lava's neurons all at "
            f"step 0; 'neurodeploy deploy' finds a voltage to start at, or says what "
            f"it moves that the bias acts from step 0 on"
        )
    if name == network.input.name and neuron.ports > 1:
        raise UnsupportedError(
            f"population {name!r}: {neuron.kind} neurons take {neuron.ports} currents and an input "
            f"is one; put a port and complex synapses before them, or run it on backend 'engine'"
        )
    PROCESSES[type(neuron)](network, population)


def joined_on_loihi_1(neuron: Neuron) -> str:
    """What a refusal says of a neuron that is several compartments of Loihi 1."""
    joined = neuron.compartments
    return f"; Loihi 1 joins {joined} compartments for each" if joined > 1 else ""


def has_process(neuron: Neuron) -> bool:
    """Whether `lava.build` has a process of a neuron model, or it is the host's."""
    return bool(PROCESSES.get(type(neuron)))


def _check_nothing(network: Network, population: Population) -> None:
    pass


def _check_lif(network: Network, population: Population) -> None:
    """Refuse what no LIF of Lava's does; a bias of the current is sent to it from outside."""
    name, neuron = population.name, population.neuron
    if np.any(getattr(neuron, "graded_spike", False)):
        raise UnsupportedError(
            f"population {name!r}: graded_spike True, it sends its voltage, and Lava's process of "
            f"{neuron.kind} neurons sends spikes alone; backend 'engine' runs it as it is, and of "
            f"a network without spikes nd.convert_ann(to='sigma-delta') runs there"
        )
    plain = {
        "reset": "zero",
        "refractory": 1,
        "input_exponent": ACTIVATION_SHIFT,
        "voltage_exponent": 0,
    }
    for what, needed in plain.items():
        _check_is(name, neuron, what, needed)
    if not np.any(neuron.constant_current):
        _check_bias(population)


def _check_is(name: str, neuron: Neuron, what: str, needed: object) -> None:
    value = np.asarray(getattr(neuron, what, needed))
    if np.any(value != needed):
        other = value[value != needed][0] if value.ndim else value
        raise UnsupportedError(
            f"population {name!r}: {what} {other}, and Lava's process of {neuron.kind} neurons "
            f"has {needed} alone; 'neurodeploy deploy' finds what comes closest where "
            f"there is anything, backend 'engine' runs it as it is"
        )


def _check_alif(network: Network, population: Population) -> None:
    _check_is(population.name, population.neuron, "graded_spike", False)
    _check_is(population.name, population.neuron, "input_exponent", ACTIVATION_SHIFT)


def _check_resonator(network: Network, population: Population) -> None:
    name, neuron = population.name, population.neuron
    _check_is(name, neuron, "graded_spike", False)
    if (exponent := int(neuron.input_exponent)) < 0:  # type: ignore[attr-defined]
        raise UnsupportedError(
            f"population {name!r}: input_exponent {exponent}, and Lava's state_exp shifts to the "
            f"left alone, 0 or more; run it on backend 'engine'"
        )


def _check_threshold(network: Network, population: Population, widest: int = 1) -> None:
    _check_bias(population)
    limit = STATE_LIMIT >> ACTIVATION_SHIFT
    most = sum(largest_sum(network, p, widest) for p in network.into(population.name))
    if most >= limit:
        raise UnsupportedError(
            f"population {population.name!r}: {most} may arrive in a step, and Lava has threshold "
            f"neurons as LIF alone, whose u wraps from {limit} on; scale the weights down or run "
            f"it on backend 'engine'"
        )


def _check_modulated(network: Network, population: Population) -> None:
    if population.starts or np.any(population.initial_voltage):
        raise UnsupportedError(
            f"population {population.name!r}: {population.neuron.kind} neurons that start late or "
            f"at another voltage than 0; run it on backend 'engine'"
        )
    _check_bias(population)


def _check_bounds(network: Network, population: Population) -> None:
    neuron: neurons.GeneralSigmaDelta = population.neuron  # type: ignore[assignment]
    if neuron.lowest not in (0, LOWEST) or neuron.highest != HIGHEST:
        raise UnsupportedError(
            f"population {population.name!r}: an activation within {neuron.lowest}.."
            f"{neuron.highest}, and Lava's SigmaDelta has the rectifier and the identity alone; "
            f"run it on backend 'engine'"
        )


def _check_ternary(network: Network, population: Population) -> None:
    neuron: neurons.TernaryLIF = population.neuron  # type: ignore[assignment]
    if np.any(neuron.lower > neuron.upper):
        raise UnsupportedError(
            f"population {population.name!r}: its lower threshold is above the upper one, which "
            f"Lava's TernaryLIF refuses; run it on backend 'engine'"
        )
    _check_bias(population)


def _check_bias(population: Population) -> None:
    bias = np.ravel(population.neuron.bias)  # type: ignore[attr-defined]
    largest = int(bias[np.argmax(np.abs(bias))])
    if abs(largest) > LARGEST_BIAS:
        raise UnsupportedError(
            f"population {population.name!r}: bias {largest} is beyond the {LARGEST_BIAS} that "
            f"Lava's variable holds; scale the network down or run it on 'engine'"
        )


PROCESSES: dict[type[Neuron], Callable[[Network, Population], None]] = {
    **dict.fromkeys(
        (
            neurons.Source,
            neurons.ResonateFireZero,
            neurons.Product,
            neurons.GradedThreshold,
            neurons.Delta,
            neurons.SigmaDelta,
            neurons.Sigma,
            neurons.Average,
        ),
        _check_nothing,
    ),
    **dict.fromkeys((neurons.CubaLIF, neurons.GeneralCubaLIF, neurons.LeakyIntegrator), _check_lif),
    neurons.ModulatedLIF: _check_modulated,
    neurons.TernaryLIF: _check_ternary,
    neurons.Threshold: _check_threshold,
    neurons.ALIF: _check_alif,
    neurons.ResonateFire: _check_resonator,
    neurons.ResonateFireIzhikevich: _check_resonator,
    neurons.GeneralSigmaDelta: _check_bounds,
}
"""Neurons that `lava.build` has a process of and the two that are the host's, with their checks."""


def check_inputs(network: Network, widest: int) -> None:
    """Refuse numbers presented to a port with which sums would leave what Lava's hold.

    `check_supported` takes a port's messages as spikes; payloads are known when it runs.

    Parameters
    ----------
    network : Network
    widest : int
        Largest magnitude presented.

    Raises
    ------
    UnsupportedError
    """
    for projection in network.out_of(network.input.name):
        target = network[projection.target]
        if network.input.neuron.is_port and target.neuron.kind == neurons.Threshold.kind:
            _check_threshold(network, target, widest)
        if projection.synapse.ports > 1:
            _check_parts(network, projection, widest)


def largest_sum(network: Network, projection: Projection, widest: int = 1) -> int:
    """Magnitude that no current of a projection exceeds in a step, in weight units.

    `widest` is that of a port's messages; graded spikes of neurons may have 24 bits.
    """
    source = network[projection.source].neuron
    message = STATE_LIMIT if source.graded and source.kind != neurons.TernaryLIF.kind else 1
    most = 0
    for weight in projection.synapse.arrays():
        rows = len(weight) if weight.ndim > 1 else 1
        most = max(most, *np.abs(weight.astype(np.int64)).reshape(rows, -1).sum(1).tolist(), 0)
    return most * (widest if source.is_port else message)


def starts_by_itself(network: Network, population: Population) -> bool:
    """Whether a population that starts late does so on Lava, where all start at step 0.

    So it does if it sends nothing unless something arrives, and nothing arrives before. A bias
    of the current is sent to it, from its `starts` on.
    """
    return rests(population.neuron) and population.starts <= first_arrival(network, population)


def starts_by_reset(network: Network, population: Population) -> bool:
    """Whether a population that starts late does so by a reset just then, as Lava's LIFReset has.

    So it does if it sends nothing before, and nothing arrives that should be lost.
    """
    neuron, steps = population.neuron, population.starts
    if not neuron.resettable or np.any(population.initial_voltage):
        return False
    quiet = quiet_voltage(neuron, population.size, steps) is not None
    return quiet and steps <= first_arrival(network, population)


def lava_weight(projection: Projection) -> tuple[NDArray[np.int32], int]:
    """Mantissas and exponent with which Lava's Dense holds these weights exactly.

    Lava's fixed-point Dense clips mantissas to [-256, 255] where signs are
    mixed, and to magnitudes up to 255 where all have one sign; of mixed ones
    it clears the last bit. So odd weights of mixed sign are doubled and their
    sum is halved again by a weight exponent of -1, which loses nothing.
    Source: ``AbstractPyDenseModelBitAcc.run_spk``, ``lava.utils.weightutils``.

    Returns
    -------
    int32 [targets, sources], int
        ``weight == mantissa * 2**exponent``.

    Raises
    ------
    UnsupportedError
        If no exponent does it.
    """
    synapse = projection.synapse
    weight = MATRICES[type(synapse)](synapse).astype(np.int64)
    low, high = int(weight.min(initial=0)), int(weight.max(initial=0))
    mixed = low < 0 < high
    least = WEIGHT_MIN if mixed else -WEIGHT_MAX_UNSIGNED
    for exponent in WEIGHT_EXPONENTS:
        mantissa = weight >> exponent if exponent > 0 else weight << -exponent
        exact = exponent <= 0 or np.array_equal(mantissa << exponent, weight)
        within = mantissa.min(initial=0) >= least and mantissa.max(initial=0) <= WEIGHT_MAX_UNSIGNED
        if exact and within and not (mixed and np.any(mantissa & 1)):
            return mantissa.astype(np.int32), exponent
    sign = "of mixed sign (odd ones -128..127, even ones -256..254)" if mixed else "(-255..255)"
    raise UnsupportedError(
        f"projection {projection.name}: weights {low}..{high} are not among those Lava holds "
        f"exactly {sign}; 'neurodeploy deploy' makes two synapses of each"
    )


def check_projection(network: Network, projection: Projection) -> None:
    """Refuse synapses that Lava would run otherwise; see `check_supported`."""
    name, synapse = projection.name, projection.synapse
    source, target = network[projection.source], network[projection.target]
    parts = synapse.parts
    known = all(type(part) in OPERATORS for part in parts)
    misled = target.neuron.is_port or target.neuron.sums_on_host != (synapse.steps == 0)
    if not known or misled or source.neuron.sums_on_host:
        raise UnsupportedError(
            f"projection {name}: the lava backend cannot run synapse {synapse.kind!r} from "
            f"{source.neuron.kind!r} to {target.neuron.kind!r}; 'neurodeploy deploy' "
            f"rewrites pools, taps and relays, backend 'engine' runs the rest"
        )
    if projection.rule is not None:
        return  # `Network` has checked what Lava's learning synapses hold
    for part in parts:
        delay = 0 if source.axon_delay is None else int(source.axon_delay.max())
        OPERATORS[type(part)](replace(projection, synapse=part), source, delay)
    if synapse.ports > 1:
        _check_parts(network, projection)


def _check_parts(network: Network, projection: Projection, widest: int = 1) -> None:
    most = largest_sum(network, projection, widest)
    if any(part.sums_wrap for part in projection.synapse.parts) and most >= STATE_LIMIT:
        raise UnsupportedError(
            f"projection {projection.name}: sums up to {most}, which Lava's Conv wraps to 24 bits "
            f"and complex synapses do not; scale the weights down or run it on backend 'engine'"
        )


def _check_conv(projection: Projection, source: Population, delay: int) -> None:
    if delay:
        raise UnsupportedError(
            f"projection {projection.name}: {source.name!r} has axonal delays (up to {delay} "
            f"steps) and Lava's Conv has none; 'neurodeploy deploy' makes relays of them"
        )


def _check_delay(projection: Projection, source: Population, delay: int) -> None:
    if delay > LONGEST_DELAY:
        raise UnsupportedError(
            f"projection {projection.name}: delay {delay} of {source.name!r}'s axons and the "
            f"synapses exceeds Lava's {LONGEST_DELAY} steps; 'neurodeploy deploy' "
            f"makes relays of them"
        )


def _check_matrix(projection: Projection, source: Population, delay: int) -> None:
    _check_delay(projection, source, delay)
    lava_weight(projection)


def _check_delayed(projection: Projection, source: Population, delay: int) -> None:
    own: NDArray[np.int32] = projection.synapse.delay  # type: ignore[attr-defined]
    _check_matrix(projection, source, delay + int(own.max(initial=0)))


OPERATORS: dict[type[Synapse], Callable[[Projection, Population, int], None]] = {
    synapses.Readout: _check_delay,
    synapses.Conv: _check_conv,
    synapses.Dense: _check_matrix,
    synapses.Sparse: _check_matrix,
    synapses.DelayedDense: _check_delayed,
    synapses.DelayedSparse: _check_delayed,
}
"""Synapses that `lava.build` has a process of and the host's, with their checks."""


def _connected(network: Network) -> set[str]:
    """Names of all populations that synapses tie to the input, in any direction."""
    found = {network.input.name}
    ends = [{p.source, p.target} for p in network.projections if p.synapse.steps]
    while True:
        more = set().union(*(pair for pair in ends if pair & found)) - found
        if not more:
            return found
        found |= more


def refusal(error: UnsupportedError, target: str, model: Neuron | Synapse) -> Finding:
    """Make of an error what a target says: without the element's name, with what else helps."""
    hint = HINTS.get(type(model), "").format(target=target)
    return Rating.UNSUPPORTED, str(error).split(": ", 1)[-1] + hint


@TARGETS.register
class Lava(Target):
    """Lava's CPU models; it has delays in dense synapses and on no axon before a convolution."""

    name = "lava"
    verified_on = ("lava",)
    rewrites = FOR_LAVA

    def of_population(self, network: Network, population: Population) -> Iterator[Finding]:
        """See `Target`."""
        try:
            check_population(network, population, RunOptions(steps=1))
        except UnsupportedError as error:
            yield refusal(error, self.name, population.neuron)

    def of_projection(self, network: Network, projection: Projection) -> Iterator[Finding]:
        """See `Target`."""
        try:
            check_projection(network, projection)
        except UnsupportedError as error:
            yield refusal(error, self.name, projection.synapse)
