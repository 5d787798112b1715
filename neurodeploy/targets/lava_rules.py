"""What Lava 0.10's CPU fixed-point simulator runs as the network says, element by element.

Backend ``lava`` refuses by these rules, the look-ahead to ``lava`` and ``loihi2`` speaks by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import Network, Neuron, Population, Projection, Rating, Synapse, neurons, synapses
from ..network.fixed_point import BIAS_BITS, WEIGHT_MAX_UNSIGNED, WEIGHT_MIN
from ..recording.run_options import RunOptions, refuse_floats
from .registry import TARGETS, Finding, Rewrite, Target
from .rewrite.pools import pool_as_conv
from .rewrite.taps import taps_as_delays

LONGEST_DELAY = 63
"""``PyDelayDenseModelBitAcc`` refuses more; its delays are 6 bits wide."""

LARGEST_BIAS = (1 << (BIAS_BITS - 1)) - 1
"""Lava's bias mantissa is an int16; a larger one would wrap silently."""

WEIGHT_EXPONENTS = (0, -1, *range(1, 8))
"""Weight exponents to try, the plainest first; Loihi's exponent has 4 bits, -8..7."""

MATRICES: dict[type[Synapse], Callable[[Any], NDArray[np.int32]]] = {
    synapses.Dense: attrgetter("weight"),
    synapses.DelayedDense: attrgetter("weight"),
    synapses.Sparse: synapses.Sparse.to_dense,
}
"""Operators that are a matrix in Lava, and how it reads: [targets, sources]."""

HINTS: dict[type[Neuron] | type[Synapse], str] = {
    neurons.ALIF: "; rewrite.as_atrlif gives it as Lava's ATRLIF",
    synapses.Pool: "; or convert --target {target} (rewrite.pool_as_conv)",
    synapses.TemporalFIR: "; or convert --target {target} (rewrite.taps_as_delays)",
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
        raise UnsupportedError(
            f"population {name!r}: the lava backend cannot run neuron model {neuron.kind!r} "
            f"here; 'neurodeploy convert --target lava' rewrites what has an exact form, backend "
            f"'engine' runs the rest"
        )
    if options.reset_interval and not neuron.resettable:
        raise UnsupportedError(
            f"population {name!r}: Lava has no reset_interval for {neuron.kind!r} neurons; "
            f"run without reset_interval"
        )
    if population.starts:
        raise UnsupportedError(
            f"population {name!r}: starts at step {population.starts}, Lava's neurons all at "
            f"step 0; give it starts=0 and let compare say what its bias then moves, or run it on "
            f"backend 'engine'"
        )
    if bits := getattr(neuron, "fraction_bits", 0):
        raise UnsupportedError(
            f"population {name!r}: its threshold and bias have {bits} bits below 1/64, Lava's "
            f"have none; round them to 1/64 before the export and let compare say what that moves, "
            f"or run it on backend 'engine'"
        )
    PROCESSES[type(neuron)](name, neuron)


def has_process(neuron: Neuron) -> bool:
    """Whether `lava.build` has a process of a neuron model, or it is the host's."""
    return bool(PROCESSES.get(type(neuron)))


def _check_nothing(name: str, neuron: Neuron) -> None:
    pass


def _check_ternary(name: str, neuron: neurons.TernaryLIF) -> None:
    if np.any(neuron.lower > neuron.upper):
        raise UnsupportedError(
            f"population {name!r}: its lower threshold is above the upper one, which Lava's "
            f"TernaryLIF refuses; run it on backend 'engine'"
        )
    _check_bias(name, neuron)


def _check_bias(name: str, neuron: neurons.CubaLIF | neurons.TernaryLIF) -> None:
    bias = np.ravel(neuron.bias)
    largest = int(bias[np.argmax(np.abs(bias))])
    if abs(largest) > LARGEST_BIAS:
        raise UnsupportedError(
            f"population {name!r}: bias {largest} is beyond the {LARGEST_BIAS} that Lava's "
            f"variable holds; scale the network down or run it on 'engine'"
        )


PROCESSES: dict[type[Neuron], Callable[[str, Any], None]] = {
    **dict.fromkeys(
        (
            neurons.Source,
            neurons.GradedThreshold,
            neurons.Delta,
            neurons.SigmaDelta,
            neurons.Sigma,
            neurons.Average,
        ),
        _check_nothing,
    ),
    neurons.CubaLIF: _check_bias,
    neurons.TernaryLIF: _check_ternary,
}
"""Neurons that `lava.build` has a process of and the two that are the host's, with their checks."""


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
        f"exactly {sign}; quantize the network to 8-bit weights"
    )


def check_projection(network: Network, projection: Projection) -> None:
    """Refuse synapses that Lava would run otherwise; see `check_supported`."""
    name, synapse = projection.name, projection.synapse
    source, target = network[projection.source], network[projection.target]
    check = OPERATORS.get(type(synapse))
    misled = target.neuron.is_port or target.neuron.sums_on_host != (synapse.steps == 0)
    if check is None or misled or source.neuron.sums_on_host:
        raise UnsupportedError(
            f"projection {name}: the lava backend cannot run synapse {synapse.kind!r} from "
            f"{source.neuron.kind!r} to {target.neuron.kind!r}; run it on backend 'engine'"
        )
    check(projection, source, 0 if source.axon_delay is None else int(source.axon_delay.max()))


def _check_conv(projection: Projection, source: Population, delay: int) -> None:
    if delay:
        raise UnsupportedError(
            f"projection {projection.name}: {source.name!r} has axonal delays (up to {delay} "
            f"steps) and Lava's Conv has none; run it on backend 'engine'"
        )


def _check_delay(projection: Projection, source: Population, delay: int) -> None:
    if delay > LONGEST_DELAY:
        raise UnsupportedError(
            f"projection {projection.name}: delay {delay} of {source.name!r}'s axons and the "
            f"synapses exceeds Lava's {LONGEST_DELAY} steps; shorten the delays"
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
    rewrites = (
        Rewrite(taps_as_delays, "taps in time as parallel synapses with delays"),
        Rewrite(pool_as_conv, "sum pools as depthwise convolutions of the same sums"),
    )

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
