"""What a target refuses and deploy can mend is refused with the word deploy."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    ALIF,
    Average,
    Conv,
    ConvTranspose,
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Rating,
    Readout,
    SigmaDelta,
    Source,
    TemporalFIR,
)
from neurodeploy.targets import TARGETS
from neurodeploy.targets.look_ahead import look_ahead

PLAIN = CubaLIF(900, 300, 90)


def two(neuron=PLAIN, synapse=None, source=(6,), target=(6,), signed=False, **options):
    """An input, a population, and what is between them."""
    synapse = Dense(np.full((6, 6), 40, np.int32)) if synapse is None else synapse
    populations = (
        Population("input", source, Source(signed=signed)),
        Population("a", target, neuron, **options),
    )
    return Network(populations, (Projection("input", "a", synapse),))


def behind(*between):
    """A convolution behind populations with what they hear."""
    image = (2, 4, 4)
    names = ["input", *(p.name for p, _ in between), "z"]
    last = Conv(np.full((2, 2, 1, 1), 40, np.int32))
    populations = (
        Population("input", image, Source()), *(p for p, _ in between),
        Population("z", image, PLAIN),
    )  # fmt: skip
    synapses = [*(s for _, s in between), last]
    projections = map(Projection, names, names[1:], synapses)
    return Network(populations, tuple(projections))


def late(size=32):
    return (np.arange(size) % 3).astype(np.int32)


KERNEL = Conv(np.full((2, 2, 1, 1), 40, np.int32))
MENDED = {
    "a pool": two(synapse=Pool.sums((2, 2), 60), source=(2, 4, 4), target=(2, 2, 2)),
    "taps": two(synapse=TemporalFIR(np.full((3, 6), 40, np.int32))),
    "one to one": two(synapse=OneToOne(40)),
    "a transposed convolution": two(
        synapse=ConvTranspose(np.full((2, 2, 2, 2), 40, np.int32), stride=(2, 2)),
        source=(2, 2, 2), target=(2, 4, 4),
    ),
    "axons before a convolution": behind(
        (Population("a", (2, 4, 4), PLAIN, axon_delay=late()), KERNEL)
    ),
    "a relay on the host": behind(
        (Population("a", (2, 4, 4), PLAIN), KERNEL),
        (Population("relay", (2, 4, 4), Average(1), axon_delay=late()), Readout()),
    ),
    "wide weights": two(synapse=Dense(np.arange(36, dtype=np.int32).reshape(6, 6) * 101 - 1000)),
    "a soft reset": two(GeneralCubaLIF(4096, 300, 90, reset="subtract")),
    "a late soft reset": two(GeneralCubaLIF(4096, 0, 90, reset="subtract-late")),
    "a refractory period": two(GeneralCubaLIF(900, 300, 90, refractory=3)),
    "a norm": two(GeneralCubaLIF(900, 300, 90, voltage_exponent=-2)),
    "another unit": two(GeneralCubaLIF(4096, 4096, 640, input_exponent=3)),
    "a late bias": two(CubaLIF(900, 300, 90, 7), starts=1),
    "learnt thresholds": two(SigmaDelta(6 << 12, 0, fraction_bits=12), signed=True),
    "neurons that differ": behind(
        (Population("a", (2, 4, 4), CubaLIF(900, 300, np.repeat([90, 120], 16))), KERNEL)
    ),
    "a bias of a current without memory": two(
        GeneralCubaLIF(4096, 300, 90, 3, bias_into="current")
    ),
    "a bias of the current": two(ALIF(900, 300, 100, 200, 90, 5, 3)),
}  # fmt: skip


@pytest.mark.parametrize("target", ["lava", "loihi2", "netx"])
@pytest.mark.parametrize("name", MENDED)
def test_what_deploy_mends_is_not_sent_to_the_engine(name, target):
    network = MENDED[name]
    said = look_ahead(network, target).rated(Rating.UNSUPPORTED)
    ready = nd.deploy(network, target, verified=False)
    mended = [e for e in said if e.element not in {left.element for left in ready.left}]
    for entry in mended:
        assert "deploy" in entry.reason, entry
        assert "run it on" not in entry.reason, entry
    for entry in ready.left:
        assert f"deploy --target {target}" not in entry.reason, entry


def test_every_rewrite_for_refused_elements_has_a_network_here():
    used = {
        step.name
        for target in ("lava", "loihi2")
        for network in MENDED.values()
        for step in nd.deploy(network, target, verified=False).steps
    }
    wanted = {
        r.name for target in ("lava", "loihi2") for r in TARGETS[target].rewrites if r.refused_only
    }
    # Others come first wherever one of these two would help.
    assert wanted - used <= {"bias-from-the-start", "refractory-steps-left-out"}
