"""What deploy says an approximate rewrite changes is what two runs of one's own show."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.network import (
    ComplexDense,
    Conv,
    CubaLIF,
    Dense,
    GeneralCubaLIF,
    GradedThreshold,
    Network,
    Population,
    Projection,
    ResonateFire,
    SigmaDelta,
    Source,
)
from neurodeploy.targets import TARGETS

IMAGE = (2, 4, 4)
RNG = np.random.default_rng(0)
DENSE = Dense((2 * RNG.integers(-20, 45, (6, 6))).astype(np.int32))
OTHER = Dense((2 * RNG.integers(-20, 45, (6, 6))).astype(np.int32))
COMPLEX = ComplexDense(*(2 * RNG.integers(-40, 60, (2, 6, 6))).astype(np.int32))
KERNEL = Conv((2 * RNG.integers(-20, 45, (2, 2, 3, 3))).astype(np.int32), padding=(1, 1))
WIDE = Conv(np.full((2, 4, 1, 1), 1 << 20, np.int32))


def chain(*populations: Population, synapses: list, signed: bool = False) -> Network:
    shape = {id(KERNEL): IMAGE, id(WIDE): (4, 1, 1)}.get(id(synapses[0]), (6,))
    every = (Population("input", shape, Source(signed=signed)), *populations)
    pairs = zip(every[:-1], every[1:], synapses, strict=True)
    return Network(every, tuple(Projection(p.name, q.name, s) for p, q, s in pairs))


def one(neuron: object, synapse: object = DENSE, signed: bool = False, **options: object):
    return chain(Population("a", (6,), neuron, **options), synapses=[synapse], signed=signed)


LATE = (np.arange(32) % 5).astype(np.int32)
CASES = {
    "bias-from-the-start": ("lava", one(CubaLIF(900, 300, 90, 7), starts=2), 1),
    "norms-in-thresholds": ("lava", one(GeneralCubaLIF(900, 300, 20, voltage_exponent=-3)), 1),
    "soft-reset-approximated": ("lava", one(GeneralCubaLIF(900, 300, 90, reset="subtract")), 1),
    "soft-reset-as-hard": ("netx", one(GeneralCubaLIF(900, 300, 90, reset="subtract")), 1),
    "refractory-steps-left-out": ("lava", one(GeneralCubaLIF(900, 300, 90, refractory=9)), 1),
    "delays-left-out": (
        "netx",
        chain(
            Population("a", IMAGE, CubaLIF(900, 300, 90), axon_delay=LATE),
            Population("b", IMAGE, CubaLIF(900, 300, 90)),
            synapses=[KERNEL, KERNEL],
        ),
        1,
    ),
    "delays-before-the-layer": (
        "netx",
        chain(
            Population("a", (6,), SigmaDelta(6, 300), axon_delay=LATE[:6]),
            Population("b", (6,), SigmaDelta(6)),
            synapses=[DENSE, OTHER], signed=True,
        ),
        50,
    ),
    "thresholds-in-64ths": ("netx", one(SigmaDelta(103219, fraction_bits=12), signed=True), 50),
    "decays-through-floats": ("netx", one(ResonateFire(2391, 3011, 60), COMPLEX), 1),
    "wrapped-sums-in-parts": (
        "lava",
        chain(Population("a", (2, 1, 1), GradedThreshold(0)), synapses=[WIDE]),
        3,
    ),
}  # fmt: skip


def test_every_approximate_rewrite_is_here():
    known = {r.name for t in ("lava", "loihi2", "netx") for r in TARGETS[t].rewrites if not r.exact}
    assert known == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_its_effect_is_what_two_runs_show(name):
    target, before, size = CASES[name]
    rng = np.random.default_rng(5)
    inputs = (rng.random((6, 40, *before.input.shape)) < 0.4).astype(np.int32) * size
    labels = nd.run(before, inputs).decisions()
    labels[0] += 1  # not all of them right
    ready = nd.deploy(before, target, inputs=inputs, labels=labels, verified=False)
    lossy = [step for step in ready.steps if not step.exact]
    assert [step.name for step in lossy] == [name]
    (change,) = (step.change for step in lossy)
    seen = change.effect.population

    steps = inputs.shape[1] + before.hops(before.output.name)
    old, new = (nd.run(n, inputs, steps=steps, record=("spikes",)) for n in (before, ready.network))
    a, b = (r[seen].spikes.astype(np.int64) for r in (old, new))
    effect = change.effect
    assert effect.compared == a.size
    assert effect.differing == np.count_nonzero(a != b) > 0
    assert (effect.sent_before, effect.sent) == (np.count_nonzero(a), np.count_nonzero(b))
    assert effect.relative_error == pytest.approx(np.abs(b - a).sum() / np.abs(a).sum())
    ends = [r.output.astype(np.int64) for r in (old, new)]
    lost = np.abs(ends[1] - ends[0]).sum() / np.abs(ends[0]).sum()
    assert effect.output_relative_error == pytest.approx(lost)
    same = np.count_nonzero((a == b) & (a != 0))
    assert change.coincidence == pytest.approx(2 * same / (effect.sent_before + effect.sent))
    assert change.accuracy == (old.accuracy(labels), new.accuracy(labels))
    assert ready.change.effect.output_relative_error == pytest.approx(lost)
    written = [e for e in ready.network.audit if e.effect is not None]
    assert [e.effect for e in written] == [effect]
    assert f"{change.coincidence:.1%} of messages coincide" in written[0].reason
