"""What Lava's CPU fixed-point simulator runs as the network says, element by element.

Backend ``lava`` refuses by these rules, the look-ahead to ``lava`` and ``loihi2`` speaks by them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..network import (
    Average,
    Conv,
    CubaLIF,
    DelayedDense,
    Delta,
    Dense,
    GradedThreshold,
    Network,
    Population,
    Projection,
    Readout,
    Sigma,
    SigmaDelta,
    Source,
    Sparse,
    TernaryLIF,
)
from ..network.fixed_point import BIAS_BITS, WEIGHT_MAX_UNSIGNED, WEIGHT_MIN
from ..recording.run_options import RunOptions, refuse_floats

LONGEST_DELAY = 63
"""``PyDelayDenseModelBitAcc`` refuses more; its delays are 6 bits wide."""

LARGEST_BIAS = (1 << (BIAS_BITS - 1)) - 1
"""Lava's bias mantissa is an int16; a larger one would wrap silently."""

WEIGHT_EXPONENTS = (0, -1, *range(1, 8))
"""Weight exponents to try, the plainest first; Loihi's exponent has 4 bits, -8..7."""

NEURONS = (Source, CubaLIF, TernaryLIF, GradedThreshold, Delta, SigmaDelta, Sigma, Average)
"""Neurons that `lava_build` has a process of, and the two that are the host's."""

_MATRICES = (Dense, DelayedDense, Sparse)


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
    on_lava = {p.name for p in network.populations if not isinstance(p.neuron, Average)}
    lost = on_lava - _connected(network)
    if lost:
        raise UnsupportedError(
            f"population {min(lost)!r}: not connected to the input, so Lava's compiler would not "
            f"find it; remove it or run the network on 'engine'"
        )


def check_population(network: Network, population: Population, options: RunOptions) -> None:
    """Refuse neurons that Lava would run otherwise; see `check_supported`."""
    name, neuron = population.name, population.neuron
    if type(neuron) not in NEURONS or (isinstance(neuron, Source) and name != network.input.name):
        raise UnsupportedError(
            f"population {name!r}: the lava backend cannot run neuron model {neuron.kind!r} "
            f"here; 'neurodeploy convert --for lava' rewrites what has an exact form, backend "
            f"'engine' runs the rest"
        )
    if options.reset_interval and isinstance(neuron, (Delta, SigmaDelta, Sigma)):
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
    if isinstance(neuron, TernaryLIF) and np.any(neuron.lower > neuron.upper):
        raise UnsupportedError(
            f"population {name!r}: its lower threshold is above the upper one, which Lava's "
            f"TernaryLIF refuses; run it on backend 'engine'"
        )
    bias = np.ravel(neuron.bias) if isinstance(neuron, (CubaLIF, TernaryLIF)) else np.zeros(1)
    largest = int(bias[np.argmax(np.abs(bias))])
    if abs(largest) > LARGEST_BIAS:
        raise UnsupportedError(
            f"population {name!r}: bias {largest} is beyond the {LARGEST_BIAS} that Lava's "
            f"variable holds; scale the network down or run it on 'engine'"
        )


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
    assert isinstance(synapse, _MATRICES)
    weight = synapse.to_dense() if isinstance(synapse, Sparse) else synapse.weight
    weight = weight.astype(np.int64)
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
    to_host = isinstance(synapse, Readout) and isinstance(target.neuron, Average)
    to_chip = isinstance(synapse, (*_MATRICES, Conv)) and not isinstance(
        target.neuron, (Average, Source)
    )
    if not (to_host or to_chip) or isinstance(source.neuron, Average):
        raise UnsupportedError(
            f"projection {name}: the lava backend cannot run synapse {synapse.kind!r} from "
            f"{source.neuron.kind!r} to {target.neuron.kind!r}; run it on backend 'engine'"
        )
    delay = 0 if source.axon_delay is None else int(source.axon_delay.max(initial=0))
    if delay and isinstance(synapse, Conv):
        raise UnsupportedError(
            f"projection {name}: {source.name!r} has axonal delays (up to {delay} steps) and "
            f"Lava's Conv has none; run it on backend 'engine'"
        )
    if isinstance(synapse, DelayedDense):
        delay += int(synapse.delay.max(initial=0))
    if delay > LONGEST_DELAY:
        raise UnsupportedError(
            f"projection {name}: delay {delay} of {source.name!r}'s axons and the synapses exceeds "
            f"Lava's {LONGEST_DELAY} steps; shorten the delays"
        )
    if isinstance(synapse, _MATRICES):
        lava_weight(projection)


def _connected(network: Network) -> set[str]:
    """Names of all populations that synapses tie to the input, in any direction."""
    found = {network.input.name}
    ends = [{p.source, p.target} for p in network.projections if p.synapse.steps]
    while True:
        more = set().union(*(pair for pair in ends if pair & found)) - found
        if not more:
            return found
        found |= more
